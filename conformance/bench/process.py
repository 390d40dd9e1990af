"""A timed process from outside: started with its orders, listened to, and ended with its children."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conformance.bench.machine import allocator_variables, overruled, pool_variables
from conformance.bench.orders import Event, Orders, decode
from conformance.worker.paths import readable_log
from conformance.worker.supervisor import Gone, Silent, Supervised, reason_of, search_path

__all__ = ["Ended", "events_of"]

_TAKEN, _KEPT = 200, 12  # lines of a process's output


@dataclass(frozen=True)
class Ended:
    """How a process ended: ``reason`` is empty where it did its work; ``timeout`` where it was stopped."""

    reason: str
    timeout: bool
    tail: str


def events_of(orders: Orders, scratch: Path, limit: float, start_limit: float) -> Generator[Event | Ended, None, None]:
    """Start a process; what it reports until it ends or is silent for ``limit`` seconds, and last how it ended.

    At first it may be silent for ``start_limit`` seconds. ``scratch`` is for its orders, its log, and its temporary
    files: a compiler's cache that a framework keeps there is that of ``orders.cache``, shared by the processes of one
    backend in one run and by nothing else. The process ends when the iterator is closed. Raises HarnessError where no
    process can be had.
    """
    for folder in (scratch, Path(orders.cache)):
        folder.mkdir(parents=True, exist_ok=True)
    file = scratch / "orders.json"
    file.write_bytes(msgspec.json.encode(orders))
    kept = {name: value for name, value in os.environ.items() if not overruled(name)}
    variables = pool_variables(orders.threads) | allocator_variables() | search_path() | {"TMPDIR": orders.cache}
    command = [sys.executable, "-P", "-m", "conformance.bench.child", str(file)]
    process = Supervised(command, environment=kept | variables, folder=scratch)
    rest, allowed = b"", start_limit
    try:
        while True:
            *lines, rest = (rest + process.receive(allowed)).split(b"\n")
            for line in lines:
                with contextlib.suppress(msgspec.DecodeError):  # an adapter that writes to the pipe is ignored
                    yield decode(line)
                allowed = limit
    except Silent:
        reason, timeout = f"no answer within {allowed:g} s", True
    except Gone as gone:
        how = "it closed its pipe" if gone.closed else reason_of(gone.code)
        reason, timeout = "" if gone.code == 0 else how, False
    finally:
        process.close()
    # Most of a stack are the harness's own frames; the points are pytest's, one for each entry that was timed.
    tail = readable_log(process.tail(lines=_TAKEN).lstrip(".")).splitlines()[-_KEPT:]
    yield Ended(reason, timeout, "\n".join(tail))
