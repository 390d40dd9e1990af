"""The semantics matrix as Markdown, and as rows for the terminal."""

from __future__ import annotations

from typing import Any

from conformance.reports.escape import address, escape, wrapped
from conformance.reports.semantics import Cell, Row, SemanticsMatrix

__all__ = ["LEGEND", "semantics_lines", "semantics_rows"]

DIFFERS = "≠"
MODES = "⇄"
LEGEND = (
    f"A cell gives what was observed. **{DIFFERS}** marks what differs from the declaration, which follows in "
    f"parentheses; {MODES} marks a policy in which modes of one framework were observed to differ. Where nothing was "
    "observed the declaration stands alone, in italics; *not offered*: the framework has no such feature."
)


def semantics_lines(matrix: SemanticsMatrix, *, links: bool = True) -> list[str]:
    """A table of policies by backend, its legend, and, with ``links``, the documentation behind each declaration."""
    if not matrix.rows:
        return []
    lines = [wrapped(LEGEND), ""]
    lines.append("| policy | " + " | ".join(escape(matrix.titles[name]) for name in matrix.backends) + " |")
    lines.append("|---" * (len(matrix.backends) + 1) + "|")
    for row in matrix.rows:
        head = escape(row.policy) + (f" {MODES} {escape(', '.join(row.modes_differ))}" if row.modes_differ else "")
        lines.append(f"| {head} | " + " | ".join(_cell(row.cells[name]) for name in matrix.backends) + " |")
    if links:
        lines += ["", *_documentation(matrix)]
    return lines


def semantics_rows(matrix: SemanticsMatrix) -> list[dict[str, Any]]:
    """One row for every policy and backend, for a listing or as JSON."""
    return [_row(row, name, row.cells[name]) for row in matrix.rows for name in matrix.backends]


def _row(row: Row, backend: str, cell: Cell) -> dict[str, Any]:
    family = backend.partition(":")[0]
    return {
        "policy": row.policy,
        "backend": backend,
        "declared": cell.declared_text,
        "observed": cell.observed_text,
        "differs": [aspect or "all" for aspect in cell.differing],
        "modes_differ": list(row.modes_differ.get(family, ())),
        "documentation": cell.documentation,
        "details": cell.note,
    }


def _cell(cell: Cell) -> str:
    if not cell.observed:
        return f"*{escape(cell.declared_text)}*" if cell.declared else "–"
    if cell.differing:
        declared = escape(cell.declared_text or "nothing")
        return f"**{DIFFERS}** {escape(cell.observed_text)} ({declared} declared)"
    return escape(cell.observed_text)


def _documentation(matrix: SemanticsMatrix) -> list[str]:
    """Where each declaration is documented; modes of one framework that say the same share a line."""
    lines = ["Where it is documented:", ""]
    for row in matrix.rows:
        said: dict[tuple[str, str], list[str]] = {}
        for name in matrix.backends:
            cell = row.cells[name]
            if cell.documentation and cell.declared_text != "not offered":
                said.setdefault((cell.documentation, cell.note), []).append(name)
        parts = [_source(names, link, note) for (link, note), names in said.items()]
        if parts:
            lines.append(wrapped(f"- **{escape(row.policy)}**: " + "; ".join(parts), "  "))
    return lines


def _source(names: list[str], link: str, note: str) -> str:
    families = list(dict.fromkeys(name.partition(":")[0] for name in names))
    return f"{escape(', '.join(families))} {address(link)}" + (f" ({escape(note.rstrip('.'))})" if note else "")
