"""Sessions: a backend that is asked for observations, in a process of its own or in this very process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from conformance.model.errors import BackendUnavailable
from conformance.worker import wire
from conformance.worker.canary import CANARY
from conformance.worker.description import description_of
from conformance.worker.driver import Driver
from conformance.worker.exchange import Description, Failure, Observation, Request
from conformance.worker.facts import describe
from conformance.worker.limits import Limits
from conformance.worker.memory import Region
from conformance.worker.outputs import SMALL
from conformance.worker.process import CREATOR, BackendProcess
from conformance.worker.reply import Died
from conformance.worker.shim import Shim
from conformance.worker.state import changes

if TYPE_CHECKING:
    from conformance.backends.contract import Backend

__all__ = ["InlineSession", "Session"]

LARGE = 1 << 22  # bytes that a session within this process keeps between two runs
SETTLING = 0.25  # seconds that are given to threads and processes which calls have left behind, to do their harm


class Session(Driver):
    """A backend in a process of its own, for as long as the session is open.

    The process is started when first needed. When it dies or does not answer, it is replaced, unless it never answers.
    """

    def __init__(
        self,
        spec: str,
        *,
        threads: int = 1,
        limits: Limits | None = None,
        creator: str = CREATOR,
        scratch: Path | None = None,
    ) -> None:
        super().__init__(shared=True)
        self.spec = spec
        self.limits = limits or Limits()
        self.restarts = 0
        self.starts = 0  # of processes, the first included
        self._state: dict[str, str] = {}  # of the process before any call
        self._renewals = 0  # of processes whose global state calls had changed
        self._hangs = 0  # since the last answer
        self._deaths = 0  # since the last answer
        self._waited = 0.0  # seconds, for calls that do not answer and for processes in place of those that died
        self._trying = False  # whether the backend answers anything at all
        self._threads = 0  # the most that the process has had after an answer, its children included
        self._threads_at_first = 0
        self._process = BackendProcess(
            spec,
            threads=threads,
            creator=creator,
            regions=self.regions,
            scratch=scratch,
            memory=self.limits.memory_bytes,
        )
        self._description: Description | None = None
        self._first_said: tuple[object, ...] = ()
        self._gone: Failure | None = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def describe(self) -> Description:
        """The backend; starts its process if need be. Raises ``BackendUnavailable`` with the reason and the hint."""
        if self._description is None:
            said = self._start()
            self._first_said = _same_in_each(said)
            self.compiles = said.compiles
            self._description = description_of(self.spec, said, self._process.pid)
        return self._description

    def _start(self) -> wire.Described:
        said = self._process.start(self.limits.start)
        self._state, self._threads = said.state, self._process.threads
        self._threads_at_first = self._threads
        self.starts += 1
        return said

    def close(self) -> None:
        """End the process and remove its log: nothing is left. The session cannot be used again."""
        self._process.close()
        super().close()

    def _perform(self, batch: wire.BatchOrder, region: Region) -> Iterator[wire.Answer]:
        try:
            for answer in self._process.perform(batch, self.limits.call):
                self._hangs = self._deaths = 0
                yield answer
        except Died as death:
            if death.failure.kind == "timeout":
                self._hangs += 1
                self._waited += self.limits.call
            raise

    @property
    def hung(self) -> bool:
        """Whether the backend was given up since it does not answer."""
        return bool(self.limits.hangs) and self._hangs >= self.limits.hangs

    @property
    def accompanied(self) -> bool:
        """Whether calls have left threads or children in the process, which may do harm at any time."""
        return self._process.threads > self._threads_at_first

    @property
    def _worth_asking(self) -> bool:
        return not self.hung  # otherwise none would answer, and what did stands

    def _watchdog(self, *, alone: bool) -> float:
        return 0.8 * self.limits.call if alone else 0.0

    def _replace(self) -> None:
        self._process.stop()
        self.restarts += 1
        self._deaths += 1
        if self._trying:
            return
        if self.hung:
            message = f"no answer within {self.limits.call:g} s to {self._hangs} of the calls: the rest was not tried"
            self._gone = Failure("not run", "TooManyHangs", message)
        elif self._deaths > self.limits.restarts and not self._answers():
            message = f"the backend's process died {self.restarts} times, and answers nothing: the rest was not tried"
            self._gone = Failure("not run", "TooManyRestarts", message)
        elif self._waited > self.limits.lost:
            message = f"{self.restarts} deaths have taken {self._waited:.0f} s: the rest was not tried"
            self._gone = Failure("not run", "TooManyRestarts", message)

    def _answers(self) -> bool:
        """Whether a new process answers a small valid call, whatever it answers."""
        self._trying = True
        try:
            (seen,) = self.aside(CANARY[:1])
        finally:
            self._trying = False
        return seen.failure is None or seen.failure.kind in ("raised", "unsupported", "adapter")

    def _left(self) -> tuple[str, ...]:
        left = changes(self._state, self._process.state)
        if left and self._renewals >= self.limits.restarts:
            self._state = self._process.state  # it has been said often enough
            return ()
        self._renewals += bool(left)
        return left

    def _renew(self) -> None:
        self._process.stop()

    def _settled(self, *, alone: bool) -> Failure | None:
        if self._gone is not None or not self._process.running:
            return None
        if alone and (end := self._process.silent_end(self.limits.call)) is not None:
            return end
        threads = self._process.threads
        fresh, self._threads = threads > self._threads, max(threads, self._threads)
        return self._process.ended_within((4 * SETTLING if alone else SETTLING) if fresh else 0.0)

    def _ensure(self) -> Failure | None:
        self.describe()
        if self._gone is None and not self._process.running:
            begin = monotonic()
            try:
                said = self._start()
            except BackendUnavailable as error:
                self._gone = Failure(
                    "not run", "BackendUnavailable", f"the backend did not start again: {error.reason}"
                )
            else:
                self._waited += monotonic() - begin if self._deaths else 0.0
                if _same_in_each(said) != self._first_said:
                    message = "the backend started again as another one: its versions, device or mode have changed"
                    self._gone = Failure("not run", "BackendChanged", message)
        return self._gone


class InlineSession(Driver):
    """A backend instance in this very process: no process, no time limits, for backends that are known to be harmless.

    The same shim makes the calls, and the same driver looks at what came of them.
    """

    def __init__(self, backend: Backend, spec: str = "") -> None:
        super().__init__(shared=False)
        self._shim = Shim(backend, isolated=False)
        self._spec = spec or type(backend).__name__
        self.compiles = bool(backend.compiles)

    def run(self, requests: Iterable[Request]) -> list[Observation]:
        """One observation for each request, in their order; the memory of large ones is given back."""
        observations = super().run(requests)
        self._finish()
        self.forget(SMALL)
        if any(len(region.memory) > LARGE for region in self.regions):  # hundreds of sessions may be open at once
            self.regions = [Region(shared=False) for _ in self.regions]
        return observations

    def forget(self, above: int) -> None:
        """Do not read results of more than so many elements again, and give their memory back."""
        super().forget(above)
        self._shim.forget(above)

    def describe(self) -> Description:
        """The backend."""
        return description_of(self._spec, describe(self._shim.backend), 0)

    def _perform(self, batch: wire.BatchOrder, region: Region) -> Iterator[wire.Answer]:
        for call in batch.calls:
            yield self._shim.perform(call, region.memory)


def _same_in_each(said: wire.Described) -> tuple[object, ...]:
    """What each process of a backend says alike."""
    return said.framework, said.versions, said.device, said.mode, said.options
