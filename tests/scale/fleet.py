"""A fleet in one process: the run's own executor and Dask's own scheduler, and workers that wait instead of working.

What a task sends and brings back is measured on the suite's cases with NumPy; the simulated tasks are as large. All of
it, 200 workers too, shares the cores of this machine, so that a fleet's scheduler does better than is said here.
"""

from __future__ import annotations

import logging
import os
import pickle
import statistics
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from conformance.cases.load import load_suite
from conformance.model.backend import BackendId, BackendRecord
from conformance.model.records import WorkerRecord
from conformance.places import CASES
from conformance.profiles.register import Evidence
from conformance.profiles.subject import Subject
from conformance.run.executors.dask.processes import configured
from conformance.run.executors.dask.worker import packed
from conformance.run.plan import Plan
from conformance.run.runner import TaskRunner
from conformance.run.tasks import Done, Task, Terms
from conformance.worker.find import find_backends
from tests.support.figures import Figure

__all__ = ["Sizes", "figures", "simulate", "sizes"]

#: Frameworks in the fleet, each with a part of the workers.
FRAMEWORKS = 10
#: What two hundred workers in one process would spend it on: each samples its threads, and looks at the machine.
ALONE = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.log-length": 1,
}
#: Versions × devices × modes that are planned for.
COLUMNS = 1000


@dataclass(frozen=True)
class Sizes:
    """Of a run of all cases with one backend: tasks, and of each the bytes that go out and come back, and seconds.

    ``lines`` are the bytes that it adds to the results file.
    """

    tasks: int
    out: float
    back: float
    seconds: float
    lines: float


@dataclass(frozen=True)
class Found:
    """A fake backend, as discovery would find it."""

    name: str
    base: str
    source: str = "suite"
    devices: tuple[str, ...] = ("cpu",)
    words: tuple[str, ...] = ()

    @property
    def spec(self) -> str:
        return self.name


@dataclass(frozen=True)
class Simulated:
    """What became of a simulation: seconds from the first result to the last, those of the processor, and tasks."""

    seconds: float
    processor: float
    tasks: int
    workers: int
    each: float

    @property
    def efficiency(self) -> float:
        """The share of the workers' time in which they worked; the first task of each was begun before it counts."""
        return (self.tasks - self.workers) * self.each / (self.seconds * self.workers)


def sizes() -> Sizes:
    """Measured: every fourth task of a run of all cases with NumPy."""
    portions = Plan(load_suite([CASES]).entries).portions
    (backend,) = find_backends(("numpy",))
    out, back, lines, seconds = [], [], [], []
    runner = TaskRunner(Terms())
    try:
        for portion in portions[::4]:
            task = Task(backend, portion)
            begin = time.perf_counter()
            done = runner.run(task)
            seconds.append(time.perf_counter() - begin)
            out.append(len(pickle.dumps(task)))
            assert isinstance(done, Done)
            lines.append(len(done.lines))
            back.append(len(pickle.dumps(packed(done))))
    finally:
        runner.close()
    return Sizes(
        len(portions), statistics.mean(out), statistics.mean(back), statistics.mean(seconds), statistics.mean(lines)
    )


class _Simulation:
    """What simulated workers do; it is set for the whole process, in which they all are."""

    seconds = 0.0
    lines = zlib.compress(b"")


def perform(task: Task, terms: Terms) -> tuple[str, Done]:
    """In place of the real one: wait, and bring back as much."""
    from distributed import get_worker

    time.sleep(_Simulation.seconds)
    name = task.backend.name
    identity = BackendId(name=name, version="1.0")
    record = BackendRecord(name=name, id=identity, versions={name: "1.0"})
    subject = Subject(name, identity)
    return get_worker().address, Done(
        backend=name,
        cases=len(task.portion.entries),
        record=record,
        subject=subject,
        lines=_Simulation.lines,
        verdicts=Counter({"pass": 1}),
        failed=0,
        evidence=Evidence(()),
    )


def describe() -> WorkerRecord:
    """In place of the real one, which looks for what is installed."""
    from distributed import get_worker

    from conformance import __version__

    return WorkerRecord(name=str(get_worker().name), suite=__version__, commit=None, environment={}, versions={})


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A scheduler and workers that hand each other objects, in this process; the scheduler's address."""
    import asyncio

    import dask
    from distributed import LocalCluster, Worker

    with (
        configured(),
        dask.config.set(ALONE),
        LocalCluster(
            n_workers=0, processes=False, protocol="inproc://", dashboard_address=None, silence_logs=logging.CRITICAL
        ) as made,
    ):

        async def start() -> list[Worker]:
            started = [
                Worker(
                    made.scheduler_address,
                    nthreads=1,
                    name=f"simulated-{number}",
                    resources={f"framework-{number % FRAMEWORKS}": 1.0},
                    memory_limit=0,
                    dashboard=False,
                )
                for number in range(workers)
            ]
            return list(await asyncio.gather(*started))

        running = made.sync(start)
        yield made.scheduler_address
        made.sync(_closed, running)


async def _closed(workers: Sequence[Any]) -> None:
    import asyncio

    await asyncio.gather(*(worker.close() for worker in workers))


def simulate(workers: int, backends: int, portions: int, seconds: float, size: Sizes) -> Simulated:
    """Run ``portions`` tasks with each of ``backends``, each of so many seconds, on so many workers."""
    from conformance.run.executors.dask import executor as dask
    from conformance.run.executors.dask import members
    from conformance.run.executors.dask.connect import Fleet

    noise = os.urandom(int(size.back / 2)).hex().encode()  # which is compressed to half its size
    _Simulation.seconds, _Simulation.lines = seconds, zlib.compress(noise, 1)
    entries = load_suite([CASES]).entries
    plan = Plan(entries)
    names = [f"framework-{number % FRAMEWORKS}" for number in range(backends)]
    found = [Found(f"{name}:{number}", name) for number, name in enumerate(names)]
    tasks = [Task(each, portion) for each in found for portion in (plan.portions * portions)[:portions]]
    with (
        cluster(workers) as address,
        patch.object(dask, "perform", perform),
        patch.object(members, "describe", describe),
    ):
        executor = dask.DaskExecutor(Terms(), Fleet(scheduler=address))
        results = executor.run(tasks)
        next(results)
        begin, worked = time.perf_counter(), time.process_time()
        count = sum(isinstance(each, Done) for each in results)
        return Simulated(time.perf_counter() - begin, time.process_time() - worked, count, workers, seconds)


def figures() -> Iterator[Figure]:
    """What one run sends over the network, how many tasks a second are dealt out, and what a fleet takes."""
    size = sizes()
    yield Figure("a run of all cases with one backend", f"{size.tasks} tasks of {size.seconds:.2f} s (NumPy)")
    yield Figure("a task on the network", f"{size.out / 1e3:.0f} kB out, {size.back / 1e3:.0f} kB back")
    rate = 0.0
    for workers, backends in ((10, FRAMEWORKS), (50, FRAMEWORKS), (200, FRAMEWORKS), (200, COLUMNS)):
        found = simulate(workers, backends, COLUMNS // backends, 0.0, size)
        rate = found.tasks / found.processor
        what = f"{workers} simulated workers, {backends:,} backends: tasks in a second of one core, workers included"
        yield Figure(what, f"{rate:.0f}")
    busy = simulate(200, FRAMEWORKS, 80, 5.0, size)
    yield Figure("200 simulated workers, tasks of 5 s: share of their time", f"{busy.efficiency:.0%}")
    tasks, work = COLUMNS * size.tasks, COLUMNS * size.tasks * size.seconds
    yield Figure(f"{COLUMNS:,} versions × devices × modes", f"{tasks:,} tasks, {work / 3600:.0f} hours of one core")
    yield Figure("what they send and bring back", f"{tasks * size.out / 1e9:.1f} GB, {tasks * size.back / 1e9:.1f} GB")
    yield Figure("their results files", f"{tasks * size.lines / 1e9:.1f} GB")
    yield Figure("workers that one scheduler keeps busy with such tasks", f"{rate * size.seconds:.0f}")
