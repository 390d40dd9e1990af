"""One backend's process: started, called, watched, and ended without a trace.

Pebble runs the process and enforces the time limits. A process that has died or was stopped is never reused: its
pool is closed, and the next call begins with a fresh one. Locks that a dying process held die with the pool.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import tempfile
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

from pebble import ProcessExpired, ProcessPool

from conformance.model.errors import BackendUnavailable, HarnessError, UsageError
from conformance.worker import worker
from conformance.worker.exchange import Description, Failure
from conformance.worker.faults import display_path

__all__ = ["BackendProcess", "Cancelled", "Death", "Ticket", "reason_of"]

TICK = 0.2  # seconds between two looks at a process that has not answered
GRACE = 0.5  # seconds that pebble gets to report a process that is gone
SPAWN_LIMIT = 60.0  # seconds that a bare interpreter may need beyond the start-up limit
LOG_LIMIT = 16 << 20  # bytes: a log that grows beyond is cut back
TAIL_LINES = 20
TAIL_BYTES = 16_000
#: Lines of a stack dump that say nothing of the backend.
HARNESS_LINES = re.compile(
    r'  File "([^"]*/(conformance/run|pebble|multiprocessing|concurrent|threading|selectors)\b|<)|'
    r"(Current t|T)hread 0x|Extension modules:|  \.\.\.|\s*$"
)


class Cancelled(Exception):
    """The session was cancelled while it waited."""


@dataclass(frozen=True)
class Ticket:
    """A call under way; ``limit`` in seconds counts from when the process takes it up."""

    future: Any
    limit: float


@dataclass(frozen=True)
class Death:
    """The process crashed or did not answer."""

    failure: Failure


class BackendProcess:
    """The process of the backend ``spec``. ``start`` and ``stop`` may alternate; ``close`` is final."""

    def __init__(self, spec: str, *, threads: int, creator: str, cancelled: threading.Event) -> None:
        self.spec = spec
        self._threads = threads
        self._creator = creator
        self._cancelled = cancelled
        self._pool: ProcessPool | None = None
        self._pid = 0
        self._files: frozenset[str] = frozenset()
        try:
            self._folder = tempfile.mkdtemp(prefix="conformance-")
        except OSError as error:
            raise HarnessError(f"no temporary folder for the log of backend {spec!r}: {error.strerror}") from error
        self._log = Path(self._folder, "log.txt")
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._pool is not None

    def start(self, limit: float) -> Description:
        """Start the process and create the backend within ``limit`` seconds; raises ``BackendUnavailable``."""
        self._log.unlink(missing_ok=True)
        self._pool = ProcessPool(max_workers=1, context=get_context("spawn"))
        with _without_interrupts():
            arguments = (self.spec, self._threads, str(self._log), Path(self._folder), self._creator)
            ticket = Ticket(self._pool.schedule(worker.start_guarded, args=arguments, timeout=limit), limit)
        answer = self.wait(ticket, extra=SPAWN_LIMIT)
        if isinstance(answer, Description):
            self._pid = answer.pid
            self._files = frozenset(source.file for source in answer.sources.values() if source.file)
            return answer
        tail = self.tail()
        self.stop()
        raise self._unavailable(answer, tail, limit)

    def send(self, packed: bytes, limit: float, watchdog: float | None = None) -> Ticket:
        """Hand packed requests to the process, to be performed within ``limit`` seconds."""
        if self._pool is None:
            raise RuntimeError("the process has not been started")
        return Ticket(self._pool.schedule(worker.serve, args=(packed, watchdog), timeout=limit), limit)

    def wait(self, ticket: Ticket, extra: float = GRACE) -> Any:
        """The call's result, or a ``Death``. Raises ``Cancelled`` when the session was cancelled meanwhile."""
        # Pebble counts the limit from when the call is taken up; this deadline only guards against its failing to.
        last = monotonic() + 2 * ticket.limit + extra + GRACE
        missing_since: float | None = None
        while True:
            if self._cancelled.is_set():
                raise Cancelled
            if wait((ticket.future,), TICK).done:
                return self._result(ticket, monotonic() - missing_since if missing_since else 0.0)
            now = monotonic()
            if now > last:
                return self._timeout(ticket.limit)
            self._cut_log()
            if self._pid and not _exists(self._pid):
                # Pebble does not report a process that left with exit code 0.
                missing_since = missing_since or now
                if now - missing_since > GRACE:
                    return self._crash(0)

    def stop(self) -> None:
        """End the process and its children; nothing of it is left when this returns."""
        if self._pool is None:
            return
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()
        self._pool = None  # only now: an interrupted stop can be repeated
        if self._pid and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        self._pid = 0

    def close(self) -> None:
        """``stop``, and remove the log."""
        try:
            self.stop()
        finally:
            self._remove()

    def tail(self) -> str:
        """The last lines of what the process wrote to its standard output and error."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(_readable(text).splitlines()[-TAIL_LINES:])

    def _result(self, ticket: Ticket, missing: float) -> Any:
        """The answer; ``missing`` counts the seconds for which the process is known to be gone."""
        error = ticket.future.exception()
        if error is None:
            return ticket.future.result()
        if isinstance(error, ProcessExpired):
            return self._crash(error.exitcode)
        if isinstance(error, TimeoutError):
            return self._crash(0) if missing > TICK / 2 else self._timeout(ticket.limit)
        return Death(Failure("crash", type(error).__name__, f"the process cannot be reached: {error}"[:500]))

    def _crash(self, code: int) -> Death:
        why = reason_of(code)
        return self._death("crash", why, f"the backend's process ended: {why}")

    def _timeout(self, limit: float) -> Death:
        return self._death("timeout", "TimeoutError", f"no answer within {limit:g} s")

    def _death(self, kind: Any, name: str, message: str) -> Death:
        tail = self.tail()
        text = f"{message}; its last output:\n{tail}" if tail else message
        return Death(Failure(kind, name, text, _place(tail, self._files)))

    def _cut_log(self) -> None:
        with contextlib.suppress(OSError):
            if self._log.stat().st_size > LOG_LIMIT:
                os.truncate(self._log, 0)

    def _unavailable(self, answer: Any, tail: str, limit: float) -> BackendUnavailable:
        if isinstance(answer, UsageError):
            problem = answer.problem
            hint = answer.hint or "install the framework, or hint the adapter: a Python shell shows the same error"
        elif isinstance(answer, Death) and answer.failure.kind == "timeout":
            problem = f"backend {self.spec!r} did not start within {limit:g} s"
            hint = "give it a longer start-up limit, or look at what its output says it waits for"
        else:
            reason = answer.failure.type if isinstance(answer, Death) else f"unexpected answer {type(answer).__name__}"
            problem = f"backend {self.spec!r} died while it was starting: {reason}"
            hint = "import the framework in a Python shell: it should end in the same way"
        return BackendUnavailable(f"{problem}\n{_indented(tail)}" if tail else problem, hint=hint)


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl-C in this thread, and so for good in what it starts: the engine alone answers it.

    Without this, a process that is still importing prints a traceback of its own.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def reason_of(code: int) -> str:
    """A process's end in words: ``SIGSEGV`` or ``exit code 3``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    return f"{name} (perhaps out of memory)" if name == "SIGKILL" else name


def _place(tail: str, files: frozenset[str]) -> str:
    """The innermost ``file:line`` in one of the adapter's ``files``, from the stack that the process left, if any."""
    stack = re.findall(r'File "([^"]+)", line (\d+) in ', tail)
    return next((f"{file}:{line}" for file, line in stack if file in files), "")


def _readable(log: str) -> str:
    """A log without the harness's own frames, and with paths that tell nothing of the machine."""
    kept = (line for line in log.strip().splitlines() if not HARNESS_LINES.match(line))
    return re.sub(r'(?<=File ")[^"]+(?=", line)', lambda found: display_path(found[0]), "\n".join(kept))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
