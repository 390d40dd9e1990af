"""What differs between the modes of a framework, as tables of a page."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.model.outcome import Outcome
from conformance.model.wording import check_name, message
from conformance.plain import command_line
from conformance.reports.columns import slug
from conformance.reports.modes import KINDS, Comparison, Difference
from conformance.reports.table import AnyCell, Cell, Links, Table

__all__ = ["difference_table", "summary_table"]


def summary_table(found: Sequence[Comparison]) -> Table:
    """A row for each pair of modes: the checks that both made, and how many differ in each way."""
    head: list[AnyCell] = ["mode", "beside", "shared checks", *KINDS]
    rows: list[list[AnyCell]] = [
        [
            Cell(each.second.label, f"#m-{each.second.slug}" if each.differences else ""),
            Cell(each.first.label, f"backends/{each.first.slug}.html"),
            each.shared,
            *(each.counts[kind] for kind in KINDS),
        ]
        for each in found
    ]
    return Table(head, rows, "checks that differ between modes", numbers=frozenset(range(2, len(head))))


def difference_table(comparison: Comparison) -> Table:
    """A row for each group of checks that differ alike; the cases' pages show the call as a stand-alone script."""
    head: list[AnyCell] = ["difference", "check", "dtypes", "checks", "cases", comparison.first.label,
                           comparison.second.label]  # fmt: skip
    rows: list[list[AnyCell]] = [_row(each, comparison) for each in comparison.differences]
    return Table(head, rows, f"{comparison.second.label} beside {comparison.first.label}", numbers=frozenset({3}))


def _row(each: Difference, comparison: Comparison) -> list[AnyCell]:
    links = [(case, f"cases/{slug(case)}.html") for case in each.named]
    lacking = each.kind == "not in one mode"  # where policies of several names may be one group
    check = each.check if lacking else check_name(each.check, each.first.policy, each.first.aspect)
    return [
        each.kind,
        Cell(check, note=each.op),
        ", ".join(each.dtypes),
        each.checks,
        Links(links, more=each.cases > len(links)),
        _answer(each.first, comparison.first.spec),
        _answer(each.second, comparison.second.spec),
    ]


def _answer(outcome: Outcome, spec: str) -> Cell:
    """What a mode gave, and the command that shows it in a process of its own."""
    said = message(outcome)
    shown = "" if outcome.verdict == "unsupported" else command_line("conformance", "repro", outcome.case, "-b", spec)
    return Cell(f"{outcome.verdict}: {said}" if said else outcome.verdict, note=shown, mark=outcome.verdict)
