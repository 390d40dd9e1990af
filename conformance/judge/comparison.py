"""Observed numbers against enclosures and bounds: class, ulp and error over tolerance of each problem.

Everything is computed for a whole block at once; each problem is a run of consecutive elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.model.classes import CLASS_LETTERS, Letter, letters
from conformance.numerics.formats import FORMATS, DtypeName, Float64Array
from conformance.oracle.enclosure import Enclosure

__all__ = ["BlockComparison", "ProblemComparison", "Segments", "compare", "farther"]

Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Segments:
    """Where each problem's elements lie: ``starts`` and ``counts``, (n,), consecutive."""

    starts: Integers
    counts: Integers

    def reduce(self, values: Float64Array) -> tuple[Float64Array, Integers]:
        """Maximum of each problem, 0 where it is empty, and the flat index of the first maximum (−1)."""
        n = len(self.counts)
        if n and self.counts[0] > 0 and (self.counts == self.counts[0]).all():
            table = values.reshape(n, -1)
            worst = table.argmax(axis=1)
            return table[np.arange(n), worst], self.starts + worst
        top, index = np.zeros(n), np.full(n, -1, dtype=np.intp)
        for i, (start, count) in enumerate(zip(self.starts.tolist(), self.counts.tolist(), strict=True)):
            if count:
                index[i] = start + int(values[start : start + count].argmax())
                top[i] = values[index[i]]
        return top, index


@dataclass(frozen=True, eq=False)
class BlockComparison:
    """Per problem, (n,): the class reached, the largest error in ulp, error over the declared tolerance, and where.

    ``conforms`` says that every element is within the declared class, or in A or B, which every other class contains up
    to one rounding. C does not lie within D and E: far from zero it permits more than a half type's own roundings.
    ``vacuous`` marks problems for which the declared class promises nothing.
    """

    letters: list[Letter]
    ulp: Float64Array
    ratio: Float64Array
    worst: Integers
    conforms: Booleans
    vacuous: Booleans

    def problems(self) -> Iterator[ProblemComparison]:
        """Problem by problem, in plain numbers."""
        columns = (self.ulp, self.ratio, self.conforms, self.vacuous)
        return map(ProblemComparison, self.letters, *(each.tolist() for each in columns))


class ProblemComparison(NamedTuple):
    """One problem of a block: as BlockComparison has it."""

    letter: Letter
    ulp: float
    ratio: float
    conforms: bool
    vacuous: bool


def compare(
    observed: Float64Array,
    exact: Enclosure,
    tolerance: Callable[[Letter], Float64Array],
    segments: Segments,
    *,
    dtype: DtypeName,
    declared: Letter,
    admitted: Booleans | None = None,
    refine: Callable[[Integers], Enclosure] | None = None,
) -> BlockComparison:
    """Sort every element into the best class that contains it, and every problem into its worst element's.

    All arrays are flat and aligned, numbers in float64. ``tolerance`` gives the absolute bound of a class. ``admitted``
    are elements that are right as they are. ``refine`` gives enclosures of chosen elements anew, as narrow as needed;
    it is asked where the interval straddles a bound.
    """
    distance = _distance(observed, exact, dtype)
    if admitted is not None:
        distance = np.where(admitted, 0.0, distance)
    available = letters(dtype)
    radius = exact.rad
    rank = np.full(observed.shape, len(available), dtype=np.intp)
    bounds: dict[Letter, Float64Array] = {}
    for place, letter in enumerate(available):
        if rank.size and rank.max() < len(available) and place > available.index(declared):
            break
        bounds[letter] = bound = np.asarray(tolerance(letter))
        with np.errstate(invalid="ignore"):
            straddles = (distance + radius > bound) & (distance - radius <= bound)
        undecided = straddles & np.isfinite(distance) & (radius > 0.0)
        if admitted is not None:
            undecided &= ~admitted
        if refine is not None and undecided.any():
            distance, radius = _refined(observed, exact, distance, radius, np.flatnonzero(undecided), refine, dtype)
        rank[_within(distance, bound) & (rank == len(available))] = place
    ranks, _ = segments.reduce(rank.astype(np.float64))
    sound = rank <= min(available.index("B"), available.index(declared))
    held = sound | ((rank <= available.index(declared)) & _within(distance, bounds[declared]))
    missed, _ = segments.reduce((~held).astype(np.float64))
    limit = bounds[declared]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(distance == 0.0, 0.0, distance / limit)
        ulps = np.where(distance == 0.0, 0.0, distance / FORMATS[dtype].spacing(exact.mid))
    ratio_top, worst = segments.reduce(ratio)
    ulp_top, ulp_worst = segments.reduce(ulps)
    vacuous, _ = segments.reduce((~np.isfinite(limit) & np.isfinite(exact.mid)).astype(np.float64))
    found = [(*available, "F")[int(r)] for r in ranks]
    assert all(letter in CLASS_LETTERS for letter in found)
    worst = np.where(ratio_top > 0, worst, ulp_worst)
    return BlockComparison(found, ulp_top, ratio_top, worst, missed == 0, vacuous > 0)


def farther(values: Float64Array, others: Float64Array, exact: Float64Array) -> Float64Array:
    """Of two results that should agree, elementwise the one farther from the exact value."""
    with np.errstate(invalid="ignore"):
        worse = np.abs(others - exact) > np.abs(values - exact)
    return np.where(worse | (~np.isfinite(others) & np.isfinite(values)), others, values)


def _within(distance: Float64Array, bound: Float64Array) -> Booleans:
    return ((distance <= bound) & np.isfinite(bound)) | (distance == 0.0)


def _distance(observed: Float64Array, exact: Enclosure, dtype: DtypeName) -> Float64Array:
    """|observed − exact|: infinite where a special value is wrong, 0 where it is right.

    An exact value beyond the largest finite number is an infinity. Where the exact value is finite and an infinity of
    its sign is observed, the distance is that to the point from which rounding gives infinity.
    """
    distance = exact.distance(observed)
    ordinary = np.isfinite(exact.mid) & np.isfinite(observed)
    if ordinary.all():
        return distance
    form = FORMATS[dtype]
    threshold = form.largest * (1.0 + form.unit_roundoff / 2) if dtype != "float64" else form.largest
    with np.errstate(invalid="ignore"):
        same = (observed == exact.mid) | (np.isnan(observed) & np.isnan(exact.mid))
        overflowed = np.isinf(observed) & np.isfinite(exact.mid) & (np.sign(observed) == np.sign(exact.mid))
        gap = np.maximum(threshold - np.abs(exact.mid), 0.0)
    return np.where(ordinary, distance, np.where(same, 0.0, np.where(overflowed, gap, np.inf)))


def _refined(
    observed: Float64Array,
    exact: Enclosure,
    distance: Float64Array,
    radius: Float64Array,
    index: Integers,
    refine: Callable[[Integers], Enclosure],
    dtype: DtypeName,
) -> tuple[Float64Array, Float64Array]:
    sharp = refine(index)
    distance, radius = distance.copy(), radius.copy()
    distance[index] = _distance(observed[index], sharp, dtype)
    radius[index] = sharp.rad
    return distance, radius
