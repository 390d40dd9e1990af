"""How the path of a file is shown: from the checkout or the working folder, and never where the user lives."""

from __future__ import annotations

from pathlib import Path

from conformance.places import ROOT

__all__ = ["display_path", "display_place"]


def display_path(file: str) -> str:
    """A file's path from the checkout or the working folder; elsewhere its name alone."""
    path = Path(file)
    path = path.resolve() if path.is_absolute() else path
    for root in (ROOT, Path.cwd()):
        if path.is_absolute() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name


def display_place(file: str, line: int) -> str:
    """``file:line``, empty where there is none."""
    return f"{display_path(file)}:{line}" if file else ""
