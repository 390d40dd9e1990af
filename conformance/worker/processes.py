"""What the system says of processes, their children and memory, and who ends with whom. Light: a guard imports it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

__all__ = ["adopt_orphans", "descendants", "end_with", "lines", "proportional", "resident"]

_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # of Linux's prctl


def adopt_orphans() -> None:
    """Have this process be the parent of each descendant whose own has ended, where the system can do that."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def end_with(parent: int) -> None:
    """End this process when ``parent``, its parent, does, where the system can do that."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


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


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value)
