"""How the path of a file is shown: from the checkout or the working folder, and never where the user lives."""

from __future__ import annotations

import re
from pathlib import Path

from conformance.places import ROOT

__all__ = ["display_path", "display_place", "readable_log"]

#: Lines of a stack dump or a log that say nothing of the backend.
_HARNESS_LINES = re.compile(
    r'  File "([^"]*/(conformance/(worker|bench)|_pytest|pluggy|pytest_benchmark|'
    r"multiprocessing|concurrent|threading|selectors)\b|<)|"
    r"(Current t|T)hread 0x|Extension modules:|  \.\.\.|\s*$|"
    r"WARNING: All log messages before absl::InitializeLog|I\d{4} \d\d"  # what TensorFlow says of each start
)


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


def readable_log(log: str) -> str:
    """A log without the harness's own frames, and with paths that reveal nothing of the machine."""
    kept = (line for line in log.strip().splitlines() if not _HARNESS_LINES.match(line))
    return re.sub(r'(?<=File ")[^"]+(?=", line)', lambda found: display_path(found[0]), "\n".join(kept))
