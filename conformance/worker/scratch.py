"""A folder for what is temporary, of which nothing is left, however this process ends."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conformance.worker.supervisor import remove_folder

__all__ = ["scratch"]

#: Waits for a word, or for the end of the process that would say it. In the second case other processes may end a
#: moment later, and write until then: so the folder is removed again while it comes back.
_GUARD = 'read -r _ && exit; for _ in 1 2 3; do rm -rf -- "$0"; sleep 0.5; done'


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, removed in the end, and also where this process is killed."""
    folder = tempfile.mkdtemp(prefix="conformance-")
    try:  # an interruption while the guard starts leaves nothing, either
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, folder],
            stdin=subprocess.PIPE,  # ends when this process does
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield Path(folder)
        finally:
            remove_folder(Path(folder))
            with contextlib.suppress(BrokenPipeError):
                guard.communicate(b"\n")
    finally:
        remove_folder(Path(folder))
