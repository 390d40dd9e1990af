"""A timed process from outside: started, listened to without stirring the machine, and ended with its children."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import msgspec

from conformance.bench.machine import OVERRULED, allocator_variables, pool_variables
from conformance.bench.orders import Event, Orders, decode
from conformance.model.errors import HarnessError
from conformance.worker.supervisor import reason_of

__all__ = ["Ended", "Process"]

_LOOK = 1.0  # seconds between two looks at a silent process
_TAIL_BYTES = 4000
_TAIL_LINES = 12
_AFTER = 5.0  # seconds to end by itself once the pipe is closed


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``reason`` is empty where it did its work; ``timeout`` where it was stopped."""

    reason: str
    timeout: bool
    tail: str


class Process:
    """One process with its pipe. ``events`` yields what it reports; ``ended`` is how it went, after that.

    ``scratch`` is for its orders, its log, and its temporary files: a compiler's cache that a framework keeps there is
    that of ``orders.cache``, shared by the processes of one backend in one run and by nothing else.
    """

    def __init__(self, orders: Orders, scratch: Path) -> None:
        self._limit = 0.0
        self._log = scratch / "log.txt"
        self.ended = Ended("", False, "")
        scratch.mkdir(parents=True, exist_ok=True)
        Path(orders.cache).mkdir(parents=True, exist_ok=True)
        file = scratch / "orders.json"
        file.write_bytes(msgspec.json.encode(orders))
        self._read, write = os.pipe()
        # A process that times finds the modules that this one finds, and none besides: -P keeps its folder out.
        found = os.pathsep.join(each for each in sys.path if each)
        variables = (
            pool_variables(orders.threads) | allocator_variables() | {"TMPDIR": orders.cache, "PYTHONPATH": found}
        )
        kept = {name: value for name, value in os.environ.items() if name not in OVERRULED}
        command = [sys.executable, "-P", "-m", "conformance.bench.child", str(file), str(write), str(os.getpid())]
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=kept | variables,
                    pass_fds=(write,),
                    start_new_session=True,  # Ctrl-C is the driver's to answer, and children go with their parent
                )
        except OSError as error:
            os.close(self._read)
            raise HarnessError(f"no process for {orders.job.backend}: {error.strerror or error}") from None
        finally:
            os.close(write)

    def events(self, limit: float, start_limit: float) -> Iterator[Event]:
        """What the process reports until it ends, or is silent for ``limit`` seconds (at first ``start_limit``)."""
        last, allowed, rest = monotonic(), start_limit, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._read, selectors.EVENT_READ)
            while True:
                left = allowed - (monotonic() - last)
                if left <= 0:
                    self._finish(f"no answer within {allowed:g} s", timeout=True)
                    return
                if not selector.select(min(left, _LOOK)):
                    if self._process.poll() is None:
                        continue  # a grandchild may hold the pipe open: the process itself is what counts
                    break
                piece = os.read(self._read, 1 << 16)
                if not piece:
                    break
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    with contextlib.suppress(msgspec.DecodeError):  # an adapter that writes to the pipe is ignored
                        yield decode(line)
                    last, allowed = monotonic(), limit
        self._finish("")

    def close(self) -> None:
        """End the process and its children, if they are still there; its pipe and log are closed."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(OSError):
            os.close(self._read)

    def _finish(self, why: str, timeout: bool = False) -> None:
        if not timeout:
            try:
                code = self._process.wait(_AFTER)
                why = "" if code == 0 else reason_of(code)
            except subprocess.TimeoutExpired:
                why, timeout = "it does not end", True
        self.close()
        self.ended = Ended(why, timeout, self._tail())

    def _tail(self) -> str:
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])
