"""Sessions: batches of requests to a backend's process, the culprit found when it dies, several backends at once."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType

from conformance.model.errors import BackendUnavailable, UsageError
from conformance.worker.exchange import (
    Description,
    Failure,
    Observation,
    Request,
    pack_requests,
    request_bytes,
    unpack_observations,
)
from conformance.worker.process import BackendProcess, Cancelled, Death, Ticket
from conformance.worker.worker import CREATOR

__all__ = ["Ended", "Event", "Limits", "Observed", "Session", "Started", "Work", "drive"]

DEPTH = 2  # batches under way: one performed, one waiting in the pipe
FIRST_BATCH = 8  # requests in the first batch, before it is known how long they take


@dataclass(frozen=True)
class Limits:
    """``start`` and ``call``: seconds for the start-up and for one request. ``restarts``: processes replaced at most.

    A batch holds at most ``batch`` requests and ``batch_bytes`` bytes (but one request at least), and is sized
    so as to take about ``batch_seconds``.
    """

    start: float = 180.0
    call: float = 60.0
    restarts: int = 20
    batch: int = 256
    batch_bytes: int = 4 << 20
    batch_seconds: float = 0.5

    def __post_init__(self) -> None:
        for name in ("start", "call", "batch", "batch_seconds"):
            if not getattr(self, name) > 0:
                raise UsageError(f"limit {name!r} is {getattr(self, name)}", hint="give a number greater than 0")
        if self.restarts < 0:
            raise UsageError(f"limit 'restarts' is {self.restarts}", hint="give 0 or more")


@dataclass(frozen=True)
class _Flight:
    """A batch under way."""

    requests: list[Request]
    ticket: Ticket


class Session:
    """A backend in a process of its own, for as long as the session is open.

    The process is started when first needed. When it dies or does not answer, it is replaced, the requests of that
    batch are tried one by one, and the culprit's observation says what happened; no other request is touched.
    One thread at a time; ``cancel`` may be called from any.
    """

    def __init__(self, spec: str, *, threads: int = 1, limits: Limits | None = None, creator: str = CREATOR) -> None:
        self.spec = spec
        self.limits = limits or Limits()
        self.restarts = 0
        self._cancelled = threading.Event()
        self._process = BackendProcess(spec, threads=threads, creator=creator, cancelled=self._cancelled)
        self._description: Description | None = None
        self._gone: Failure | None = None
        self._size = float(min(FIRST_BATCH, self.limits.batch))

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def describe(self) -> Description:
        """The backend; starts its process if need be. Raises ``BackendUnavailable`` with the reason and the hint."""
        if self._description is None:
            self._description = self._process.start(self.limits.start)
        return self._description

    def run(self, requests: Iterable[Request]) -> Iterator[Observation]:
        """One observation for each request, in their order. ``requests`` is read a few batches ahead, no further."""
        for batch in self.run_batches(requests):
            yield from batch

    def submit(self, requests: Iterable[Request], callback: Callable[[Observation], object]) -> None:
        """``run``, with ``callback`` called in this thread for each observation."""
        for observation in self.run(requests):
            callback(observation)

    def run_batches(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """``run``, in the batches in which the observations come."""
        self.describe()
        source = iter(requests)
        flights: deque[_Flight] = deque()
        finished = False
        try:
            while True:
                while len(flights) < DEPTH and self._ensure() and (batch := self._take(source)):
                    flights.append(self._send(batch))
                if not flights:
                    break
                flight = flights[0]
                answer = self._process.wait(flight.ticket)
                if isinstance(answer, Death):
                    waiting = [request for later in list(flights)[1:] for request in later.requests]
                    flights.clear()
                    yield from self._find_culprit(flight.requests, answer)
                    source = chain(waiting, source)
                else:
                    flights.popleft()
                    seconds, packed = answer
                    self._adapt(len(flight.requests), seconds)
                    yield unpack_observations(packed)
            if self._gone is not None:
                yield from ([Observation(request.key, failure=self._gone)] for request in source)
            finished = True
        finally:
            if not finished:  # answers that nobody fetches are still in the pipe
                self._process.stop()

    def cancel(self) -> None:
        """Make a waiting ``run`` raise ``Cancelled`` soon; the session can then only be closed."""
        self._cancelled.set()

    def close(self) -> None:
        """End the process and remove its log: nothing is left. The session cannot be used again."""
        self._cancelled.set()
        self._process.close()

    def _take(self, source: Iterator[Request]) -> list[Request]:
        """The next batch, empty at the end."""
        batch: list[Request] = []
        size = 0
        for request in source:
            batch.append(request)
            size += request_bytes(request)
            if len(batch) >= int(self._size) or size >= self.limits.batch_bytes:
                break
        return batch

    def _send(self, batch: list[Request]) -> _Flight:
        alone = len(batch) == 1
        # The slowest request may take its full limit, and all the others together as much again.
        limit = self.limits.call * (1 if alone else 2)
        ticket = self._process.send(pack_requests(batch), limit, 0.8 * limit if alone else None)
        return _Flight(batch, ticket)

    def _adapt(self, count: int, seconds: float) -> None:
        """Let the next batches take about ``batch_seconds``, growing at most twofold at a time."""
        fitting = self.limits.batch_seconds * count / max(seconds, 1e-9)
        self._size = max(1.0, min(fitting, 2 * self._size, self.limits.batch))

    def _find_culprit(self, requests: list[Request], death: Death) -> Iterator[list[Observation]]:
        """Replace the process, and perform the requests of a batch that killed it one at a time."""
        self._bury()
        if len(requests) == 1:
            yield [Observation(requests[0].key, failure=death.failure)]
            return
        for request in requests:
            yield [self._alone(request)]

    def _alone(self, request: Request) -> Observation:
        if not self._ensure():
            return Observation(request.key, failure=self._gone)
        answer = self._process.wait(self._send([request]).ticket)
        if isinstance(answer, Death):
            self._bury()
            return Observation(request.key, failure=answer.failure)
        return unpack_observations(answer[1])[0]

    def _bury(self) -> None:
        self._process.stop()
        self.restarts += 1
        if self.restarts > self.limits.restarts:
            message = f"the backend's process died {self.restarts} times: the rest was not tried"
            self._gone = Failure("not run", "TooManyRestarts", message)

    def _ensure(self) -> bool:
        """Whether there is a process to send to, started again if need be; if not, ``_gone`` says why."""
        if self._gone is None and not self._process.running:
            try:
                self._process.start(self.limits.start)
            except UsageError as error:
                self._gone = Failure("not run", "BackendUnavailable", f"the backend did not start again: {error}")
        return self._gone is None


@dataclass(frozen=True)
class Work:
    """What one backend is to do. ``requests`` is read in the session's own thread."""

    session: Session
    requests: Iterable[Request]


@dataclass(frozen=True)
class Started:
    """A backend's process is up."""

    spec: str
    description: Description


@dataclass(frozen=True, eq=False)
class Observed:
    """Observations of one backend, in the order of its requests."""

    spec: str
    observations: list[Observation]


@dataclass(frozen=True)
class Ended:
    """A backend is through; ``error`` says why it could not start or go on."""

    spec: str
    error: UsageError | None = None


Event = Started | Observed | Ended


@dataclass
class _Crew:
    """The threads that drive the sessions, and the bounded queue by which they report."""

    work: Sequence[Work]
    todo: queue.SimpleQueue[Work] = field(default_factory=queue.SimpleQueue)
    events: queue.Queue[Event | BaseException] = field(default_factory=lambda: queue.Queue(maxsize=16))
    stopped: threading.Event = field(default_factory=threading.Event)

    def put(self, event: Event | BaseException) -> None:
        while True:
            if self.stopped.is_set():
                raise Cancelled
            try:
                return self.events.put(event, timeout=0.2)
            except queue.Full:
                continue

    def labour(self) -> None:
        """Do one piece of work after another until none is left."""
        try:
            while True:
                self._do(self.todo.get_nowait())
        except (queue.Empty, Cancelled):
            return

    def _do(self, work: Work) -> None:
        spec = work.session.spec
        try:
            with work.session as session:
                self.put(Started(spec, session.describe()))
                for batch in session.run_batches(work.requests):
                    self.put(Observed(spec, batch))
            self.put(Ended(spec))
        except Cancelled:
            raise
        except BackendUnavailable as error:
            self.put(Ended(spec, error))
        except BaseException as error:
            self.put(error)


def drive(work: Sequence[Work], jobs: int) -> Iterator[Event]:
    """Run the sessions, ``jobs`` at a time, and give their events as they come, in this thread.

    All sessions are closed when the iterator ends, is closed, or is interrupted by Ctrl-C. An exception from a
    ``requests`` iterable is raised here.
    """
    if jobs < 1:
        raise UsageError(f"{jobs} jobs", hint="give 1 or more")
    crew = _Crew(work)
    for each in work:
        crew.todo.put(each)
    threads = [threading.Thread(target=crew.labour, name=f"session-{n}") for n in range(min(jobs, len(work)))]
    try:
        for thread in threads:
            thread.start()
        missing = len(work)
        while missing:
            event = crew.events.get()
            if isinstance(event, BaseException):
                raise event
            missing -= isinstance(event, Ended)
            yield event
    finally:
        crew.stopped.set()
        for each in work:
            each.session.cancel()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        for each in work:
            each.session.close()
