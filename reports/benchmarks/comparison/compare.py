"""Two benchmark runs compared: which times changed, by how much, and how sure that is.

The rule. A change is called when both hold:

- the 95 % interval of the ratio excludes 1. It is a hierarchical bootstrap, processes and then rounds, widened for few
  processes (``reports.benchmarks.bootstrap``);
- the ratio lies outside the dead band, which an A/A run of the machine has set (``.band``).

The first bounds false calls where replicates show the noise, the second where a whole run has shifted; an A/A run
measures what both give together, and that rate goes with every comparison.

Mann–Whitney with Holm's correction stands beside it and is not part of the rule, because it cannot be: five processes
against five give no p below 0.0079, and Holm over forty comparisons asks for 0.00125. Where a call passes it too, it
is marked *family-wise*: then the chance of even one such call in the whole table, if nothing had changed, is below 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Literal

from conformance.bench.record import Key
from conformance.reports.benchmarks.bootstrap import ratio_interval
from conformance.reports.benchmarks.comparison.band import DeadBand, find_band
from conformance.reports.benchmarks.comparison.notes import notes_on
from conformance.reports.benchmarks.comparison.ranks import holm, mann_whitney
from conformance.reports.benchmarks.comparison.rows import (
    ALPHA,
    FEWEST,
    OTHER_WORK,
    ChangeCall,
    ChangeRow,
    Missing,
    SpeedComparison,
)
from conformance.reports.benchmarks.records import Benchmarks, Timing

__all__ = ["compare", "compare_benchmarks"]


def compare_benchmarks(old: Benchmarks, new: Benchmarks, band: DeadBand | None = None) -> SpeedComparison:
    """Compare two runs; ``band`` is looked up for the new run's machine if it is not given."""
    band = band or find_band(new.machine)
    before, after = old.by_key(), new.by_key()
    rows = tuple(compare(old, new, band))
    return SpeedComparison(
        old=old.path,
        new=new.path,
        rows=rows,
        missing=(*_missing(before, after, new, "old"), *_missing(after, before, old, "new")),
        band=band,
        notes=notes_on(old, new, rows, band),
    )


def compare(old: Benchmarks, new: Benchmarks, band: DeadBand) -> list[ChangeRow]:
    """A row for each key under which both runs timed the same work, in the new run's order."""
    before, after = old.by_key(), new.by_key()
    shared = [key for key in after if key in before and not _other_work(before[key], after[key])]
    p_values = [mann_whitney(_medians(before[key]), _medians(after[key])) for key in shared]
    corrected = holm(p_values)
    return [
        _row(before[key], after[key], band, p, p_holm)
        for key, p, p_holm in zip(shared, p_values, corrected, strict=True)
    ]


def _row(old: Sequence[Timing], new: Sequence[Timing], band: DeadBand, p: float, p_holm: float) -> ChangeRow:
    ratio, low, high = _interval([each.data for each in old], [each.data for each in new])
    call = _call(ratio, low, high, band, min(len(old), len(new)))
    return ChangeRow(
        **new[0].key._asdict(),
        ratio=ratio,
        low=low,
        high=high,
        p=p,
        p_holm=p_holm,
        call=call,
        family_wise=call in ("slower", "faster") and p_holm <= ALPHA,
        old_seconds=median(_medians(old)),
        new_seconds=median(_medians(new)),
        old_processes=len(old),
        new_processes=len(new),
        old_version=old[0].version,
        new_version=new[0].version,
        old_accuracy=_verdict(old),
        new_accuracy=_verdict(new),
    )


def _call(ratio: float, low: float, high: float, band: DeadBand, processes: int) -> ChangeCall:
    if processes < FEWEST:
        return "too few"
    if not low <= 1 <= high and not band.contains(ratio):
        return "slower" if ratio > 1 else "faster"
    return "same" if band.contains(low) and band.contains(high) else "unclear"


def _interval(old: list[tuple[float, ...]], new: list[tuple[float, ...]]) -> tuple[float, float, float]:
    """Ratio, low and high; computed in an order that does not depend on which run is called the old one."""
    if old <= new:
        found = ratio_interval(old, new)
        return found.estimate, found.low, found.high
    found = ratio_interval(new, old)
    return 1 / found.estimate, 1 / found.high, 1 / found.low


def _medians(timings: Sequence[Timing]) -> list[float]:
    return [timing.median for timing in timings]


def _verdict(timings: Sequence[Timing]) -> str | None:
    """The accuracy verdict; of several, one that is not a pass."""
    found = [timing.accuracy.verdict for timing in timings if timing.accuracy and timing.accuracy.verdict]
    return next((verdict for verdict in found if verdict != "pass"), found[0] if found else None)


def _missing(
    here: dict[Key, tuple[Timing, ...]],
    there: dict[Key, tuple[Timing, ...]],
    other: Benchmarks,
    only: Literal["old", "new"],
) -> list[Missing]:
    reasons = {each.key: (each.status, each.message) for each in other.not_timed}
    rows = []
    for key, timings in here.items():
        status, message = reasons.get(key, ("not run", None))
        if key in there:
            older, newer = (timings, there[key]) if only == "old" else (there[key], timings)
            message = _other_work(older, newer)
            if message is None:
                continue
            status = OTHER_WORK
        rows.append(Missing(**key._asdict(), only=only, status=status, message=message))
    return rows


def _other_work(old: Sequence[Timing], new: Sequence[Timing]) -> str | None:
    """How the tensors or the device of a workload differ between two runs; None where they do not, or are not known."""
    facts = (
        (name, getattr(old[0], name), getattr(new[0], name)) for name in ("shape", "axis", "dtype", "device", "targets")
    )
    moved = [f"{name} {before} → {after}" for name, before, after in facts if before and after and before != after]
    return ", ".join(moved) or None
