"""Runs from any number of machines, read as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.model.errors import UsageError
from conformance.model.records import BackendRecord, Outcome
from conformance.reports.benchmarks.read import FILE as TIMES
from conformance.reports.benchmarks.read import find_benchmarks
from conformance.results.store import FILE, Run, read_run

__all__ = ["Merged", "merge"]


@dataclass(frozen=True)
class Merged:
    """Some runs, in the order given, and the files of those that were timed.

    A backend that several hold is told apart by its version; of a check that several made in the same column, the
    newest run's stands.
    """

    runs: tuple[Run, ...]
    benchmarks: tuple[Path, ...] = ()

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes that stand, read as they are asked for."""
        return (outcome for _, _, outcome in self.labelled)

    @property
    def versioned(self) -> Iterator[tuple[str, Outcome]]:
        """The outcomes that stand, each with the version of its backend."""
        return ((version, outcome) for _, version, outcome in self.labelled)

    @property
    def labelled(self) -> Iterator[tuple[str, str, Outcome]]:
        """The outcomes that stand, each with its column's label, which is the site's, and the backend's version."""
        from conformance.reports.site.gather import gather

        for results in gather(self.runs):
            for column, outcome in results.outcomes:
                yield column.label, column.version, outcome

    @property
    def unavailable(self) -> dict[str, BackendRecord]:
        """Backends that did not run."""
        return {name: record for run in self.runs for name, record in run.backends.items() if record.error}


def merge(paths: Sequence[Path]) -> Merged:
    """Read runs: each path is a run's folder, its file, or a folder of runs' folders; a run may hold times alone.

    Raises UsageError where there is no run.
    """
    found: dict[Path, None] = {}
    for path in paths:
        here = _files(path) or sorted(file for child in path.glob("*/") for file in _files(child))
        if not here:
            raise UsageError(
                f"{path} holds no run",
                hint=f"name a folder that holds {FILE} or {TIMES}; `conformance run` and `bench` write them",
            )
        found |= dict.fromkeys(here)
    timed = tuple(path for path in found if path.suffix in (".json", ".gz"))
    return Merged(tuple(read_run(path) for path in found if path not in timed), timed)


def _files(path: Path) -> list[Path]:
    """The results file that ``path`` is, or those that it holds; times may be gzipped, as published ones are."""
    judged, timed = path / FILE, find_benchmarks(path)
    if path.is_file():
        return [path]
    return [*([judged] if judged.is_file() else []), *([timed] if timed else [])]
