"""The narrower dtype in which a wrong result would be right.

Whoever converts on the way, or keeps a sum in a narrower dtype, returns the digits of that dtype in a wider one. How
far off they are is the inputs' doing, so that no size describes such a defect; the bounds of the narrower dtype do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from conformance.judge.prepared import Prepared
from conformance.model.dtypes import DtypeName
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.numerics.formats import FORMATS, round_to, widen

__all__ = ["in_dtype", "judges_all", "narrowed"]

#: The dtypes in which what is due in another may have been computed, the most precise first.
_NARROWER: Mapping[DtypeName, tuple[DtypeName, ...]] = {"float64": ("float32",), "float32": ("float16", "bfloat16")}
#: Logits of a problem beyond which nothing is computed anew in narrower dtypes.
_MOST = 1 << 20


def in_dtype(problem: Problem, dtype: DtypeName) -> Problem:
    """The problem with its numbers, those of any floating-point dtype and integer logits, rounded to ``dtype``."""

    def rounded(array: Array) -> Array:
        return round_to(widen(array), dtype)

    logits = problem.logits
    whole = logits.dtype.kind in "iub"
    return replace(
        problem,
        dtype=dtype,
        logits=round_to(logits.astype(np.float64), dtype) if whole else rounded(logits),
        targets=rounded(np.asarray(problem.targets)) if problem.target_kind == "probabilities" else problem.targets,
        weight=None if problem.weight is None else rounded(problem.weight),
        upstream={name: rounded(each) for name, each in problem.upstream.items()},
        tangent=None if problem.tangent is None else rounded(problem.tangent),
    )


def narrowed(problem: Problem) -> Iterator[Problem]:
    """The problem in each narrower dtype: with its inputs rounded to it, then as they are, computed on in it.

    Not in one that does not hold the inputs: what is infinite there, or a weight that is hardly a number, has bounds
    that anything is within. Nor where there are so many numbers that their truth takes seconds.
    """
    for dtype in _NARROWER.get(problem.dtype, ()) if problem.logits.size <= _MOST else ():
        rounded = in_dtype(problem, dtype)
        if _fits(problem, rounded):
            yield rounded
            yield replace(problem, dtype=dtype)


def _fits(problem: Problem, rounded: Problem) -> bool:
    """Whether no finite number becomes infinite, and no weight subnormal or 0."""
    for given, found in zip(_numbers(problem), _numbers(rounded), strict=True):
        if (np.isinf(widen(found)) & np.isfinite(given.astype(np.float64))).any():
            return False
    if problem.weight is None or rounded.weight is None:
        return True
    small = np.abs(widen(rounded.weight)) < FORMATS[rounded.dtype].least_normal
    return not (small & (widen(problem.weight) != 0.0)).any()


def _numbers(problem: Problem) -> Iterator[Array]:
    """The arrays that are rounded with a problem's dtype."""
    yield problem.logits
    if problem.weight is not None:
        yield problem.weight
    if problem.target_kind == "probabilities":
        yield np.asarray(problem.targets)
    yield from problem.upstream.values()
    if problem.tangent is not None:
        yield problem.tangent


def judges_all(narrow: Prepared, wide: Prepared, quantity: Quantity, reduction: str) -> bool:
    """Whether all that is finite and judged in a dtype is so in a narrower one, of as many elements."""
    exact, other = (each.exact(quantity, each.named(reduction)).mid for each in (wide, narrow))
    here, there = (each.judged(quantity, each.named(reduction)) for each in (wide, narrow))
    if exact.shape != other.shape or (np.isfinite(exact) & ~np.isfinite(other)).any():
        return False
    return bool(there is None or (there if here is None else there | ~here).all())
