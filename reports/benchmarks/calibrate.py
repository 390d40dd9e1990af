"""A dead band from two runs of identical code, and how often the rule cries wolf with it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.benchmarks.band import DeadBand, band_of
from reports.benchmarks.compare import compare
from reports.benchmarks.records import Benchmarks

__all__ = ["band_from", "log_ratios"]


def log_ratios(old: Benchmarks, new: Benchmarks) -> list[float]:
    """The logarithm of the ratio new/old of each key."""
    return [math.log(row.ratio) for row in compare(old, new, DeadBand(width=1.0))]


def band_from(old: Benchmarks, new: Benchmarks) -> DeadBand:
    """The band of an A/A run; each comparison is judged by the band of all others, so that none sets its own bar.

    Raises UsageError where the two have nothing in common.
    """
    rows = compare(old, new, DeadBand(width=1.0))
    logs = [math.log(row.ratio) for row in rows]
    width = band_of(logs)
    outside = [abs(each) > math.log1p(band_of(_others(logs, i) or logs)) for i, each in enumerate(logs)]
    fewest = min(min(row.old_processes, row.new_processes) for row in rows)
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


def _others(values: Sequence[float], place: int) -> list[float]:
    return [*values[:place], *values[place + 1 :]]
