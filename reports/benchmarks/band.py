"""A machine's dead band, from two runs of identical code, and how often the rule is wrong with it.

``python -m conformance.reports.benchmarks.band OLD NEW`` stores it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.model.errors import HarnessError, UsageError
from conformance.plain import say
from conformance.reports.benchmarks.comparison.band import DeadBand, band_of, same_machine, write_band
from conformance.reports.benchmarks.comparison.compare import compare
from conformance.reports.benchmarks.comparison.notes import versions_moved
from conformance.reports.benchmarks.comparison.rows import FEWEST
from conformance.reports.benchmarks.read import read_benchmarks
from conformance.reports.benchmarks.records import Benchmarks

__all__ = ["band_from", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Store the dead band from two runs of identical code."""
    parser = argparse.ArgumentParser(prog="python -m conformance.reports.benchmarks.band", description=main.__doc__)
    parser.add_argument("old", type=Path, help="a run's folder, or its benchmarks.json")
    parser.add_argument("new", type=Path, help="another run of the same code on the same machine")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to store it; under results/aa by default")
    options = parser.parse_args(arguments)
    try:
        band = band_from(read_benchmarks(options.old), read_benchmarks(options.new))
        path = write_band(band, options.output)
    except (UsageError, HarnessError) as error:
        say(f"error: {error}", err=True)
        return 2 if isinstance(error, UsageError) else 3
    say(f"{band.summary()}\nstored: {path}")
    return 0


def band_from(old: Benchmarks, new: Benchmarks) -> DeadBand:
    """The band of an A/A run; each comparison is judged by the band of all others, so that none sets its own bar.

    Raises UsageError where the two have nothing in common, are not two runs of the same code on one machine, or have
    fewer processes than the rule calls a change from: its rate of false calls would be 0 whatever the noise.
    """
    _are_equals(old, new)
    rows = compare(old, new, DeadBand(width=1.0))
    logs = [math.log(row.ratio) for row in rows]
    width = band_of(logs)
    outside = [abs(each) > math.log1p(band_of(_others(logs, i) or logs)) for i, each in enumerate(logs)]
    fewest = min(min(row.old_processes, row.new_processes) for row in rows)
    if fewest < FEWEST:
        raise UsageError(
            f"{new.path}: {fewest} processes a side give no rate of false calls, as the rule calls nothing then",
            hint=f"`conformance bench --replicates {FEWEST}` or more, twice",
        )
    return DeadBand(
        width=width,
        machine=new.machine,
        measured=new.started,
        how=f"two runs of identical code, {fewest} processes a side",
        replicates=fewest,
        comparisons=len(rows),
        false_calls=sum(row.apart and out for row, out in zip(rows, outside, strict=True)),
        log_ratios=tuple(logs),
    )


def _are_equals(old: Benchmarks, new: Benchmarks) -> None:
    """Raises UsageError where what differs between the runs is more, or less, than chance."""
    if [each.data for each in old.timings] == [each.data for each in new.timings]:
        raise UsageError(
            f"{old.path} and {new.path} are one run", hint="an A/A run is two: time the same code a second time"
        )
    if not same_machine(old.machine, new.machine) or old.machine.threads != new.machine.threads:
        raise UsageError(
            f"{old.path} and {new.path} are of different machines or thread counts ({old.machine}; {new.machine})",
            hint="a dead band is one machine's: take both runs there, with the same threads",
        )
    moved = versions_moved(old, new)
    if moved:
        raise UsageError(
            f"{old.path} and {new.path} are not of identical code: versions differ: {', '.join(moved)}",
            hint="take both runs in one environment",
        )


def _others(values: Sequence[float], place: int) -> list[float]:
    return [*values[:place], *values[place + 1 :]]


if __name__ == "__main__":
    sys.exit(main())
