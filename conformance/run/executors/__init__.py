"""Executors: where tasks are done. An executor promises nothing of their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from conformance.run.executors.local import LocalExecutor
from conformance.run.tasks import Done, Note, Task, Terms, Unavailable

if TYPE_CHECKING:
    from conformance.run.executors.dask.connect import Fleet

__all__ = ["Executor", "LocalExecutor", "executor_for"]


class Executor(Protocol):
    """Does tasks, somewhere. ``prepare`` may be called once it is known that there will be some."""

    def prepare(self) -> None:
        """Get ready in the background."""
        ...

    def run(self, tasks: Sequence[Task]) -> Iterator[Done | Unavailable | Note]:
        """What comes of each task, as it comes. Closing the iterator, or an exception in it, ends all work."""
        ...

    def close(self) -> None:
        """End what was prepared; also without a run."""
        ...


def executor_for(jobs: int, terms: Terms, fleet: Fleet | None = None) -> Executor:
    """One that does ``jobs`` tasks at a time on this machine, or as many as ``fleet`` has workers.

    A single job has a process of its own, too: a backend that ends it is given up, and no other.
    """
    if fleet is not None:
        from conformance.run.executors.dask.executor import DaskExecutor

        return DaskExecutor(terms, fleet, workers=jobs)
    return LocalExecutor(jobs, terms)
