"""The history on the terminal, as JSON, and as pictures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.model.verdicts import VERDICTS
from conformance.plain import lines_on_terminal, on_terminal
from conformance.reports.benchmarks.units import percent_change, seconds
from conformance.reports.history.changes import FEWEST, MISSING
from conformance.reports.history.series import TimeSeries, VerdictRow

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
    from rich.table import Table
    from rich.text import Text

    console = console or Console(soft_wrap=False)
    if times:
        table = Table(title="times over runs, oldest to newest", title_justify="left")
        for name in ("series", "runs", "first", "last", "change", "change points"):
            table.add_column(name, overflow="fold")
        machines = {each.machine for each in times}
        works: dict[str, set[str]] = {}
        for each in times:
            works.setdefault(each.workload, set()).add(each.work)
        for each in times:
            first, last = each.points[0], each.points[-1]
            cells = (
                f"{each.workload} [{each.backend}, {each.contract}, {each.cache}]"
                + (f"\n{each.machine}" if len(machines) > 1 else "")
                + (f"\n{each.work}" if len(works[each.workload]) > 1 else ""),
                str(len(each.points)),
                seconds(first.seconds),
                seconds(last.seconds),
                percent_change(last.seconds / first.seconds) if len(each.points) > 1 else "–",
                "\n".join(_changes(each)) or "–",
            )
            table.add_row(*(Text(lines_on_terminal(cell)) for cell in cells))
        console.print(table)
        if any(each.changes is None for each in times):
            console.print(Text(MISSING), style="yellow")
        elif any(len(each.points) < FEWEST for each in times):
            console.print(Text(f"Change points are looked for from {FEWEST} runs on."), style="dim")
    if verdicts:
        table = Table(title="verdicts over runs", title_justify="left")
        for name in ("backend", "run", "verdicts"):
            table.add_column(name, overflow="fold")
        for row in verdicts:
            said = " · ".join(f"{count} {verdict}" for verdict, count in _ordered(row.counts))
            where = f"{row.started[:16]} {(row.commit or '')[:12]}".rstrip()
            table.add_row(*(Text(on_terminal(cell)) for cell in (f"{row.backend} {row.version}".rstrip(), where, said)))
        console.print(table)
    if not times and not verdicts:
        console.print("nothing in the history matches")


def history_json(times: Sequence[TimeSeries], verdicts: Sequence[VerdictRow]) -> str:
    """Everything as one JSON object."""
    whole = Shown(times=[*times], verdicts=[*verdicts])
    return msgspec.json.format(msgspec.json.encode(whole), indent=1).decode() + "\n"


def write_trends(times: Sequence[TimeSeries], folder: Path) -> list[Path]:
    """Write a picture for each workload and backend, and ``history.html`` with all of them; returns the paths.

    A picture is named by what it shows, so that it keeps its name when others come or a filter leaves some out.
    """
    from conformance.model.errors import HarnessError
    from conformance.reports.benchmarks.charts.render import page, render
    from conformance.reports.history.trend import trend_chart

    groups: dict[tuple[str, str], list[TimeSeries]] = {}
    for each in times:
        groups.setdefault((each.workload, each.backend), []).append(each)
    charts: list[tuple[str, Any]] = []
    written: list[Path] = []
    for (workload, backend), group in groups.items():
        name = f"trend-{_in_file_names(workload)}-{_in_file_names(backend)}"
        if name in dict(charts):  # two names that differ in what no file name holds
            name += f"-{hashlib.sha256(f'{workload}|{backend}'.encode()).hexdigest()[:8]}"
        charts.append((name, trend_chart(group)))
        written += render(charts[-1][1], folder, name)
    if charts:
        path = folder / "history.html"
        try:
            path.write_text(page(charts, "Times over runs"), encoding="utf-8")
        except OSError as error:
            raise HarnessError(f"{path} cannot be written: {error.strerror}") from None
        written.append(path)
    return written


def _in_file_names(text: str) -> str:
    """``text`` in the characters that any file system takes and any URL holds as they are."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:60] or "x"


def _changes(series: TimeSeries) -> list[str]:
    said = []
    for change in series.changes or ():
        point = series.points[change.index]
        where = f"{point.started[:10]} {(point.commit or '')[:8]}".rstrip()
        said.append(f"{percent_change(change.ratio)} at {where} (p {change.p:.1g})")
    return said


def _ordered(counts: dict[str, int]) -> list[tuple[str, int]]:
    place: dict[str, int] = {verdict: i for i, verdict in enumerate(VERDICTS)}
    return sorted(counts.items(), key=lambda each: place.get(each[0], len(place)))
