"""From settings to a finished benchmark: workloads, backends, the schedule, the judge, and the file."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import msgspec

from conformance.backends import discovery
from conformance.bench.accuracy import WorkloadTruth, declared_class
from conformance.bench.bandwidth import SIZES, nearest
from conformance.bench.container import NAME, Container, write
from conformance.bench.driver import BenchDriver, EntryResult, Results
from conformance.bench.inputs import load, make, save
from conformance.bench.machine import (
    evict_bytes,
    fill_order,
    granted_cores,
    most_memory,
    steering_variables,
    usable_cores,
)
from conformance.bench.orders import Job, Orders
from conformance.bench.record import Head, Key, ResultAccuracy
from conformance.bench.schedule import entry_kinds, schedule
from conformance.bench.show import BenchProgress, totals
from conformance.bench.workload import Cache, Contract, Workload
from conformance.bench.workloads import WORKLOADS, load_workloads, select_workloads
from conformance.disk import require_file_place, require_folder_place
from conformance.extras import how_to_install, not_installed
from conformance.model.errors import HarnessError, UsageError
from conformance.places import folder_of_now
from conformance.results.environment import origin
from conformance.run.progress import Progress
from conformance.scratch import scratch
from conformance.worker.find import find_backends
from conformance.worker.limits import Limits

__all__ = ["BenchSettings", "launch"]

BUDGET = 0.12  # seconds of rounds an entry
QUICK_BUDGET = 0.1


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """What the command line's ``bench`` asks for; None is the default of each."""

    backends: tuple[str, ...] = ()
    device: str | None = None
    paths: tuple[Path, ...] = ()
    expression: str | None = None
    contracts: tuple[Contract, ...] = ()
    caches: tuple[Cache, ...] = ()
    replicates: int | None = None
    threads: int | None = None
    budget: float | None = None
    quick: bool = False
    accuracy: bool = True
    seed: int | None = None
    timeout: float = 120.0
    start_timeout: float = 180.0
    memory_limit: int | None = None
    output: Path | None = None
    quiet: bool = False


@dataclass(frozen=True)
class BenchFinished:
    """Where the file is, what it holds, whether the run was interrupted, and the backends that were ``lost`` in it."""

    path: Path
    document: dict[str, Any]
    interrupted: bool
    lost: dict[str, str]


def launch(settings: BenchSettings) -> BenchFinished:
    """Time everything, judge it, and write the file. Ctrl-C leaves a file of what was done.

    Raises UsageError for what the user named wrongly, HarnessError for a folder that cannot be written.
    """
    _require_engine()
    workloads = select_workloads(load_workloads(settings.paths or (WORKLOADS,)), settings.expression, settings.quick)
    found = _backends(settings.backends, settings.device)
    kinds = entry_kinds(workloads, *_wanted(settings))
    if not kinds:
        hint = "leave out --contract or --cache, or name another"
        raise UsageError("none of the selected workloads has such an entry", hint=hint)
    cores = fill_order(usable_cores())
    threads = settings.threads or max(1, min(len(cores), math.floor(granted_cores() or len(cores))))
    if cores and threads > len(cores):
        raise UsageError(f"--threads {threads}, but {len(cores)} cores", hint=f"write at most {len(cores)}")
    _require_room(workloads)
    replicates = settings.replicates or (2 if settings.quick else 5)
    seed = random.SystemRandom().randrange(2**31) if settings.seed is None else settings.seed
    folder = settings.output or folder_of_now("bench-")
    require_folder_place(folder)
    require_file_place(folder / NAME)
    head = Head(
        **origin(),
        seed=seed,
        replicates=replicates,
        threads=threads,
        cores=sorted(cores[:threads]),
        quick=settings.quick,
        variables=steering_variables(discovery.variables()),
    )
    jobs = schedule([(each.spec, each.name) for each in found], kinds, replicates, seed)
    with scratch() as temporary:
        return _BenchRun(settings, {each.id: each for each in workloads}, jobs, head, temporary, folder).run()


@dataclass(eq=False)
class _BenchRun:
    """A run under way: ``head`` is what the file says of it as a whole."""

    settings: BenchSettings
    workloads: dict[str, Workload]
    jobs: Sequence[Job]
    head: Head
    scratch: Path
    folder: Path
    accuracy: dict[Key, ResultAccuracy] = field(default_factory=dict)

    def run(self) -> BenchFinished:
        """Make the inputs, run the schedule, judge, and save; what is done is saved after every process."""
        results, interrupted = Results(), False
        with Progress(totals(self.jobs), quiet=self.settings.quiet) as display:
            progress = BenchProgress(self.jobs, display)
            asked = self.settings
            limits = Limits(start=asked.start_timeout, call=asked.timeout, memory=asked.memory_limit)
            save_so_far = partial(self._save, results, interrupted=True)
            driver = BenchDriver(self.jobs, self._orders, self.scratch, limits, progress, save_so_far, results)
            try:
                self._make_inputs()
                driver.run()
                if self.settings.accuracy:
                    progress.note("judging the results")
                    self.accuracy |= _accuracy(results.results, self.workloads, self._inputs, self.head.seed)
            except KeyboardInterrupt:
                interrupted = True
            finished = self._save(results, interrupted)
            if interrupted:
                progress.note(f"interrupted: what is done is in {finished.path}")
        return finished

    def _make_inputs(self) -> None:
        for workload in self.workloads.values():
            try:
                save(make(workload), self._inputs / workload.id)
            except OSError as error:
                raise HarnessError(
                    f"{self._inputs}: the inputs of {workload.id} cannot be written: {error.strerror or error}\n"
                    "  hint: set TMPDIR to a folder with more room, or leave workloads out with -k"
                ) from None

    def _save(self, results: Results, interrupted: bool) -> BenchFinished:
        head = msgspec.structs.replace(self.head, interrupted=interrupted)
        document = Container(results, self.workloads, head, self.accuracy).document()
        return BenchFinished(write(self.folder, document), document, interrupted, dict(sorted(results.lost.items())))

    @property
    def _inputs(self) -> Path:
        return self.scratch / "inputs"

    @cached_property
    def _bandwidth_sizes(self) -> tuple[int, ...]:
        """Only those that some workload is compared with."""
        floors = {each.floor_bytes(contract) for each in self.workloads.values() for contract in each.contracts}
        return tuple(sorted({nearest(SIZES, floor) for floor in floors}))

    def _orders(self, job: Job, cache: Path) -> Orders:
        names = sorted({entry.workload for entry in job.entries})
        first = job.replicate == 0
        return Orders(
            job=job,
            threads=self.head.threads,
            cores=tuple(self.head.cores),
            workloads={name: self.workloads[name] for name in names},
            inputs=str(self._inputs),
            outputs=str(self.scratch / "outputs") if first and self.settings.accuracy else "",
            cache=str(cache),
            budget=self.settings.budget or (QUICK_BUDGET if self.settings.quick else BUDGET),
            evict_bytes=evict_bytes(tuple(self.head.cores)),
            probe=first,
            seed=self.head.seed,
            bandwidth_sizes=self._bandwidth_sizes,
        )


def _accuracy(
    records: Sequence[EntryResult], workloads: dict[str, Workload], inputs: Path, seed: int
) -> dict[Key, ResultAccuracy]:
    """One record for each backend, workload, contract and cache that was probed; a workload's truth is made once."""
    found: dict[Key, ResultAccuracy] = {}
    for workload in workloads.values():
        kept = [each for each in records if each.entry.workload == workload.id and each.probed is not None]
        if not kept:
            continue
        truth = WorkloadTruth(workload, load(workload, inputs / workload.id), seed)
        for each in kept:
            assert each.probed is not None
            key = Key(workload.id, each.job.backend, each.entry.contract, each.entry.cache)
            try:
                if not each.probed.outputs:
                    raise LookupError(each.probed.message or "the result was not kept")
                declared = declared_class(each.started.profile if each.started else "", workload)
                judged = truth.judge(Path(each.probed.outputs), declared)
                if each.probed.changed:
                    message = f"the calls change the {', '.join(each.probed.changed)}"
                    judged = msgspec.structs.replace(judged, verdict="fail", message=message)
                found[key] = judged
            except Exception as error:  # what an adapter returns may be anything
                found[key] = ResultAccuracy(verdict="error", message=f"not judged: {error}"[:500])
    return found


def _require_room(workloads: Sequence[Workload]) -> None:
    """A timed process holds a workload's arrays and the framework's copy of them, before any result."""
    most = most_memory()
    for each in workloads:
        needed = 2 * each.floor_bytes("forward")
        if most is not None and needed > most:
            raise UsageError(
                f"{each.id} needs more than {needed / 2**30:.1f} GiB of memory, and there are {most / 2**30:.1f}",
                hint="write smaller extents, or leave it out with -k",
            )


def _wanted(settings: BenchSettings) -> tuple[tuple[Contract, ...] | None, tuple[Cache, ...] | None]:
    """Contracts and caches; what is quick leaves out what is special unless it is asked for by name."""
    usual: tuple[tuple[Contract, ...] | None, tuple[Cache, ...] | None]
    usual = (("forward", "forward+grad"), ("warm",)) if settings.quick else (None, None)
    return settings.contracts or usual[0], settings.caches or usual[1]


def _backends(specs: tuple[str, ...], device: str | None) -> list[Any]:
    """What the specs name, or the default ones whose framework is installed and has the device."""
    if specs:
        return find_backends(specs, device)
    find_backends(())  # raises where no framework is installed
    available = discovery.installed(key="benchmarks")
    chosen = tuple(each.spec for each in available if device is None or device in (each.devices or (device,)))
    if device is not None and not chosen:
        known = ", ".join(sorted({name for each in available for name in each.devices or ()}))
        raise UsageError(f"--device {device}: no installed framework has it", hint=f"the devices are {known}")
    return find_backends(chosen, device)


def _require_engine() -> None:
    missing = not_installed("pytest", "pytest_benchmark", "scipy")
    if missing:
        hint = f"install the extra: {how_to_install('bench')}"
        raise UsageError(f"not installed: {', '.join(missing)}", hint=hint)
