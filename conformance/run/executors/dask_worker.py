"""What a Dask worker does for a run: it says what it is, and does one task at a time.

A worker is a driver: the kernel's process is its child, and nothing that a kernel made is unpickled here. What travels
between a run and its workers are the suite's own objects.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import tempfile
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from conformance import __version__
from conformance.model.errors import BackendUnavailable, UsageError
from conformance.model.records import WorkerRecord
from conformance.plain import say
from conformance.results.environment import describe_environment, suite_commit
from conformance.run.judged import open_backend
from conformance.run.tasks import Done, Task, TaskRunner, Terms, Unavailable
from conformance.worker.find import find_backends
from conformance.worker.session import Limits

__all__ = [
    "describe",
    "found_resources",
    "packed",
    "perform",
    "scratch",
    "serve",
    "unpacked",
    "without_interrupts",
]

#: Seconds within which a scheduler must answer.
CONNECT = 30.0
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
                here = replace(terms, threads=terms.threads or _cores(), scratch=folder)
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
    for name in discovery.names():
        distribution = str(discovery.profile(name)["distribution"]).partition("[")[0]
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# -- the process of a worker ------------------------------------------------------------------------------------------


def found_resources(specs: tuple[str, ...], start: float) -> dict[str, float]:
    """The resources of this machine: each backend that starts here, and each device on which one does.

    Those that do not start are reported on standard error. Raises UsageError where none is left.
    """
    resources: dict[str, float] = {}
    for base in dict.fromkeys(each.base for each in find_backends(specs)):
        if not _starts(base, start):
            continue
        resources[base] = 1.0
        (found,) = find_backends((base,))
        for device in (found.devices or ())[1:]:  # the first is the default
            if device not in resources and _starts(f"{base}:{device}", start):
                resources[device] = 1.0
    if not resources:
        raise UsageError("no backend starts here", hint="install a framework, or see what -b NAME says")
    return resources


def _starts(spec: str, start: float) -> bool:
    with open_backend(spec, limits=Limits(start=start)) as backend:
        try:
            record = backend.record
        except BackendUnavailable as error:
            say(f"{spec} is not offered: {error.problem}", err=True)
            return False
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    say(f"{spec}: {versions} on {record.id.device}", err=True)
    return True


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Block Ctrl-C in this thread, and so in the processes that it starts: it is for this one to answer."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # with the first process it would start, and unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """Have all that Dask starts meanwhile write below a temporary folder, which goes in the end."""
    import dask

    with contextlib.ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True)
        stack.enter_context(dask.config.set({"temporary-directory": stack.enter_context(folder)}))
        yield


def serve(scheduler: str, resources: dict[str, float], *, host: str, name: str | None, security: Any) -> None:
    """Work for ``scheduler`` until it ends, or SIGINT or SIGTERM comes. Raises UsageError where it does not answer."""
    from distributed import Nanny

    async def work() -> None:
        nanny = Nanny(
            scheduler, nthreads=1, resources=resources, host=host, name=name, security=security, memory_limit=None,
            death_timeout=CONNECT, dashboard=False, silence_logs=logging.CRITICAL,
        )  # fmt: skip
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with without_interrupts():  # in the process that works, for which this one answers
            await nanny
        ends = [asyncio.create_task(each) for each in (nanny.finished(), stop.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await nanny.close()
        for each in ends:
            each.cancel()

    try:
        with scratch():
            asyncio.run(work())
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"no work from {scheduler}: {error}", hint="see that the scheduler runs, and that it can reach --host"
        ) from None
