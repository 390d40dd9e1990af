"""Runs a schedule, process by process; what fails is put on record and does not stop what comes after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import msgspec

from conformance.bench.orders import Began, BenchEntry, Event, Job, NotTimed, Orders, Probed, Started, Timed
from conformance.bench.process import Ended, events_of
from conformance.bench.record import Bandwidths
from conformance.bench.show import BenchProgress
from conformance.worker.limits import Limits

__all__ = ["BenchDriver", "EntryResult", "Results"]


@dataclass(eq=False)
class EntryResult:
    """An entry with all that is known of it: without times ``timed`` is None, and ``refused`` gives the reason."""

    job: Job
    entry: BenchEntry
    started: Started | None = None
    timed: Timed | None = None
    probed: Probed | None = None
    refused: NotTimed | None = None

    @property
    def done(self) -> bool:
        """Whether it needs no other try."""
        return self.timed is not None or self.refused is not None


@dataclass(eq=False)
class Results:
    """What a run has so far."""

    results: list[EntryResult] = field(default_factory=list)
    bandwidths: list[Bandwidths] = field(default_factory=list)
    #: Seconds that each process of a backend took.
    seconds: dict[str, list[float]] = field(default_factory=dict)
    #: Backends of which a process did not start, died, or had to be ended, and what is said of each.
    lost: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class BenchDriver:
    """Carries out ``jobs`` one after the other; ``orders`` makes the orders of a job."""

    jobs: Sequence[Job]
    #: What a job's process is to do; the folder is for what the framework compiles.
    orders: Callable[[Job, Path], Orders]
    scratch: Path
    #: Of each process: ``call`` is for one entry.
    limits: Limits
    progress: BenchProgress
    #: Called when a process has ended: the place to save what there is.
    checkpoint: Callable[[], object]
    results: Results = field(default_factory=Results)
    #: Backends that do not start (with the group ""), and groups that a backend cannot do: not tried again.
    _hopeless: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> Results:
        """Everything that could be had. An interrupt leaves in ``results`` what is done until then."""
        for place, job in enumerate(self.jobs):
            begin = monotonic()
            self._job(place, job)
            self.results.seconds.setdefault(job.backend, []).append(monotonic() - begin)
            self.progress.process(job, self.jobs[place + 1 :])
            self.checkpoint()
        return self.results

    def _job(self, place: int, job: Job) -> None:
        """One job, in as many processes as its crashes ask for: each goes on where the one before it ended."""
        hopeless = {group for backend, group in self._hopeless if backend == job.backend}
        left = [EntryResult(job, each) for each in job.entries if not {"", each.group} & hopeless]
        self.progress.skipped(job, len(job.entries) - len(left))
        attempt = 0
        while left or not job.spec:
            orders = self.orders(
                msgspec.structs.replace(job, entries=tuple(each.entry for each in left)),
                self.scratch / "caches" / str(self._number(job)),
            )
            process = _Process(left, self.progress, probing=orders.probe)
            folder = self.scratch / f"{place:03d}-{attempt}"
            try:
                with closing(events_of(orders, folder, self.limits)) as events:
                    for event in events:
                        process.take(event)
            finally:
                self.results.results += [each for each in left if each.done]
                self.results.bandwidths += process.bandwidths
                if process.broken:
                    self.results.lost.setdefault(job.backend, process.problem)
            if not job.spec:
                return
            refused = {(job.backend, each.entry.group) for each in left if each.refused}
            self._hopeless |= {(job.backend, "")} if process.lost else refused
            left = [each for each in left if not each.done]
            attempt += 1

    def _number(self, job: Job) -> int:
        return sorted({each.backend for each in self.jobs}).index(job.backend)


class _Process:
    """Fills in ``results`` by what one process reports.

    ``broken`` is set where it ends before its work is done, ``lost`` where its backend cannot be had at all; then
    ``problem`` says why, as far as that is known.
    """

    def __init__(self, results: Sequence[EntryResult], progress: BenchProgress, *, probing: bool) -> None:
        self.bandwidths: list[Bandwidths] = []
        self.broken = self.lost = False
        self.problem = "a process of it did not start, died or had to be ended"
        self._by_order = {each.entry.order: each for each in results}
        self._progress = progress
        self._probing = probing
        self._current: EntryResult | None = None

    def take(self, event: Event | Ended) -> None:
        """Take in one event; those of entries that the process was not to do, or had done, do not count."""
        if isinstance(event, Bandwidths):
            self.bandwidths.append(event)
        elif isinstance(event, Started):
            for each in self._by_order.values():
                each.started = event
        elif isinstance(event, Ended):
            self._ended(event)
        elif isinstance(event, NotTimed) and event.order == -1:
            self.problem = f"{event.message}\n  hint: {event.hint}"
            self._refuse_all(event.status, event.message)
        elif (result := self._by_order.get(event.order)) is None:
            return
        elif isinstance(event, Probed):
            result.probed = result.probed or (event if result.timed else None)
        elif result.done:
            return
        elif isinstance(event, Began):
            self._current = result
        elif isinstance(event, Timed):
            result.timed = event
            self._progress.entry(result.job, result.entry, None)
        else:
            self._refuse(result, event)

    def _ended(self, end: Ended) -> None:
        """Refuse what the process's end leaves undone: the entry under way, or all if it never got to one."""
        if not self._by_order:
            if not self.bandwidths:
                why = end.tail.rpartition("\n")[2] or end.reason
                self.bandwidths.append(Bandwidths({}, message=why or "nothing was measured"))
            return
        current = self._current
        unprobed = self._probing and current is not None and current.timed and not current.probed
        done = not unprobed and all(each.done for each in self._by_order.values())
        self.broken |= bool(end.reason) or not done
        if done:
            if end.reason and not self.lost:
                self.problem = f"after its last entry: {end.reason}"
            return
        status = "timeout" if end.timeout else "crash" if end.reason else "error"
        text = end.reason or "the backend's process ended before its work was done"
        text += f"; its last output:\n{end.tail}" if end.tail else ""
        if current is None:
            self._refuse_all(status, text)
        elif unprobed:
            # Timed, and not judged: a result that cannot be looked at must not pass for one that was not asked for.
            current.probed = Probed(current.entry.order, message=text)
        elif not current.done:
            self._refuse(current, NotTimed(current.entry.order, status, text))

    def _refuse_all(self, status: str, message: str) -> None:
        self.broken = self.lost = True
        for order, each in self._by_order.items():
            if not each.done:
                self._refuse(each, NotTimed(order, status, message))

    def _refuse(self, result: EntryResult, event: NotTimed) -> None:
        result.refused = event
        self._progress.entry(result.job, result.entry, event)
