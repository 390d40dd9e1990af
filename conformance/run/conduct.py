"""Conducts a run: has an executor do the tasks, and puts what comes back on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from conformance.model.backend import BackendRecord
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome, UnitKey
from conformance.model.records import WorkerRecord, encode_record
from conformance.plain import plain
from conformance.profiles.register import Evidence, entries_due, entries_for
from conformance.profiles.subject import Subject
from conformance.run.executors import Executor
from conformance.run.plan import Plan
from conformance.run.tasks import Done, Note, Unavailable, tasks

__all__ = ["Conductor", "Listener"]


class Listener:
    """Is called as a run goes on; every method may be left as it is."""

    def started(self, spec: str, record: BackendRecord) -> None:
        """A backend is up."""

    def judged(self, spec: str, cases: int, failed: int) -> None:
        """Some cases are through, ``failed`` of them with a non-conformity."""

    def noted(self, text: str) -> None:
        """Something has become of a worker."""

    def ended(self, spec: str, error: UsageError | None) -> None:
        """A backend is through, or could not start."""


@dataclass(eq=False)
class Conductor:
    """Runs ``backends``, as discovery found them, over ``plan``; ``record`` takes the lines of units as one block.

    ``done`` are units of a resumed run that need not be recorded again, ``recorded`` gives the outcomes that are on
    record, and ``former`` the backends as they were; ``whole`` says that nothing was selected away, ``shard`` that
    nothing was but for other shards. In the end ``failed`` says why a backend could not be had, ``mixed`` how those of
    one name differ.
    """

    plan: Plan
    backends: Sequence[Any]
    executor: Executor
    record: Callable[[bytes, Counter[str]], None]
    describe: Callable[[BackendRecord | WorkerRecord], None]
    listener: Listener = field(default_factory=Listener)
    done: frozenset[UnitKey] = frozenset()
    former: Mapping[str, BackendRecord] = field(default_factory=dict)
    recorded: Callable[[], Iterable[Outcome]] = tuple
    whole: bool = False
    shard: bool = False
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    mixed: dict[str, str] = field(default_factory=dict)
    _evidence: dict[str, Evidence] = field(default_factory=dict)
    _first: dict[str, BackendRecord] = field(default_factory=dict)
    _records: dict[str, BackendRecord] = field(default_factory=dict)
    _left: Counter[str] = field(default_factory=Counter)
    _through: Counter[str] = field(default_factory=Counter)
    _workers: set[str] = field(default_factory=set)

    def run(self) -> None:
        """To the end; the caller writes the footer."""
        todo = list(tasks(self.backends, self.plan, self.done))
        self._left = Counter(task.backend.name for task in todo)
        waiting: dict[str, set[int]] = {backend.name: set() for backend in self.backends}
        for task in todo:
            waiting[task.backend.name].add(task.portion.number)
        for backend in self.backends:
            of_it = waiting[backend.name]
            before = sum(len(each.entries) for each in self.plan.portions if each.number not in of_it)
            self._through[backend.name] = before
            if before:
                self.listener.judged(backend.name, before, 0)
        for result in self.executor.run(todo):
            if isinstance(result, Done):
                self._put(result)
            elif isinstance(result, Note):
                self.listener.noted(result.text)
            else:
                self._fail(result)

    def _put(self, result: Done) -> None:
        name = result.backend
        if name not in self._evidence:
            self._start(name, result.record, result.subject)
        self._compare(name, result.record)
        if result.worker is not None and result.worker.name not in self._workers:
            self._workers.add(result.worker.name)
            self.describe(result.worker)
        self._evidence[name].merge(result.evidence)
        lines, verdicts = result.lines, Counter(result.verdicts)
        self._left[name] -= 1
        if self.whole and not self._left[name]:
            # In one block with the last unit, which is redone where a run is cut off here: so are these, then.
            stale = self._evidence[name].stale()
            verdicts.update(each.verdict for each in stale)
            lines += b"".join(map(encode_record, stale))
        self.record(lines, verdicts)
        self.counts[name] += verdicts
        self._through[name] += result.cases
        self.listener.judged(name, result.cases, result.failed)
        if not self._left[name]:
            self.listener.ended(name, None)

    def _start(self, name: str, record: BackendRecord, subject: Subject) -> None:
        _require_unchanged(self.former.get(name), record)
        entries = entries_for(subject)
        register = [msgspec.to_builtins(each) for each in entries] if self.shard else []
        record = msgspec.structs.replace(
            record, spec=self._spec(name), register=register, overridden=sorted(subject.overridden)
        )
        self.describe(record)
        self._records[name] = record
        self.listener.started(name, record)
        self.counts[name] = Counter()
        evidence = self._evidence[name] = Evidence(entries_due(subject))
        if self.whole and self.done:
            for each in self.recorded():
                if each.backend == name and each.op not in subject.overridden:
                    evidence.add(each)

    def _spec(self, name: str) -> str:
        return next((str(each.spec) for each in self.backends if each.name == name), "")

    def _compare(self, name: str, record: BackendRecord) -> None:
        """Note where a backend's processes differ: its outcomes are then those of several, under one name."""
        first = self._first.setdefault(name, record)
        if others := record.other_versions(first):
            self.mixed[name] = f"a process of it had other versions than the first: {plain(others)}"

    def _fail(self, result: Unavailable) -> None:
        name = result.task.backend.name
        self.failed[name] = result.error.reason
        known = self._records.get(name, BackendRecord(name=name, spec=self._spec(name)))
        planned = sum(len(each.entries) for each in self.plan.portions)
        now = {"error": result.error.reason, "through": self._through[name], "planned": planned}
        self.describe(msgspec.structs.replace(known, **now))
        self.listener.ended(name, result.error)


def _require_unchanged(former: BackendRecord | None, now: BackendRecord) -> None:
    """Raises UsageError where a run would be completed by another backend than the one that began it."""
    if former is None or (former.error is not None and not former.through):
        return
    if others := now.other_versions(former):
        problem = f"the run was begun with other versions: {plain(others)}"
    elif former.code != now.code:
        problem = "its code has changed since the run was begun"
    elif _declared(former) != _declared(now):
        problem = "its profile has changed since the run was begun"
    else:
        return
    raise UsageError(f"{now.name}: {problem}", hint="start a new run, or resume it with what it was begun with")


def _declared(record: BackendRecord) -> bytes:
    """The user's own profile, as it stands in a file."""
    return msgspec.json.encode(record.own_profile, order="sorted")
