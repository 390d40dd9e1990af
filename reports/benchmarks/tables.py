"""The times of a run as tables: Markdown, and lines for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from conformance.bench.record import Head, Record
from conformance.plain import on_terminal
from conformance.reports.benchmarks.cells import IMPOSSIBLE, Cell, places, ranked
from conformance.reports.benchmarks.charts.style import distinct
from conformance.reports.benchmarks.records import Benchmarks
from conformance.reports.benchmarks.units import bytes_, percent, seconds
from conformance.reports.escape import escape

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["HEAD", "NOTES", "WORDS", "about_lines", "not_timed_lines", "print_table", "report_markdown", "tables_of"]

HEAD = (
    "rank", "backend", "version", "mode", "processes", "time", "95 % interval", "ns/logit", "GB/s", "of peak",
    "error ÷ limit", "class", "ulp", "first call", "memory ÷ logits", "faults", "traffic",
)  # fmt: skip
#: The columns that hold words; numbers stand to the right.
WORDS = frozenset({"backend", "version", "mode", "class"})
#: What fits a terminal of eighty columns, and one that is wide; the report has them all.
NARROW = ("rank", "backend", "time", "of peak", "error ÷ limit", "class", "first call", "memory ÷ logits")
BROAD = ("rank", "backend", "time", "95 % interval", "GB/s", *NARROW[3:], "traffic")
WIDE = 110
MARK = "†"
OPENS = f"{MARK}: the very first call of its process, which pays as well for what the framework loads once."
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


def report_markdown(run: Benchmarks, cells: Sequence[Cell], pictures: Sequence[tuple[str, str]]) -> str:
    """The whole report; ``pictures`` are (what it shows, path of the file)."""
    lines = ["# Benchmarks", "", *(f"{escape(line)}\n" for line in about_lines(run))]
    for description, path in pictures:
        lines += [f"![{escape(description)}]({path})", ""]
    for title, rows in tables_of(cells):
        lines += [f"## {escape(title)}", "", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
        lines += ["| " + " | ".join(escape(text) for text in row) + " |" for _, row in rows]
        lines.append("")
    if run.not_timed:
        lines += ["## Not timed", "", *(f"- {escape(line)}" for line in not_timed_lines(run)), ""]
    lines += ["## How to read this", "", *(f"- {note}" for note in NOTES)]
    return "\n".join(lines) + "\n"


def tables_of(cells: Sequence[Cell]) -> list[tuple[str, list[tuple[Cell, list[str]]]]]:
    """A title and rows for each workload, contract and cache: the cell, and its texts below ``HEAD``."""
    return [(title, list(zip(ranked(group), _rows(group), strict=True))) for title, group in _groups(cells)]


def not_timed_lines(run: Benchmarks) -> list[str]:
    """What could not be timed, once each, with the reason: by workload, whatever the order of the schedule."""
    return list(dict.fromkeys(_not_timed(each) for each in sorted(run.not_timed, key=lambda each: each.key)))


def print_table(run: Benchmarks, cells: Sequence[Cell], console: Console | None = None) -> None:
    """Print a table for each workload, contract and cache to standard output."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(soft_wrap=False)
    shown = BROAD if console.width >= WIDE else NARROW
    places = [HEAD.index(name) for name in shown]
    for title, rows in tables_of(cells):
        table = Table(
            title=Text(on_terminal(title), style="bold"),
            title_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for name in shown:
            side = "left" if name == "backend" else "right"
            broken = name.replace(" ÷ ", "\n÷ ").replace("of peak", "of\npeak").replace("first call", "first\ncall")
            table.add_column(broken, overflow="fold", justify=side, no_wrap=name in ("time", "95 % interval"))  # type: ignore[arg-type]
        names = distinct([cell.backend for cell, _ in rows], 24)
        for cell, row in rows:
            short = {"backend": names[cell.backend], "class": cell.judged.class_ or "–"}
            texts = [short.get(HEAD[place], row[place]) for place in places]
            table.add_row(*(Text(on_terminal(text)) for text in texts), style="dim" if cell.unranked else "")
        console.print(table)
        for cell, _ in rows:
            if cell.explanation:
                console.print(Text(on_terminal(f"not ranked: {cell.backend}: {cell.explanation}")), soft_wrap=True)
    if any(cell.opens for cell in cells):
        console.print(Text(OPENS), style="dim", soft_wrap=True)
    for line in not_timed_lines(run):
        console.print(Text(on_terminal(f"not timed: {line}")), soft_wrap=True)
    for line in about_lines(run):
        console.print(Text(on_terminal(line)), style="dim", soft_wrap=True)


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


def _groups(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    found: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.workload, cell.contract, cell.cache), []).append(cell)
    titles = {key: f"{key[0]}, {key[1]}, {key[2]} cache ({group[0].dtype})" for key, group in found.items()}
    return [(titles[key], found[key]) for key in sorted(found)]


def _rows(group: Sequence[Cell]) -> list[list[str]]:
    rows = []
    for place, cell in places(group):
        rows.append(
            [
                "–" if place is None else str(place),
                cell.backend,
                cell.version,
                cell.mode if cell.device in ("", "cpu") else f"{cell.mode}, {cell.device}",
                str(cell.processes),
                seconds(cell.seconds),
                f"{seconds(cell.low)} … {seconds(cell.high)}",
                _short(cell.ns_per_logit),
                _short(None if cell.bytes_per_second is None else cell.bytes_per_second / 1e9),
                percent(cell.bandwidth_fraction),
                _short(cell.error),
                _class(cell),
                _short(cell.judged.error_ulp),
                seconds(cell.first_call_seconds) + (f" {MARK}" if cell.opens else ""),
                _short(cell.peak_multiple),
                "–" if cell.faults is None else f"{cell.faults:.0f}",
                _short(cell.amplification),
            ]
        )
    return rows


def _class(cell: Cell) -> str:
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
    return f"{each.key}: {each.status}" + (f", {each.message}" if each.message else "")
