"""A task: one backend, one portion of the cases. Pure, so that it can be done anywhere, in any order, and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import msgspec

from conformance.model.backend import BackendRecord
from conformance.model.errors import BackendUnavailable
from conformance.model.execution import ExecutionEvidence, total
from conformance.model.outcome import UnitKey
from conformance.model.records import Costs, Record, WorkerRecord, encode_record
from conformance.model.verdicts import NONCONFORMING
from conformance.profiles.register import Evidence, entries_for
from conformance.profiles.subject import Subject
from conformance.run.costs import shared_out
from conformance.run.judged import Judged, OpenBackend, open_backend
from conformance.run.plan import Chunk, Plan, Portion
from conformance.worker.limits import Limits

__all__ = ["Done", "Note", "Task", "TaskRunner", "Terms", "Unavailable", "tasks"]


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


class TaskRunner:
    """Does tasks one after the other; the backend of the last one stays open for the next. Close it in the end."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._open: tuple[str, OpenBackend] | None = None

    def run(self, task: Task) -> Done | Unavailable:
        """Ask and judge. Whatever else than a backend that does not start goes wrong is raised."""
        backend = self._opened(task)
        before = (backend.deaths, backend.restarts)
        thinking = thread_time()
        try:
            backend.launch()
            chunk = _chunk(task.portion, backend)
            subject = backend.subject
            begin = perf_counter()
            judged = backend.judge(chunk)
        except BackendUnavailable as error:
            self.close()
            return Unavailable(task, error)
        spent = (perf_counter() - begin, thread_time() - thinking)
        costs = shared_out(*spent, [entry.case for entry in task.portion.entries], judged.own)
        outcomes = [each for each in judged.outcomes if not task.done or each.unit not in task.done]
        if self._terms.worker:
            outcomes = [msgspec.structs.replace(each, worker=self._terms.worker) for each in outcomes]
        deaths, restarts = (now - then for now, then in zip((backend.deaths, backend.restarts), before, strict=True))
        spent_on = Costs(backend=task.backend.name, seconds=costs, deaths=deaths, restarts=restarts, mode=_mode(judged))
        records: list[Record] = [spent_on, *outcomes] if outcomes else []
        evidence = Evidence(entries_for(subject))
        for each in outcomes:
            if each.op not in subject.overridden:
                evidence.add(each)
        return Done(
            backend=task.backend.name,
            cases=len(task.portion.entries),
            record=backend.record,
            subject=subject,
            lines=b"".join(map(encode_record, records)),
            verdicts=Counter(each.verdict for each in outcomes),
            failed=len({each.case for each in outcomes if each.verdict in NONCONFORMING}),
            evidence=evidence,
        )

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
            opened = open_backend(task.backend, threads=terms.threads, limits=terms.limits, scratch=terms.scratch)
            self._open = (spec, opened)
        return self._open[1]


def _chunk(portion: Portion, backend: OpenBackend) -> Chunk:
    """What the backend is asked; only where that depends on the backend is its start waited for."""
    return (portion if portion.tier == "full" else portion.asked_of(compiles=backend.compiles)).build()


def _mode(judged: Judged) -> ExecutionEvidence | None:
    """How the calls of a task that gave a result were executed."""
    plain = sum(seen.mode is None and seen.failure is None for seen in judged.observations)
    return total((ExecutionEvidence(calls=plain), *(seen.mode for seen in judged.observations)))


def tasks(backends: Sequence[Any], plan: Plan, done: frozenset[UnitKey] = frozenset()) -> Iterator[Task]:
    """All tasks of a run, but those of which every unit is ``done``."""
    for backend in backends:
        for portion in plan.portions:
            before = portion.units(backend.name) if done else frozenset()
            if not before or not before <= done:
                yield Task(backend, portion, before & done)
