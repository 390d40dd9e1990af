"""The processes of one workload × backend × contract × cache, as the one line that reports and pictures show."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import msgspec

from conformance.bench.record import Record, ResultAccuracy
from conformance.reports.benchmarks.bootstrap import location_interval
from conformance.reports.benchmarks.records import Benchmarks, Timing

__all__ = [
    "IMPOSSIBLE",
    "BenchmarkCell",
    "ScalingSeries",
    "cells_of",
    "flagship",
    "groups_of",
    "places",
    "ranked",
    "series_of",
    "workloads_of",
]

#: The contract that training needs; pictures of one contract show it if it was timed.
PREFERRED = ("forward+grad", "forward-saving", "forward")
#: A share of the peak bandwidth that no computation reaches, with room for caches that are faster than the loop that
#: measures it: what exceeds it kept the result of an earlier call, or computed nothing.
IMPOSSIBLE = 4.0


class BenchmarkCell(Record, frozen=True, kw_only=True):
    """What the processes of one key share, with the medians of their numbers, None where no process has them.

    ``seconds`` is the median over processes of the process median, with its 95 % interval ``low … high``; the two rates
    are of those seconds. ``accuracy`` is the worst that was found. ``first_call_seconds`` is of the processes whose
    compiler found an empty cache if the run says which; ``opens`` marks the very first call of its process, which pays
    for loading the compiler as well. ``faults`` are the pages that a call touches for the first time.
    """

    processes: int
    seconds: float
    low: float
    high: float
    opens: bool = False
    faults: float | None = None

    @property
    def judged(self) -> ResultAccuracy:
        """The accuracy, empty where there is none."""
        return self.accuracy or ResultAccuracy()

    @property
    def error(self) -> float | None:
        """Error over the declared class's tolerance."""
        return self.judged.error

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
        return self.judged.conforms is False or self.impossible

    @property
    def unranked(self) -> str | None:
        """Why it has no rank, in a few words; None where it has one."""
        if self.judged.conforms is None:
            return "accuracy unknown"
        if not self.judged.conforms:
            return self.judged.verdict
        return "not computed anew" if self.impossible else None

    @property
    def explanation(self) -> str | None:
        """Why it has no rank, in a sentence."""
        judged = self.judged
        if judged.conforms is False:
            why = f", {judged.message}" if judged.message else ""
            return f"class {judged.class_ or '–'}: {self.unranked} (declares {judged.declared or '–'}){why}"
        if judged.conforms and self.impossible:
            return (
                f"{self.bandwidth_fraction:.0f} times the bytes a second that the memory delivers: the result was kept "
                "from an earlier call, or is not computed at all"
            )
        return self.unranked

    @property
    def logits(self) -> int:
        """How many logits the workload has."""
        return self.classes * self.positions

    @property
    def work(self) -> str:
        """The tensors: shape, class axis, dtype and kind of targets."""
        return f"{'×'.join(map(str, self.shape))}, axis {self.axis}, {self.dtype}, {self.targets}"

    @property
    def ns_per_logit(self) -> float:
        """Nanoseconds per logit."""
        return self.seconds * 1e9 / self.logits


class ScalingSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Workloads that differ in one extent: ``over`` names it, ``fixed`` says what stays the same."""

    name: str
    over: str
    fixed: str
    contract: str
    cells: tuple[BenchmarkCell, ...]


def cells_of(run: Benchmarks) -> tuple[BenchmarkCell, ...]:
    """A cell for each key of the run, in its order."""
    calls = _first_calls(run.timings)
    return tuple(_cell(timings, calls[key[:3]]) for key, timings in run.by_key().items())


def workloads_of(cells: Iterable[BenchmarkCell]) -> tuple[str, ...]:
    """The workloads in the order in which they first occur, sorted by name."""
    return tuple(sorted({cell.workload for cell in cells}))


def groups_of(cells: Iterable[BenchmarkCell]) -> list[list[BenchmarkCell]]:
    """The cells of each workload, contract and cache, sorted by these: what can be compared."""
    found: dict[tuple[str, str, str], list[BenchmarkCell]] = {}
    for cell in cells:
        found.setdefault((cell.workload, cell.contract, cell.cache), []).append(cell)
    return [found[key] for key in sorted(found)]


def ranked(cells: Sequence[BenchmarkCell]) -> list[BenchmarkCell]:
    """The fastest first; what has no rank stands behind all that have one: see :attr:`BenchmarkCell.unranked`."""
    return sorted(cells, key=lambda cell: (cell.unranked is not None, cell.seconds, cell.backend))


def places(cells: Sequence[BenchmarkCell]) -> list[tuple[int | None, BenchmarkCell]]:
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


def flagship(cells: Sequence[BenchmarkCell]) -> tuple[BenchmarkCell, ...]:
    """The cells of the one workload, contract and cache that says most: see below; empty if there are no cells.

    The most backends with bandwidth and accuracy, then warm, then errors that differ between the backends, then the
    contract that training needs, then float32, then the most logits.
    """

    def worth(group: list[BenchmarkCell]) -> tuple[Any, ...]:
        one = group[0]
        whole = sum(cell.drawable for cell in group)
        place = -PREFERRED.index(one.contract) if one.contract in PREFERRED else -len(PREFERRED)
        apart = len({f"{cell.error:.2g}" for cell in group if cell.error is not None}) > 1
        return (whole, one.cache == "warm", apart, place, one.dtype == "float32", one.logits, one.workload)

    chosen: list[BenchmarkCell] = max(groups_of(cells), key=worth, default=[])
    return tuple(chosen)


def series_of(cells: Sequence[BenchmarkCell]) -> tuple[ScalingSeries, ...]:
    """The series of at least three extents: workloads that name one, and the dimension that varies in it."""
    groups: dict[tuple[str, str, str, str], list[BenchmarkCell]] = {}
    for cell in cells:
        if cell.series and cell.over in ("classes", "positions"):
            groups.setdefault((cell.series, cell.over, cell.contract, cell.cache), []).append(cell)
    return tuple(
        ScalingSeries(
            name=name,
            over=over,
            fixed=f"{group[0].logits:,} logits in all" if over == "classes" else f"{group[0].classes:,} classes",
            contract=contract if cache == "warm" else f"{contract}, {cache}",
            cells=tuple(group),
        )
        for (name, over, contract, cache), group in groups.items()
        if len({getattr(cell, over) for cell in group}) >= 3
    )


def _cell(timings: Sequence[Timing], first_call: tuple[float | None, bool]) -> BenchmarkCell:
    interval = location_interval([timing.data for timing in timings])
    judged = [timing.accuracy for timing in timings if timing.accuracy is not None and timing.accuracy.verdict]
    shared = {name: getattr(timings[0], name) for name in Record.__struct_fields__}
    medians = {
        # Of several accuracies the one that does not pass, then the largest error: a failure is never averaged away.
        "accuracy": max(judged, key=lambda each: (each.verdict != "pass", _size(each.error)), default=None),
        "bandwidth_fraction": _rate(timings, interval.estimate, lambda t: t.bandwidth_fraction),
        "bytes_per_second": _rate(timings, interval.estimate, lambda t: t.bytes_per_second),
        "amplification": _median_of(timings, lambda t: t.amplification),
        "peak_multiple": _median_of(timings, lambda t: t.peak_multiple),
        "first_call_seconds": first_call[0],
    }
    return BenchmarkCell(
        **shared | medians,
        processes=len(timings),
        seconds=interval.estimate,
        low=interval.low,
        high=interval.high,
        opens=first_call[1] and bool(first_call[0]),
        faults=_median_of(
            timings, lambda t: t.minor_faults / t.calls if t.calls and t.minor_faults is not None else None
        ),
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
        found[what] = _median_of(calls, lambda t: t.first_call_seconds), opens
    return found


def _rate(timings: Sequence[Timing], seconds: float, of: Callable[[Timing], float | None]) -> float | None:
    """A rate at the cell's own time: of two cells with the same work, the faster one never has the lower rate."""
    work = _median_of(timings, lambda t: None if (rate := of(t)) is None else rate * t.median)
    return None if work is None else work / seconds


def _median_of(timings: Sequence[Timing], of: Callable[[Timing], float | None]) -> float | None:
    found = [value for timing in timings if (value := of(timing)) is not None and math.isfinite(value)]
    return median(found) if found else None


def _size(error: float | None) -> float:
    return -1.0 if error is None else math.inf if math.isnan(error) else error
