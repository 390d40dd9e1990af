"""One child process: started, sent to, listened to, watched, and ended with everything that it has started.

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
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from conformance.model.errors import HarnessError

__all__ = ["THREAD_VARIABLES", "Gone", "Silent", "Supervised", "reason_of", "search_path"]

TICK = 0.2  # seconds between two looks at a process that says nothing
LOG_LIMIT = 16 << 20  # bytes: a log that grows beyond is cut back
PIECE = 1 << 20  # bytes read at once
#: What the thread pools of numerical libraries read when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
MARK = "CONFORMANCE_PROCESS"  # the variable by which what a process has started is known, wherever it has gone


class Gone(Exception):
    """The process has ended; ``code`` as ``subprocess`` gives it."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(reason_of(code))


class Silent(Exception):
    """The process did not answer, or did not read, in time."""


class Supervised:
    """A process of its own session, whose output goes to a log, with a pipe in each direction.

    ``command`` is followed by two descriptors, which the process reads from and writes to, this process's id, and
    ``handed``, further descriptors. ``variables`` are added to the environment (``environment``: in place of this
    process's own). ``folder`` is the process's own; without one a temporary folder is made, and removed by ``close``.
    Raises HarnessError where no process can be had.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        variables: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        handed: Sequence[int] = (),
    ) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="conformance-")) if folder is None else folder
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HarnessError(f"no folder for a process: {error.strerror or error}") from error
        self.log = self.folder / "log.txt"
        self._mark = secrets.token_hex(16)
        theirs, self._to = os.pipe()
        self._from, mine = os.pipe()
        given = (theirs, mine, *handed)
        arguments = [str(each) for each in (theirs, mine, os.getpid(), *handed)]
        inherited = dict(os.environ if environment is None else environment)
        try:
            # Append mode, so that the log can be cut back while the process writes to it.
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*command, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=inherited | dict(variables or {}) | {MARK: self._mark},
                    pass_fds=given,
                    start_new_session=True,  # Ctrl-C is the driver's to answer
                )
        except OSError as error:
            os.close(self._to)
            os.close(self._from)
            self._remove_folder(folder)
            raise HarnessError(f"no process for {command[0]}: {error.strerror or error}") from None
        finally:
            os.close(theirs)
            os.close(mine)
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        self._remove = weakref.finalize(self, self._remove_folder, folder)

    def _remove_folder(self, given: Path | None) -> None:
        if given is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def send(self, data: bytes, limit: float) -> None:
        """Write ``data`` within ``limit`` seconds; raises Silent or Gone."""
        rest, last = memoryview(data), monotonic() + limit
        with selectors.DefaultSelector() as selector:
            while True:
                try:
                    while rest:
                        rest = rest[os.write(self._to, rest) :]
                    return
                except BlockingIOError:
                    pass
                except BrokenPipeError:
                    raise Gone(self._ended()) from None
                if not selector.get_map():
                    selector.register(self._to, selectors.EVENT_WRITE)
                self._wait(selector, last)

    def receive(self, limit: float) -> bytes:
        """What comes next, at least one byte, within ``limit`` seconds; raises Silent or Gone."""
        if (piece := self._read()) is not None:
            return piece
        last = monotonic() + limit
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

    def tail(self, lines: int = 20, size: int = 16_000) -> str:
        """The last lines of what the process wrote to its standard output and error."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - size))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-lines:])

    def stop(self) -> int:
        """End the process and all that it has started, also what has left its session; its exit code."""
        code = self._process.poll()
        # A child that is just being started shows no variables for a moment, so it is looked for by its parent too.
        children = set() if code is not None else _descendants(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pid in children.union(_marked(self._mark)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        return self._process.returncode if code is None else code

    def close(self) -> None:
        """``stop``, and remove what belongs to the process. It can be repeated."""
        self.stop()
        for name in ("_to", "_from"):
            descriptor = getattr(self, name)
            if descriptor >= 0:
                setattr(self, name, -1)
                os.close(descriptor)
        self._remove()

    def _read(self) -> bytes | None:
        try:
            piece = os.read(self._from, PIECE)
        except BlockingIOError:
            return None
        if not piece:
            raise Gone(self._ended())
        return piece

    def _wait(self, selector: selectors.BaseSelector, last: float) -> None:
        """Until the pipe is ready, or ``TICK`` has passed; raises for a process that has ended, or is late."""
        left = last - monotonic()
        if left <= 0:
            raise Silent
        if selector.select(min(left, TICK)):
            return
        if not self.running:  # a grandchild may hold the pipe open: the process itself is what counts
            if selector.select(0):
                return
            raise Gone(self._ended())
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_LIMIT:
                os.truncate(self.log, 0)

    def _ended(self) -> int:
        """The exit code of a process that has closed its pipe, and so is about to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(5.0)
        self.stop()
        return 0


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


def _descendants(pid: int) -> set[int]:
    """The children of a process that runs, theirs, and so on; none where the system does not say."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found.update(map(int, (thread / "children").read_text(encoding="ascii").split()))
    return found.union(*(_descendants(child) for child in found))


def _marked(mark: str) -> list[int]:
    """The processes that inherited ``mark``, wherever they have gone; none where the system does not say."""
    sought = f"{MARK}={mark}".encode()
    found = []
    with contextlib.suppress(OSError):
        for each in os.scandir("/proc"):
            if each.name.isdigit():
                with contextlib.suppress(OSError):
                    if sought in Path("/proc", each.name, "environ").read_bytes():
                        found.append(int(each.name))
    return found
