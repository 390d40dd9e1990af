"""What a Dask worker does for a run: it says what it is, and does one task at a time.

A worker is a driver: the kernel's process is its child, and nothing that a kernel made is unpickled here. What travels
between a run and its workers are the suite's own objects.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import zlib
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from conformance import __version__
from conformance.model.records import WorkerRecord
from conformance.results.environment import available_cores, describe_environment, suite_commit
from conformance.run.runner import TaskRunner
from conformance.run.tasks import Done, Task, Terms, Unavailable

__all__ = ["describe", "packed", "perform", "unpacked"]

#: Seconds without a task after which a backend's process ends.
IDLE = 30.0


class _Runner:
    """The worker's backend, which stays open from one task to the next while the terms are the same.

    It ends by itself when no task comes: whoever conducts the run may be gone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a worker with several threads still does one task at a time
        self._terms: Terms | None = None
        self._runner: TaskRunner | None = None
        self._done = 0

    def run(self, task: Task, terms: Terms, folder: Path) -> Done | Unavailable:
        with self._lock:
            if self._runner is None or terms != self._terms:
                self._close()
                tempfile.tempdir = str(folder)  # Dask removes it, whatever becomes of this process
                here = replace(terms, threads=terms.threads or available_cores(), scratch=folder)
                self._terms, self._runner = terms, TaskRunner(here)
            result = self._runner.run(task)
            self._done += 1
            timer = threading.Timer(IDLE, self._close_after, (self._done,))
        timer.daemon = True
        timer.start()
        return result

    def _close_after(self, done: int) -> None:
        with self._lock:
            if self._done == done:
                self._close()

    def _close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()


_runner = _Runner()


def perform(task: Task, terms: Terms) -> tuple[str, Done | Unavailable]:
    """Do a task on this worker: its address, and what came of it, its lines compressed for the way.

    What goes wrong is raised, unless it is that the backend does not start.
    """
    from distributed import get_worker

    worker = get_worker()
    result = _runner.run(task, replace(terms, worker=_name(worker)), Path(worker.local_directory))
    return worker.address, packed(result) if isinstance(result, Done) else result


def packed(result: Done) -> Done:
    """The same with its lines compressed: to a twentieth, in a millisecond."""
    return replace(result, lines=zlib.compress(result.lines, 1))


def unpacked(result: Done) -> Done:
    """The same with its lines as they were before :func:`packed`."""
    return replace(result, lines=zlib.decompress(result.lines))


def describe() -> WorkerRecord:
    """The suite, the machine and the versions of the backends' distributions that are installed here."""
    from distributed import get_worker

    from conformance.backends import discovery

    versions = {}
    listed = {each for name in discovery.names() for each in str(discovery.head(name)["distribution"]).split()}
    for distribution in sorted(each.partition("[")[0] for each in listed):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[distribution] = metadata.version(distribution)
    return WorkerRecord(
        name=_name(get_worker()),
        suite=__version__,
        commit=suite_commit(),
        environment=describe_environment(),
        versions=versions,
    )


def _name(worker: Any) -> str:
    """What a worker was named, or a name made of its address, which no record shows."""
    named = str(worker.name)
    return f"worker-{zlib.crc32(named.encode()):08x}" if named == worker.address else named
