"""A comparison as lines for the terminal and as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from conformance.plain import on_terminal
from conformance.reports.benchmarks.comparison.rows import ChangeRow, Missing, SpeedComparison
from conformance.reports.benchmarks.units import percent_changes, seconds
from conformance.reports.escape import escape
from conformance.reports.render import markdown, rich_table
from conformance.reports.table import AnyCell, Cell, Table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["change_lines", "changes_markdown", "print_changes"]

HEAD = ("workload", "backend", "contract", "cache", "old", "new", "change", "95 % interval", "p", "p (Holm)", "call")
#: Each call with the verdict whose colour it has.
_MARKS = {"slower": "fail", "faster": "pass", "unclear": "", "too few": "", "same": ""}


def print_changes(comparison: SpeedComparison, console: Console | None = None, *, everything: bool = False) -> None:
    """Print what changed or lost its accuracy (``everything``: all rows), what is missing, how far to believe it."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console(soft_wrap=False)
    if rows := comparison.rows if everything else _notable(comparison):
        lines = [
            (
                Cell(row.workload, note=f"{row.backend}, {row.contract}, {row.cache}"),
                Cell(f"{seconds(row.old_seconds)} →", note=seconds(row.new_seconds)),
                _change(row),
                Cell(f"{row.p:.2g}", note=f"{row.p_holm:.2g}"),
                Cell(_call(row), mark=_MARKS["slower" if row.lost_accuracy else row.call]),
            )
            for row in rows
        ]
        head = ("what", "old → new", "change, 95 % interval", "p, Holm", "call")
        console.print(rich_table(Table(head, lines, "times, new against old")))
    console.print(Text(_tally(comparison)))
    for missing in comparison.missing:
        console.print(Text(on_terminal(_missing(missing))))
    for line in (comparison.band.summary(), *comparison.notes):
        console.print(Text(on_terminal(line)), style="dim")


def change_lines(comparison: SpeedComparison) -> list[str]:
    """The changes in plain lines, the largest first, with what a reader needs to believe them; not escaped."""
    lines = [_tally(comparison)]
    for row in _notable(comparison):
        change = f"{seconds(row.old_seconds)} → {seconds(row.new_seconds)}, {_change(row)}"
        lines.append(f"{_call(row)}: {row.key}: {change}; p {row.p:.2g}, Holm {row.p_holm:.2g}")
    return [*lines, *map(_missing, comparison.missing), comparison.band.summary(), *comparison.notes]


def changes_markdown(comparison: SpeedComparison) -> str:
    """The whole comparison as Markdown; hostile names change nothing in it."""
    lines = [escape(_tally(comparison)), "", escape(comparison.band.summary()), ""]
    lines += [f"{escape(note)}\n" for note in comparison.notes]
    if comparison.rows:
        notable = _notable(comparison)
        others = (row for row in comparison.rows if row not in notable)
        rows = [_cells(row, "loud") for row in notable] + [_cells(row) for row in others]
        lines += [*markdown(Table(HEAD, rows)), ""]
    lines += [f"- {escape(_missing(each))}" for each in comparison.missing]
    return "\n".join(lines).rstrip() + "\n"


def _notable(comparison: SpeedComparison) -> tuple[ChangeRow, ...]:
    """What lost its accuracy, whatever its time did, and then the changes, the largest first."""
    lost = tuple(row for row in comparison.rows if row.lost_accuracy)
    return (*lost, *(row for row in comparison.changes if not row.lost_accuracy))


def _change(row: ChangeRow) -> str:
    ratio, low, high = percent_changes(row.ratio, row.low, row.high)
    return f"{ratio} ({low} … {high})"


def _cells(row: ChangeRow, mark: str = "") -> list[AnyCell]:
    ratio, low, high = percent_changes(row.ratio, row.low, row.high)
    return [
        *row.key,
        seconds(row.old_seconds),
        seconds(row.new_seconds),
        ratio,
        f"{low} … {high}",
        f"{row.p:.2g}",
        f"{row.p_holm:.2g}",
        Cell(_call(row), mark=mark),
    ]


def _call(row: ChangeRow) -> str:
    text = row.call + (" (family-wise)" if row.family_wise else "")
    if row.call == "too few":
        text = f"too few processes ({row.old_processes}, {row.new_processes})"
    return text + (f"; accuracy {row.old_accuracy} → {row.new_accuracy}" if row.lost_accuracy else "")


def _tally(comparison: SpeedComparison) -> str:
    counts = {call: sum(row.call == call for row in comparison.rows) for call in _MARKS}
    calls = ", ".join(f"{count} {call}" for call, count in counts.items() if count)
    text = (
        f"{len(comparison.rows)} comparisons: {calls}{_overall(comparison.rows)}." if calls else "No time is in both."
    )
    inaccurate = sum(row.lost_accuracy for row in comparison.rows)
    text += f" {inaccurate} lost accuracy: a speed that was bought with it counts for nothing." if inaccurate else ""
    return text + (f" {len(comparison.lost)} cannot be timed any more." if comparison.lost else "")


def _overall(rows: Sequence[ChangeRow]) -> str:
    mean = math.exp(sum(math.log(row.ratio) for row in rows) / len(rows))
    return f"; geometric mean of all ratios {mean:.3f}"


def _missing(missing: Missing) -> str:
    why = f": {missing.status}" + (f", {missing.message}" if missing.message else "")
    why += " (a regression)" if missing.lost else ""
    return f"only in the {missing.only} run: {missing.key}; in the other one{why}"
