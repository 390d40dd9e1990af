"""What a process writes to its standard output and error: a file whose size is held, whatever the process does."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

__all__ = ["Log"]

LARGEST = 16 << 20  # bytes: what has grown beyond is cut back
KEPT = 16_000  # bytes of its end that are looked at


class Log:
    """A file in ``folder`` that has no name: what a process does to its folder, it cannot do to this.

    ``descriptor`` is for the process, and for this one until ``close``. Raises OSError where there can be none.
    """

    def __init__(self, folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            # Append mode, so that it can be cut back while the process writes to it.
            fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
            self.descriptor = os.dup(file.fileno())
        self._end = b""

    def cut(self) -> None:
        """Empty it where it is too large; to be called as often as anything is waited for."""
        if os.fstat(self.descriptor).st_size > LARGEST:
            os.ftruncate(self.descriptor, 0)

    def tail(self, lines: int = 20, size: int = KEPT) -> str:
        """Its last lines, in so many bytes at most; also when it is closed."""
        return "\n".join(self._read()[-size:].decode("utf-8", "replace").strip().splitlines()[-lines:])

    def close(self) -> None:
        """Keep the end. It can be repeated."""
        self._end = self._read()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _read(self) -> bytes:
        if self.descriptor < 0:
            return self._end
        return os.pread(self.descriptor, KEPT, max(0, os.fstat(self.descriptor).st_size - KEPT))
