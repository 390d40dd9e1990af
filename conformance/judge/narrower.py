"""The narrower dtype in which a wrong result would be right.

Whoever converts on the way, or keeps a sum in a narrower dtype, returns the digits of that dtype in a wider one. How
far off they are is the inputs' doing, so that no size describes such a defect; the bounds of the narrower dtype do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from conformance.cases.resolve import rounded_to
from conformance.judge.prepared import Prepared
from conformance.model.dtypes import NARROWER
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.numerics.formats import FORMATS, widen

__all__ = ["judges_all", "narrowed"]

#: Logits of a problem beyond which nothing is computed anew in narrower dtypes.
_MOST = 1 << 20


def narrowed(problem: Problem) -> Iterator[Problem]:
    """The problem in each narrower dtype: with its inputs rounded to it, then as they are, computed on in it.

    Not in one that does not hold them: what is infinite there, or a weight that is hardly a number, has bounds that
    anything is within. Upstream gradients and directions only scale them, as long as they are not rounded. Nor where
    there are so many numbers that their truth takes seconds.
    """
    for dtype in NARROWER.get(problem.dtype, ()) if problem.logits.size <= _MOST else ():
        rounded = rounded_to(problem, dtype)
        if _fits(_inputs(problem), _inputs(rounded)) and _has_weights(problem, rounded):
            if _fits(_scales(problem), _scales(rounded)):
                yield rounded
            yield replace(problem, dtype=dtype)


def _fits(given: Iterator[Array], rounded: Iterator[Array]) -> bool:
    """Whether no finite number becomes infinite."""
    pairs = zip(given, rounded, strict=True)
    return not any((np.isinf(widen(b)) & np.isfinite(a.astype(np.float64))).any() for a, b in pairs)


def _has_weights(problem: Problem, rounded: Problem) -> bool:
    """Whether no weight becomes subnormal, or 0."""
    if problem.weight is None or rounded.weight is None:
        return True
    small = np.abs(widen(rounded.weight)) < FORMATS[rounded.dtype].least_normal
    return not (small & (widen(problem.weight) != 0.0)).any()


def _inputs(problem: Problem) -> Iterator[Array]:
    """The arrays that the value is made of, but for class indices."""
    yield problem.logits
    if problem.weight is not None:
        yield problem.weight
    if problem.target_kind == "probabilities":
        yield np.asarray(problem.targets)


def _scales(problem: Problem) -> Iterator[Array]:
    """The arrays that derivatives are made of besides."""
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
