"""The semantics matrix as Markdown, and as rows for a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.reports.columns import Column
from conformance.reports.escape import address, escape, wrapped
from conformance.reports.render import markdown
from conformance.reports.semantics import NOT_OFFERED, PolicyCell, PolicyRow, SemanticsMatrix
from conformance.reports.table import AnyCell, Cell, Content, Table

__all__ = ["DIFFERS", "LEGEND", "MODES", "semantics_by_value", "semantics_lines", "semantics_rows"]

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


def semantics_by_value(matrix: SemanticsMatrix) -> list[str]:
    """A table with a row for each policy and what was observed of it, and the backends of which it was.

    For runs of more backends than a table on a page can have columns. Documentation as of :func:`semantics_lines`.
    """
    rows: list[list[AnyCell]] = [
        [_head(row), cell, _names(columns, matrix.columns)] for row in matrix.rows for cell, columns in _groups(row)
    ]
    of = wrapped("Of " + escape(", ".join(column.label for column in matrix.columns)) + ".")
    table = markdown(Table(["policy", "observed", "of"], rows))
    return [wrapped(LEGEND), "", of, "", *table, "", *_documentation(matrix)]


def _groups(row: PolicyRow) -> list[tuple[Cell, list[Column]]]:
    """What is in the cells of a row, each with its columns; of most columns first, what is not offered last."""
    groups: dict[tuple[Content, str, str], list[Column]] = {}
    for column, policy in row.cells.items():
        cell = _cell(policy)
        found = cell if isinstance(cell, Cell) else Cell(cell)
        if found.content != "–":
            groups.setdefault((found.content, found.note, found.mark), []).append(column)
    ordered = sorted(groups.items(), key=lambda each: (each[0][0] == NOT_OFFERED, -len(each[1])))
    return [(Cell(content, note=note, mark=mark), columns) for (content, note, mark), columns in ordered]


def _names(columns: list[Column], every: tuple[Column, ...]) -> str:
    """``jax, torch (6 modes), torch:export``: the modes of a backend are counted where they are all there."""
    here, all_ = _by_backend(columns), _by_backend(every)
    return ", ".join(
        f"{name} ({len(labels)} modes)" if labels == all_[name] and len(labels) > 1 else ", ".join(labels)
        for name, labels in here.items()
    )


def _by_backend(columns: Sequence[Column]) -> dict[str, list[str]]:
    modes: dict[str, list[str]] = {}
    for column in columns:
        modes.setdefault(column.backend.partition(":")[0], []).append(column.backend)
    return modes


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
