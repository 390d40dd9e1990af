"""Runs a schedule, process by process; what fails is put on record and does not stop what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import msgspec

from conformance.bench.orders import Began, Entry, Event, Job, Orders, Probed, Refused, Started, Timed
from conformance.bench.process import Ended, Listening
from conformance.bench.record import Bandwidths

__all__ = ["Driver", "Listener", "Result", "Results"]


@dataclass(frozen=True, eq=False)
class Result:
    """An entry with all that is known of it: ``timed`` is None where it has no times, and ``refused`` says why."""

    job: Job
    entry: Entry
    started: Started | None
    timed: Timed | None = None
    probed: Probed | None = None
    refused: Refused | None = None


@dataclass(eq=False)
class Results:
    """What a run has so far."""

    results: list[Result] = field(default_factory=list)
    bandwidths: list[Bandwidths] = field(default_factory=list)
    #: Seconds that each process of a backend took.
    seconds: dict[str, list[float]] = field(default_factory=dict)


class Listener(Protocol):
    """Told of what happens, to show it."""

    def entry(self, result: Result) -> None:
        """An entry is through."""

    def skipped(self, job: Job, entries: int) -> None:
        """So many entries are not tried, since the backend could not do them before."""

    def process(self, job: Job, left: Sequence[Job]) -> None:
        """A process has ended; ``left`` are those to come."""


@dataclass(eq=False)
class Driver:
    """Conducts ``jobs`` one after the other; ``orders`` makes the orders of a job."""

    jobs: Sequence[Job]
    #: What a job's process is told; the folder is for what the framework compiles.
    orders: Callable[[Job, Path], Orders]
    scratch: Path
    limit: float
    start_limit: float
    listener: Listener
    #: Called when a process has ended: the place to save what there is.
    checkpoint: Callable[[], object]
    results: Results = field(default_factory=Results)
    #: Backends that do not start, and groups that a backend cannot do: not tried again in later replicates.
    _hopeless: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> Results:
        """Everything that could be had. An interrupt leaves in ``results`` what is done until then."""
        for place, job in enumerate(self.jobs):
            begin = monotonic()
            self._job(place, job)
            self.results.seconds.setdefault(job.backend, []).append(monotonic() - begin)
            self.listener.process(job, self.jobs[place + 1 :])
            self.checkpoint()
        return self.results

    def _job(self, place: int, job: Job) -> None:
        """One job, in as many processes as its crashes ask for: each goes on where the one before it ended."""
        entries = [each for each in job.entries if not self._is_hopeless(job, each)]
        self.listener.skipped(job, len(job.entries) - len(entries))
        attempt = 0
        while entries or not job.spec:
            part = msgspec.structs.replace(job, entries=tuple(entries))
            folder = self.scratch / f"{place:03d}-{attempt}"
            orders = self.orders(part, self.scratch / "caches" / str(self._number(job)))
            heard = _Heard(part, self.listener, probed=orders.probe)
            process = Listening(orders, folder)
            try:
                for event in process.events(self.limit, self.start_limit):
                    heard.event(event)
                self.results.results += heard.ended(process.ended)
            finally:
                process.close()
                self.results.results += heard.settled()
            self.results.bandwidths += heard.bandwidths
            if not job.spec and not heard.bandwidths:
                why = process.ended.tail.rpartition("\n")[2] or process.ended.reason
                self.results.bandwidths.append(Bandwidths({}, message=why or "nothing was measured"))
            if not job.spec:
                return
            self._hopeless.update((job.backend, group) for group in heard.hopeless)
            entries = [each for each in entries if each.order not in heard.done]
            attempt += 1

    def _number(self, job: Job) -> int:
        return sorted({each.backend for each in self.jobs}).index(job.backend)

    def _is_hopeless(self, job: Job, entry: Entry) -> bool:
        return (job.backend, "") in self._hopeless or (job.backend, entry.group) in self._hopeless


class _Heard:
    """What one process said, entry by entry."""

    def __init__(self, job: Job, listener: Listener, *, probed: bool) -> None:
        self.job = job
        self._probed = probed
        self.done: set[int] = set()
        self.hopeless: set[str] = set()
        self.bandwidths: list[Bandwidths] = []
        self._listener = listener
        self._entries = {each.order: each for each in job.entries}
        self._started: Started | None = None
        self._current: int | None = None
        self._timed: dict[int, Timed] = {}
        self._records: list[Result] = []

    def event(self, event: Event) -> None:
        """Take in one event; those of entries that this process was not told of are not heard."""
        if isinstance(event, Bandwidths):
            self.bandwidths.append(event)
        elif isinstance(event, Started):
            self._started = event
        elif isinstance(event, Refused) and event.order == -1:
            self._all(event)
        elif event.order in self._entries and event.order not in self.done:
            self._of_entry(event)

    def settled(self) -> list[Result]:
        """The records since the last call; a timed entry whose probe was not heard of is one."""
        for order in [*self._timed]:
            self._settle(order, probed=None)
        records, self._records = self._records, []
        return records

    def ended(self, end: Ended) -> list[Result]:
        """Records of what the process's end leaves undone: the entry under way, or all if it never got to one."""
        if len(self.done) < len(self._entries):
            status = "timeout" if end.timeout else "crash" if end.reason else "error"
            what = end.reason or "it ended before its work was done"
            text = f"the backend's process: {what}" + (f"; its last output:\n{end.tail}" if end.tail else "")
            if self._probed and self._current in self._timed:
                # Timed, and not judged: a result that cannot be looked at must not pass for one that was not asked for.
                self._settle(self._current, probed=Probed(self._current, message=text))
            elif self._current is not None and self._current not in self.done and self._current not in self._timed:
                self._refuse(Refused(self._current, status, text))
            elif self._current is None:
                self._all(Refused(-1, status, text))
        return self.settled()

    def _of_entry(self, event: Began | Timed | Probed | Refused) -> None:
        if isinstance(event, Began):
            self.settled_before()
            self._current = event.order
        elif isinstance(event, Timed):
            self._timed[event.order] = event
        elif isinstance(event, Probed):
            self._settle(event.order, probed=event)
        else:
            self._refuse(event)

    def settled_before(self) -> None:
        """An entry that is not probed is through when the next one begins."""
        for order in [*self._timed]:
            self._settle(order, probed=None)

    def _settle(self, order: int, probed: Probed | None) -> None:
        timed = self._timed.pop(order, None)
        if timed is not None:
            self._record(order, timed=timed, probed=probed)

    def _refuse(self, event: Refused) -> None:
        self.hopeless.add(self._entries[event.order].group)
        self._record(event.order, refused=event)

    def _all(self, event: Refused) -> None:
        """The backend cannot be had at all."""
        self.hopeless.add("")
        for order in self._entries:
            if order not in self.done:
                self._record(order, refused=Refused(order, event.status, event.message))

    def _record(self, order: int, **known: Any) -> None:
        self.done.add(order)
        result = Result(self.job, self._entries[order], self._started, **known)
        self._records.append(result)
        self._listener.entry(result)
