"""The verdict matrix on the terminal, and the findings behind it."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from conformance.model.outcome import Outcome
from conformance.model.verdicts import NOTABLE
from conformance.model.wording import check_name, message, named_cases
from conformance.plain import command_line, json_text, lines_on_terminal, on_terminal, plural, say
from conformance.reports.columns import Column
from conformance.reports.defects import left_out
from conformance.reports.matrix import Matrix, died, matrix, unreached
from conformance.reports.merge import Merged
from conformance.reports.render import STYLES, fits, rich_table
from conformance.reports.summary import write_summary
from conformance.reports.worst import first_findings
from conformance.results.store import FILE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["print_matrix", "print_merged", "print_run"]

#: Findings that are printed in full; deviations are in the summary alone.
_PRINTED = tuple(verdict for verdict in NOTABLE if verdict != "deviation")
_DECLARE = "if that is meant, declare it in the profile: see docs/backends.md"


def print_run(
    merged: Merged, folder: Path, *, style: str = "table", details: int = 20, site: Path | None = None
) -> None:
    """Print the matrix of the run in ``folder``, or its counts as JSON (``style``), and write its summary.md.

    ``site`` is the first page of the run's site, where one was written: the last line names it.
    """
    (run,) = merged.runs
    if style == "json":
        counted = matrix(merged.relations)
        document = {
            "folder": str(folder),
            "outcomes": str(folder / FILE),
            "summary": str(write_summary(folder, merged.relations, counted)),
            "site": str(site) if site else None,
            "backends": {column.label: dict(counted.total(column)) for column in counted.columns},
            "unavailable": merged.unavailable,
            "given_up": {
                name: [record.through, record.planned]
                for name, record in run.backends.items()
                if record.error and record.through
            },
            "deaths": merged.deaths,
            "restarts": merged.restarts,
            "modes": msgspec.to_builtins(merged.modes),
            "truncated": run.truncated,
        }
        sys.stdout.write(json_text(document))
        return
    summary = _print(merged, folder, details)
    words = ("conformance", "report", folder, "--output", folder / "site", *named_cases(run.header.selected.cases))
    pages = str(site) if site else command_line(*words)
    say(f"\nresults: {folder / FILE}\nsummary: {summary}\n{'site' if site else 'for a site'}: {pages}")


def print_merged(merged: Merged, output: Path, *, details: int = 20) -> None:
    """Print the matrix of several runs together, and write their summary.md into ``output``.

    Of runs that were timed and nothing else, print the times.
    """
    if merged.runs:
        say(f"\nsummary: {_print(merged, output, details)}")
        return
    from conformance.reports.benchmarks.report import print_benchmarks

    for path in merged.benchmarks:
        print_benchmarks(path)


def print_matrix(counted: Matrix, console: Console) -> None:
    """Print themes by backends; where the console is too narrow for that, a row for each backend over all themes.

    Where it is too narrow for a column of each verdict, too, a backend's verdicts stand below each other.
    """
    if not counted.columns:
        return
    table = rich_table(counted.table())
    if fits(table, console) or len(counted.columns) < 2:
        console.print(table)
        return
    turned = (rich_table(counted.turned(), compact=compact) for compact in (False, True))
    console.print(next((table for table in turned if fits(table, console)), rich_table(counted.listed())))
    console.print("this terminal is too narrow for the themes: they are in the summary", style="dim")


def _print(merged: Merged, folder: Path, details: int) -> Path:
    """Print the matrix, findings, and why backends did not run; write the summary into ``folder``, and return it."""
    from rich.console import Console

    counted = matrix(merged.relations)
    summary = write_summary(folder, merged.relations, counted)
    console = Console(soft_wrap=False)
    print_matrix(counted, console)
    hidden: Counter[str] = Counter({verdict: counted.count([verdict]) for verdict in _PRINTED})
    for column, outcome, alike in first_findings(merged.relations, _PRINTED, details) if hidden.total() else ():
        console.print(_detail(column, outcome, alike))
        hidden[outcome.verdict] -= alike
    more = hidden.total()
    if more > 0:
        kinds = ", ".join(f"{number} {verdict}" for verdict, number in hidden.items() if number)
        console.print(f"… and {plural(more, 'more finding')} in the summary: {kinds}", style="dim")
    for name, said in died(merged.deaths, merged.restarts).items():
        sys.stdout.write(f"\n{on_terminal(name)}: {said}\n")
    for column in counted.columns:
        if column.compiles:
            say(f"\n{on_terminal(column.label)}, {on_terminal(column.executed)}")
    for name, said in unreached(merged.relations, counted):
        say(f"\n{on_terminal(name)}: {said}")
    for column, why in left_out(merged.relations).items():
        ((first, number),) = why.most_common(1)
        said = f"{plural(why.total(), 'check')}; {on_terminal(first)}"
        if len(why) > 1:
            said += f" ({number:,} of them; the summary has the others' reasons)"
        say(f"\n{on_terminal(column.label)}: not run: {said}")
    for name, stopped, error in merged.stopped:  # the reason, and the hint below it
        say(f"\n{on_terminal(name)} {stopped}: {error}")
    return summary


def _detail(column: Column, outcome: Outcome, alike: int) -> Text:
    from rich.text import Text

    line = Text()
    line.append(on_terminal(outcome.verdict).upper(), style=STYLES.get(outcome.verdict, ""))
    call = ", ".join(each for each in (outcome.dtype, outcome.op, outcome.reduction) if each)
    check = check_name(outcome.check, outcome.policy, outcome.aspect)
    named = " · ".join(on_terminal(each) for each in (outcome.backend, outcome.case, call, check))
    line.append(f" {named}\n", style="bold")
    said = lines_on_terminal(message(outcome)).replace("\n", "\n    ")
    line.append(f"    {said}")
    if outcome.reason == "no-error":
        line.append(f"\n    observed {on_terminal(outcome.observed)}")
    if outcome.check == "policy" and outcome.verdict == "fail":
        line.append(f"\n    {_DECLARE}", style="dim")
    source = column.record.source(outcome.op) if column.record else None
    called = [f"called at {on_terminal(source)}"] if source else []
    others = [f"{plural(alike - 1, 'more check')} like it"] if alike > 1 else []
    if called or others:
        line.append("\n    " + "; ".join(called + others), style="dim")
    return line
