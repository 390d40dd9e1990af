"""The semantics matrix as Markdown, and as rows for a listing."""

from __future__ import annotations

from typing import Any

from conformance.reports.columns import Column
from conformance.reports.escape import address, escape, wrapped
from conformance.reports.render import markdown
from conformance.reports.semantics import NOT_OFFERED, PolicyCell, PolicyRow, SemanticsMatrix
from conformance.reports.table import Cell, Content, Table

__all__ = ["DIFFERS", "LEGEND", "MODES", "semantics_lines", "semantics_rows"]

DIFFERS = "≠"
MODES = "⇄"
LEGEND = (
    f"A cell gives what was observed. **{DIFFERS}** marks what differs from the declaration, which follows in "
    f"parentheses; {MODES} marks a policy in which modes of one framework were observed to differ. Where nothing was "
    "observed the declaration stands alone, in italics; *not offered*: the framework has no such feature; *other*: a "
    "result that no value of the policy describes."
)


def semantics_lines(matrix: SemanticsMatrix, *, links: bool = True) -> list[str]:
    """A table of policies by backend, its legend, and, with ``links``, the documentation behind each declaration."""
    if not matrix.rows:
        return []
    rows = [[_head(row), *(_cell(row.cells[column]) for column in matrix.columns)] for row in matrix.rows]
    table = Table(["policy", *(column.label for column in matrix.columns)], rows)
    lines = [wrapped(LEGEND), "", *markdown(table)]
    return [*lines, "", *_documentation(matrix)] if links else lines


def semantics_rows(matrix: SemanticsMatrix) -> list[dict[str, Any]]:
    """One row for every policy and backend, for a listing or as JSON."""
    return [_row(row, column, row.cells[column]) for row in matrix.rows for column in matrix.columns]


def _row(row: PolicyRow, column: Column, cell: PolicyCell) -> dict[str, Any]:
    return {
        "policy": row.policy,
        "backend": column.label,
        "declared": cell.declared_text,
        "observed": cell.observed_text,
        "differs": [aspect or "all" for aspect in cell.differing],
        "modes_differ": list(row.modes_differ.get(column.family, ())),
        "documentation": cell.documentation,
        "details": cell.note,
    }


def _head(row: PolicyRow) -> str:
    return row.policy + (f" {MODES} {', '.join(row.modes_differ)}" if row.modes_differ else "")


def _cell(cell: PolicyCell) -> Content | Cell:
    if not cell.observed:
        return Cell(cell.declared_text, mark="declared") if cell.declared else "–"
    if cell.differing:
        return Cell(cell.observed_text, note=f"{cell.declared_text or 'nothing'} declared", mark="differs")
    return cell.observed_text


def _documentation(matrix: SemanticsMatrix) -> list[str]:
    """Where each declaration is documented; modes of one framework that say the same share a line."""
    lines = ["Where it is documented:", ""]
    for row in matrix.rows:
        said: dict[tuple[str, str], dict[str, None]] = {}
        for column in matrix.columns:
            cell = row.cells[column]
            if cell.documentation and cell.declared_text != NOT_OFFERED:
                said.setdefault((cell.documentation, cell.note), {})[column.family] = None
        parts = [_source([*families], link, note) for (link, note), families in said.items()]
        if parts:
            lines.append(wrapped(f"- **{escape(row.policy)}**: " + "; ".join(parts), "  "))
    return lines


def _source(families: list[str], link: str, note: str) -> str:
    return f"{escape(', '.join(families))} {address(link)}" + (f" ({escape(note.rstrip('.'))})" if note else "")
