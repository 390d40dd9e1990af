"""A timed process from outside: started with its orders, listened to, and ended with its children."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import msgspec

from conformance.bench.machine import allocator_variables, overruled, pool_variables
from conformance.bench.orders import Event, Orders, decode
from conformance.worker.limits import Limits
from conformance.worker.paths import readable_log
from conformance.worker.supervisor import CLOSED, Gone, Silent, Supervised, search_path

__all__ = ["Ended", "events_of"]

_TAKEN, _KEPT = 200, 12  # lines of a process's output
_LONGEST = 16 << 20  # bytes of a line
_EVENTS = 3  # at most of an entry, and beside all entries


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``reason`` is empty where it did its work; ``timeout`` where it was stopped."""

    reason: str
    timeout: bool
    tail: str


def events_of(orders: Orders, scratch: Path, limits: Limits) -> Generator[Event | Ended, None, None]:
    """Start a process; what it reports until it ends or goes beyond its limits, and last how it ended.

    The first event has ``limits.start`` seconds, each further one ``limits.call``, whatever else comes over the pipe in
    between. ``scratch`` is for its orders, its log, and its temporary files: a compiler's cache that a framework keeps
    there is that of ``orders.cache``, shared by the processes of one backend in one run and by nothing else. The
    process ends when the iterator is closed. Raises HarnessError where no process can be had.
    """
    for folder in (scratch, Path(orders.cache)):
        folder.mkdir(parents=True, exist_ok=True)
    file = scratch / "orders.json"
    file.write_bytes(msgspec.json.encode(orders))
    kept = {name: value for name, value in os.environ.items() if not overruled(name)}
    variables = pool_variables(orders.threads) | allocator_variables() | search_path() | {"TMPDIR": orders.cache}
    command = [sys.executable, "-P", "-m", "conformance.bench.child", str(file)]
    process = Supervised(command, environment=kept | variables, folder=scratch, memory=limits.memory_bytes)
    rest, left = bytearray(), _EVENTS * (1 + len(orders.job.entries))
    allowed, last = limits.start, monotonic() + limits.start
    reason, timeout = "the backend's process wrote to the pipe of the harness", False
    try:
        while left >= 0 and len(rest) <= _LONGEST:
            piece = process.receive(last - monotonic())
            rest += piece
            if b"\n" not in piece:
                continue
            *lines, rest = rest.split(b"\n")
            for line in lines:
                try:
                    event = decode(bytes(line))
                except (msgspec.DecodeError, UnicodeError):  # an adapter that writes to the pipe is ignored
                    continue
                yield event
                left -= 1
                allowed, last = limits.call, monotonic() + limits.call
    except Silent:
        reason, timeout = f"no answer within {allowed:g} s", True
    except Gone as gone:
        reason = "" if gone.code == 0 and gone.type != CLOSED else f"{gone.type}: {gone}"
    finally:
        process.close()
    # Most of a stack are the harness's own frames; the points are pytest's, one for each entry that was timed.
    tail = readable_log(process.tail(lines=_TAKEN).lstrip(".")).splitlines()[-_KEPT:]
    yield Ended(reason, timeout, "\n".join(tail))
