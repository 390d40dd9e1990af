"""Kinds that go for what the harness has: the memory that it shares, its log, its folders, the guard, itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.faults.table import kind


def _daemon() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)


@kind()
def cuts_the_memory_that_it_shares(value: Any, logits: Any) -> Any:
    """The operands' memory is made shorter, as far as the system lets it be."""
    words = Path("/proc/self/cmdline").read_bytes().split(b"\0")
    for each in words[words.index(b"conformance.worker.child") + 3 :]:
        with contextlib.suppress(OSError, ValueError):
            os.ftruncate(int(each), 0)
    return value


@kind("crash", "SIGSEGV", group="deaths")
def makes_its_log_a_pipe(value: Any, logits: Any) -> Any:
    """Where the log was is a named pipe, into which nobody writes; then it dies."""
    log = Path(os.readlink("/proc/self/fd/2"))
    log.unlink(missing_ok=True)
    os.mkfifo(log)
    os.kill(os.getpid(), signal.SIGSEGV)


@kind("crash", "SIGSEGV", group="deaths")
def makes_its_log_a_folder(value: Any, logits: Any) -> Any:
    """Where the log was is a folder with something in it; then it dies."""
    log = Path(os.readlink("/proc/self/fd/2"))
    log.unlink(missing_ok=True)
    (log / "full").mkdir(parents=True)
    os.kill(os.getpid(), signal.SIGSEGV)


@kind("crash", "SIGSEGV", group="deaths")
def makes_its_folder_a_file(value: Any, logits: Any) -> Any:
    """Where its temporary files were is a file; then it dies."""
    folder = Path(tempfile.gettempdir())
    shutil.rmtree(folder)
    folder.touch()
    os.kill(os.getpid(), signal.SIGSEGV)


@kind()
def digs_deep(value: Any, logits: Any) -> Any:
    """A thousand folders and more, each in the one before."""
    here = os.open(".", os.O_RDONLY)
    os.chdir(tempfile.mkdtemp())
    for _ in range(1100):
        os.mkdir("deep")
        os.chdir("deep")
    os.fchdir(here)
    os.close(here)
    return value


@kind("crash", "GuardEnded", group="deaths")
def kills_its_guard(value: Any, logits: Any) -> Any:
    """The parent dies, which would have ended a process in a session of its own."""
    _daemon()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(3600)


@kind("crash", "SIGSEGV", group="deaths")
def stops_its_guard(value: Any, logits: Any) -> Any:
    """The parent is stopped, a process in a session of its own is there; then it dies."""
    _daemon()
    os.kill(os.getppid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSEGV)


def _above() -> list[int]:
    """The processes above: its guard, the one that judges, and so on."""
    found = [os.getppid()]
    for _ in range(2):
        found.append(int(Path(f"/proc/{found[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
    return found


@kind()
def stops_those_that_judge(value: Any, logits: Any) -> Any:
    """The process that waits for its answer is stopped."""
    os.kill(_above()[1], signal.SIGSTOP)
    return value


@kind()
def asks_those_above_to_end(value: Any, logits: Any) -> Any:
    """The signals by which a terminal and a scheduler do."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGWINCH):
        os.kill(os.getppid(), number)
    return value


@kind("crash", "SIGKILL", group="deaths")
def asks_its_guard_to_end_it(value: Any, logits: Any) -> Any:
    """By the pipe of those who may."""
    with open(f"/proc/{os.getppid()}/fd/0", "wb", buffering=0) as asked:
        asked.write(b"q")
    time.sleep(3600)


@kind("crash", "SIGSEGV", group="deaths")
def removes_the_folder_of_all(value: Any, logits: Any) -> Any:
    """That in which the temporary files of all backends lie; then it dies."""
    folder = Path(tempfile.gettempdir()).parent
    if folder.name.startswith("conformance-"):
        shutil.rmtree(folder)
    os.kill(os.getpid(), signal.SIGSEGV)


@kind(group="state")
def leaves_what_cannot_be_removed(value: Any, logits: Any) -> Any:
    """Files and folders that nobody may enter."""
    folder = Path(tempfile.mkdtemp())
    (folder / "inner").mkdir()
    (folder / "inner" / "file").touch(0)
    (folder / "inner").chmod(0)
    folder.chmod(0)
    return value


@kind("crash", "SIGSEGV", group="deaths")
def cannot_read_what_it_shares(value: Any, logits: Any) -> Any:
    """The operands' memory is forbidden to it."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "memfd:conformance" in line:
            begin, end = (int(each, 16) for each in line.split()[0].split("-"))
            ctypes.CDLL(None).mprotect(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), 0)
    return value
