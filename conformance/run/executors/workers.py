"""The processes that do tasks: ``python -P -m conformance.run.executors.workers CONNECTION...``, one for each.

What they need is imported once; then they are forked, so that a second one costs next to nothing.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import signal
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection
from typing import Any

from conformance.model.errors import HarnessError
from conformance.run.executors.local import ENDED
from conformance.run.runner import TaskRunner
from conformance.run.tasks import Task, Terms
from conformance.worker.processes import adopt_orphans, end_with

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Become the processes, and wait for their end, which the second descriptor reports.

    A signal ends one of them on the spot, whatever it does. The guard of its backend ends that one then, and has become
    a child of this process: it ends when nothing is left.
    """
    parent, ends, *connections = map(int, arguments)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # sent to the whole group, it ends those that are forked
    end_with(parent)
    adopt_orphans()
    gc.freeze()  # what has been imported, which all of them share
    here = os.getpid()
    places: dict[int, int] = {}
    for place, connection in enumerate(connections):
        if (child := os.fork()) == 0:
            os.close(ends)
            for other in connections:
                if other != connection:
                    os.close(other)
            end_with(here)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            _work(Connection(connection))
            os._exit(0)
        places[child] = place
    for connection in connections:
        os.close(connection)
    while True:
        try:
            child, status = os.wait()
        except ChildProcessError:
            return 0
        with contextlib.suppress(BrokenPipeError, KeyError):
            os.write(ends, ENDED.pack(places[child], os.waitstatus_to_exitcode(status)))


def _work(connection: Connection) -> None:
    """Do what comes, after the terms and the folder for temporary files, until the connection is closed."""
    try:
        terms, tempfile.tempdir = connection.recv()
        assert isinstance(terms, Terms)
        runner = TaskRunner(terms)
        try:
            while True:
                _send(connection, _done(runner, connection.recv()))
        finally:
            runner.close()
    except (EOFError, OSError):
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


if __name__ == "__main__":
    # By its own name: what is forked here unpickles what it is sent.
    sys.exit(importlib.import_module("conformance.run.executors.workers").main(sys.argv[1:]))
