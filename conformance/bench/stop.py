"""A run that is stopped: what ends its processes, and leaves a file of what was done."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["end_with", "signals_as_interrupts"]

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Within, the signals by which schedulers and closed terminals end a process do what Ctrl-C does.

    By default they end the driver on the spot: its timed process, which is in a session of its own, would go on, and
    the inputs would stay on the disk. A signal that is ignored or caught by somebody else is left so.
    """

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        numbers = []
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def end_with(parent: int) -> None:
    """End this process when ``parent`` does, however that comes about; nothing where the system cannot."""
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    except (AttributeError, OSError):
        return
    if os.getppid() != parent:  # it went while this process started
        os._exit(1)
