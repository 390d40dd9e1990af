"""From settings to a finished benchmark: workloads, backends, the schedule, the judge, and the file."""

from __future__ import annotations

import importlib.util
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance import __version__
from conformance.bench.accuracy import Yardstick, declared_class
from conformance.bench.container import Container, write
from conformance.bench.driver import Driver, Record
from conformance.bench.info import Accuracy
from conformance.bench.inputs import load, make, save
from conformance.bench.machine import evict_bytes, usable_cores
from conformance.bench.orders import Job, Orders
from conformance.bench.roof import SIZES, nearest
from conformance.bench.schedule import entry_kinds, schedule
from conformance.bench.show import Shown
from conformance.bench.workload import Cache, Contract, Workload
from conformance.bench.workloads import WORKLOADS, load_workloads, select_workloads
from conformance.errors import UsageError
from conformance.results.environment import describe_environment, suite_commit
from conformance.worker.find import find_backends

__all__ = ["DEFAULT_BACKENDS", "Settings", "launch"]

#: What is timed where no backend is named, as far as it is installed: every framework in the modes that its users run.
DEFAULT_BACKENDS = (
    "numpy",
    "torch",
    "torch:compile",
    "jax",
    "jax:eager",
    "optax",
    "tensorflow",
    "tensorflow:graph",
    "tensorflow:xla",
)
BUDGET = 0.15  # seconds of rounds an entry
QUICK_BUDGET = 0.1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line's ``bench`` asks for; None is the default of each."""

    backends: tuple[str, ...] = ()
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
    output: Path | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Finished:
    """Where the file is, what it holds, and whether the run was interrupted."""

    path: Path
    document: dict[str, Any]
    interrupted: bool


def launch(settings: Settings) -> Finished:
    """Time everything, judge it, and write the file. Ctrl-C leaves a file of what was done.

    Raises UsageError for what the user named wrongly, HarnessError for a folder that cannot be written.
    """
    _require_engine()
    workloads = select_workloads(load_workloads(settings.paths or (WORKLOADS,)), settings.expression, settings.quick)
    found = _backends(settings.backends)
    kinds = entry_kinds(workloads, *_wanted(settings))
    if not kinds:
        mend = "leave out --contract or --cache, or name another"
        raise UsageError("none of the selected workloads has such an entry", mend=mend)
    cores = usable_cores()
    threads = settings.threads or max(1, len(cores))
    if cores and threads > len(cores):
        raise UsageError(f"--threads {threads}, but {len(cores)} cores", mend=f"write at most {len(cores)}")
    replicates = settings.replicates or (2 if settings.quick else 5)
    seed = random.SystemRandom().randrange(2**31) if settings.seed is None else settings.seed
    folder = settings.output or Path("results") / datetime.now().strftime("bench-%Y%m%d-%H%M%S")
    run = {
        "suite": __version__,
        "commit": suite_commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": describe_environment(),
        "seed": seed,
        "replicates": replicates,
        "threads": threads,
        "cores": list(cores[:threads]),
        "quick": settings.quick,
        "interrupted": False,
    }
    jobs = schedule([(each.spec, each.name) for each in found], kinds, replicates, seed)
    scratch = Path(tempfile.mkdtemp(prefix="conformance-bench-"))
    try:
        return _conduct(settings, {each.id: each for each in workloads}, jobs, run, scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _conduct(
    settings: Settings,
    workloads: dict[str, Workload],
    jobs: Sequence[Job],
    run: dict[str, Any],
    scratch: Path,
    folder: Path,
) -> Finished:
    inputs = scratch / "inputs"
    floors = {workload.floor_bytes(contract) for workload in workloads.values() for contract in workload.contracts}
    sizes = tuple(sorted({nearest(SIZES, floor) for floor in floors}))

    def orders(job: Job) -> Orders:
        names = {entry.workload for entry in job.entries}
        judged = settings.accuracy and job.replicate == 0
        return Orders(
            job=job,
            threads=run["threads"],
            cores=tuple(run["cores"]),
            workloads={name: workloads[name] for name in sorted(names)},
            inputs=str(inputs),
            outputs=str(scratch / "outputs" / job.backend.replace("/", "_")) if judged else "",
            budget=settings.budget or (QUICK_BUDGET if settings.quick else BUDGET),
            evict_bytes=evict_bytes(),
            probe=job.replicate == 0,
            seed=run["seed"],
            roof_sizes=sizes,
        )

    with Shown(jobs, quiet=settings.quiet) as shown:
        driver = Driver(jobs, orders, scratch, settings.timeout, settings.start_timeout, shown)
        accuracy: dict[tuple[str, str, str], Accuracy] = {}
        try:
            for workload in workloads.values():
                save(make(workload), inputs / workload.id)
            driver.run()
            if settings.accuracy:
                shown.note("judging the results")
                accuracy = _accuracy(driver.results.records, workloads, inputs, run["seed"])
        except KeyboardInterrupt:
            run["interrupted"] = True
        document = Container(driver.results, workloads, run, accuracy).document()
        path = write(folder, document)
        if run["interrupted"]:
            shown.note(f"interrupted: what is done is in {path}")
    return Finished(path, document, run["interrupted"])


def _accuracy(
    records: Sequence[Record], workloads: dict[str, Workload], inputs: Path, seed: int
) -> dict[tuple[str, str, str], Accuracy]:
    """One record for each backend, workload and contract whose result was kept; a workload's truth is made once."""
    import msgspec

    found: dict[tuple[str, str, str], Accuracy] = {}
    for workload in workloads.values():
        kept = [each for each in records if each.entry.workload == workload.id and each.probed is not None]
        if not kept:
            continue
        yardstick = Yardstick(workload, load(workload, inputs / workload.id), seed)
        for each in kept:
            assert each.probed is not None and each.started is not None
            key = (each.job.backend, workload.id, each.entry.contract)
            try:
                if not each.probed.outputs:
                    raise LookupError(each.probed.message or "the result was not kept")
                declared = declared_class(each.started.profile, workload)
                judged = yardstick.judge(Path(each.probed.outputs), declared)
                found[key] = msgspec.convert(judged, Accuracy)
            except Exception as error:  # what an adapter returns may be anything
                found.setdefault(key, Accuracy(verdict="error", message=f"not judged: {error}"[:500]))
    return found


def _wanted(settings: Settings) -> tuple[tuple[Contract, ...] | None, tuple[Cache, ...] | None]:
    """Contracts and caches; what is quick leaves out what is special unless it is asked for by name."""
    usual: tuple[tuple[Contract, ...] | None, tuple[Cache, ...] | None]
    usual = (("forward", "forward+grad"), ("warm",)) if settings.quick else (None, None)
    return settings.contracts or usual[0], settings.caches or usual[1]


def _backends(specs: tuple[str, ...]) -> list[Any]:
    """What the specs name, or the default ones whose framework is installed."""
    if specs:
        return find_backends(specs)
    available = {each.name.partition(":")[0] for each in find_backends(())}
    return find_backends(tuple(spec for spec in DEFAULT_BACKENDS if spec.partition(":")[0] in available))


def _require_engine() -> None:
    missing = [name for name in ("pytest", "pytest_benchmark") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} not installed", mend="pip install pytest pytest-benchmark")
