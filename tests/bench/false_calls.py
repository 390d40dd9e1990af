"""How often the benchmark's statistics cry wolf on this machine, and what they find.

``python -m tests.bench.false_calls``. Forty workloads, each timed in fresh processes for two runs of identical code,
and half of them for a third run whose work takes really 10 % longer. The processes of one workload follow each other in
a random order, replicate by replicate, so that a drift of the machine meets all runs alike. The dead band is taken from
the two identical runs, each comparison is judged by the band of the others, and the band is stored for the machine.

Exits with 1 when more than 5 % of the comparisons are false calls, or less than nine in ten slowdowns are found.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from conformance.bench.machine import usable_cores
from conformance.places import ROOT
from conformance.results.environment import describe_environment
from reports.benchmarks.band import DeadBand, Rate, write_band
from reports.benchmarks.calibrate import band_from
from reports.benchmarks.compare import ChangeRow, compare
from reports.benchmarks.read import parse_benchmarks
from reports.benchmarks.records import Benchmarks
from tests.bench.kernel import OPERATIONS

SHAPES = (
    (1, 1000),
    (32, 10),
    (8, 1000),
    (64, 100),
    (2, 32000),
    (32, 1000),
    (256, 100),
    (64, 1000),
    (4, 32000),
    (128, 1000),
)
WORKLOADS = tuple((operation, shape) for shape in SHAPES for operation in OPERATIONS)
SLOWDOWN = 0.10
GROUPS = {"old": 0.0, "new": 0.0, "slow": SLOWDOWN}
MOST_FALSE, LEAST_FOUND = 0.05, 0.9
DEFAULT = 5  # replicates that `conformance bench` takes unless told otherwise


@dataclass(frozen=True)
class Job:
    """One process to start."""

    group: str
    operation: str
    shape: tuple[int, int]
    replicate: int

    @property
    def workload(self) -> str:
        return f"{self.operation}-{self.shape[0]}x{self.shape[1]}"


@dataclass(frozen=True)
class Check:
    """What came out: counts of 40, and the band to store."""

    band: DeadBand
    runs: dict[str, Benchmarks]
    missed: tuple[ChangeRow, ...] = ()

    @property
    def passed(self) -> bool:
        band = self.band
        return band.false_calls <= MOST_FALSE * band.comparisons and band.found >= LEAST_FOUND * band.injected


#: Times a job: seconds per call of each round. The harness's own timing loop can stand here as well.
Harness = Callable[[Job, float], list[float]]


def fresh_process(job: Job, budget: float) -> list[float]:
    """Time a job in a process of its own."""
    numbers = (*job.shape, GROUPS[job.group], budget)
    command = [sys.executable, "-m", "tests.bench.kernel", job.operation, *map(str, numbers)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def check(harness: Harness, *, replicates: int, budget: float, seed: int, workloads=WORKLOADS) -> Check:
    """Time everything, take the band from the A/A pair, and judge that pair and the slowdowns by it."""
    found: dict[str, list[dict]] = {group: [] for group in GROUPS}
    jobs = schedule(replicates, seed, workloads)
    begin, loads = time.monotonic(), [os.getloadavg()[0]]
    for number, job in enumerate(jobs):
        found[job.group].append(_entry(job, number, harness(job, budget)))
        if number % 20 == 19:
            loads.append(os.getloadavg()[0])
        if number % 100 == 99:
            spent = time.monotonic() - begin
            print(f"{number + 1} of {len(jobs)} processes, {spent:.0f} s", file=sys.stderr, flush=True)
    runs = {group: _run(group, entries, seed) for group, entries in found.items()}
    band = band_from(runs["old"], runs["new"])
    slow = compare(runs["old"], runs["slow"], band)
    fewer = tuple(_rate(runs, band, count) for count in (DEFAULT,) if count < replicates)
    return Check(
        band=msgspec.structs.replace(
            band,
            how=f"self-check, {replicates} processes a side, all interleaved{busy(loads)}",
            injected=len(slow),
            found=sum(row.call == "slower" for row in slow),
            slowdown=SLOWDOWN,
            fewer=fewer,
        ),
        runs=runs,
        missed=tuple(row for row in slow if row.call != "slower"),
    )


def _rate(runs: dict[str, Benchmarks], band: DeadBand, count: int) -> Rate:
    """Both figures as the same band gives them to whoever takes ``count`` processes a side: the first ones here."""
    few = {
        name: msgspec.structs.replace(run, timings=tuple(each for each in run.timings if each.replicate < count))
        for name, run in runs.items()
    }
    same, slow = (compare(few["old"], few[name], band) for name in ("new", "slow"))
    return Rate(
        processes=count,
        comparisons=len(same),
        false_calls=sum(row.changed for row in same),
        injected=len(slow),
        found=sum(row.call == "slower" for row in slow),
    )


def busy(loads: Sequence[float]) -> str:
    """That the machine was busy, for the band to say wherever it is printed: by the median load while it was timed."""
    cores = len(usable_cores()) or 1
    load = statistics.median(loads)
    return f"; taken while the machine was busy (load {load:.1f} on {cores} cores)" if load > cores + 0.5 else ""


def schedule(replicates: int, seed: int, workloads=WORKLOADS) -> list[Job]:
    """All jobs: in each replicate the workloads in a random order, and at each of them the runs in a random order."""
    shuffler = random.Random(seed)
    slowed = set(shuffler.sample(workloads, k=(len(workloads) + 1) // 2))
    jobs: list[Job] = []
    for replicate in range(replicates):
        for workload in shuffler.sample(workloads, k=len(workloads)):
            groups = [group for group in GROUPS if not GROUPS[group] or workload in slowed]
            shuffler.shuffle(groups)
            jobs += [Job(group, *workload, replicate) for group in groups]
    return jobs


def _entry(job: Job, order: int, data: list[float]) -> dict:
    name = f"{job.workload}[numpy|forward|warm|r{job.replicate}]"
    info = {
        "workload": job.workload,
        "backend": "numpy",
        "framework": "numpy",
        "contract": "forward",
        "cache": "warm",
        "replicate": job.replicate,
        "order": order,
        "threads": 1,
        "shape": [*job.shape],
    }
    return {"name": name, "stats": {"data": data}, "extra_info": info}


def _run(group: str, entries: list[dict], seed: int) -> Benchmarks:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    suite = {"schema": 1, "started": started, "environment": describe_environment(), "seed": seed, "threads": 1}
    return parse_benchmarks(json.dumps({"benchmarks": entries, "conformance": suite}).encode(), group)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.false_calls", description=__doc__)
    parser.add_argument("--replicates", type=int, default=15, help="processes of each workload and run")
    parser.add_argument("--seconds", type=float, default=0.05, help="time each process for so long")
    parser.add_argument("--seed", type=int, default=20260301, help="of the schedule")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to store the band; under results/aa by default"
    )
    options = parser.parse_args(arguments)
    result = check(fresh_process, replicates=options.replicates, budget=options.seconds, seed=options.seed)
    band = result.band
    print(f"machine:      {band.machine}")
    print(f"dead band:    ±{band.width:.1%} (95 % of {len(band.log_ratios)} A/A ratios lie within)")
    print(f"processes:    {options.replicates} a side")
    print(f"false calls:  {band.false_calls} of {band.comparisons} (at most {MOST_FALSE:.0%})")
    print(f"{SLOWDOWN:.0%} slower:   {band.found} of {band.injected} found (at least nine in ten)")
    for rate in band.fewer:
        print(f"by default:   {rate.says()}")
    for row in result.missed:
        print(f"  not found:  {row.workload}: {row.ratio:.3f} ({row.low:.3f} to {row.high:.3f}), {row.call}")
    if "busy" in band.how and options.output is None:
        print(f"not stored:   {band.how}. Run it again at rest: such a band would hide changes on a quiet day.")
    else:
        print(f"stored:       {write_band(band, options.output)}")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
