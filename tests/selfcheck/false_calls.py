"""How often the benchmark's statistics call a change by mistake on this machine, and what they find.

``python -m tests.selfcheck.false_calls``. `conformance bench` times three backends on forty entries: two of identical
code, and one whose work takes really 10 % longer. They are blocks of one run, in a random order, so that a drift of the
machine meets all alike. The dead band is taken from the two equals, each comparison is judged by the band of the
others, and the band is stored for the machine.

Exits with 1 when more than 5 % of the comparisons are false calls, or less than nine in ten slowdowns are found.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conformance.bench.machine import usable_cores
from conformance.places import ROOT
from conformance.reports.benchmarks.band import band_from
from conformance.reports.benchmarks.comparison.band import DeadBand, Rate, write_band
from conformance.reports.benchmarks.comparison.compare import compare
from conformance.reports.benchmarks.comparison.rows import ChangeRow
from conformance.reports.benchmarks.read import read_benchmarks
from conformance.reports.benchmarks.records import Benchmarks
from tests.selfcheck.equals import SLOWDOWN

HERE = Path(__file__).parent
EQUALS, WORKLOADS = HERE / "equals.py", HERE / "equals.yaml"
GROUPS = ("Old", "New", "Slow")
MOST_FALSE, LEAST_FOUND = 0.05, 0.9
DEFAULT = 5  # replicates that `conformance bench` takes by default
LOOK = 5.0  # seconds between two looks at the machine's load


@dataclass(frozen=True)
class Check:
    """What came out: counts of all comparisons, and the band to store."""

    band: DeadBand
    missed: tuple[ChangeRow, ...] = ()

    @property
    def passed(self) -> bool:
        band = self.band
        return band.false_calls <= MOST_FALSE * band.comparisons and band.found >= LEAST_FOUND * band.injected


#: Replicates, seconds for an entry, and a seed, to the run of all three backends.
Harness = Callable[[int, float, int], Benchmarks]


def through_the_harness(replicates: int, budget: float, seed: int, workloads: Path = WORKLOADS) -> Benchmarks:
    """Time the three backends as users time theirs."""
    backends = [part for group in GROUPS for part in ("-b", f"{EQUALS}:{group}")]
    command = [sys.executable, "-m", "conformance", "bench", *backends, "--workloads", str(workloads)]
    command += ["--cache", "warm", "--no-accuracy", "--no-report", "--format", "json"]
    command += ["--replicates", str(replicates), "--budget", str(budget), "--seed", str(seed)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--output", folder], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        return read_benchmarks(Path(folder))


def split(run: Benchmarks) -> dict[str, Benchmarks]:
    """A run for each backend, as if it were the same one in all of them."""
    return {
        group: msgspec.structs.replace(
            run,
            path=group.lower(),
            timings=tuple(
                msgspec.structs.replace(each, backend="numpy")
                for each in run.timings
                if each.backend.endswith(f":{group}")
            ),
        )
        for group in GROUPS
    }


def check(harness: Harness, *, replicates: int, budget: float, seed: int) -> Check:
    """Time everything, take the band from the equals, and judge these and the slower one by it."""
    with load_watched() as loads:
        runs = split(harness(replicates, budget, seed))
    band = band_from(runs["Old"], runs["New"])
    slow = compare(runs["Old"], runs["Slow"], band)
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
        missed=tuple(row for row in slow if row.call != "slower"),
    )


def _rate(runs: dict[str, Benchmarks], band: DeadBand, count: int) -> Rate:
    """Both figures as the same band gives them to whoever takes ``count`` processes a side: the first ones here."""
    few = {
        name: msgspec.structs.replace(run, timings=tuple(each for each in run.timings if each.replicate < count))
        for name, run in runs.items()
    }
    same, slow = (compare(few["Old"], few[name], band) for name in ("New", "Slow"))
    return Rate(
        processes=count,
        comparisons=len(same),
        false_calls=sum(row.changed for row in same),
        injected=len(slow),
        found=sum(row.call == "slower" for row in slow),
    )


@contextmanager
def load_watched() -> Iterator[list[float]]:
    """The machine's load, looked at again and again meanwhile."""
    loads, over = [os.getloadavg()[0]], threading.Event()

    def look() -> None:
        while not over.wait(LOOK):
            loads.append(os.getloadavg()[0])

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield loads
    finally:
        over.set()
        watcher.join()


def busy(loads: Sequence[float]) -> str:
    """That the machine was busy, for the band to say wherever it is printed: by the median load while it was timed."""
    cores = len(usable_cores()) or 1
    load = statistics.median(loads)
    return f"; taken while the machine was busy (load {load:.1f} on {cores} cores)" if load > cores + 0.5 else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.selfcheck.false_calls", description=__doc__)
    parser.add_argument("--replicates", type=int, default=15, help="processes of each backend")
    parser.add_argument("--seconds", type=float, default=0.05, help="time each entry of a process for so long")
    parser.add_argument("--seed", type=int, default=20260301, help="of the schedule")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to store the band; under results/aa by default"
    )
    options = parser.parse_args(arguments)
    result = check(through_the_harness, replicates=options.replicates, budget=options.seconds, seed=options.seed)
    band = result.band
    print(f"machine:      {band.machine}")
    print(f"dead band:    ±{band.width:.1%} (95 % of {len(band.log_ratios)} A/A ratios lie within)")
    print(f"processes:    {options.replicates} a side")
    print(f"false calls:  {band.false_calls} of {band.comparisons} (at most {MOST_FALSE:.0%})")
    print(f"{SLOWDOWN:.0%} slower:   {band.found} of {band.injected} found (at least nine in ten)")
    for rate in band.fewer:
        print(f"by default:   {rate.summary()}")
    for row in result.missed:
        interval = f"{row.ratio:.3f} ({row.low:.3f} to {row.high:.3f})"
        print(f"  not found:  {row.workload}, {row.contract}: {interval}, {row.call}")
    if "busy" in band.how and options.output is None:
        print(f"not stored:   {band.how}. Run it again at rest: such a band would hide changes on a quiet day.")
    else:
        print(f"stored:       {write_band(band, options.output)}")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
