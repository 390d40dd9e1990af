"""A task: one backend, one portion of the cases. Pure, so that it can be done anywhere, in any order, and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.model.backend import BackendRecord
from conformance.model.errors import BackendUnavailable
from conformance.model.outcome import UnitKey
from conformance.model.records import WorkerRecord
from conformance.profiles.register import Evidence
from conformance.profiles.subject import Subject
from conformance.run.plan import Plan, Portion
from conformance.worker.limits import Limits

__all__ = ["Done", "Note", "Task", "Terms", "Unavailable", "tasks"]


@dataclass(frozen=True)
class Terms:
    """How backends are run: threads of each one's pools, time limits, a folder for what is temporary.

    0 threads are as many as the machine has cores. ``worker`` is named in the outcomes, where there are several.
    """

    threads: int = 1
    limits: Limits = field(default_factory=Limits)
    scratch: Path | None = None
    worker: str = ""


@dataclass(frozen=True, eq=False)
class Task:
    """``backend`` as discovery found it; ``done`` are units of the portion that are on record already."""

    backend: Any
    portion: Portion
    done: frozenset[UnitKey] = frozenset()


@dataclass(frozen=True, eq=False)
class Done:
    """What came of a task, ready to be put on record: whoever conducts the run need not look into the outcomes.

    ``lines`` holds what the cases cost, and the outcomes of all units that were not done before, unit by unit;
    ``verdicts`` counts these, and ``failed`` the cases with a non-conformity. ``evidence`` is what they say of the
    register that ``subject`` has. ``worker`` did it, where there are several machines.
    """

    backend: str
    cases: int
    record: BackendRecord
    subject: Subject
    lines: bytes
    verdicts: Counter[str]
    failed: int
    evidence: Evidence
    worker: WorkerRecord | None = None


@dataclass(frozen=True)
class Note:
    """Something of the workers that whoever started the run should know, in words."""

    text: str


@dataclass(frozen=True, eq=False)
class Unavailable:
    """A task that could not be begun: the backend does not start."""

    task: Task
    error: BackendUnavailable


def tasks(backends: Sequence[Any], plan: Plan, done: frozenset[UnitKey] = frozenset()) -> Iterator[Task]:
    """All tasks of a run, but those of which every unit is ``done``."""
    if done:
        from conformance.run.chunk import unit_keys  # for what is resumed alone: it needs all that a chunk does
    for backend in backends:
        for portion in plan.portions:
            before = unit_keys(portion, backend.name) if done else frozenset()
            if not before or not before <= done:
                yield Task(backend, portion, before & done)
