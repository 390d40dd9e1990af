"""Backends whose process dies, hangs, talks without end, or leaves others behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any

from conformance.backends.contract import Call
from tests.support.fake_backends.sound import Faulty, Sound


class Exits(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        os.write(2, b"the last words\n")
        os._exit(3)


class ExitsWithSuccess(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        os._exit(0)


class Segfaults(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        return ctypes.string_at(0)


class SegfaultsBesideItsOwnHandler(Segfaults):
    """Its handler returns, and the instruction is tried again, for ever."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        signal.signal(signal.SIGSEGV, lambda *_: None)


class Aborts(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        os.abort()


class Sleeps(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        time.sleep(600)


class HangsInC(Faulty):
    """Holds the interpreter's lock, so that no Python signal handler can run."""

    def fault(self, call: Call, logits: Any) -> Any:
        ctypes.PyDLL(None).sleep(600)


class PrintsForever(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        while True:
            print("chatter" * 100)


class Chatty(Sound):
    """Prints on every call, from Python and from below it."""

    def evaluate(self, call: Call, logits: Any) -> Any:
        print("from Python")
        os.write(1, b"from below\n")
        os.write(2, b"to standard error\n")
        return super().evaluate(call, logits)


class LeavesBySystemExit(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        sys.exit(7)


class Interrupts(Faulty):
    def fault(self, call: Call, logits: Any) -> Any:
        raise KeyboardInterrupt


class Dies(Sound):
    """Dies at every call."""

    def evaluate(self, call: Call, logits: Any) -> Any:
        os._exit(1)


class StartsOnce(Faulty):
    """Dies, and cannot be started again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        mark = os.environ["CONFORMANCE_TEST_MARK"]
        if os.path.exists(mark):
            raise OSError("the device is lost")
        open(mark, "w").close()

    def fault(self, call: Call, logits: Any) -> Any:
        os._exit(1)


class HasChildren(Sound):
    """Starts a process of its own that would outlive it."""

    def settings(self) -> dict[str, str]:
        import subprocess

        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return {"child": str(child.pid)}


class HasDaemon(Sound):
    """Starts a process that leaves the session, as a daemon does."""

    def settings(self) -> dict[str, str]:
        import subprocess

        code = "import time; time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        return {"daemon": str(child.pid)}
