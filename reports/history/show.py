"""The history on the terminal, as JSON, and as pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from conformance.disk import write
from conformance.model.verdicts import in_order
from conformance.plain import json_text
from conformance.reports.benchmarks.units import percent_change, seconds
from conformance.reports.columns import slugs
from conformance.reports.history.changes import FEWEST, MISSING
from conformance.reports.history.series import TimeSeries, VerdictRow
from conformance.reports.render import rich_table
from conformance.reports.table import AnyCell, Cell, Table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Shown", "history_json", "print_history", "write_trends"]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of the history: times by workload and backend, and the verdicts of each conformance run."""

    times: list[TimeSeries]
    verdicts: list[VerdictRow]


def print_history(times: Sequence[TimeSeries], verdicts: Sequence[VerdictRow], console: Console | None = None) -> None:
    """Print a line for each series with its change points, and the verdicts of each conformance run."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console(soft_wrap=False)
    if times:
        console.print(rich_table(_times_table(times), lines=False))
        if any(each.changes is None for each in times):
            console.print(Text(MISSING), style="yellow")
        elif any(len(each.points) < FEWEST for each in times):
            console.print(Text(f"Change points are looked for from {FEWEST} runs on."), style="dim")
    if verdicts:
        rows = [
            [
                f"{row.backend} {row.version}".rstrip(),
                f"{row.started[:16]} {(row.commit or '')[:12]}".rstrip(),
                " · ".join(f"{count} {verdict}" for verdict, count in in_order(row.counts)),
            ]
            for row in verdicts
        ]
        table = Table(("backend", "run", "verdicts"), rows, "verdicts over runs")
        console.print(rich_table(table, lines=False))
    if not times and not verdicts:
        console.print("nothing in the history matches")


def _times_table(times: Sequence[TimeSeries]) -> Table:
    """A row for each series; machines and tensors are named where they differ."""
    machines = {each.machine for each in times}
    works: defaultdict[str, set[str]] = defaultdict(set)
    for each in times:
        works[each.workload].add(each.work)
    rows: list[list[AnyCell]] = []
    for each in times:
        first, last = each.points[0], each.points[-1]
        notes = [each.machine] * (len(machines) > 1) + [each.work] * (len(works[each.workload]) > 1)
        rows.append(
            [
                Cell(f"{each.workload} [{each.backend}, {each.contract}, {each.cache}]", note="\n".join(notes)),
                len(each.points),
                seconds(first.seconds),
                seconds(last.seconds),
                percent_change(last.seconds / first.seconds) if len(each.points) > 1 else "–",
                "\n".join(_changes(each)) or "–",
            ]
        )
    head = ("series", "runs", "first", "last", "change", "change points")
    return Table(head, rows, "times over runs, oldest to newest")


def history_json(times: Sequence[TimeSeries], verdicts: Sequence[VerdictRow]) -> str:
    """Everything as one JSON object."""
    whole = Shown(times=[*times], verdicts=[*verdicts])
    return json_text(whole)


def write_trends(times: Sequence[TimeSeries], folder: Path) -> list[Path]:
    """Write a picture for each workload and backend, and ``history.html`` with all of them; returns the paths.

    A picture is named by what it shows, so that it keeps its name when others come or a filter leaves some out.
    """
    from conformance.reports.benchmarks.charts.render import page, render
    from conformance.reports.history.trend import trend_chart

    groups: dict[tuple[str, str], list[TimeSeries]] = {}
    for each in times:
        groups.setdefault((each.workload, each.backend), []).append(each)
    names = slugs([f"trend {workload} {backend}" for workload, backend in groups])
    charts = [(name, trend_chart(group)) for name, group in zip(names, groups.values(), strict=True)]
    written = [path for name, chart in charts for path in render(chart, folder, name)]
    return [*written, write(folder / "history.html", page(charts, "Times over runs"))] if charts else []


def _changes(series: TimeSeries) -> list[str]:
    said = []
    for change in series.changes or ():
        point = series.points[change.index]
        where = f"{point.started[:10]} {(point.commit or '')[:8]}".rstrip()
        said.append(f"{percent_change(change.ratio)} at {where} (p {change.p:.1g})")
    return said
