"""What makes two benchmark runs hard to compare, in sentences: machines, versions, few processes, a common shift."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import msgspec

from conformance.reports.benchmarks.comparison.band import LEAST, DeadBand, same_machine
from conformance.reports.benchmarks.comparison.ranks import least_p
from conformance.reports.benchmarks.comparison.rows import ALPHA, FEWEST, ChangeRow
from conformance.reports.benchmarks.records import Benchmarks, Timing

__all__ = ["notes_on", "versions_moved"]

#: Of the environment, what may move times although no backend's version did.
_ENVIRONMENT = ("python", "platform", "extensions")


def notes_on(old: Benchmarks, new: Benchmarks, rows: Sequence[ChangeRow], band: DeadBand) -> tuple[str, ...]:
    """The notes that go with a comparison; ``rows`` are what was compared by ``band``."""
    return (
        *_the_same(old, new),
        *_machines(old, new),
        *_processes(rows),
        *_band(new, rows, band),
        *_shift(old, new, rows, band),
        *_software(old, new),
    )


def _the_same(old: Benchmarks, new: Benchmarks) -> Iterator[str]:
    if old.timings and [each.data for each in old.timings] == [each.data for each in new.timings]:
        yield "Both files hold the very same rounds: they are one run, and say nothing of each other."


def _machines(old: Benchmarks, new: Benchmarks) -> Iterator[str]:
    if old.machine != new.machine:
        yield (
            f"The runs are of different machines or thread counts ({old.machine}; {new.machine}): "
            f"the ratios compare those as much as the code."
        )


def _processes(rows: Sequence[ChangeRow]) -> Iterator[str]:
    few = sum(row.call == "too few" for row in rows)
    if few:
        yield (
            f"{few} of {len(rows)} comparisons have fewer than {FEWEST} processes on a side, and no change is called "
            f"there however large: time both runs with `conformance bench --replicates {FEWEST}` or more."
        )
    if len(rows) > few:
        least, sides = min((least_p(*sides), sides) for sides in ((r.old_processes, r.new_processes) for r in rows))
        if least * len(rows) > ALPHA:
            yield (
                f"Holm's correction over {len(rows)} comparisons is out of reach with {sides[0]} processes against "
                f"{sides[1]}: the smallest p they can give is {least:.2g}. No call can be family-wise here."
            )


def _band(new: Benchmarks, rows: Sequence[ChangeRow], band: DeadBand) -> Iterator[str]:
    """Where the band's own figures are of other conditions than what it judges."""
    if not band.stored:
        return
    if band.machine and not same_machine(band.machine, new.machine):
        yield f"The dead band is of another machine ({band.machine}) than the new run ({new.machine})."
    elif band.machine and band.machine.threads != new.machine.threads and band.machine.threads and new.machine.threads:
        yield (
            f"The dead band was taken with {band.machine.threads} threads, and the new run with {new.machine.threads}."
        )
    sides = {min(row.old_processes, row.new_processes) for row in rows if row.call != "too few"}
    if band.replicates and sides and min(sides) < band.replicates:
        text = f"The dead band's figures are of {band.replicates} processes a side, and here there are {min(sides)}"
        rate = band.with_fewer(min(sides))
        yield f"{text}: {rate.summary()}." if rate else f"{text}: intervals are wider, and fewer changes are found."


def _shift(old: Benchmarks, new: Benchmarks, rows: Sequence[ChangeRow], band: DeadBand) -> Iterator[str]:
    """Signs that the machine moved and not the code: its own bandwidths, or all frameworks in one direction."""
    before, after = _bandwidths(old), _bandwidths(new)
    moved = [math.log(after[key] / before[key]) for key in before.keys() & after.keys()]
    if moved and not band.contains(math.exp(median(moved))):
        yield (
            f"The machine's own bandwidths, measured in both runs, moved by {math.expm1(median(moved)):+.1%} (median "
            f"of {len(moved)}): times may have moved with the machine and not with the code."
        )
    framework_of = {each.backend: each.framework for each in (*old.timings, *new.timings)}
    frameworks: dict[str, list[float]] = {}
    for row in rows:
        frameworks.setdefault(framework_of.get(row.backend) or row.backend, []).append(math.log(row.ratio))
    middles = [median(each) for each in frameworks.values()]
    if len(middles) >= 3 and (min(middles) > math.log1p(LEAST) or max(middles) < -math.log1p(LEAST)):
        yield (
            f"All {len(middles)} frameworks moved in one direction (medians {math.expm1(min(middles)):+.1%} to "
            f"{math.expm1(max(middles)):+.1%}): that is rather the machine than the code of any of them. "
            f"Run both again, one after the other."
        )


def _bandwidths(run: Benchmarks) -> dict[tuple[str, str, str], float]:
    """The measured peak bandwidths by place, size and kind."""
    return {
        (place, size, kind): rate
        for place, sizes in run.head.peak_bandwidth.items()
        for size, kinds in sizes.items()
        for kind, rate in msgspec.structs.asdict(kinds).items()
        if rate > 0
    }


def versions_moved(old: Benchmarks, new: Benchmarks) -> list[str]:
    """The versions that differ: of a backend, and of the packages beneath it, where both runs have them."""
    return _moved(old, new, _versions)


def _software(old: Benchmarks, new: Benchmarks) -> Iterator[str]:
    if moved := versions_moved(old, new):
        yield f"Versions differ: {', '.join(moved)}."
    one, two = old.head.environment, new.head.environment
    both = [key for key in _ENVIRONMENT if key in one and key in two]
    if changed := [f"{key} {one[key]} → {two[key]}" for key in both if one[key] != two[key]]:
        yield f"Environments differ: {', '.join(changed)}."
    before, after = old.head.variables, new.head.variables
    names = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    if changed := [f"{name} {before.get(name, 'unset')} → {after.get(name, 'unset')}" for name in names]:
        yield f"Variables that steer frameworks and the allocator differ: {', '.join(changed)}."
    if moved := _moved(old, new, _settings):
        yield f"Settings differ: {', '.join(moved)}."


def _moved(old: Benchmarks, new: Benchmarks, of: Callable[[Timing, Timing], Iterator[str]]) -> list[str]:
    after = new.by_key()
    shared = [(before[0], after[key][0]) for key, before in old.by_key().items() if key in after]
    return sorted({each for pair in shared for each in of(*pair)})


def _settings(before: Timing, after: Timing) -> Iterator[str]:
    for name in before.settings.keys() & after.settings.keys():
        if before.settings[name] != after.settings[name]:
            yield f"{before.backend}'s {name} {before.settings[name]} → {after.settings[name]}"


def _versions(before: Timing, after: Timing) -> Iterator[str]:
    if before.version and after.version and before.version != after.version:
        yield f"{before.backend} {before.version} → {after.version}"
    for name in before.versions.keys() & after.versions.keys():
        one, two = before.versions[name], after.versions[name]
        if one != two and (one, two) != (before.version, after.version):
            yield f"{name} {one} → {two}"
