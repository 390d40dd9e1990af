"""One backend's process: started, called by frames, and ended without a trace."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from conformance.model.errors import BackendUnavailable
from conformance.scratch import scratch as scratch_folder
from conformance.scratch import subfolder
from conformance.worker import wire
from conformance.worker.exchange import Failure
from conformance.worker.memory import Region
from conformance.worker.paths import display_path, readable_log
from conformance.worker.reply import FORGED, Died
from conformance.worker.supervisor import (
    THREAD_VARIABLES,
    Gone,
    Silent,
    Supervised,
    remove_folder,
    search_path,
)

__all__ = ["CREATOR", "BackendProcess"]

#: Where a specification becomes a backend: ``create(spec, threads, cache) -> Backend``, which also calls ``prepare``.
CREATOR = "conformance.backends.discovery:create"
NONCE = 1  # of the first order: it comes before any code of the backend's
SPAWN_LIMIT = 60.0  # seconds that a bare interpreter may need beyond the start-up limit
DESCRIPTION_LIMIT = 16 << 20  # bytes
MORE = 4 << 20  # bytes of an answer beside its results: warnings, and small inputs as they are after the call


class BackendProcess:
    """The process of the backend ``spec``. ``start`` and ``stop`` may alternate; ``close`` is final.

    ``scratch`` is a folder for all that is temporary, and for what the framework compiles, which processes of the same
    scratch share; whoever made it removes it. Without one the process has its own, as :func:`scratch` makes it.
    ``memory`` limits what the process and its children take, in bytes.
    """

    def __init__(
        self,
        spec: str,
        *,
        threads: int,
        creator: str,
        regions: list[Region],
        scratch: Path | None = None,
        memory: int = 0,
    ) -> None:
        self.spec = spec
        self._threads = threads
        self._creator = creator
        self._regions = regions
        self._own = contextlib.ExitStack()
        self._scratch = scratch or self._own.enter_context(scratch_folder())
        self._folder: Path | None = None  # of the process that runs
        self._memory = memory
        self.state: dict[str, str] = {}  # of the process, behind its last batch or at its start
        self._process: Supervised | None = None
        self._started = False
        self._rest, self._read = b"", 0  # what has come, and how far it is used up
        self._files: frozenset[str] = frozenset()

    @property
    def running(self) -> bool:
        """Whether there is a process to send to: one that has started, and said what it is."""
        return self._started

    @property
    def pid(self) -> int:
        """Its id, 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def _unread(self) -> bool:
        return self._read < len(self._rest)

    def launch(self) -> None:
        """Start the process without waiting for it: ``start`` does. Raises BackendUnavailable."""
        if self._process is not None:
            return
        cache = self._scratch / "cache"
        try:  # a folder of its own: a former process may have done anything to its own
            self._folder = subfolder(self._scratch)
            cache.mkdir(exist_ok=True)
        except OSError as error:
            raise BackendUnavailable(
                f"no temporary folder: {error.strerror}",
                hint="see whether the backend, or another process, removes what lies in the folder for temporary files",
                spec=self.spec,
            ) from None
        command = [sys.executable, "-P", "-m", "conformance.worker.child"]
        variables = dict.fromkeys(THREAD_VARIABLES, str(self._threads)) | search_path() | {"TMPDIR": str(self._folder)}
        handed = [each.descriptor for each in self._regions]
        self._process = Supervised(
            command,
            variables=variables,
            folder=self._folder,
            handed=handed,
            memory=self._memory,
        )
        self._rest, self._read = b"", 0
        with contextlib.suppress(Gone, Silent):  # what has ended by now is found out by who waits for the answer
            order = wire.Start(NONCE, self.spec, self._threads, str(cache), self._creator)
            self._process.send(wire.framed(order), SPAWN_LIMIT)

    def start(self, limit: float) -> wire.Described:
        """Start the process and create the backend within ``limit`` seconds; raises ``BackendUnavailable``."""
        self.launch()
        try:
            reply = wire.decode_start(self._frame(limit, DESCRIPTION_LIMIT))
        except Silent:
            raise self._unavailable(
                f"did not start within {limit:g} s",
                "give it a longer start-up limit, or look at what its output says it waits for",
            ) from None
        except Gone as end:
            raise self._unavailable(
                f"died while it was starting: {end.type}: {end}",
                "import the framework in a Python shell: it should end in the same way",
            ) from None
        except (msgspec.DecodeError, UnicodeError):
            raise self._unavailable(
                "wrote to the pipe of the harness while it was starting",
                "an adapter prints to standard output, and to no other descriptor",
            ) from None
        if isinstance(reply, wire.StartFailure):
            hint = reply.hint or "install the framework, or correct the adapter: a Python shell shows the same error"
            raise self._unavailable(reply.problem, hint)
        self._files = frozenset(display_path(file) for file in reply.files)
        self.state = reply.state
        self._started = True
        return reply

    def perform(self, batch: wire.BatchOrder, limit: float) -> Iterator[wire.Answer]:
        """An answer to each call, each within ``limit`` seconds. Raises Died."""
        assert self._process is not None
        try:
            if self._unread or self._process.pending():
                raise self._forged("before it was asked", before=True)
            try:
                self._process.send(wire.framed(batch), limit)
            except Gone as end:
                raise self._death("crash", end.type, str(end), before=True) from None
            for call in batch.calls:
                largest = MORE + len(wire.RESULTS) * wire.largest_result(call)
                yield wire.decode_answer(self._frame(limit, largest))
            state = wire.decode_state(self._frame(limit, MORE))
            if state.nonce != batch.nonce:
                raise self._forged("of the state, and was not asked")
            self.state = state.facts
            if self._unread:
                raise self._forged("more than once")
        except Gone as end:
            raise self._death("crash", end.type, str(end)) from None
        except Silent:
            raise self._death("timeout", "TimeoutError", f"no answer within {limit:g} s") from None
        except (msgspec.DecodeError, UnicodeError):
            raise self._forged("in no form that it has") from None

    @property
    def threads(self) -> int:
        """How many threads it has, children, and those that these have left; 0 where the system does not say."""
        if self._process is None:
            return 0
        parents = (self.pid, self._process.guard)  # which is given what has lost its parent
        try:
            tasks = os.listdir(f"/proc/{self.pid}/task")  # noqa: PTH208 (four times as fast)
            children = [Path(f"/proc/{each}/task/{each}/children").read_bytes().split() for each in parents]
        except OSError:
            return 0
        return len(tasks) + sum(map(len, children))

    def silent_end(self, limit: float) -> Failure | None:
        """How it ends when it is asked for nothing, within so many seconds; None where it answers that."""
        try:
            for _ in self.perform(wire.BatchOrder(secrets.randbits(62), 0, 0, []), limit):
                pass
        except Died as death:
            return death.failure
        return None

    def ended_within(self, seconds: float) -> Failure | None:
        """How the process ends within so many seconds, though nothing is asked of it; None where it does not."""
        assert self._process is not None
        try:
            self._process.receive(seconds)
            return self._forged("before it was asked").failure
        except Silent:
            return None
        except Gone as end:
            return self._death("crash", end.type, f"after its last answer {end}").failure

    def stop(self) -> None:
        """End the process and its children; nothing of it is left when this returns."""
        process, self._process, self._started = self._process, None, False
        if process is not None:
            process.close()
        if self._folder is not None:
            remove_folder(self._folder)
            self._folder = None

    def close(self) -> None:
        """``stop``, and remove what processes of the same backend share."""
        self.stop()
        self._own.close()

    def _frame(self, limit: float, largest: int) -> memoryview:
        """The next frame, of ``largest`` bytes at most, within ``limit`` seconds from now."""
        assert self._process is not None
        last = monotonic() + limit
        head = wire.LENGTH.size
        need = head
        while True:
            have = len(self._rest) - self._read
            if have >= need:
                length = wire.LENGTH.unpack_from(self._rest, self._read)[0]
                if length > largest:
                    raise msgspec.DecodeError("a frame beyond its largest length")
                need = head + length
                if have >= need:
                    begin, self._read = self._read + head, self._read + need
                    return memoryview(self._rest)[begin : self._read]
            pieces = [self._rest[self._read :]]
            while have < need:
                piece = self._process.receive(max(last - monotonic(), 0.001))
                pieces.append(piece)
                have += len(piece)
            self._rest, self._read = b"".join(pieces), 0

    def _tail(self) -> str:
        return readable_log(self._process.tail()) if self._process is not None else ""

    def _forged(self, how: str, *, before: bool = False) -> Died:
        return self._death("crash", FORGED, f"the backend's process wrote to the harness {how}", before=before)

    def _death(self, kind: Any, name: str, message: str, *, before: bool = False) -> Died:
        tail = self._tail()
        text = f"{message}; its last output:\n{tail}" if tail else message
        return Died(Failure(kind, name, text, _place(tail, self._files)), before=before)

    def _unavailable(self, problem: str, hint: str) -> BackendUnavailable:
        tail = self._tail()
        self.stop()
        indented = "\n".join(f"    {line}" for line in tail.splitlines())
        return BackendUnavailable(f"{problem}\n{indented}" if tail else problem, hint=hint, spec=self.spec)


def _place(tail: str, files: frozenset[str]) -> str:
    """The innermost ``file:line`` in one of the adapter's ``files``, from the stack that the process left, if any."""
    stack = re.findall(r'File "([^"]+)", line (\d+) in ', tail)
    return next((f"{file}:{line}" for file, line in stack if file in files), "")
