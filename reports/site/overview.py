"""The verdict matrix of the overview: each cell leads to its findings, and has an address."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.plain import plural
from conformance.reports.columns import Column, slug
from conformance.reports.matrix import Matrix
from conformance.reports.table import AnyCell, Cell, Counts, Table

__all__ = ["overview_table"]

_WRONG = ("fail", "crash", "timeout", "unreproduced")


def overview_table(counted: Matrix, sizes: Mapping[str, int]) -> Table:
    """A row for each theme, by name, with how many cases it has (``sizes``), and a column for each backend."""
    head: list[AnyCell] = ["theme", *(Cell(column.label, f"backends/{column.slug}.html") for column in counted.columns)]
    rows = []
    for theme in sorted(counted.themes):
        number = sizes.get(theme, 0)
        row: list[AnyCell] = [Cell(theme, f"cases.html#t-{slug(theme)}", plural(number, "case"))]
        for column in counted.columns:
            row.append(_cell(column, Counts(counted.cells.get((column, theme), {})), theme))
        rows.append(row)
    total: list[AnyCell] = ["all", *(_cell(column, Counts(counted.total(column)), "") for column in counted.columns)]
    return Table(head, rows, "Verdicts by theme and backend", total, kind="matrix")


def _cell(column: Column, counts: Counts, theme: str) -> Cell:
    name = f"c-{column.slug}--{slug(theme)}" if theme else f"c-{column.slug}"
    if not counts:
        return Cell(counts, name=name)
    data = {"cell": "", "backend": str(column.place), "theme": theme}
    bad = bool(theme) and any(counts.of.get(verdict) for verdict in _WRONG)
    return Cell(counts, f"#{name}", mark="bad" if bad else "", name=name, data=data)
