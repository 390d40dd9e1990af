"""Does tasks: it asks the backend and judges what it answers, wherever that is."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time

import msgspec

from conformance.model.errors import BackendUnavailable
from conformance.model.execution import ExecutionEvidence, total
from conformance.model.records import Costs, Record, encode_record
from conformance.model.verdicts import NONCONFORMING
from conformance.profiles.register import Evidence, entries_due
from conformance.run.costs import shared_out
from conformance.run.judged import Judged, OpenBackend, open_backend
from conformance.run.tasks import Done, Task, Terms, Unavailable

__all__ = ["TaskRunner"]


class TaskRunner:
    """Does tasks one after the other; the backend of the last one stays open for the next. Close it in the end."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._open: tuple[str, OpenBackend] | None = None

    def run(self, task: Task) -> Done | Unavailable:
        """Ask and judge. Whatever else than a backend that does not start goes wrong is raised."""
        with _uncollected():
            return self._run(task)

    def _run(self, task: Task) -> Done | Unavailable:
        backend = self._opened(task)
        before = (backend.deaths, backend.restarts)
        try:
            subject = backend.subject
            begin, thinking = perf_counter(), thread_time()
            judged = backend.judge(task.portion)
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
        evidence = Evidence(entries_due(subject))
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


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: next to nothing of what a task makes refers to itself, and all of it is soon gone."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _mode(judged: Judged) -> ExecutionEvidence | None:
    """How the calls of a task that gave a result were executed."""
    plain = sum(seen.mode is None and seen.failure is None for seen in judged.observations)
    return total((ExecutionEvidence(calls=plain), *(seen.mode for seen in judged.observations)))
