"""Runs a command, and sees to it that nothing of it is left, whoever dies first.

:func:`main` is all that a Python without site packages does: FOLDER goes when the driver is gone; MEMORY is a limit in
bytes for all processes together, 0 for none; DESCRIPTORS, separated by commas, are the command's, and its last
arguments.

Standard input comes from the driver. A byte asks for the end of everything; the end of the file says that the driver
has died. Standard output gives the driver the command's process id, and at last how it ended. All that the command has
started becomes a child of this process when its own parent ends, also in a session of its own: so it is found.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator, Sequence

from conformance.worker.processes import adopt_orphans, descendants, end_with, lines, proportional, resident

__all__ = ["ENDED", "STARTED", "main"]

STARTED = struct.Struct("<q")  # the process id
ENDED = struct.Struct("<qq")  # the exit code as `subprocess` gives it, and the bytes beyond the limit that were taken
TICK = 0.1  # seconds between two looks at the memory
PATIENCE = 10.0  # seconds for the end of what is killed
SHARED = "/dev/shm/"  # where shared memory has names
QUIET = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the driver's to answer
KEPT = {signal.SIGKILL, signal.SIGSTOP}  # what they do cannot be changed


def main(folder: str, memory: str, descriptors: str, *command: str) -> None:
    """Run the command to its end, or the driver's."""
    handed = [int(each) for each in descriptors.split(",")]
    adopt_orphans()
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    for number in QUIET:
        signal.signal(number, signal.SIG_IGN)
    files = _Files(handed)
    here = os.getpid()
    kernel = os.fork()
    if kernel == 0:
        _become([*command, *map(str, handed)], here)
    for each in handed:
        os.close(each)
    _say(STARTED.pack(kernel))
    guarded = _Guarded(kernel, int(memory), files)
    alive = guarded.wait(woken)
    code = guarded.end()
    files.remove()
    if not alive:
        os.spawnvp(os.P_WAIT, "rm", ["rm", "-rf", "--", folder])  # however deep it is
    _say(ENDED.pack(code, guarded.taken))


class _Guarded:
    """The process of a command; ``taken`` is the memory for which it was ended, else 0."""

    def __init__(self, pid: int, memory: int, files: _Files) -> None:
        self.taken = 0
        self._files = files
        self._pid = pid
        self._memory = memory
        self._code: int | None = None

    def wait(self, woken: int) -> bool:
        """Until it ends, or is to end; whether the driver still lives."""
        while self._code is None:
            ready, _, _ = select.select([0, woken], [], [], TICK if self._memory else None)
            if 0 in ready:
                return bool(os.read(0, 1))
            if woken in ready:
                os.read(woken, 4096)
                self._reap()
            elif (size := _memory(descendants(os.getpid()), self._memory, self._files)) > self._memory:
                self.taken = size
                return True
        return True

    def end(self) -> int:
        """Kill all that is there, until nothing is; the exit code of the command."""
        self._files.size(descendants(os.getpid()), mapped=True)  # what is open still: it is to be removed
        last, pause = time.monotonic() + PATIENCE, 0.0005
        while time.monotonic() < last:
            self._reap()
            found = descendants(os.getpid()) or ({self._pid} if self._code is None else set())
            if not found:
                break
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        if sys.platform != "linux":  # where the system lists no children, its group is all that is known
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
        return -signal.SIGKILL if self._code is None else self._code

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if os.WIFSTOPPED(status):
                    _let_go_on(pid, os.WSTOPSIG(status))
                elif pid == self._pid:
                    self._code = os.waitstatus_to_exitcode(status)


def _become(command: Sequence[str], guard: int) -> None:
    """Turn this process, which has just been forked, into the command."""
    try:
        end_with(guard)
        os.setsid()
        # Whoever started the run may have blocked or ignored some, as nohup and a shell's background do.
        for number in signal.valid_signals() - KEPT:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 (light)
            file.write("1000")  # where memory runs out, this process is what the system should end
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.execvp(command[0], list(command))
    except BaseException as error:
        os.write(2, f"{command[0]}: {error}\n".encode("utf-8", "replace"))
    os._exit(127)


def _let_go_on(pid: int, number: int) -> None:
    """Have a process meet its signal that has asked to be traced by its parent, which this one is."""
    if sys.platform == "linux":
        import ctypes

        detach, none = ctypes.c_long(17), ctypes.c_void_p(0)
        ctypes.CDLL(None).ptrace(detach, ctypes.c_long(pid), none, ctypes.c_void_p(number))


def _say(message: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, message)


class _Files:
    """The files in memory that some processes have made: without a name, or in a file system that has no disk.

    ``own`` are descriptors of some that are not theirs.
    """

    def __init__(self, own: Sequence[int]) -> None:
        mounts = [line.split() for line in lines("/proc/self/mounts")]
        self._places = ("/memfd:", *(f"{words[1]}/" for words in mounts if words[2] == "tmpfs"))
        self._not_theirs = {_file(f"/proc/self/fd/{each}")[0] for each in own}
        self._there = _shared_names()
        self._not_theirs |= {_file(SHARED + each)[0] for each in self._there}
        self._named: dict[str, tuple[int, int]] = {}
        self._shared = self._least = _shared_memory()

    def grown(self) -> tuple[int, bool]:
        """By how many bytes such files, and what else is shared, have grown on this machine, and whether just now.

        A semaphore is a page, which the system may count much later: a name that has come is growth, too.
        """
        before, self._shared = self._shared, _shared_memory()
        names, self._there = self._there, _shared_names()
        self._least = min(self._least, self._shared)
        return self._shared - self._least, self._shared != before or not self._there <= names

    def size(self, pids: set[int], *, mapped: bool) -> int:
        """The bytes of all that the processes have made so far, as far as they had it open when this was asked.

        ``mapped`` looks at what is closed, too, where it is mapped.
        """
        found: dict[tuple[int, int], int] = {}
        places = [(each, each) for each in self._named]
        # A semaphore is made under another name than it is to have: its file is what it is known by.
        names = {_file(SHARED + each)[0]: SHARED + each for each in _shared_names()} if mapped else {}
        for link in (link for pid in pids for link in [*_open(pid), *(self._mapped(pid) if mapped else ())]):
            with contextlib.suppress(OSError):
                name = os.readlink(link)  # noqa: PTH115 (light)
                if name.startswith(self._places):
                    places.append((link, name))
        for place, name in places:
            inode, size = _file(place)
            if inode is None or inode in self._not_theirs or self._named.get(name, inode) != inode:
                continue
            found[inode] = size
            name = names.get(inode, name)
            if name.startswith("/") and not name.endswith(" (deleted)"):
                self._named[name] = inode
        return sum(found.values())

    def _mapped(self, pid: int) -> Iterator[str]:
        """The files in memory that a process has mapped: of a thousand files that a framework maps, hardly any."""
        for line in lines(f"/proc/{pid}/maps"):
            words = line.split(maxsplit=5)
            if len(words) == 6 and words[5].startswith(self._places):
                first, last = (f"{int(end, 16):x}" for end in words[0].split("-"))
                yield f"/proc/{pid}/map_files/{first}-{last}"

    def remove(self) -> None:
        """Remove what was left where memory is shared by name; other folders are removed as a whole, or not theirs."""
        for name, inode in self._named.items():
            if name.startswith(SHARED) and _file(name)[0] == inode:
                with contextlib.suppress(OSError):
                    os.unlink(name)  # noqa: PTH108 (light)


def _open(pid: int) -> list[str]:
    """The open files of a process."""
    with contextlib.suppress(OSError):
        return [f"/proc/{pid}/fd/{each}" for each in os.listdir(f"/proc/{pid}/fd")]  # noqa: PTH208
    return []


def _file(name: str) -> tuple[tuple[int, int] | None, int]:
    """Which file that is, and its bytes in memory or on the disk; None and 0 for none."""
    try:
        status = os.stat(name)  # noqa: PTH116 (light)
    except OSError:
        return None, 0
    return (status.st_dev, status.st_ino), 512 * status.st_blocks


def _shared_names() -> set[str]:
    """What has a name where memory is shared."""
    with contextlib.suppress(OSError):
        return {*os.listdir(SHARED)}  # noqa: PTH208 (light)
    return set()


def _shared_memory() -> int:
    """The bytes of the machine's memory that are files, or shared otherwise; 0 where the system does not say."""
    return next((1024 * int(line.split()[1]) for line in lines("/proc/meminfo") if line.startswith("Shmem:")), 0)


def _memory(pids: set[int], limit: int, files: _Files) -> int:
    """The bytes in memory of some processes, their files there included; 0 where they are surely within the limit.

    What processes share counts once, and what they have mapped of a file not again.
    """
    grown, changed = files.grown()
    in_files = files.size(pids, mapped=changed)
    if sum(map(resident, pids)) + grown <= limit:
        return 0
    whole, mapped = map(sum, zip((0, 0), *map(proportional, pids), strict=True))
    return whole - mapped + max(mapped, in_files)
