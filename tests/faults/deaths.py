"""Kinds in which the process ends."""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
import resource
import signal
import tempfile
from typing import Any

import numpy as np

from tests.faults.faulty import Faulty
from tests.faults.table import kind

#: Signals that end a process that does not handle them; Python ignores SIGPIPE and SIGXFSZ, and handles SIGINT.
DEADLY = (
    "SIGHUP", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGSEGV",
    "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGXCPU", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGSYS", "SIGRTMIN",
)  # fmt: skip


def _by_signal(name: str) -> None:
    def act(value: Any, logits: Any) -> Any:
        os.kill(os.getpid(), getattr(signal, name))
        return value

    act.__name__, act.__doc__ = f"killed_by_{name}", f"The process is sent {name}."
    kind("crash", name, group="deaths")(act)


for _name in DEADLY:
    _by_signal(_name)


@kind("crash", "exit code 3", group="deaths")
def leaves_at_once(value: Any, logits: Any) -> Any:
    """``os._exit`` with a code."""
    os._exit(3)


@kind("crash", "exit code 0", group="deaths")
def leaves_with_success(value: Any, logits: Any) -> Any:
    """``os._exit(0)``, as if all were well."""
    os._exit(0)


@kind("crash", "SIGSEGV", group="deaths")
def reads_the_null_pointer(value: Any, logits: Any) -> Any:
    """A wild read below Python."""
    return ctypes.string_at(0)


@kind("crash", "SIGABRT", group="deaths")
def aborts(value: Any, logits: Any) -> Any:
    """An assertion below Python."""
    os.abort()


@kind("crash", "SIG", group="deaths")
def overflows_the_stack(value: Any, logits: Any) -> Any:
    """Endless recursion below Python."""
    faulthandler._stack_overflow()  # type: ignore[attr-defined]
    return value


@kind("crash", "SIG", group="deaths")
def frees_what_is_not_its_own(value: Any, logits: Any) -> Any:
    """The allocator finds its heap broken."""
    libc = ctypes.CDLL(None)
    libc.free(ctypes.c_void_p(0x1234560))
    return value


@kind("crash", "ClosedPipe", group="deaths")
def becomes_another_program(value: Any, logits: Any) -> Any:
    """``execv``: the process goes on as something else, without an end."""
    os.execv("/bin/sleep", ["sleep", "3600"])


@kind("crash", "SIGKILL", group="deaths")
def kills_its_group(value: Any, logits: Any) -> Any:
    """All processes of its own session die, the pipe's other end does not."""
    os.killpg(0, signal.SIGKILL)
    return value


@kind("crash", "SIGXCPU", group="deaths")
def runs_out_of_processor_time(value: Any, logits: Any) -> Any:
    """A limit of its own on processor time."""
    resource.setrlimit(resource.RLIMIT_CPU, (0, resource.RLIM_INFINITY))
    while True:
        pass


@kind("crash", "SIGSEGV", group="deaths")
def prints_and_dies(value: Any, logits: Any) -> Any:
    """Last words that look like a workflow command, without a line end, and not in UTF-8."""
    os.write(2, b"\x1b[31m\n::error::not from the suite\xff\xfe")
    os.kill(os.getpid(), signal.SIGSEGV)
    return value


@kind("crash", "exit code 4", group="deaths")
def dies_by_a_finaliser(value: Any, logits: Any) -> Any:
    """An object that ends the process when it is collected."""

    class Last:
        def __del__(self) -> None:
            os._exit(4)

    Last()
    return value


@kind("crash", "exit code 6", group="deaths")
def forks_and_both_leave(value: Any, logits: Any) -> Any:
    """A forked child ends first, then the process."""
    if (child := os.fork()) == 0:
        os._exit(7)
    os.waitpid(child, 0)
    os._exit(6)


@kind("crash", "SIG", group="deaths")
def writes_over_the_heap(value: Any, logits: Any) -> Any:
    """What the allocator keeps before and behind a block."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    block = libc.malloc(256)
    ctypes.memset(block - 16, 0xFF, 320)
    libc.free(ctypes.c_void_p(block))
    return value


@kind("crash", "SIGUSR1", group="deaths")
def is_traced_and_signalled(value: Any, logits: Any) -> Any:
    """A signal to a process that has asked to be traced: its parent is to say what becomes of it."""
    ctypes.CDLL(None).ptrace(0, 0, 0, 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    return value


@kind("crash", "exit code 4", group="deaths")
def leaves_while_its_error_is_printed(value: Any, logits: Any) -> Any:
    """``__str__`` of an error ends the process."""

    class Leaves(Exception):
        def __str__(self) -> str:
            os._exit(4)

    raise Leaves


@kind("crash", "exit code 3", group="deaths")
def leaves_when_it_is_asked_for_its_settings(value: Any, logits: Any) -> Any:
    """Between two batches, when nobody calls."""
    Faulty.settings = lambda _: os._exit(3)  # type: ignore[method-assign]
    return value


@kind("crash", "SIGBUS", group="deaths")
def lies_in_a_file_that_was_cut(value: Any, logits: Any) -> Any:
    """A result in a map of a file that is no longer so long."""
    with tempfile.TemporaryFile() as file:
        file.truncate(4096)
        held = mmap.mmap(file.fileno(), 4096)
        file.truncate(0)
    return np.frombuffer(held, np.float64, value.size).reshape(value.shape)


@kind("crash", "SIGSEGV", group="deaths")
def lies_nowhere(value: Any, logits: Any) -> Any:
    """A result whose memory is not there."""
    return np.ctypeslib.as_array(ctypes.cast(8, ctypes.POINTER(ctypes.c_double)), value.shape)
