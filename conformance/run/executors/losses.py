"""Processes that judge and are lost at a task: others do it again, until the task is taken for the reason."""

from __future__ import annotations

from collections import Counter

from conformance.run.tasks import Task

__all__ = ["Losses"]

LOSSES = 5  # at a task; one process may be lost for another reason, such as the machine's memory


class Losses:
    """Counts the losses at each task of a run."""

    def __init__(self) -> None:
        self._at: Counter[Task] = Counter()

    def too_many(self, task: Task, more: int = 1) -> bool:
        """Count ``more``; whether the task's backend is to be given up now."""
        self._at[task] += more
        return self._at[task] > LOSSES
