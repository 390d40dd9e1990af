"""What the system says of processes: their children, and the memory that they take. Light: a guard imports it, too."""

from __future__ import annotations

import contextlib
import os

__all__ = ["descendants", "lines", "proportional", "resident"]


def descendants(pid: int) -> set[int]:
    """The children of a process, theirs, and so on; none where the system does not say."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (light)
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:  # noqa: PTH123
                found.update(map(int, file.read().split()))
    return found.union(*map(descendants, found))


def resident(pid: int) -> int:
    """The bytes of a process that are in memory; 0 where it has gone, or the system does not say."""
    return sum(int(line.split()[1]) for line in lines(f"/proc/{pid}/statm")) * os.sysconf("SC_PAGE_SIZE")


def proportional(pid: int) -> tuple[int, int]:
    """The same, with its part of what it shares, and what of it are files in memory. Much slower."""
    found = {"Pss": 0, "Pss_Shmem": 0}
    for name, size, *_ in map(str.split, lines(f"/proc/{pid}/smaps_rollup")):
        if name[:-1] in found:
            found[name[:-1]] += 1024 * int(size)
    return found["Pss"], found["Pss_Shmem"]


def lines(file: str) -> list[str]:
    """The lines of a file of the system's; none where the process has gone."""
    try:
        with open(file) as found:  # noqa: PTH123 (light)
            return found.readlines()
    except OSError:
        return []
