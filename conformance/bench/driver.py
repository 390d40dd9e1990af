"""Runs a schedule, process by process; what fails is put on record and does not stop what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Protocol

import msgspec

from conformance.bench.orders import Began, Entry, Event, Job, Orders, Probed, Refused, Started, Timed
from conformance.bench.process import Ended, Process
from conformance.bench.record import Bandwidths

__all__ = ["BenchDriver", "BenchListener", "EntryResult", "Results"]


@dataclass(frozen=True, eq=False)
class EntryResult:
    """An entry with all that is known of it: without times ``timed`` is None, and ``refused`` gives the reason."""

    job: Job
    entry: Entry
    started: Started | None
    timed: Timed | None = None
    probed: Probed | None = None
    refused: Refused | None = None


@dataclass(eq=False)
class Results:
    """What a run has so far."""

    results: list[EntryResult] = field(default_factory=list)
    bandwidths: list[Bandwidths] = field(default_factory=list)
    #: Seconds that each process of a backend took.
    seconds: dict[str, list[float]] = field(default_factory=dict)


class BenchListener(Protocol):
    """Called when something has happened, to show it."""

    def entry(self, job: Job, entry: Entry, refused: Refused | None) -> None:
        """An entry has its times, or is refused."""

    def skipped(self, job: Job, entries: int) -> None:
        """So many entries are not tried, since the backend could not do them before."""

    def process(self, job: Job, left: Sequence[Job]) -> None:
        """A process has ended; ``left`` are those to come."""


@dataclass(eq=False)
class BenchDriver:
    """Carries out ``jobs`` one after the other; ``orders`` makes the orders of a job."""

    jobs: Sequence[Job]
    #: What a job's process is to do; the folder is for what the framework compiles.
    orders: Callable[[Job, Path], Orders]
    scratch: Path
    limit: float
    start_limit: float
    listener: BenchListener
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
        entries = [each for each in job.entries if not {(job.backend, ""), (job.backend, each.group)} & self._hopeless]
        self.listener.skipped(job, len(job.entries) - len(entries))
        attempt = 0
        while entries or not job.spec:
            part = msgspec.structs.replace(job, entries=tuple(entries))
            orders = self.orders(part, self.scratch / "caches" / str(self._number(job)))
            process = Process(orders, self.scratch / f"{place:03d}-{attempt}")
            seen = _Seen(part, self.listener)
            try:
                for event in process.events(self.limit, self.start_limit):
                    seen.event(event)
                seen.ended(process.ended, probing=orders.probe)
            finally:
                process.close()
                self.results.results += seen.results()
            self.results.bandwidths += seen.bandwidths
            if not job.spec:
                if not seen.bandwidths:
                    why = process.ended.tail.rpartition("\n")[2] or process.ended.reason
                    self.results.bandwidths.append(Bandwidths({}, message=why or "nothing was measured"))
                return
            self._hopeless |= {(job.backend, group) for group in seen.hopeless}
            entries = [each for each in entries if not seen.done(each.order)]
            attempt += 1

    def _number(self, job: Job) -> int:
        return sorted({each.backend for each in self.jobs}).index(job.backend)


class _Seen:
    """What one process has reported, by the order of the entries."""

    def __init__(self, job: Job, listener: BenchListener) -> None:
        self.job = job
        self.bandwidths: list[Bandwidths] = []
        self._listener = listener
        self._entries = {each.order: each for each in job.entries}
        self._started: Started | None = None
        self._current: int | None = None
        self._timed: dict[int, Timed] = {}
        self._probed: dict[int, Probed] = {}
        self._refused: dict[int, Refused] = {}
        self._lost = False

    @property
    def hopeless(self) -> set[str]:
        """The groups that the backend cannot do; the empty one where it cannot be had at all."""
        return {""} if self._lost else {self._entries[order].group for order in self._refused}

    def done(self, order: int) -> bool:
        """Whether the entry needs no other try."""
        return order in self._timed or order in self._refused

    def event(self, event: Event) -> None:
        """Take in one event; those of entries that the process was not to do, or had done, do not count."""
        if isinstance(event, Bandwidths):
            self.bandwidths.append(event)
        elif isinstance(event, Started):
            self._started = event
        elif isinstance(event, Refused) and event.order == -1:
            self._refuse_all(event.status, event.message)
        elif event.order not in self._entries:
            return
        elif isinstance(event, Probed):
            self._probed.setdefault(event.order, event)
        elif not self.done(event.order):
            if isinstance(event, Began):
                self._current = event.order
            elif isinstance(event, Timed):
                self._timed[event.order] = event
                self._listener.entry(self.job, self._entries[event.order], None)
            else:
                self._refuse(event)

    def ended(self, end: Ended, *, probing: bool) -> None:
        """Refuse what the process's end leaves undone: the entry under way, or all if it never got to one."""
        order = self._current
        unprobed = probing and order in self._timed and order not in self._probed
        if not unprobed and all(map(self.done, self._entries)):
            return
        status = "timeout" if end.timeout else "crash" if end.reason else "error"
        text = f"the backend's process: {end.reason or 'it ended before its work was done'}"
        text += f"; its last output:\n{end.tail}" if end.tail else ""
        if order is None:
            self._refuse_all(status, text)
        elif unprobed:
            # Timed, and not judged: a result that cannot be looked at must not pass for one that was not asked for.
            self._probed[order] = Probed(order, message=text)
        elif not self.done(order):
            self._refuse(Refused(order, status, text))

    def results(self) -> list[EntryResult]:
        """The entries that are done."""
        return [
            EntryResult(
                self.job,
                entry,
                self._started,
                self._timed.get(order),
                self._probed.get(order) if order in self._timed else None,
                self._refused.get(order),
            )
            for order, entry in self._entries.items()
            if self.done(order)
        ]

    def _refuse_all(self, status: str, message: str) -> None:
        self._lost = True
        for order in self._entries:
            if not self.done(order):
                self._refuse(Refused(order, status, message))

    def _refuse(self, event: Refused) -> None:
        self._refused[event.order] = event
        self._listener.entry(self.job, self._entries[event.order], event)
