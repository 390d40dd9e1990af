"""Files that appear whole or not at all, and never where a link in the folder of the report leads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from conformance.model.errors import HarnessError, UsageError

__all__ = ["replacing", "write"]

_DEVICES = (Path("/dev"), Path("/dev/fd"))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place at the end; nothing is left where that fails.

    Makes the folder. A device or a pipe, such as /dev/stdout, is written to as it is. Raises HarnessError where the
    disk refuses.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        if path.parent in _DEVICES or (path.exists() and not path.is_file() and not path.is_dir()):
            yield path
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # a link there would be written through
        yield partial
        partial.replace(path)
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write(path: Path, content: str | bytes, *, below: Path | None = None) -> Path:
    """Write a file, UTF-8 if text, with lone surrogates spelled out; returns ``path``.

    Raises HarnessError where the disk refuses, and UsageError where a folder between ``below`` and the file is a link:
    what stands there belongs to another place.
    """
    for folder in path.parents:
        if below is None or folder == below:
            break
        if folder.is_symlink():
            raise UsageError(f"{folder} is a link to another folder", hint="remove it, or name another output folder")
    with replacing(path) as partial:
        partial.write_bytes(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
    return path
