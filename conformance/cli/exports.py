"""The options of ``conformance report`` that ask for exports, and what becomes of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.decorators import FC

from conformance.cli.options import PATH
from conformance.plain import say

if TYPE_CHECKING:
    from conformance.reports.merge import Merged

__all__ = ["export_options", "write_exports"]

_OPTIONS = (
    click.option("--junit", type=PATH, metavar="FILE", help="Write JUnit XML: a test case for each check."),
    click.option("--badge", type=PATH, metavar="DIR", help="Write a badge for each backend, as shields.io reads it."),
    click.option("--csv", type=PATH, metavar="FILE", help="Write every outcome as CSV."),
    click.option("--parquet", type=PATH, metavar="FILE", help="Write every outcome as Parquet (needs pyarrow)."),
    click.option(
        "--summary",
        type=PATH,
        metavar="FILE",
        help="Append a job summary in Markdown, such as to $GITHUB_STEP_SUMMARY.",
    ),
    click.option("--annotations", is_flag=True, help="Print GitHub annotations on the cases that failed."),
)


def export_options(function: FC) -> FC:
    """Give a verb the options of this module: they are the keywords of ``write_exports``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def write_exports(
    merged: Merged,
    cases: tuple[Path, ...] = (),
    *,
    junit: Path | None = None,
    badge: Path | None = None,
    csv: Path | None = None,
    parquet: Path | None = None,
    summary: Path | None = None,
    annotations: bool = False,
) -> None:
    """Write them all, and name each on standard output; annotations are printed there, with places in ``cases``.

    Raises UsageError where a library is missing, HarnessError where a file cannot be written.
    """
    if junit:
        from conformance.reports.exports.junit import write_junit

        _name("junit", write_junit(merged, junit))
    if csv:
        from conformance.reports.exports.rows import write_csv

        _name("csv", write_csv(merged, csv))
    if parquet:
        from conformance.reports.exports.rows import write_parquet

        _name("parquet", write_parquet(merged, parquet))
    if badge:
        from conformance.reports.exports.badge import write_badges
        from conformance.reports.exports.standing import standings
        from conformance.reports.matrix import matrix

        count = len(write_badges(standings(merged, matrix(merged.relations)), badge))
        _name("badges", f"{badge} ({count})")
    if summary:
        from conformance.reports.exports.summary import append_summary

        _name("job summary", append_summary(merged, summary))
    if annotations:
        from conformance.places import CASES
        from conformance.reports.exports.annotations import annotation_lines, places_in

        sys.stdout.writelines(f"{line}\n" for line in annotation_lines(merged, places_in(cases or (CASES,))))


def _name(what: str, path: Path | str) -> None:
    say(f"{what}: {path}")
