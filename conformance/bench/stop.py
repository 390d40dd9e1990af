"""What ends a timed process with its driver."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["end_with"]

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


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
