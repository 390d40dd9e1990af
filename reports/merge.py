"""Runs from any number of machines, read as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.errors import UsageError
from conformance.results.records import BackendRecord, Outcome
from conformance.results.store import FILE, Run, read_run

__all__ = ["Merged", "merge"]


@dataclass(frozen=True)
class Merged:
    """Some runs, in the order given; a backend that several hold is told apart by its version."""

    runs: tuple[Run, ...]

    @property
    def outcomes(self) -> Iterator[Outcome]:
        """The outcomes of all runs, read as they are asked for."""
        return (outcome for run in self.runs for outcome in run.outcomes)

    @property
    def unavailable(self) -> dict[str, BackendRecord]:
        """Backends that did not run."""
        return {name: record for run in self.runs for name, record in run.backends.items() if record.error}


def merge(paths: Sequence[Path]) -> Merged:
    """Read runs: each path is a run's folder, its file, or a folder of runs' folders.

    Raises UsageError where there is no run.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file() or (path / FILE).is_file():
            found.append(path)
            continue
        inside = sorted(child.parent for child in path.glob(f"*/{FILE}"))
        if not inside:
            raise UsageError(
                f"{path} holds no run", mend=f"name a folder that holds {FILE}; `conformance run` writes one"
            )
        found += inside
    return Merged(tuple(read_run(path) for path in dict.fromkeys(found)))
