"""How a process ends with the one that started it."""

from __future__ import annotations

import os
import sys
import threading
import time

__all__ = ["leave_with"]

SET_DEATH_SIGNAL, SIGKILL = 1, 9


def leave_with(parent: int) -> None:
    """End this process when ``parent``, its parent, does, even within a call that holds the interpreter."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
