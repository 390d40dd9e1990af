"""Files that appear whole or not at all, and never where a link in the folder of the report leads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from conformance.disk import disk_errors, make_folder, require_file_place
from conformance.model.errors import UsageError

__all__ = ["replacing", "write"]

_DEVICES = (Path("/dev"), Path("/dev/fd"))
_HINT = "remove it, or name another output folder"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place at the end; nothing is left where that fails.

    For a file that the user names. Makes its folder. A device or a pipe, such as /dev/stdout, is written to as it is.
    Raises HarnessError where the disk refuses.
    """
    if path.parent in _DEVICES or (path.exists() and not path.is_file() and not path.is_dir()):
        with disk_errors(path, "written"):
            yield path
    else:
        with _beside(path) as partial:
            yield partial


def write(path: Path, content: str | bytes, *, below: Path | None = None) -> Path:
    """Write a file in a folder that the user names, UTF-8 if text, with lone surrogates spelled out; returns ``path``.

    A link in its place is replaced. Raises HarnessError where the disk refuses, and UsageError where a folder between
    ``below`` and the file is a link, for what stands there belongs to another place, or where the file is none.
    """
    for folder in path.parents:
        if below is None or folder == below:
            break
        if folder.is_symlink():
            raise UsageError(f"{folder} is a link to another folder", hint=_HINT)
    with _beside(path) as partial:
        require_file_place(path)
        partial.write_bytes(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
    return path


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    partial = path.with_name(f".{path.name}.partial")
    try:
        with disk_errors(path, "written"):
            make_folder(path.parent)
            partial.unlink(missing_ok=True)  # a link there would be written through
            yield partial
            partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
