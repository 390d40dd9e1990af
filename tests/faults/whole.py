"""Kinds that are not of one call: backends that fail to start, or that go wrong whatever they are asked."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.backends.adapters.numpy import Numpy

__all__ = ["WHOLE", "Whole"]


@dataclass(frozen=True)
class Whole:
    """A class of backend, the verdicts that a run of sound cases holds, its exit code, and words that it prints.

    No verdicts: it does not start, or what comes of a case depends on when the process ends.
    """

    name: str
    what: str
    verdicts: frozenset[str]
    exit_code: int
    says: str
    options: tuple[str, ...]


WHOLE: list[Whole] = []


def whole(*verdicts: str, code: int, says: str = "", options: tuple[str, ...] = ()) -> Callable[[type], type]:
    """Enter a class into the table."""

    def entered(kind: type) -> type:
        what = (kind.__doc__ or "").strip().rstrip(".")
        WHOLE.append(Whole(kind.__name__, what, frozenset(verdicts), code, says, options))
        return kind

    return entered


class _Starts(Numpy):
    """Does something when it is made."""

    def __init__(self, **options: Any) -> None:
        self.start()
        super().__init__(**options)

    def start(self) -> Any:
        raise NotImplementedError


@whole(code=3, says="exit code 9")
class LeavesWhileStarting(_Starts):
    """``os._exit`` while it is made."""

    def start(self) -> Any:
        os._exit(9)


@whole(code=3, says="SIGSEGV")
class CrashesWhileStarting(_Starts):
    """A wild read while it is made."""

    def start(self) -> Any:
        ctypes.string_at(0)


@whole(code=3, says="did not start within 5 s", options=("--start-timeout", "5"))
class HangsWhileStarting(_Starts):
    """It is never made; the interpreter's lock is held."""

    def start(self) -> Any:
        ctypes.PyDLL(None).sleep(3600)


@whole(code=3, says="\\udc80")
class RaisesWhileStarting(_Starts):
    """An error whose text has no encoding."""

    def start(self) -> Any:
        raise OSError("\udc80\n::error::")


@whole(code=3, says="SystemExit")
class ExitsWhileStarting(_Starts):
    """``sys.exit(0)`` while it is made."""

    def start(self) -> Any:
        sys.exit(0)


@whole(code=3, says="KeyboardInterrupt")
class InterruptsWhileStarting(_Starts):
    """KeyboardInterrupt while it is made."""

    def start(self) -> Any:
        raise KeyboardInterrupt


@whole(code=3, says="wrote to the pipe of the harness")
class ForgesWhileStarting(_Starts):
    """It describes itself, before it is made."""

    def start(self) -> Any:
        words = open("/proc/self/cmdline", "rb").read().split(b"\0")  # noqa: SIM115
        os.write(int(words[words.index(b"conformance.worker.child") + 2]), b"\x03\0\0\0\0\0\0\0abc")


@whole("pass", code=0)
class ForksWhileStarting(_Starts):
    """A child with every descriptor, which goes on sleeping."""

    def start(self) -> Any:
        if os.fork() == 0:
            time.sleep(3600)
            os._exit(0)


@whole("pass", code=0)
class TalksWhileStarting(_Starts):
    """A megabyte on both outputs."""

    def start(self) -> Any:
        print("\x1b[2J::error::\n" * 100_000)
        print("\x1b[2J::error::\n" * 100_000, file=sys.stderr)


@whole(code=3, says="versions()")
class HasNoVersions(Numpy):
    """``versions`` gives numbers for names."""

    def versions(self) -> Any:
        return {1: 2}


@whole(code=3, says="versions()")
class HasManyVersions(Numpy):
    """``versions`` does not come to an end."""

    def versions(self) -> Any:
        return {f"package {each}": "1" for each in range(100_000)}


@whole(code=3, says="framework")
class HasNoFramework(Numpy):
    """``framework`` is an object that raises when it is shown."""

    class Silent:
        def __repr__(self) -> str:
            raise RuntimeError

    framework = Silent()  # type: ignore[assignment]


@whole("crash", "pass", code=1)
class CannotMakeATensor(Numpy):
    """The process dies where inputs become tensors, at the last case alone."""

    def tensor(self, array: Any) -> Any:
        if np.asarray(array).flat[0] == -6 / 64:
            os._exit(2)
        return super().tensor(array)


@whole("fail", "pass", code=1)
class OverwritesItsResults(Numpy):
    """One buffer for all results."""

    buffer = np.empty((1, 3))

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        self.buffer[...] = super().softmax(logits, axis=axis)
        return self.buffer


@whole("fail", "pass", code=1)
class DriftsWithEachCall(Numpy):
    """Results that depend on how many calls there were."""

    count = itertools.count(1)

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(logits, axis=axis) * (1 + next(self.count) * 2.0**-52)


@whole("pass", code=0)
class DiesAtItsEnd(Numpy):
    """The interpreter's end is a crash."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        atexit.register(os.abort)


@whole("pass", code=0)
class HangsAtItsEnd(Numpy):
    """Threads that are waited for, and an exit function that never returns."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        atexit.register(time.sleep, 3600)
        threading.Thread(target=time.sleep, args=(3600,)).start()


@whole("crash", code=1)
class DiesAtEveryCall(Numpy):
    """Each call ends the process."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        os.kill(os.getpid(), signal.SIGSEGV)


@whole("fail", code=1)
class RaisesAtEveryCall(Numpy):
    """Each call raises another error."""

    count = itertools.count()

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        raise type(f"Error{next(self.count)}", (Exception,), {})("\udc80" * 1000)


@whole(code=1)
class DiesBehindItsBack(Numpy):
    """Each call leaves a thread behind that ends the process at once."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGSEGV), daemon=True).start()
        return super().softmax(logits, axis=axis)


@whole(code=1)
class DiesByAGrandchild(Numpy):
    """Each call leaves a process behind, whose parent has ended, that ends its own."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        own = os.getpid()
        if (child := os.fork()) == 0:
            if os.fork() == 0:
                os.kill(own, signal.SIGSEGV)
            os._exit(0)
        os.waitpid(child, 0)
        return super().softmax(logits, axis=axis)


@whole(code=1)
class DiesAtEachFifthCall(Numpy):
    """The fifth call of a process ends it, whichever that is."""

    count = itertools.count(1)

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        if next(self.count) == 5:
            os._exit(5)
        return super().softmax(logits, axis=axis)


@whole("crash", "not run", code=1)
class StartsOnce(Numpy):
    """Its process ends in the first call, and cannot be started again."""

    def __init__(self, **options: Any) -> None:
        if os.path.exists("started"):
            raise OSError("the device is lost")
        open("started", "w").close()
        super().__init__(**options)

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        os._exit(1)


@whole("crash", "not run", code=1)
class ChangesItsVersion(Numpy):
    """Its process ends in each call, and is another version when it is started again."""

    def versions(self) -> dict[str, str]:
        return {"numpy": str(time.time_ns())}

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        os._exit(1)
