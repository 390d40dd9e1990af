"""One child process: started under guard, sent to, listened to, and ended with everything that it has started.

Serves runs and benchmarks alike. A process that has died or was stopped is never reused.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.model.errors import HarnessError
from conformance.places import ROOT
from conformance.worker import guard
from conformance.worker.log import Log

__all__ = [
    "CLOSED",
    "THREAD_VARIABLES",
    "Gone",
    "Silent",
    "Supervised",
    "reason_of",
    "remove_folder",
    "search_path",
]

TICK = 0.2  # seconds between two looks at a process that says nothing
PIECE = 1 << 20  # bytes read at once
#: What the thread pools of numerical libraries read when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
#: Types of an end: it took more memory than it may; its guard ended first, and the code is the guard's; it went on
#: without the pipe that it is asked by, or answers into, and so was ended.
MEMORY, UNGUARDED, CLOSED = "MemoryLimit", "GuardEnded", "ClosedPipe"
PATIENCE = 15.0  # seconds for a guard to end what it guards
#: Without site packages, and with this one last of all, so that no file beside it is taken for one of Python's.
GUARD = f"import sys; sys.path.append({str(ROOT)!r}); from conformance.worker.guard import main; main(*sys.argv[1:])"
#: In the environment of a process and of all that it starts: finds them where the guard cannot any more.
TOKEN = "CONFORMANCE_PROCESS"


class Gone(Exception):
    """The process has ended, with a ``code`` as ``subprocess`` gives it; its text says what the process did.

    ``type`` is that in a word: ``MEMORY``, ``UNGUARDED``, ``CLOSED``, or :func:`reason_of` the code.
    """

    def __init__(self, code: int, kind: str = "", did: str = "ended") -> None:
        self.code = code
        self.type = kind or reason_of(code)
        super().__init__(f"the backend's process {did}")


class Silent(Exception):
    """The process did not answer, or did not read, in time."""


def _pipes() -> tuple[int, int, int, int]:
    """Both ends of two pipes, that to be read from first; OSError, and none of them, where there are not so many."""
    first = os.pipe()
    try:
        return *first, *os.pipe()
    except OSError:
        for each in first:
            os.close(each)
        raise


class Supervised:
    """A process under guard, whose output goes to a log, with a pipe in each direction.

    ``command`` is followed by two descriptors, which the process reads from and writes to, ``handed``, further
    descriptors, and that of ``errors``, a log besides, where there is one. ``variables`` are added to the environment
    (``environment``: in place of this process's own). ``folder``, which is made, is the process's own: should this
    process die, it goes with the other. ``memory`` is a limit in bytes, 0 for none. Raises
    HarnessError where no process can be had.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        handed: Sequence[int] = (),
        errors: Log | None = None,
        memory: int = 0,
    ) -> None:
        if shutil.which(command[0]) is None:
            raise HarnessError(f"no process for {command[0]}: there is no such program")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._log = Log(folder)
        except OSError as error:
            raise HarnessError(f"no folder for a process: {error.strerror or error}") from error
        try:
            theirs, self._to, self._from, mine = _pipes()
        except OSError as error:
            self._log.close()
            raise HarnessError(f"no pipes for a process: {error.strerror or error}") from None
        besides = [] if errors is None else [errors]
        self._logs = [self._log, *besides]
        given = (theirs, mine, *handed, *(each.descriptor for each in besides))
        arguments = [str(folder), str(memory), ",".join(map(str, given)), *command]
        inherited = dict(os.environ if environment is None else environment)
        self._token = secrets.token_hex(16)
        try:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", GUARD, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log.descriptor,
                env=inherited | dict(variables or {}) | {TOKEN: self._token},
                pass_fds=given,
                start_new_session=True,  # Ctrl-C is the driver's to answer
            )
        except OSError as error:
            os.close(self._to)
            os.close(self._from)
            self._log.close()
            raise HarnessError(f"no process for {command[0]}: {error.strerror or error}") from None
        finally:
            os.close(theirs)
            os.close(mine)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._started: bytes | None = None
        self._memory = memory

    @property
    def pid(self) -> int:
        """The process's id, once it has one; 0 where there is none."""
        if self._started is None:
            self._started = self._reported(guard.STARTED.size)
        return int(guard.STARTED.unpack(self._started)[0]) if self._started else 0

    @property
    def guard(self) -> int:
        """The id of the process that guards it, whose child it is."""
        return self._guard.pid

    @property
    def running(self) -> bool:
        """Whether it, or anything that it has started, has not ended."""
        return self._guard.poll() is None

    def _reported(self, size: int) -> bytes:
        """What the guard says next; empty where it has ended without a word."""
        assert self._guard.stdout is not None
        data = self._guard.stdout.read(size)
        return data if len(data) == size else b""

    def send(self, data: bytes, limit: float) -> None:
        """Write ``data`` within ``limit`` seconds; raises Silent or Gone."""
        rest, last = memoryview(data), time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            while True:
                try:
                    while rest:
                        rest = rest[os.write(self._to, rest) :]
                    return
                except BlockingIOError:
                    pass
                except BrokenPipeError:
                    raise self._ended() from None
                if not selector.get_map():
                    selector.register(self._to, selectors.EVENT_WRITE)
                self._wait(selector, last)

    def receive(self, limit: float) -> bytes:
        """What comes next, at least one byte, within ``limit`` seconds; raises Silent or Gone.

        A limit below 0 is a time that is over, whatever has come: so one that writes without end is late, too.
        """
        if limit < 0:
            raise Silent
        if (piece := self._read()) is not None:
            return piece
        last = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            while True:
                self._wait(selector, last)
                if (piece := self._read()) is not None:
                    return piece

    def pending(self) -> bytes:
        """What has come unread, without waiting; empty for nothing."""
        try:
            return self._read() or b""
        except Gone:
            return b""

    def tail(self, lines: int = 20) -> str:
        """The last lines of what the process wrote to its standard output and error."""
        return self._log.tail(lines)

    def stop(self) -> None:
        """End the process and all that it has started, also what has left its session."""
        self._wake()
        with contextlib.suppress(BrokenPipeError, ValueError):
            assert self._guard.stdin is not None
            with self._guard.stdin as asked:
                asked.write(b"q")
        try:
            self._guard.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._guard.kill()  # and the process with it
            self._guard.wait()
        if self._guard.returncode:  # it did not end by itself, and so may have left something
            _end_all(self._token)

    def _wake(self) -> None:
        """Have a guard go on that what it guards has stopped."""
        self._guard.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """``stop``, and close what this process has of it. It can be repeated."""
        self.stop()
        self._log.close()
        for name in ("_to", "_from"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                setattr(self, name, -1)
                os.close(descriptor)
        if self._guard.stdout is not None:
            self._guard.stdout.close()

    def _cut(self) -> None:
        """Hold the size of what it writes, whether or not it says anything meanwhile."""
        for each in self._logs:
            each.cut()

    def _read(self) -> bytes | None:
        self._cut()
        try:
            piece = os.read(self._from, PIECE)
        except BlockingIOError:
            return None
        if not piece:
            raise self._ended()
        return piece

    def _wait(self, selector: selectors.BaseSelector, last: float) -> None:
        """Until the pipe is ready, or ``TICK`` has passed; raises for a process that has ended, or is late."""
        left = last - time.monotonic()
        if left <= 0:
            raise Silent
        self._cut()
        if selector.select(min(left, TICK)):
            return
        if not self.running:  # a grandchild may hold the pipe open: the process itself is what counts
            if selector.select(0):
                return
            raise self._ended()
        self._wake()

    def _ended(self) -> Gone:
        """How the process, which has closed its pipe, has ended; one that goes on without it is made to, at once."""
        self._wake()
        pid = self.pid  # what the guard says first, though the process may have ended since
        stopped = closed = self.running and _goes_on(pid)
        if not closed:
            try:
                self._guard.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                stopped = True
        if stopped:
            self.stop()
        found = self._reported(guard.ENDED.size)
        code, memory = guard.ENDED.unpack(found) if found else (self._guard.returncode, 0)
        if memory:
            taken, limit = memory / 2**30, self._memory / 2**30
            return Gone(code, MEMORY, f"took {taken:.2f} GiB of memory: the limit is {limit:.2f}")
        if not found and not stopped:
            return Gone(code, UNGUARDED, f"ended with its guard: {reason_of(code)}")
        return Gone(code, CLOSED, "closed its pipe to the harness, and went on") if closed else Gone(code)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep, as far as the system lets."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        subprocess.run(["rm", "-rf", "--", str(folder)], stderr=subprocess.DEVNULL, check=False)


def _end_all(token: str) -> None:
    """Kill all processes that carry the token, until there are none."""
    last = time.monotonic() + PATIENCE
    while (found := _carrying(f"{TOKEN}={token}".encode())) and time.monotonic() < last:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _carrying(variable: bytes) -> list[int]:
    """The processes that have a variable in their environment; none where the system does not say."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
    return found


def _goes_on(pid: int) -> bool:
    """Whether a process has not begun to end, which closes its pipes, too; False where the system does not say."""
    ending = 0x4  # PF_EXITING, among the flags of Linux's scheduler
    try:
        state, *_, flags = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[:7]
    except (OSError, ValueError):
        return False
    return state not in b"ZX" and not int(flags) & ending


def search_path() -> dict[str, str]:
    """The variable by which a process finds the modules that this one finds; ``python -P`` adds none besides."""
    return {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}


def reason_of(code: int) -> str:
    """A process's end in words: ``SIGSEGV`` or ``exit code 3``."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
    return f"{name} (perhaps out of memory)" if name == "SIGKILL" else name
