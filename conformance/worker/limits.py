"""What a backend may take: time, memory, and processes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from conformance.model.errors import UsageError

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """``start`` and ``call``: seconds for the start-up and for one call.

    ``restarts``: processes that die one after the other, with no answer in between, until a small valid call has to
    show that the backend answers anything; and processes replaced at most because calls had changed their global state.
    ``lost``: seconds that may be waited, in all, for calls that do not answer and for processes that take the place of
    those that have died. ``memory``: bytes that a backend's process and its children may take; 0 for no limit, None
    for half of what the machine has. ``hangs``: calls without an answer, with none that is answered in between, after
    which the rest is not tried; 0 for any number.
    """

    start: float = 180.0
    call: float = 60.0
    restarts: int = 20
    memory: int | None = None
    hangs: int = 0
    lost: float = 1800.0

    def __post_init__(self) -> None:
        for name in ("start", "call", "lost"):
            if not getattr(self, name) > 0:
                raise UsageError(f"limit {name!r} is {getattr(self, name)}", hint="give a number greater than 0")
        for name in ("restarts", "memory", "hangs"):
            if (getattr(self, name) or 0) < 0:
                raise UsageError(f"limit {name!r} is {getattr(self, name)}", hint="give 0 or more")

    @property
    def memory_bytes(self) -> int:
        """``memory``, with its default; 0 for no limit, and where the system does not say what the machine has."""
        if self.memory is not None:
            return self.memory
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE") // 2
        except (ValueError, OSError):
            return 0
