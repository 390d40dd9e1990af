"""Kinds that go for what the harness has: the memory that it shares, its log, its folders, the guard, itself."""

from __future__ import annotations

import contextlib
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
