"""``conformance diff``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.options import AMOUNT, PATH, Finite, details_option, format_option, schema_option
from conformance.plain import json_text

__all__ = ["command"]


@click.command(
    "diff",
    epilog="Examples: `conformance diff results/before results/after`; `conformance diff OLD NEW --format markdown >> "
    '"$GITHUB_STEP_SUMMARY"`; `conformance diff --exact FIRST AGAIN`. Exit codes: 0 no regression; 1 a regression, or '
    "with --exact any difference; 2 a run cannot be read.",
)
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@format_option("Lines for a terminal, Markdown for a job summary or a comment, or one JSON object.", "text", "markdown")
@click.option(
    "--factor",
    type=Finite(min=1),
    default=2.0,
    show_default=True,
    help="Report a largest error that grew or shrank by more than this factor.",
)
@click.option(
    "--floor",
    type=AMOUNT,
    default=1.0,
    show_default=True,
    metavar="ULP",
    help="Ignore errors that stay below this.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Also list every outcome that is not in both runs as often, by verdict and reason: two runs of one backend on "
    "one machine have none.",
)
@details_option(50, "Rows of each table to show; JSON has all.")
@click.option(
    "--band",
    type=PATH,
    metavar="FILE",
    help="The dead band that a time must leave to count as changed; the one stored for the machine by default.",
)
@schema_option("diff")
def command(
    old: Path, new: Path, style: str, factor: float, floor: float, exact: bool, details: int, band: Path | None
) -> int:
    """Compare two runs: verdicts, classes and errors, cases, semantics, versions, and speed where both were timed.

    Runs of different suites, versions or machines are compared check by check, by case id; what only one of them has
    is listed separately. A regression is a check that passed, deviated as declared or was a known defect, and now
    fails; a time that got slower beyond the dead band, whose result lost its accuracy, or that can no longer be taken
    because its backend crashes, hangs or raises.
    """
    from conformance.reports.diff.speed import compare_only_speed, compare_speed, only_timed, speed_text, timed_once

    if only_timed(old, new):
        speed = compare_only_speed(old, new, band)
        if style == "text" and sys.stdout.isatty():
            from conformance.reports.benchmarks.comparison.render import print_changes

            print_changes(speed)
        else:
            sys.stdout.write(speed_text(speed, style))
        return 1 if speed.regressed else 0

    from conformance.reports.diff.compare import DiffSettings, compare_runs

    found = compare_runs(
        old, new, DiffSettings(factor, floor, exact), compare_speed(old, new, band), timed_once(old, new)
    )
    if style == "json":
        sys.stdout.write(json_text(found))
    else:
        from conformance.reports.diff.render import markdown_text, terminal_text

        render = markdown_text if style == "markdown" else terminal_text
        sys.stdout.write(render(found, details))
    return 1 if found.regressed or found.unequal else 0
