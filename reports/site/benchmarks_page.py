"""The page of times: for each benchmark run its machine, its pictures, and the tables behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.extras import not_installed
from conformance.reports.benchmarks.cells import cells_of
from conformance.reports.benchmarks.comparison.band import find_band
from conformance.reports.benchmarks.read import read_benchmarks
from conformance.reports.benchmarks.records import Benchmarks
from conformance.reports.benchmarks.report import NEEDED, pictures
from conformance.reports.benchmarks.tables import about_lines, not_timed_lines, tables_of
from conformance.reports.table import Table

__all__ = ["TimedRun", "timed_runs"]

Write = Callable[[str, str], None]


@dataclass(frozen=True)
class TimedRun:
    """One benchmark file on its page; ``pictures`` are (file, what it shows), and ``note`` is why some are left out."""

    name: str
    about: list[str]
    band: str
    pictures: list[tuple[str, str]]
    tables: list[Table]
    not_timed: list[str]
    note: str = ""


def timed_runs(files: Sequence[Path], write: Write) -> list[TimedRun]:
    """The benchmark files in the order given; ``write`` takes the name and text of each picture's file.

    Raises UsageError for a file that is not a benchmark file.
    """
    return [_timed(path, number, write) for number, path in enumerate(files, 1)]


def _timed(path: Path, number: int, write: Write) -> TimedRun:
    run = read_benchmarks(path)
    name = path.parent.name or str(path)
    missing = not_installed(*NEEDED, "scipy")
    needs = f"Pictures need {', '.join(missing)}, which this site was made without." if missing else ""
    if "scipy" in missing:
        needs = "Times and pictures need the suite's `report` extra, which this site was made without."
        return TimedRun(name, about_lines(run), "", [], [], not_timed_lines(run), needs)
    drawn = [] if missing or not run.timings else _drawn(run, number, write)
    return TimedRun(name, about_lines(run), _band(run), drawn, tables_of(cells_of(run)), not_timed_lines(run), needs)


def _drawn(run: Benchmarks, number: int, write: Write) -> list[tuple[str, str]]:
    from conformance.reports.benchmarks.charts.render import svg_of

    shown = []
    for each in pictures(run):
        file = f"assets/times-{number}-{each.name.lower()}.svg"
        write(file, svg_of(each.chart))
        shown.append((file, each.description))
    return shown


def _band(run: Benchmarks) -> str:
    """How often the rule is wrong on that machine, where an A/A run of it is stored."""
    band = find_band(run.machine)
    return band.summary() if band.stored else ""
