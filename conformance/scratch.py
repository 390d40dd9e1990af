"""A folder for what is temporary, of which nothing is left, however this process ends, and whenever."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conformance.model.errors import HarnessError

__all__ = ["scratch", "subfolder"]

#: Waits for a word, or for the end of the process that would say it, and removes the folder. Without a word other
#: processes may end a moment later, and write until then: so it is removed again while it comes back.
_GUARD = """
read -r word
rm -rf -- "$0"
[ "$word" ] || (for _ in 1 2 3 4 5; do sleep 0.5; rm -rf -- "$0"; done) &
"""


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, which a process of its own removes in the end, and also where this one is killed.

    That process is there before the folder is, and nobody else removes it: an interruption, wherever it comes, leaves
    nothing. Whatever is to be temporary lies in such a folder. Raises HarnessError where there can be none.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"conformance-{secrets.token_hex(8)}")
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, str(folder)],
            stdin=subprocess.PIPE,  # ends when this process does
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
        )
    except OSError as error:
        raise _no_folder(error) from error
    word = b""
    try:
        try:
            folder.mkdir(0o700)
        except OSError as error:
            raise _no_folder(error) from error
        yield folder
        word = b"ended\n"
    finally:
        with contextlib.suppress(BrokenPipeError):
            guard.communicate(word)
        if guard.returncode:  # it was killed
            shutil.rmtree(folder, ignore_errors=True)


def subfolder(folder: Path | None) -> Path:
    """A new folder below one that :func:`scratch` made, which is made again where a backend has removed it.

    Raises OSError.
    """
    if folder is not None:
        folder.mkdir(0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="conformance-", dir=folder))


def _no_folder(error: OSError) -> HarnessError:
    hint = "set TMPDIR to a folder that can be written to"
    return HarnessError(f"no temporary folder: {error.strerror or error}\n  hint: {hint}")
