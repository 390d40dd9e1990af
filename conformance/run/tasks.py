"""A task: one backend, one portion of the cases. Pure, so that it can be done anywhere, in any order, and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.model.errors import BackendUnavailable
from conformance.model.records import BackendRecord, Outcome, UnitKey
from conformance.profiles.subject import Subject
from conformance.run.judged import OpenBackend, open_backend
from conformance.run.plan import Plan, Portion
from conformance.worker.session import Limits

__all__ = ["Done", "Task", "TaskRunner", "Terms", "Unavailable", "tasks"]


@dataclass(frozen=True)
class Terms:
    """How backends are run: threads of each one's pools, time limits, a folder for what their compilers keep."""

    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    cache: Path | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """``backend`` as discovery found it; ``done`` are units of the portion that are on record already."""

    backend: Any
    portion: Portion
    done: frozenset[UnitKey] = frozenset()


@dataclass(frozen=True, eq=False)
class Done:
    """What came of a task: the outcomes of each unit that was not done before; and what the backend is judged as."""

    task: Task
    record: BackendRecord
    subject: Subject
    units: list[list[Outcome]]


@dataclass(frozen=True, eq=False)
class Unavailable:
    """A task that could not be begun: the backend does not start."""

    task: Task
    error: BackendUnavailable


class TaskRunner:
    """Does tasks one after the other; the backend of the last one stays open for the next. Close it in the end."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._open: tuple[str, OpenBackend] | None = None

    def run(self, task: Task) -> Done | Unavailable:
        """Ask and judge. Whatever else than a backend that does not start goes wrong is raised."""
        backend = self._opened(task)
        backend.launch()
        chunk = task.portion.build()  # while the backend starts
        try:
            judged = backend.judge(chunk)
        except BackendUnavailable as error:
            self.close()
            return Unavailable(task, error)
        units = [*judged.units, *([each] for each in judged.left_out)]
        units = [unit for unit in units if unit[0].unit not in task.done]
        return Done(task, backend.record, backend.subject, units)

    def close(self) -> None:
        """End the backend's process."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _opened(self, task: Task) -> OpenBackend:
        spec = task.backend.spec
        if self._open is None or self._open[0] != spec:
            self.close()
            terms = self._terms
            opened = open_backend(task.backend, threads=terms.threads, limits=terms.limits, cache=terms.cache)
            self._open = (spec, opened)
        return self._open[1]


def tasks(backends: Sequence[Any], plan: Plan, done: frozenset[UnitKey] = frozenset()) -> Iterator[Task]:
    """All tasks of a run, but those of which every unit is ``done``."""
    for backend in backends:
        for portion in plan.portions:
            before = portion.units(backend.name) if done else frozenset()
            if not before or not before <= done:
                yield Task(backend, portion, before & done)
