"""Runs from any number of machines, read as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.model.errors import UsageError
from conformance.model.execution import ExecutionEvidence, total
from conformance.model.outcome import Outcome
from conformance.plain import LONGEST
from conformance.reports.benchmarks.read import FILE as TIMES
from conformance.reports.benchmarks.read import find_benchmarks
from conformance.reports.shards import join
from conformance.results.store import FILE, Run, read_run

if TYPE_CHECKING:
    from conformance.reports.relations import Relations

__all__ = ["Merged", "find_results", "holds_times", "merge", "results_in", "whole_run"]


@dataclass(frozen=True)
class Merged:
    """Some runs, in the order given, and the files of those that were timed; ``notes`` are on what shards lack."""

    runs: tuple[Run, ...]
    benchmarks: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def relations(self) -> Relations:
        """The runs as relations. Raises UsageError that names a damaged line."""
        from conformance.reports.relations import Relations

        return Relations(self.runs)

    @cached_property
    def every(self) -> Relations:
        """The same with every outcome of every run, also what a newer run made again: for exports."""
        from conformance.reports.relations import Relations

        return Relations(self.runs, every=True)

    @property
    def deaths(self) -> dict[str, int]:
        """How often the processes of backends ended, or had to be ended, in all runs; none where that never was."""
        return sum((Counter(run.deaths) for run in self.runs), Counter())

    @property
    def restarts(self) -> dict[str, int]:
        """How often processes of backends were started in place of others, in all runs; none where that never was."""
        return sum((Counter(run.restarts) for run in self.runs), Counter())

    @property
    def modes(self) -> dict[str, ExecutionEvidence]:
        """How the calls of backends were executed, in all runs; none where that was not recorded."""
        names = dict.fromkeys(name for run in self.runs for name in run.modes)
        found = {name: total(run.modes.get(name) for run in self.runs) for name in names}
        return {name: each for name, each in found.items() if each is not None}

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes that stand, read as they are asked for: of a check that several runs made, the newest run's."""
        return (outcome for _, outcome in self.relations.outcomes())

    @property
    def unavailable(self) -> dict[str, str]:
        """Why backends did not run, each with its run where there are several: another version of it may have run."""
        return {name: error for name, _, error in self.stopped}

    @property
    def stopped(self) -> list[tuple[str, str, str]]:
        """The same, with what became of each in between: some ran up to a point."""
        return [
            (
                f"{name} ({run.path.resolve().parent.name})" if len(self.runs) > 1 else name,
                record.stopped,
                record.error[:LONGEST],
            )
            for run in self.runs
            for name, record in run.backends.items()
            if record.error
        ]


def merge(paths: Sequence[Path]) -> Merged:
    """Read runs: each path is a run's folder, its file, or a folder of runs' folders; a run may hold times alone.

    Runs that are all the shards of a whole are joined to it. Raises UsageError where there is no run.
    """
    found = find_results(paths)
    timed = tuple(path for path in found if holds_times(path))
    runs = tuple(read_run(path) for path in found if path not in timed)
    joined = join(runs)
    return Merged(joined.runs, timed, joined.notes)


def whole_run(path: Path) -> Run:
    """The run in ``path``, or the whole whose shards its folders hold; raises UsageError for none, or for several."""
    if not results_in(path):
        found = merge([path]).runs
        if len(found) == 1:
            return found[0]
    return read_run(path)


def find_results(paths: Iterable[Path]) -> list[Path]:
    """The results files that the paths are or hold, at most one folder down. Raises UsageError for one without."""
    found: dict[Path, None] = {}
    for path in paths:
        here = results_in(path) or sorted(file for child in path.glob("*/") for file in results_in(child))
        if not here:
            raise UsageError(
                f"{path} holds no run",
                hint=f"name a folder that holds {FILE} or {TIMES}; `conformance run` and `bench` write them",
            )
        found |= dict.fromkeys(here)
    return [*found]


def results_in(path: Path) -> list[Path]:
    """The results file that ``path`` is, or those that it holds; times may be gzipped, as published ones are."""
    judged, timed = path / FILE, find_benchmarks(path)
    if path.is_file():
        return [path]
    return [*([judged] if judged.is_file() else []), *([timed] if timed else [])]


def holds_times(file: Path) -> bool:
    """Whether a results file holds times; else it holds outcomes."""
    return file.suffix in (".json", ".gz")
