"""The report on one benchmark run: Markdown with its pictures, an offline page, and lines for the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.bench.record import Record
from conformance.disk import write
from conformance.model.errors import UsageError
from conformance.model.outcome import as_json
from conformance.plain import json_text
from conformance.reports.benchmarks.cells import (
    BenchmarkCell,
    cells_of,
    flagship,
    groups_of,
    ranked,
    series_of,
    workloads_of,
)
from conformance.reports.benchmarks.charts.style import Look, shorten, signed
from conformance.reports.benchmarks.read import read_benchmarks
from conformance.reports.benchmarks.records import Benchmarks
from conformance.reports.benchmarks.tables import NOTES, about_lines, not_timed_lines, report_markdown, tables_of
from conformance.reports.columns import slug
from conformance.schemas.documents import TimedRow

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["NEEDED", "Picture", "pictures", "print_benchmarks", "write_benchmark_report"]

#: What pictures are made with.
NEEDED = "altair", "vl_convert"
PAGE, TEXT, PICTURES = "benchmarks.html", "benchmarks.md", "benchmarks"


@dataclass(frozen=True)
class Picture:
    """A chart with the name of its files and what it shows, for a reader who does not see it."""

    name: str
    description: str
    chart: Any


def write_benchmark_report(run: Path, output: Path) -> list[Path]:
    """Write ``benchmarks.md``, ``benchmarks.html`` and ``benchmarks/*.png|svg`` into ``output``; returns their paths.

    ``run`` is a run's folder or its benchmarks.json. Raises UsageError where there is nothing to report on,
    HarnessError where nothing can be written.
    """
    from conformance.reports.benchmarks.charts.render import page, render

    benchmarks = read_benchmarks(run)
    if not benchmarks.timings:
        raise UsageError(f"{benchmarks.path} holds no times", hint="run the benchmarks again, with other backends")
    drawn, cells = pictures(benchmarks), cells_of(benchmarks)
    written = [path for each in drawn for path in render(each.chart, output / PICTURES, each.name, below=output)]
    shown = [(each.description, f"{PICTURES}/{each.name}.svg") for each in drawn]
    texts = {
        TEXT: report_markdown(benchmarks, cells, shown),
        PAGE: page(
            [(each.name, each.chart) for each in drawn],
            f"Benchmarks on {benchmarks.machine}",
            about=about_lines(benchmarks),
            tables=tables_of(cells),
            lists=[("Not timed", not_timed_lines(benchmarks)), ("How to read this", NOTES)],
        ),
    }
    for name, text in texts.items():
        written.append(write(output / name, text))
    return written


def pictures(benchmarks: Benchmarks) -> list[Picture]:
    """The flagship first, then compiling, memory, scaling, and the times of each workload outside of a series."""
    from conformance.reports.benchmarks.charts.bars import memory_chart, time_chart
    from conformance.reports.benchmarks.charts.scaling import scaling_chart
    from conformance.reports.benchmarks.charts.scatter import accuracy_chart, compile_chart

    cells = cells_of(benchmarks)
    chief = flagship(cells)
    if not chief:
        return []
    name = chief[0].workload
    facts = _facts(benchmarks, cells)
    look = Look(cells)
    found = []

    def add(file: str, description: str, chart: Any, missing: Iterable[Record]) -> None:
        found.append(Picture(file, description, signed(chart, [*_absent(missing, cells), facts])))

    kind = chief[0].key
    alike = [each for each in benchmarks.not_timed if each.key._replace(backend=kind.backend) == kind]
    if any(cell.drawable for cell in chief):
        says = f"{name}: share of the peak bandwidth against error over tolerance, a mark for each backend"
        add("accuracy", says, accuracy_chart(chief, look), alike)
    if any(cell.first_call_seconds for cell in chief):
        add("compile", f"{name}: the first call against later ones", compile_chart(chief, look), alike)
    of_it = [each for each in benchmarks.not_timed if each.workload == name]
    memory = memory_chart([cell for cell in cells if cell.workload == name], look)
    if memory is not None:
        add("memory", f"{name}: peak memory as a multiple of the logits", memory, of_it)
    lines = series_of(cells)
    for number, line in enumerate(lines, 1):
        says = f"nanoseconds per logit as the {line.over} grow, {line.contract}"
        kinds = {cell.key._replace(backend="") for cell in line.cells}
        gone = [each for each in benchmarks.not_timed if each.key._replace(backend="") in kinds]
        add(f"scaling-{line.over}-{number}", says, scaling_chart(line, look), gone)
    apart = {cell.workload for line in lines for cell in line.cells}
    for number, workload in enumerate((each for each in workloads_of(cells) if each not in apart), 1):
        chart = time_chart([cell for cell in cells if cell.workload == workload], look)
        gone = [each for each in benchmarks.not_timed if each.workload == workload]
        add(f"time-{number:02}-{slug(workload)}", f"{workload}: time of a call", chart, gone)
    return found


def _facts(run: Benchmarks, cells: Sequence[BenchmarkCell]) -> str:
    """On what it was measured, when, and with which versions: a picture travels without its report."""
    made = sorted({f"{cell.framework}\u00a0{cell.version}" for cell in cells})
    devices = sorted({cell.device for cell in cells if cell.device})
    on = f", on {' and '.join(devices)}" if devices and devices != ["cpu"] else ""
    return f"Measured on {run.machine}{on}{f', {run.started[:10]}' if run.started else ''}: {', '.join(made)}."


def _absent(missing: Iterable[Record], cells: Sequence[BenchmarkCell]) -> list[str]:
    """Who is not in the picture: a backend that cannot do a workload would go unnoticed."""
    timed = {cell.key for cell in cells}
    gone: dict[str, dict[str, None]] = {}
    for each in sorted(missing, key=lambda each: (each.backend, each.key)):
        if each.key not in timed:
            gone.setdefault(f"{each.contract}, {each.status}", {})[shorten(each.backend, 34)] = None
    return [f"Not timed ({why}): {', '.join(names)}." for why, names in sorted(gone.items())]


def print_benchmarks(run: Path, console: Console | None = None, style: str = "table") -> None:
    """Print the times of a run, the fastest that conforms first, with share of bandwidth and error over tolerance.

    ``style`` is ``table``, or ``json`` for an array of rows on standard output.
    """
    from conformance.reports.benchmarks.tables import print_table

    benchmarks = read_benchmarks(run)
    cells = cells_of(benchmarks)
    if style == "json":
        sys.stdout.write(json_text(rows_of(benchmarks, cells)))
    else:
        print_table(benchmarks, cells, console)


def rows_of(run: Benchmarks, cells: Sequence[BenchmarkCell]) -> list[TimedRow]:
    """A row for each cell, the fastest that conforms first within a workload; then what could not be timed."""
    found = [_row(cell) for group in groups_of(cells) for cell in ranked(group)]
    return found + [
        TimedRow(**key._asdict(), status=status, message=message or "")
        for key, status, message in dict.fromkeys((each.key, each.status, each.message) for each in run.not_timed)
    ]


def _row(cell: BenchmarkCell) -> TimedRow:
    names = ("seconds", "low", "high", "bytes_per_second", "bandwidth_fraction", "processes")
    facts: dict[str, Any] = cell.key._asdict() | {name: getattr(cell, name) for name in names}
    judged = cell.judged
    facts |= {"class_": judged.class_, "ratio": as_json(cell.error), "verdict": judged.verdict}
    return TimedRow(**facts, message=cell.explanation or "")
