"""The matrix backend × theme on the terminal, and the findings behind it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.model.records import Outcome
from conformance.model.verdicts import NOTABLE, in_order
from conformance.model.wording import message
from conformance.plain import on_terminal
from conformance.reports.markdown import write_summary
from conformance.reports.merge import Merged
from conformance.reports.tally import Tally, sources_of, tally
from conformance.results.store import read_run
from conformance.results.words import check_name

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["cell_text", "print_merged", "print_run"]

_STYLES = {
    "fail": "bold red",
    "crash": "bold red",
    "timeout": "bold red",
    "error": "magenta",
    "stale": "yellow",
    "known": "yellow",
    "deviation": "cyan",
}


def print_run(folder: Path, *, style: str = "table", details: int = 20, site: Path | None = None) -> None:
    """Print a run's matrix to standard output (``table``), or its counts as JSON, and write its summary.md.

    ``site`` is the first page of the run's site, where one was written: the last line names it.
    """
    run = read_run(folder)
    counted = tally(
        (run.identity(each.backend).title, run.identity(each.backend).version, each) for each in run.outcomes
    )
    summary = write_summary(folder, [run], counted)
    if style == "json":
        document = {
            "folder": str(folder),
            "outcomes": str(run.path),
            "summary": str(summary),
            "site": str(site) if site else None,
            "backends": {name: dict(counts) for name, counts in counted.totals.items()},
            "unavailable": {name: record.error for name, record in run.backends.items() if record.error},
            "truncated": run.truncated,
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    _print_table(counted, details, sources_of([run]))
    for name, record in run.backends.items():
        if record.error:
            _print_unavailable(name, record.error)
    pages = str(site) if site else f"conformance report {folder} --output {folder / 'site'}"
    sys.stdout.write(f"\nresults: {run.path}\nsummary: {summary}\n{'site' if site else 'for a site'}: {pages}\n")


def print_merged(merged: Merged, output: Path, *, details: int = 20) -> None:
    """Print the matrix of several runs together, and write their summary.md into ``output``.

    Of runs that were timed and nothing else, print the times.
    """
    if not merged.runs:
        from conformance.reports.benchmarks.report import print_benchmarks

        for path in merged.benchmarks:
            print_benchmarks(path)
        return
    counted = tally(merged.labelled)
    summary = write_summary(output, merged.runs, counted)
    _print_table(counted, details, sources_of(merged.runs))
    for name, record in merged.unavailable.items():
        _print_unavailable(name, record.error)
    sys.stdout.write(f"\nsummary: {summary}\n")


def _print_unavailable(name: str, error: str | None) -> None:
    """The reason, and the hint below it."""
    lines = [on_terminal(line) for line in (error or "").splitlines()]
    sys.stdout.write(f"\n{on_terminal(name)} did not run: " + "\n".join(lines) + "\n")


def cell_text(counts: Counter[str]) -> str:
    """``12 pass · 1 fail · 3 unsupported``: only what occurs, conforming first."""
    return " · ".join(f"{number} {verdict}" for verdict, number in in_order(counts)) or "–"


def _print_table(counted: Tally, details: int, sources: Mapping[tuple[str, str], str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=False)
    table = Table(title="checks by backend and theme", title_justify="left", show_lines=True)
    table.add_column("theme")
    for name in counted.backends():
        table.add_column("\n".join(escape(on_terminal(part)) for part in name.split(" ", 1)), overflow="fold")
    for theme in counted.themes:
        cells = [_coloured(counted.cells[(name, theme)]) for name in counted.backends()]
        table.add_row(Text(on_terminal(theme)), *cells)
    table.add_row(Text("all", style="bold"), *[_coloured(counted.totals[name]) for name in counted.backends()])
    console.print(table)
    shown = [o for o in counted.notable if o.verdict != "deviation"] or []
    for outcome in shown[:details]:
        console.print(_detail(outcome, sources.get((outcome.backend, outcome.op), "")))
    hidden = counted.count(*(verdict for verdict in NOTABLE if verdict != "deviation")) - len(shown[:details])
    if hidden > 0:
        console.print(f"… and {hidden} more findings in the summary", style="dim")


def _coloured(counts: Counter[str]) -> Text:
    from rich.text import Text

    result = Text()
    for verdict, number in in_order(counts):
        if result:
            result.append("\n")
        result.append(f"{number} {verdict}", style=_STYLES.get(verdict, "green" if verdict == "pass" else "dim"))
    return result or Text("–")


def _detail(outcome: Outcome, source: str) -> Text:
    from rich.text import Text

    line = Text()
    line.append(on_terminal(outcome.verdict).upper(), style=_STYLES.get(outcome.verdict, ""))
    call = ", ".join(each for each in (outcome.dtype, outcome.op, outcome.reduction) if each)
    check = check_name(outcome.check, outcome.policy)
    named = " · ".join(on_terminal(each) for each in (outcome.backend, outcome.case, call, check))
    line.append(f" {named}\n", style="bold")
    line.append(f"    {on_terminal(message(outcome))}\n")
    if outcome.expected is not None:
        ulp = f", {float(outcome.ulp):.3g} ulp" if outcome.ulp is not None else ""
        line.append(
            f"    observed {on_terminal(outcome.observed)}, expected {on_terminal(outcome.expected)}{ulp}, "
            f"class {on_terminal(outcome.class_ or '–')}\n"
        )
    if source:
        line.append(f"    called at {on_terminal(source)}", style="dim")
    return line
