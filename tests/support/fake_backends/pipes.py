"""Backends that write to the pipe of the harness."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from conformance.backends.contract import Call
from tests.support.fake_backends.sound import Faulty


class _Writes(Faulty):
    """Writes to the pipe of the harness: the descriptor is on its command line."""

    data = b""

    def fault(self, call: Call, logits: Any) -> Any:
        arguments = Path("/proc/self/cmdline").read_bytes().split(b"\0")
        os.write(int(arguments[arguments.index(b"conformance.worker.child") + 2]), self.data)
        return call.apply(self, logits)


class WritesNonsense(_Writes):
    data = b"\x03\0\0\0\0\0\0\0abc"


class Forges(_Writes):
    """A well-formed answer, to a nonce that it guessed."""

    @property
    def data(self) -> bytes:  # type: ignore[override]
        from conformance.worker import wire

        result = wire.Result("float64", (1, 3), bytes(24))
        return wire.framed(wire.Answer(12345, {"value": result}))


class AnswersTwice(Forges):
    """Writes an answer of its own, besides the one that is due: after it, that one is the second."""

    def fault(self, call: Call, logits: Any) -> Any:
        import threading

        value = call.apply(self, logits)
        threading.Timer(0.05, lambda: super(AnswersTwice, self).fault(call, logits)).start()
        time.sleep(0.2)
        return value
