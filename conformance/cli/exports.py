"""The options of ``conformance report`` that ask for exports, and what becomes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from conformance.reports.merge import Merged

__all__ = ["Exports", "export_options"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Exports:
    """The files that were asked for."""

    junit: Path | None = None
    badge: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None
    summary: Path | None = None
    annotations: bool = False

    def write(self, merged: Merged, cases: tuple[Path, ...] = ()) -> None:
        """Write them all, and name each on standard output; annotations are printed there, with places in ``cases``.

        Raises UsageError where a library is missing, HarnessError where a file cannot be written.
        """
        self._write_rows(merged)
        if self.badge:
            from conformance.reports.exports.badge import write_badges
            from conformance.reports.exports.standing import standings
            from conformance.reports.matrix import matrix

            _said("badges", self.badge, write_badges(standings(merged, matrix(merged.relations)), self.badge))
        if self.summary:
            from conformance.reports.exports.summary import append_summary

            _said("job summary", append_summary(merged, self.summary))
        if self.annotations:
            from conformance.places import CASES
            from conformance.reports.exports.annotations import annotation_lines, places_in

            sys.stdout.writelines(f"{line}\n" for line in annotation_lines(merged, places_in(cases or (CASES,))))

    def _write_rows(self, merged: Merged) -> None:
        if self.junit:
            from conformance.reports.exports.junit import write_junit

            _said("junit", write_junit(merged, self.junit))
        if self.csv:
            from conformance.reports.exports.rows import write_csv

            _said("csv", write_csv(merged, self.csv))
        if self.parquet:
            from conformance.reports.exports.rows import write_parquet

            _said("parquet", write_parquet(merged, self.parquet))


def _said(what: str, path: Path, written: object = None) -> None:
    count = f" ({len(written)})" if isinstance(written, list) else ""
    sys.stdout.write(f"{what}: {path}{count}\n")


def export_options(function: F) -> F:
    """Give a verb the options of this module; its function gets them together as ``exports``."""
    import functools

    @functools.wraps(function)
    def collected(**options: Any) -> Any:
        own = {name: options.pop(f"export_{name}") for name in Exports.__dataclass_fields__}
        return function(**options, exports=Exports(**own))

    wrapped: Any = collected
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _path(name: str, metavar: str, text: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", f"export_{name}", type=click.Path(path_type=Path), metavar=metavar, help=text)


_OPTIONS = (
    _path("junit", "FILE", "Write JUnit XML: a test case for each check."),
    _path("badge", "DIR", "Write a badge for each backend, as shields.io reads it."),
    _path("csv", "FILE", "Write every outcome as CSV."),
    _path("parquet", "FILE", "Write every outcome as Parquet (needs pyarrow)."),
    _path("summary", "FILE", "Append a job summary in Markdown, such as to $GITHUB_STEP_SUMMARY."),
    click.option(
        "--annotations", "export_annotations", is_flag=True, help="Print GitHub annotations on the cases that failed."
    ),
)
