"""Processes that judge and are lost at a task: others do it again, until the task is taken for the reason."""

from __future__ import annotations

from collections import Counter

from conformance.model.errors import BackendUnavailable
from conformance.run.tasks import Task, Unavailable

__all__ = ["Losses", "between", "given_up"]

LOSSES = 5  # at a task; one process may be lost for another reason, such as the machine's memory


class Losses:
    """Counts the losses at each task of a run."""

    def __init__(self) -> None:
        self._at: Counter[Task] = Counter()

    def __contains__(self, task: Task) -> bool:
        """Whether there was one."""
        return task in self._at

    def too_many(self, task: Task) -> bool:
        """Count one; whether the task's backend is to be given up now."""
        self._at[task] += 1
        return self._at[task] > LOSSES


def given_up(task: Task, why: str) -> Unavailable:
    """What is said of a backend that is given up, for a task at which the process that judges has ended."""
    error = BackendUnavailable(
        f"the process that judges {task.backend.name} ended {between(task)}: {why}",
        hint="run these with -k: what the backend does there may end processes that are not its own",
    )
    return Unavailable(task, error)


def between(task: Task) -> str:
    """Where in a run a task is, in words."""
    first, *_, last = [entry.case.id for entry in task.portion.entries] * 2
    return f"between the cases {first} and {last}"
