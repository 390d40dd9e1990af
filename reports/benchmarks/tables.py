"""The times of a run as tables: Markdown, and lines for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.benchmarks.cells import Cell, ranked
from reports.benchmarks.records import Benchmarks, NotTimed
from reports.benchmarks.units import plain, seconds
from reports.markdown import escape

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_table", "report_markdown"]

HEAD = (
    "rank", "backend", "version", "mode", "time", "95 % interval", "of roof", "ns/logit",
    "error ÷ tolerance", "class", "ulp", "first call", "peak ÷ logits", "traffic",
)  # fmt: skip
#: What fits a terminal of eighty columns; the report has them all.
NARROW = ("rank", "backend", "time", "of roof", "error ÷ tolerance", "class", "first call", "peak ÷ logits")
NOTES = (
    "Time is the median over fresh processes of each process's median round; the interval is a hierarchical bootstrap "
    "over processes and rounds. Nothing is discarded as an outlier.",
    "Of roof: bytes that the contract must move, over the time, against the bandwidth measured on the same machine with "
    "the same threads. Traffic: bytes the framework says it moved, over those it must.",
    "Error ÷ tolerance is against the bound of the class that the backend declares: 1 is the limit. A backend that fails "
    "is timed and shown without a rank.",
)


def report_markdown(run: Benchmarks, cells: Sequence[Cell], pictures: Sequence[tuple[str, str]]) -> str:
    """The whole report; ``pictures`` are (what it shows, path of the file)."""
    lines = ["# Benchmarks", "", *_about(run), ""]
    for says, path in pictures:
        lines += [f"![{escape(says)}]({path})", ""]
    for title, group in _groups(cells):
        lines += [f"## {escape(title)}", "", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
        lines += ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in _rows(group)]
        lines.append("")
    if run.not_timed:
        lines += ["## Not timed", "", *(f"- {escape(_not_timed(each))}" for each in run.not_timed), ""]
    lines += ["## How to read this", "", *(f"- {note}" for note in NOTES)]
    return "\n".join(lines) + "\n"


def print_table(run: Benchmarks, cells: Sequence[Cell], console: Console | None = None) -> None:
    """Print a table for each workload, contract and cache to standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(soft_wrap=False)
    places = [HEAD.index(name) for name in NARROW]
    for title, group in _groups(cells):
        table = Table(title=Text(plain(title), style="bold"), title_justify="left")
        for name in NARROW:
            said = "left" if name == "backend" else "right"
            table.add_column(name.replace(" ÷ ", "\n÷ "), overflow="fold", justify=said, no_wrap=name == "time")  # type: ignore[arg-type]
        for cell, row in zip(ranked(group), _rows(group), strict=True):
            table.add_row(*(Text(plain(row[place])) for place in places), style="" if cell.accurate else "dim")
        console.print(table)
    for each in run.not_timed:
        console.print(Text(plain(f"not timed: {_not_timed(each)}")))
    for line in _about(run):
        console.print(Text(plain(line)), style="dim")


def _about(run: Benchmarks) -> list[str]:
    facts = [f"Machine: {run.machine}"]
    if run.started:
        facts.append(f"started {run.started}")
    if run.commit:
        facts.append(f"commit {run.commit[:12]}")
    if run.seed is not None:
        facts.append(f"schedule seed {run.seed}")
    lines = [escape(" · ".join(facts)) + "."]
    roof = _roof(run.roof)
    return [*lines, *([f"Measured roof: {escape(roof)}."] if roof else [])]


def _roof(roof: dict[str, Any]) -> str:
    """``copy 11.0 GB/s, …``; per thread count where the file has several."""
    said = []
    for name, value in roof.items():
        if isinstance(value, dict):
            inner = _roof(value)
            said += [f"{name} threads: {inner}" if str(name).isdigit() else f"{name}: {inner}"] if inner else []
        elif isinstance(value, int | float) and not isinstance(value, bool) and value > 1e6:
            said.append(f"{name} {value / 1e9:.1f} GB/s")
    return "; ".join(said) if any(isinstance(each, dict) for each in roof.values()) else ", ".join(said)


def _groups(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    found: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.workload, cell.contract, cell.cache), []).append(cell)
    titles = {key: f"{key[0]}, {key[1]}, {key[2]} cache ({group[0].dtype})" for key, group in found.items()}
    return [(titles[key], found[key]) for key in sorted(found)]


def _rows(group: Sequence[Cell]) -> list[list[str]]:
    rows = []
    for place, cell in enumerate(ranked(group), 1):
        rows.append(
            [
                str(place) if cell.accurate else "–",
                cell.backend,
                cell.version,
                cell.mode,
                seconds(cell.seconds),
                f"{seconds(cell.low)} … {seconds(cell.high)}",
                "–" if cell.roof is None else f"{cell.roof:.1%}",
                _short(cell.ns_per_logit),
                _short(cell.error),
                _class(cell),
                _short(cell.ulp),
                seconds(cell.first_call),
                _short(cell.memory),
                _short(cell.amplification),
            ]
        )
    return rows


def _class(cell: Cell) -> str:
    said = cell.class_ or "–"
    return said if cell.accurate is not False else f"{said}: {cell.verdict} (declares {cell.declared or '–'})"


def _short(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if math.isfinite(value) else str(value)


def _not_timed(each: NotTimed) -> str:
    return f"{each.key}: {each.status}" + (f", {each.message}" if each.message else "")
