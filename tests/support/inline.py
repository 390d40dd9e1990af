"""Tasks done one after the other in this process; only the backends have processes of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.run.runner import TaskRunner
from conformance.run.tasks import Done, Task, Terms, Unavailable

__all__ = ["InlineExecutor"]


class InlineExecutor:
    """Does tasks in their order."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def prepare(self) -> None:
        """Nothing: tasks need no process but the backend's."""

    def close(self) -> None:
        """Nothing is open between runs."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Done | Unavailable]:
        """What comes of each task. A backend that does not start has one answer for all its tasks."""
        runner = TaskRunner(self._terms)
        failed: set[str] = set()
        try:
            for task in tasks:
                if task.backend.name in failed:
                    continue
                result = runner.run(task)
                if isinstance(result, Unavailable):
                    failed.add(task.backend.name)
                yield result
        finally:
            runner.close()
