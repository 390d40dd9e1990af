"""The times of a run as tables, and the words around them: in Markdown, on a page and on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from conformance.bench.record import Head, Record
from conformance.plain import on_terminal
from conformance.reports.benchmarks.cells import IMPOSSIBLE, BenchmarkCell, groups_of, places
from conformance.reports.benchmarks.charts.style import distinct
from conformance.reports.benchmarks.records import Benchmarks
from conformance.reports.benchmarks.units import bytes_, percent, seconds
from conformance.reports.escape import escape
from conformance.reports.render import markdown, rich_table
from conformance.reports.table import AnyCell, Cell, Table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "HEAD",
    "NOTES",
    "about_lines",
    "not_timed_lines",
    "print_table",
    "report_markdown",
    "tables_of",
]

MARK = "†"
OPENS = f"{MARK}: the very first call of its process, which pays as well for what the framework loads once."
#: Each column's name, and what it shows of a rank and a cell.
COLUMNS: dict[str, Callable[[int | None, BenchmarkCell], str]] = {
    "backend": lambda rank, cell: cell.backend,
    "rank": lambda rank, cell: "–" if rank is None else str(rank),
    "version": lambda rank, cell: cell.version,
    "mode": lambda rank, cell: cell.mode if cell.device in ("", "cpu") else f"{cell.mode}, {cell.device}",
    "processes": lambda rank, cell: str(cell.processes),
    "time": lambda rank, cell: seconds(cell.seconds),
    "95 % interval": lambda rank, cell: f"{seconds(cell.low)} … {seconds(cell.high)}",
    "ns/logit": lambda rank, cell: _short(cell.ns_per_logit),
    "GB/s": lambda rank, cell: _short(None if cell.bytes_per_second is None else cell.bytes_per_second / 1e9),
    "of peak": lambda rank, cell: percent(cell.bandwidth_fraction),
    "error ÷ limit": lambda rank, cell: _short(cell.error),
    "class": lambda rank, cell: _class(cell),
    "ulp": lambda rank, cell: _short(cell.judged.error_ulp),
    "first call": lambda rank, cell: seconds(cell.first_call_seconds) + (f" {MARK}" if cell.opens else ""),
    "memory ÷ logits": lambda rank, cell: _short(cell.peak_multiple),
    "faults": lambda rank, cell: "–" if cell.faults is None else f"{cell.faults:.0f}",
    "traffic": lambda rank, cell: _short(cell.amplification),
}
HEAD = tuple(COLUMNS)
#: The columns that hold words; numbers stand to the right.
WORDS = frozenset({"backend", "version", "mode", "class"})
#: What fits a terminal of eighty columns, and one that is wide; the report has them all.
NARROW = ("backend", "rank", "time", "of peak", "error ÷ limit", "class", "first call", "memory ÷ logits")
BROAD = ("backend", "rank", "time", "95 % interval", "GB/s", *NARROW[3:], "traffic")
WIDE = 110
NOTES = (
    (
        "Rank: one more than the backends that are faster for certain, whose interval ends before this one's begins, "
        "and before that of any slower one does; what does not differ for certain shares a rank."
    ),
    (
        "Time is the median over fresh processes of each process's median round; the interval is a hierarchical "
        "bootstrap over processes and rounds. Nothing is discarded as an outlier."
    ),
    (
        "GB/s: the bytes that the contract must move, over the time; of peak: that over the peak bandwidth measured on "
        "the same machine with the same threads, over memory of the nearest size. Traffic: bytes the framework says it "
        "moved, over those it must."
    ),
    (
        "First call: with tracing and compilation, in the process whose compiler found an empty cache; one call for "
        "warm and cold, whichever came first. Later processes, and workloads with the same graph, find what the "
        f"framework keeps. {OPENS}"
    ),
    (
        "Memory: the peak beyond the inputs, over the size of the logits, at least what the gradient takes. Faults: "
        "pages that a call touches for the first time, since the allocator gave them back after the last one; one for "
        "every 4 KiB of the gradient says that much of the time is the system's, which clears them."
    ),
    (
        "Error ÷ limit: the limit is the bound of the class that the backend declares; A of B reached A, declares B, "
        "and is compared with B's. One that fails is timed, and shown without a rank; so is one beyond "
        f"{IMPOSSIBLE:.0f} times the peak bandwidth, which computes nothing anew."
    ),
)


def tables_of(cells: Sequence[BenchmarkCell]) -> list[Table]:
    """A table for each workload, contract and cache; what is wrong with its result or time is marked."""
    return [_table(group, HEAD) for group in groups_of(cells)]


def report_markdown(run: Benchmarks, cells: Sequence[BenchmarkCell], pictures: Sequence[tuple[str, str]]) -> str:
    """The whole report; ``pictures`` are (what it shows, path of the file)."""
    lines = ["# Benchmarks", "", *(f"{escape(line)}\n" for line in about_lines(run))]
    for description, path in pictures:
        lines += [f"![{escape(description)}]({path})", ""]
    for table in tables_of(cells):
        lines += [f"## {escape(table.title)}", "", *markdown(table), ""]
    if run.not_timed:
        lines += ["## Not timed", "", *(f"- {escape(line)}" for line in not_timed_lines(run)), ""]
    lines += ["## How to read this", "", *(f"- {note}" for note in NOTES)]
    return "\n".join(lines) + "\n"


def print_table(run: Benchmarks, cells: Sequence[BenchmarkCell], console: Console | None = None) -> None:
    """Print a table for each workload, contract and cache to standard output."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console(soft_wrap=False)
    columns = BROAD if console.width >= WIDE else NARROW
    for group in groups_of(cells):
        console.print(rich_table(_table(group, columns, short=True), compact=True))
        for _, cell in places(group):
            if cell.explanation:
                console.print(Text(on_terminal(f"not ranked: {cell.backend}: {cell.explanation}")), soft_wrap=True)
    if any(cell.opens for cell in cells):
        console.print(Text(OPENS), style="dim", soft_wrap=True)
    for line in not_timed_lines(run):
        console.print(Text(on_terminal(f"not timed: {line}")), soft_wrap=True)
    for line in about_lines(run):
        console.print(Text(on_terminal(line)), style="dim", soft_wrap=True)


def not_timed_lines(run: Benchmarks) -> list[str]:
    """What could not be timed, once each, with the reason: by workload, whatever the order of the schedule."""
    return list(dict.fromkeys(_not_timed(each) for each in sorted(run.not_timed, key=lambda each: each.key)))


def about_lines(run: Benchmarks) -> list[str]:
    """The machine, when and how it was timed, and the peak bandwidth: a sentence each."""
    facts = [f"Machine: {run.machine}"]
    if run.started:
        facts.append(f"started {run.started}")
    if run.commit:
        facts.append(f"commit {run.commit[:12]}")
    facts.append(f"schedule seed {run.head.seed}")
    return [f"{' · '.join(facts)}.", *(f"Peak bandwidth, {line}." for line in _bandwidths(run.head))]


def _bandwidths(head: Head) -> Iterator[str]:
    """A line for each device and size of the memory streamed: the median, and its range where that differs."""
    for place, sizes in head.peak_bandwidth.items():
        on = f"{place} threads" if place.isdigit() else place
        for size, found in sizes.items():
            ranges = head.peak_bandwidth_range.get(place, {}).get(size, {})
            rates = [
                f"{kind} {rate / 1e9:.1f} GB/s{_between(*ranges.get(kind, (rate, rate)))}"
                for kind, rate in msgspec.structs.asdict(found).items()
            ]
            yield f"{on} over {bytes_(float(size)) if size.isdigit() else size}: {', '.join(rates)}"


def _between(low: float, high: float) -> str:
    least, greatest = f"{low / 1e9:.1f}", f"{high / 1e9:.1f}"
    return "" if least == greatest else f" ({least} … {greatest})"


def _table(group: Sequence[BenchmarkCell], columns: Sequence[str], *, short: bool = False) -> Table:
    """``short``: names that fit a terminal, and of classes the letter alone."""
    one, names = group[0], distinct([cell.backend for cell in group], 24)
    rows: list[list[AnyCell]] = []
    for rank, cell in places(group):
        brief = {"backend": names[cell.backend], "class": cell.judged.class_ or "–"} if short else {}
        texts = [brief.get(name, COLUMNS[name](rank, cell)) for name in columns]
        rows.append([Cell(texts[0], mark="fail" if cell.wrong else ""), *texts[1:]])
    title = f"{one.workload}, {one.contract}, {one.cache} cache ({one.dtype})"
    numbers = frozenset(place for place, name in enumerate(columns) if name not in WORDS)
    return Table(columns, rows, title, numbers=numbers, kind="times")


def _class(cell: BenchmarkCell) -> str:
    judged = cell.judged
    name = judged.class_ or "–"
    if judged.conforms is False:
        return f"{name}: {cell.unranked} (declares {judged.declared or '–'})"
    if cell.impossible:
        return f"{name}: {cell.unranked}"
    return name if judged.declared in (None, judged.class_) else f"{name} of {judged.declared}"


def _short(value: float | None) -> str:
    """Three digits, the last ones too where they are zeros: ``12.0`` is no rounder a number than ``12.4``."""
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:#.3g}".removesuffix(".") if abs(value) < 999.5 else f"{value:.0f}"


def _not_timed(each: Record) -> str:
    message = "; ".join(line.strip() for line in each.message.splitlines()).replace(":; ", ": ")
    return f"{each.key}: {each.status}" + (f", {message}" if message else "")
