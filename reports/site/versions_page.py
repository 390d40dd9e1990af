"""The history of defects over versions, as tables of a page."""

from __future__ import annotations

from conformance.reports.columns import slug
from conformance.reports.table import AnyCell, Cell, Table
from conformance.reports.versions import DefectHistory, VersionHistory

__all__ = ["history_table"]


def history_table(history: VersionHistory) -> Table:
    """A row for each defect: the first and last version that shows it, the release that repaired it, and each one."""
    versions = [*dict.fromkeys(column.id.version for column in history.columns)]
    head: list[AnyCell] = ["defect", "first", "last", "repaired in", *versions]
    rows = [_row(each, versions) for each in history.defects]
    return Table(head, rows, f"defects of {history.backend} by version")


def _row(each: DefectHistory, versions: list[str]) -> list[AnyCell]:
    note = "" if each.registered else "not in the register"
    first = f"{each.first} or before" if each.since_the_first else each.first
    return [
        Cell(each.name, f"cases/{slug(each.case)}.html", note=note),
        first,
        each.last,
        each.repaired_in or "still there",
        *(_cell(each, version) for version in versions),
    ]


def _cell(each: DefectHistory, version: str) -> Cell:
    shown = each.by_version.get(version)
    if shown is None:
        return Cell("not asked")
    if not shown.wrong:
        return Cell("right", mark="pass")
    return Cell("shows", note=f"{shown.wrong:,} of {shown.checks:,} checks", mark="known")
