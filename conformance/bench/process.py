"""A timed process from outside: started with its orders, listened to, and ended with its children."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conformance.bench.machine import OVERRULED, allocator_variables, pool_variables
from conformance.bench.orders import Event, Orders, decode
from conformance.worker.supervisor import Gone, Silent, Supervised, reason_of, search_path

__all__ = ["Ended", "Process"]


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``reason`` is empty where it did its work; ``timeout`` where it was stopped."""

    reason: str
    timeout: bool
    tail: str


class Process:
    """One process with its pipe. ``events`` yields what it reports; ``ended`` is how it went, after that.

    ``scratch`` is for its orders, its log, and its temporary files: a compiler's cache that a framework keeps there is
    that of ``orders.cache``, shared by the processes of one backend in one run and by nothing else. Raises HarnessError
    where no process can be had.
    """

    def __init__(self, orders: Orders, scratch: Path) -> None:
        self.ended = Ended("", False, "")
        for folder in (scratch, Path(orders.cache)):
            folder.mkdir(parents=True, exist_ok=True)
        file = scratch / "orders.json"
        file.write_bytes(msgspec.json.encode(orders))
        kept = {name: value for name, value in os.environ.items() if name not in OVERRULED}
        variables = pool_variables(orders.threads) | allocator_variables() | search_path() | {"TMPDIR": orders.cache}
        command = [sys.executable, "-P", "-m", "conformance.bench.child", str(file)]
        self._process = Supervised(command, environment=kept | variables, folder=scratch)

    def events(self, limit: float, start_limit: float) -> Iterator[Event]:
        """What the process reports until it ends, or is silent for ``limit`` seconds (at first ``start_limit``)."""
        rest, allowed = b"", start_limit
        try:
            while True:
                *lines, rest = (rest + self._process.receive(allowed)).split(b"\n")
                for line in lines:
                    with contextlib.suppress(msgspec.DecodeError):  # an adapter that writes to the pipe is ignored
                        yield decode(line)
                    allowed = limit
        except Silent:
            reason, timeout = f"no answer within {allowed:g} s", True
        except Gone as gone:
            reason, timeout = "" if gone.code == 0 else reason_of(gone.code), False
        self.close()
        self.ended = Ended(reason, timeout, self._process.tail(lines=12, size=4000))

    def close(self) -> None:
        """End the process and its children, if they are still there."""
        self._process.close()
