"""Kinds in which a call does not come back."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import threading
import time
import warnings
from functools import partial
from typing import Any

from tests.faults.faulty import Faulty
from tests.faults.table import kind

hang = partial(kind, "timeout", "TimeoutError", group="hangs", seconds=5.0)


@hang()
def sleeps(value: Any, logits: Any) -> Any:
    """Waits without end."""
    time.sleep(3600)


@hang()
def sleeps_below_python(value: Any, logits: Any) -> Any:
    """Holds the interpreter's lock all the while: no handler of Python's runs."""
    ctypes.PyDLL(None).sleep(3600)


@hang()
def loops(value: Any, logits: Any) -> Any:
    """A loop in Python, which no signal that can be handled ends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass


@hang()
def waits_for_itself(value: Any, logits: Any) -> Any:
    """A lock that it holds already."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@hang()
def stops_itself(value: Any, logits: Any) -> Any:
    """SIGSTOP: the process is there, and does not run."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return value


@hang()
def waits_for_input(value: Any, logits: Any) -> Any:
    """Waits on a pipe into which nobody writes."""
    select.select([os.pipe()[0]], [], [])


@hang()
def talks_without_end(value: Any, logits: Any) -> Any:
    """Prints for ever."""
    while True:
        print("chatter" * 100)


@hang()
def swallows_interrupts(value: Any, logits: Any) -> Any:
    """Catches whatever comes, and goes on."""
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            continue


@hang()
def forbids_itself_nearly_everything(value: Any, logits: Any) -> Any:
    """seccomp's strict mode: the next system call ends the thread, and the process goes on without it."""
    strict = 1
    ctypes.CDLL(None).prctl(22, strict)
    return value


@hang()
def handles_what_cannot_be_handled(value: Any, logits: Any) -> Any:
    """A handler in Python for SIGSEGV, which returns to the wild read."""
    signal.signal(signal.SIGSEGV, lambda *_: None)
    return ctypes.string_at(0)


@hang()
def hangs_while_its_error_is_printed(value: Any, logits: Any) -> Any:
    """``__str__`` of an error does not come back."""

    class Hangs(Exception):
        def __str__(self) -> str:
            while True:
                pass

    raise Hangs


@hang()
def hangs_while_its_warning_is_printed(value: Any, logits: Any) -> Any:
    """``__str__`` of a warning does not come back."""

    class Hangs(UserWarning):
        def __str__(self) -> str:
            while True:
                pass

    warnings.warn(Hangs(), stacklevel=1)
    return value


@hang()
def hangs_when_it_is_asked_for_its_settings(value: Any, logits: Any) -> Any:
    """Between two batches, when nobody calls."""
    Faulty.settings = lambda _: time.sleep(3600)  # type: ignore[method-assign, assignment]
    return value
