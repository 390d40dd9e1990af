"""The processes that do tasks: ``python -P -m conformance.run.executors.workers CONNECTION...``, one for each.

What they need is imported once; then they are forked, so that a second one costs next to nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

from conformance.model.errors import HarnessError
from conformance.run.executors.local import ENDED
from conformance.run.tasks import Task, TaskRunner, Terms

__all__ = ["main"]

SET_DEATH_SIGNAL = 1  # of Linux's prctl
AGAIN = 0.05  # seconds until a signal comes again


def main(arguments: list[str]) -> int:
    """Become the processes, and wait for their end, which the second descriptor is told of."""
    parent, ends, *connections = map(int, arguments)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group, it is for those that are forked
    _leave_with(parent)
    here = os.getpid()
    places: dict[int, int] = {}
    for place, connection in enumerate(connections):
        if (child := os.fork()) == 0:
            os.close(ends)
            for other in connections:
                if other != connection:
                    os.close(other)
            _leave_with(here)
            _work(Connection(connection))
            os._exit(0)
        places[child] = place
    for connection in connections:
        os.close(connection)
    for _ in connections:
        child, status = os.wait()
        with contextlib.suppress(BrokenPipeError):
            os.write(ends, ENDED.pack(places.get(child, -1), os.waitstatus_to_exitcode(status)))
    return 0


def _work(connection: Connection) -> None:
    """Do what comes, after the terms and the folder for temporary files, until the connection is closed."""
    sys.unraisablehook = _again
    signal.signal(signal.SIGTERM, _leave)
    try:
        terms, tempfile.tempdir = connection.recv()
        assert isinstance(terms, Terms)
        runner = TaskRunner(terms)
        try:
            while True:
                _send(connection, _done(runner, connection.recv()))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            runner.close()
    except (EOFError, OSError, SystemExit):
        pass


def _done(runner: TaskRunner, task: Task) -> Any:
    try:
        return runner.run(task)
    except Exception as error:
        error.add_note("".join(traceback.format_exception(error)))
        return error


def _send(connection: Connection, result: Any) -> None:
    try:
        connection.send(result)
    except (TypeError, ValueError, AttributeError, pickle.PicklingError):  # an error that does not travel
        connection.send(HarnessError(f"{type(result).__name__}: {result}"))


def _leave(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is done now is cleaning up
    raise SystemExit(0)


def _again(lost: sys.UnraisableHookArgs) -> None:
    """A request to leave that came in a finalizer, where Python drops what is raised, comes again after that."""
    if not isinstance(lost.exc_value, SystemExit):
        sys.__unraisablehook__(lost)
        return
    signal.signal(signal.SIGTERM, _leave)
    threading.Timer(AGAIN, os.kill, (os.getpid(), signal.SIGTERM)).start()


def _leave_with(parent: int) -> None:
    """End this process when ``parent``, its parent, does, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    # By its own name: what is forked here unpickles what it is sent.
    sys.exit(importlib.import_module("conformance.run.executors.workers").main(sys.argv[1:]))
