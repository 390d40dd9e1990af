"""The processes of one workload × backend × contract × cache, as the one line that reports and pictures show."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import msgspec

from conformance.bench.record import Accuracy, Key
from conformance.bench.workload import Cache, Contract
from conformance.reports.benchmarks.bootstrap import location_interval
from conformance.reports.benchmarks.records import Benchmarks, Timing

__all__ = ["IMPOSSIBLE", "Cell", "Series", "cells_of", "flagship", "places", "ranked", "series_of", "workloads_of"]

#: The contract that training needs; pictures of one contract show it if it was timed.
PREFERRED = ("forward+grad", "forward-saving", "forward")
#: A share of the peak bandwidth that no computation reaches, with room for caches that are faster than the loop that
#: measures it: what exceeds it kept the result of an earlier call, or computed nothing.
IMPOSSIBLE = 4.0


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """``seconds`` is the median over processes of the process median, with its 95 % interval ``low … high``.

    ``bytes_per_second`` is the least traffic over those seconds, and ``bandwidth_fraction`` that as a share of the
    measured peak bandwidth (1 is all of it). The other numbers are medians over processes, None where no process has
    them: ``error`` is the error over the declared class's tolerance, ``memory`` the peak as a multiple of the logits,
    ``faults`` the pages that a call touches for the first time. ``first_call`` is in seconds, of the processes whose
    compiler found an empty cache if the run says which; ``opens`` says that it was the very first call of its process,
    which pays for loading the compiler as well. ``work`` names the tensors: shape, class axis, dtype and kind of
    targets; ``ignored`` is the share of positions that are. ``accurate`` is None without an accuracy verdict.
    """

    workload: str
    backend: str
    contract: Contract
    cache: Cache
    framework: str
    mode: str
    version: str
    dtype: str
    classes: int
    positions: int
    series: str | None
    over: str | None
    processes: int
    seconds: float
    low: float
    high: float
    bandwidth_fraction: float | None
    bytes_per_second: float | None
    amplification: float | None
    memory: float | None
    first_call: float | None
    error: float | None
    ulp: float | None
    class_: str | None = msgspec.field(default=None, name="class")
    declared: str | None = None
    accurate: bool | None = None
    verdict: str | None = None
    message: str | None = None
    limits: dict[str, float] | None = None
    device: str = ""
    opens: bool = False
    work: str = ""
    faults: float | None = None
    ignored: float = 0.0

    @property
    def impossible(self) -> bool:
        """Whether it took less time than the memory needs by far; positions that are ignored need not be read."""
        return self.bandwidth_fraction is not None and self.bandwidth_fraction * (1 - self.ignored) > IMPOSSIBLE

    @property
    def drawable(self) -> bool:
        """Whether it has a place in the picture of speed and accuracy."""
        return self.bandwidth_fraction is not None and self.error is not None and not self.impossible

    @property
    def wrong(self) -> bool:
        """Whether its result or its time is not what it was asked for."""
        return self.accurate is False or self.impossible

    @property
    def unranked(self) -> str | None:
        """Why it has no rank, in a few words; None where it has one."""
        if self.accurate is None:
            return "accuracy unknown"
        if not self.accurate:
            return self.verdict or "fail"
        return "not computed anew" if self.impossible else None

    @property
    def explanation(self) -> str | None:
        """Why it has no rank, in a sentence."""
        if self.accurate is False:
            why = f", {self.message}" if self.message else ""
            return f"class {self.class_ or '–'}: {self.unranked} (declares {self.declared or '–'}){why}"
        if self.accurate and self.impossible:
            return (
                f"{self.bandwidth_fraction:.0f} times the bytes a second that the memory delivers: the result was kept "
                "from an earlier call, or is not computed at all"
            )
        return self.unranked

    @property
    def key(self) -> Key:
        """What it is a summary of."""
        return Key(self.workload, self.backend, self.contract, self.cache)

    @property
    def logits(self) -> int:
        """How many logits the workload has."""
        return self.classes * self.positions

    @property
    def ns_per_logit(self) -> float:
        """Nanoseconds per logit."""
        return self.seconds * 1e9 / self.logits


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Workloads that differ in one extent: ``over`` names it, ``fixed`` says what stays the same."""

    name: str
    over: str
    fixed: str
    contract: str
    cells: tuple[Cell, ...]


def cells_of(run: Benchmarks) -> tuple[Cell, ...]:
    """A cell for each key of the run, in its order."""
    calls = _first_calls(run.timings)
    return tuple(_cell(key, timings, calls[key[:3]]) for key, timings in run.by_key().items())


def workloads_of(cells: Iterable[Cell]) -> tuple[str, ...]:
    """The workloads in the order in which they first occur, sorted by name."""
    return tuple(sorted({cell.workload for cell in cells}))


def ranked(cells: Sequence[Cell]) -> list[Cell]:
    """The fastest first; what has no rank stands behind all that have one: see :attr:`Cell.unranked`."""
    return sorted(cells, key=lambda cell: (cell.unranked is not None, cell.seconds, cell.backend))


def places(cells: Sequence[Cell]) -> list[tuple[int | None, Cell]]:
    """The cells as :func:`ranked` has them, each with its rank: one more than the backends that are faster for certain.

    Those are the ones whose interval ends before this one begins, and before that of any slower one does: what does
    not differ for certain shares a rank, and no rank stands below a higher one.
    """
    order = ranked(cells)
    fit = [cell for cell in order if cell.unranked is None]
    ranks, least = [], len(fit)
    for cell in reversed(fit):
        least = min(least, 1 + sum(each.high < cell.low for each in fit))
        ranks.append(least)
    given: list[int | None] = [*reversed(ranks), *[None] * (len(order) - len(fit))]
    return list(zip(given, order, strict=True))


def flagship(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells of the one workload, contract and cache that says most: see below; empty if there are no cells.

    The most backends with bandwidth and accuracy, then warm, then errors that differ between the backends, then the
    contract that training needs, then float32, then the most logits.
    """
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.workload, cell.contract, cell.cache), []).append(cell)

    def worth(group: list[Cell]) -> tuple[Any, ...]:
        one = group[0]
        whole = sum(cell.drawable for cell in group)
        place = -PREFERRED.index(one.contract) if one.contract in PREFERRED else -len(PREFERRED)
        apart = len({f"{cell.error:.2g}" for cell in group if cell.error is not None}) > 1
        return (whole, one.cache == "warm", apart, place, one.dtype == "float32", one.logits, one.workload)

    chosen: list[Cell] = max(groups.values(), key=worth) if groups else []
    return tuple(chosen)


def series_of(cells: Sequence[Cell]) -> tuple[Series, ...]:
    """Series of at least three extents: workloads that name one, or whose names differ in their last number only.

    Over classes either the positions or the number of logits stays the same; over positions, the classes.
    """
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        stem = re.fullmatch(r"(.*\D)\d+", cell.workload)
        name = cell.series or (stem[1].rstrip("-_") if stem else "")
        if name:
            groups.setdefault((name, cell.contract, cell.cache), []).append(cell)
    found = []
    for (name, contract, cache), group in groups.items():
        axis = _axis(group, group[0].over if group[0].series else None)
        if axis is not None:
            over, fixed = axis
            text = contract if cache == "warm" else f"{contract}, {cache}"
            found.append(Series(name=name, over=over, fixed=fixed, contract=text, cells=tuple(group)))
    return tuple(found)


def _axis(group: Sequence[Cell], over: str | None) -> tuple[str, str] | None:
    """What the series is over, and what stays the same; ``over`` is what the workloads say themselves."""
    classes, positions, logits = (
        {getattr(cell, name) for cell in group} for name in ("classes", "positions", "logits")
    )
    if over == "classes" and len(classes) >= 3 and len(logits) > 1 and max(logits) <= 1.1 * min(logits):
        return "classes", f"about {max(logits):,} logits in all"
    if len(classes) >= 3 and len(positions) == 1:
        return "classes", f"{positions.pop():,} positions"
    if len(classes) >= 3 and len(logits) == 1:
        return "classes", f"{logits.pop():,} logits in all"
    if len(positions) >= 3 and len(classes) == 1:
        return "positions", f"{classes.pop():,} classes"
    return None


#: What a cell has from its records, which are alike in it.
_ALIKE = ("mode", "version", "dtype", "classes", "positions", "series", "over", "device", "ignored")


def _cell(key: Key, timings: Sequence[Timing], first_call: tuple[float | None, bool]) -> Cell:
    first = timings[0]
    interval = location_interval([timing.data for timing in timings])
    judged = [timing.accuracy for timing in timings if timing.accuracy is not None and timing.accuracy.verdict]
    # Of several accuracies the one that does not pass, then the largest error: a failure is never averaged away.
    worst = max(judged, key=lambda a: (a.verdict != "pass", _size(a.error)), default=Accuracy())
    return Cell(
        **key._asdict(),
        **{name: getattr(first, name) for name in _ALIKE},
        framework=first.framework or first.backend.partition(":")[0],
        processes=len(timings),
        seconds=interval.estimate,
        low=interval.low,
        high=interval.high,
        bandwidth_fraction=_rate(timings, interval.estimate, lambda t: t.bandwidth_fraction),
        bytes_per_second=_rate(timings, interval.estimate, lambda t: t.bytes_per_second),
        amplification=_middle(timings, lambda t: t.amplification),
        memory=_middle(timings, lambda t: t.peak_multiple),
        first_call=first_call[0],
        opens=first_call[1],
        faults=_middle(timings, lambda t: t.minor_faults / t.calls if t.calls and t.minor_faults is not None else None),
        error=worst.error,
        ulp=worst.error_ulp,
        class_=worst.class_,
        declared=worst.declared,
        accurate=worst.conforms,
        verdict=worst.verdict,
        message=worst.message or None,
        limits=worst.limits,
        work=f"{'×'.join(map(str, first.shape))}, axis {first.axis}, {first.dtype}, {first.targets}",
    )


def _first_calls(timings: Sequence[Timing]) -> dict[tuple[str, ...], tuple[float | None, bool]]:
    """Seconds of the first call of each workload, backend and contract, and whether it opened its process.

    A process that times a contract both warm and cold compiles it once, for whichever comes first: that call is
    the first one of both. What later processes find kept does not show the cost of compiling.
    """
    firsts: dict[tuple[str, ...], dict[int, Timing]] = {}
    opening: dict[tuple[str, int], Timing] = {}
    for each in sorted(timings, key=lambda each: each.order):
        firsts.setdefault(each.key[:3], {}).setdefault(each.replicate, each)
        opening.setdefault((each.backend, each.replicate), each)
    found = {}
    for what, by_process in firsts.items():
        calls = list(by_process.values())
        calls = [each for each in calls if each.compile_cache == "fresh"] or calls
        opens = all(opening[each.backend, each.replicate] is each for each in calls)
        found[what] = _middle(calls, lambda t: t.first_call_seconds), opens
    return found


def _rate(timings: Sequence[Timing], seconds: float, of: Callable[[Timing], float | None]) -> float | None:
    """A rate at the cell's own time: of two cells with the same work, the faster one never has the lower rate."""
    work = _middle(timings, lambda t: None if (rate := of(t)) is None else rate * t.median)
    return None if work is None else work / seconds


def _middle(timings: Sequence[Timing], of: Callable[[Timing], float | None]) -> float | None:
    found = [value for timing in timings if (value := of(timing)) is not None and math.isfinite(value)]
    return median(found) if found else None


def _size(error: float | None) -> float:
    return -1.0 if error is None else math.inf if math.isnan(error) else error
