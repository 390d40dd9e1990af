"""How much memory a run takes: this process and all that it has started, by what the system says of them."""

from __future__ import annotations

import os
import threading

from conformance.worker.processes import descendants, proportional, resident

__all__ = ["MemoryWatch"]

EVERY = 0.5  # seconds between two looks
#: What processes share counts in each of them where it is cheap to ask. Only where that sum has grown by so much since
#: the last exact look, which takes some ten milliseconds for each framework, there is another one.
GROWN = 1.05


class MemoryWatch:
    """Looks at the memory for as long as it is entered. ``peak`` is the most that was seen, in bytes.

    None where the system does not say, and before the first look. What processes share counts once.
    """

    def __init__(self) -> None:
        self.peak: int | None = None
        self._most = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> MemoryWatch:
        self.look()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            self.look()

    def look(self) -> None:
        """Look now, too."""
        here = os.getpid()
        pids = {here, *descendants(here)}
        taken = sum(map(resident, pids))
        if taken > GROWN * self._most:
            self._most = taken
            self.peak = max(self.peak or 0, sum(proportional(pid)[0] for pid in pids)) or None
