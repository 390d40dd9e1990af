"""Dask's processes of this machine: an embedded cluster, and a worker of a fleet. Nothing of them outlives this one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from conformance.model.errors import HarnessError, UsageError
from conformance.run.executors.dask import connect
from conformance.scratch import scratch

__all__ = ["configured", "embedded", "serve"]

#: A worker imports what a task needs while it starts, and spends nothing on what only a dashboard would show.
SETTINGS = {
    "distributed.worker.preload": ["conformance.run.executors.dask.worker"],
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # Seconds after which an embedded cluster gives a worker up for good, which may only be starting anew just then.
    "distributed.deploy.lost-worker-timeout": 1e9,
}


@contextlib.contextmanager
def embedded(workers: int, folder: Path | None = None) -> Iterator[Any]:
    """A client of a cluster of so many processes of this machine, which listen on loopback only and end with it.

    What they write lies below ``folder``, or in one of their own. Raises HarnessError where it does not start.
    """
    distributed = connect.imported()
    from conformance.run.executors.dask.nanny import WakingNanny

    with configured(folder):
        try:
            with _without_interrupts():  # Ctrl-C is the run's to answer, not the workers'
                cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    worker_class=WakingNanny,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    worker_dashboard_address=None,
                    scheduler_kwargs={"dashboard": False},
                    memory_limit=None,
                    silence_logs=logging.CRITICAL,
                )
        except (OSError, RuntimeError) as error:
            raise HarnessError(f"no cluster starts on this machine: {error}") from error
        with cluster, contextlib.closing(distributed.Client(cluster)) as client:  # perhaps by another thread
            yield client


def serve(scheduler: str, resources: dict[str, float], *, host: str, name: str | None, security: Any) -> None:
    """Work for ``scheduler`` until it ends, or SIGINT or SIGTERM comes. Raises UsageError where it does not answer."""
    from conformance.run.executors.dask.nanny import WakingNanny

    async def work() -> None:
        nanny = WakingNanny(
            scheduler, nthreads=1, resources=resources, host=host, name=name, security=security, memory_limit=None,
            death_timeout=connect.CONNECT, dashboard=False, silence_logs=logging.CRITICAL,
        )  # fmt: skip
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with _without_interrupts():  # in the process that works, for which this one answers
            await nanny
        ends = [asyncio.create_task(each) for each in (nanny.finished(), stop.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await nanny.close()
        for each in ends:
            each.cancel()

    try:
        with configured():
            asyncio.run(work())
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"no work from {scheduler}: {error}", hint="see that the scheduler runs, and that it can reach --host"
        ) from None


@contextlib.contextmanager
def configured(folder: Path | None = None) -> Iterator[None]:
    """Have all that Dask starts meanwhile write below ``folder``, or else one that goes in the end, and not more."""
    import dask

    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = stack.enter_context(scratch())
        stack.enter_context(dask.config.set(SETTINGS | {"temporary-directory": str(folder)}))
        yield


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
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
