"""Workflow commands by which GitHub Actions marks lines of the case files: one for each case that went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.model.errors import UsageError
from conformance.model.wording import message
from conformance.plain import blanked, plain, plain_lines
from conformance.reports.merge import Merged
from conformance.reports.worst import WorstOutcome, findings

if TYPE_CHECKING:
    from conformance.cases.load import Entry, Suite

__all__ = ["MOST", "annotation_lines", "places_in"]

MOST = 10  # GitHub shows no more errors of one step
MESSAGE = 1_000  # characters

#: Case id to its file and line.
Places = Callable[[str], "tuple[Path, int] | None"]


def annotation_lines(merged: Merged, places: Places) -> Iterator[str]:
    """Lines to print: an ``::error`` for each case, worst first, and a ``::notice`` of those beyond the first ten.

    File names are given relative to the current folder.
    """
    found, total = findings(merged.relations, MOST)
    for finding in found:
        yield _error(finding, places(finding.first.case))
    if total > MOST:
        yield f"::notice title={_property('conformance')}::{_data(f'{total - MOST} cases more are in the results')}"


def places_in(paths: tuple[Path, ...]) -> Places:
    """Looks cases up in case files, which are read when first asked; a case that is not there has no place."""
    loaded: list[tuple[Suite, dict[str, Entry]]] = []

    def find(case: str) -> tuple[Path, int] | None:
        from conformance.cases.load import read_suite

        if not loaded:
            try:
                suite, _ = read_suite(paths)
            except UsageError:
                return None
            loaded.append((suite, {entry.case.id: entry for entry in suite.entries}))
        suite, entries = loaded[0]
        entry = entries.get(case)
        return (entry.file, suite.line(entry)) if entry else None

    return find


def _error(finding: WorstOutcome, place: tuple[Path, int] | None) -> str:
    first = finding.first
    properties = {}
    if place:
        file, here = place[0].resolve(), Path.cwd().resolve()
        if file.is_relative_to(here):  # no other path means anything to the reader
            properties = {"file": file.relative_to(here).as_posix(), "line": str(place[1])}
    backends = ", ".join(column.label for column in finding.columns)
    properties["title"] = plain(f"{first.verdict}: {first.case} on {backends}", 200)
    checks = f"{finding.checks} checks" if finding.checks > 1 else "1 check"
    said = f"{plain(blanked(message(first)), MESSAGE)} ({checks}, first {first.op} {first.dtype} {first.check})"
    text = f"{said}\n{finding.explained}"
    return f"::error {','.join(f'{name}={_property(value)}' for name, value in properties.items())}::{_data(text)}"


def _data(text: str) -> str:
    return "\n".join(plain_lines(text)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(plain(text)).replace(":", "%3A").replace(",", "%2C")
