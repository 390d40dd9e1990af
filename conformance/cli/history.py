"""``conformance history``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.options import PATH, format_option, runs_argument, schema_option
from conformance.model.errors import UsageError
from conformance.plain import say

__all__ = ["command"]

DATABASE = Path("results/history.duckdb")
_EPILOG = (
    "Examples: `conformance history add results/bench results/all`; "
    "`conformance history show --workload lm-head --backend torch --output results/trends`."
)


@click.group("history", epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Keep every run in one file, and show where times and verdicts changed."""


_database = click.option(
    "--db",
    "database",
    type=PATH,
    default=DATABASE,
    show_default=True,
    metavar="FILE",
    help="The history, a DuckDB file.",
)


@command.command("add")
@runs_argument
@_database
def add(runs: tuple[Path, ...], database: Path) -> int:
    """Append runs: their benchmarks, and the counts of their verdicts.

    A RUN is a run's folder, its results file, or a folder of runs. A run that is there already is not added again.
    """
    from conformance.reports.history.add import add_runs
    from conformance.reports.history.database import History
    from conformance.reports.merge import find_results

    find_results(runs)  # before a file is made for nothing
    with History(database, writing=True) as history:
        added = add_runs(history, runs)
    words = {"new": "added", "known": "already there", "updated": "updated: it has grown since"}
    words["smaller"] = "left out: the history holds more of this run"
    for each in added:
        say(f"{each.file}: {words[each.change]} ({each.kind}, run {each.run})")
    return 0


@command.command("show", short_help="Show times and verdicts over runs.")
@_database
@click.option("--workload", metavar="TEXT", help="Only workloads whose name contains this text.")
@click.option("-b", "--backend", metavar="TEXT", help="Only backends whose name contains this text.")
@click.option(
    "--output",
    type=PATH,
    metavar="DIR",
    help="Write a trend chart for each workload and backend into this folder, and a page with all of them.",
)
@format_option("Tables for people, or one JSON object.")
@schema_option("history")
def show(database: Path, workload: str | None, backend: str | None, output: Path | None, style: str) -> int:
    """Show times and verdicts over runs, with the change points that Apache Otava finds."""
    from conformance.disk import require_folder_place
    from conformance.reports.history.database import History
    from conformance.reports.history.series import read_series, read_verdicts
    from conformance.reports.history.show import history_json, print_history, write_trends

    if output is not None:
        require_folder_place(output)
    with History(database) as history:
        times = read_series(history, workload, backend)
        verdicts = [] if workload is not None else read_verdicts(history, backend)
    if output is not None:
        if not times:
            raise UsageError("no times to draw", hint="loosen --workload and --backend, or add a benchmark run first")
        for path in write_trends(times, output):
            say(f"wrote {path}", err=True)
    if style == "json":
        sys.stdout.write(history_json(times, verdicts))
    else:
        print_history(times, verdicts)
    return 0
