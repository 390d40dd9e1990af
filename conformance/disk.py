"""Files and folders that the user names: they appear whole or not at all; what the disk refuses has a hint."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from conformance.model.errors import HarnessError, Place, UsageError

__all__ = [
    "contents",
    "disk_errors",
    "is_refusal",
    "make_folder",
    "refusal",
    "refuse_links_below",
    "replacing",
    "require_file_place",
    "require_folder_place",
    "write",
]

_OTHER = "remove it, or name another place"
_DEVICES = (Path("/dev"), Path("/dev/fd"))
#: What the user has named wrongly.
_MISNAMED = (errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO)
_HINTS = {
    errno.ENOSPC: "make room on the disk, or name a place on another one",
    errno.EDQUOT: "make room within your quota, or name a place on another disk",
    errno.EFBIG: "raise the limit for the size of a file: see ulimit -f",
    errno.EACCES: "see its permissions, and those of its folders, or name another place",
    errno.EPERM: "see its permissions, and those of its folders, or name another place",
    errno.EROFS: "this file system takes no changes: name a place on another one",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: f"it is a link: {_OTHER}",
    errno.EISDIR: "it is a folder: name a file, or remove it",
    errno.ENOTDIR: f"a part of its path is a file: {_OTHER}",
    errno.EEXIST: f"something else is in its place: {_OTHER}",
    errno.ENOENT: "a folder in its path is missing, or was removed meanwhile: make it, and start again",
}


@contextlib.contextmanager
def disk_errors(path: Path | str, done: str, hint: str = "") -> Iterator[None]:
    """Raises HarnessError for what the disk refuses while ``path`` is to be read, written or removed.

    UsageError where the path is at fault: too long, through a file, a link in a circle. ``hint`` is the way on where
    there is no room; otherwise it follows from what the system says.
    """
    try:
        yield
    except OSError as error:
        raise refusal(error, path, done, hint) from error


def refusal(error: OSError, path: Path | str, done: str, hint: str = "") -> UsageError | HarnessError:
    """The error that :func:`disk_errors` raises."""
    found = (hint if error.errno in _FULL else "") or _HINTS.get(error.errno or 0, _OTHER)
    problem = f"{path} cannot be {done}: {error.strerror or error}"
    return UsageError(problem, hint=found) if error.errno in _MISNAMED else HarnessError(f"{problem}\n  hint: {found}")


def is_refusal(error: OSError) -> bool:
    """Whether an error is what the disk says of a file that somebody named, whatever was to be done with it."""
    return error.filename is not None and error.errno in {*_FULL, *_MISNAMED, *_REFUSED} - {errno.EEXIST}


def make_folder(folder: Path) -> None:
    """Make a folder that the user names, with those above it.

    Raises UsageError where something else is in its place, HarnessError where the disk refuses.
    """
    require_folder_place(folder)
    with disk_errors(folder, "made"):
        folder.mkdir(parents=True, exist_ok=True)


def require_folder_place(folder: Path) -> None:
    """Raise what :func:`make_folder` would, as far as it can be seen without making anything."""
    with disk_errors(folder, "made"):
        for each in (folder, *folder.parents):
            if each.is_symlink() and not each.exists():
                raise UsageError(f"{each} is a link that leads nowhere", hint="remove it, or name another folder")
            if each.exists():
                if not each.is_dir():
                    raise UsageError(f"{each} is not a folder", hint="remove it, or name another folder")
                break


def require_file_place(path: Path) -> None:
    """Raises UsageError where a file could not be written to ``path``, for it is something else; a link is replaced."""
    with disk_errors(path, "written"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        kind = os.lstat(path).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISLNK(kind):
            raise UsageError(f"{path} is not a file", hint="remove it, or name another output folder")


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
            raise UsageError(f"{folder} is a link to another folder", hint="remove it, or name another output folder")
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


def refuse_links_below(folder: Path) -> None:
    """Raises UsageError where ``folder``, or one in it, is a link, or holds what is not a file: a pipe, for instance.

    What is written into it would go to another place, or wait for a reader.
    """
    with disk_errors(folder, "written"):
        if folder.is_symlink():
            raise UsageError(f"{folder} is a link to another folder", hint="remove it, or name another output folder")
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", hint="remove it, or name another output folder")
    for parent, folders, names in os.walk(folder):
        for name in folders:
            if os.path.islink(Path(parent, name)):  # noqa: PTH114
                refuse_links_below(Path(parent, name))
        for name in names:
            require_file_place(Path(parent, name))


def contents(path: Path, most: int, *, larger: str = "name a file that the suite has written") -> bytes:
    """The bytes of a file that is read whole, of which there may be ``most``; ``larger`` is the hint where it has more.

    Raises UsageError, which names it, for what is not a file, cannot be read, or is larger.
    """
    try:
        # A pipe or a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError("not a regular file", place=Place(path), hint="name a file")
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        hint = "check the path" if missing else _HINTS.get(error.errno or 0, "check the path and its permissions")
        raise UsageError(f"cannot be read: {error.strerror or error}", place=Place(path), hint=hint) from None
    if len(found) > most:
        raise UsageError(f"larger than {most >> 20} MiB", place=Place(path), hint=larger)
    return found
