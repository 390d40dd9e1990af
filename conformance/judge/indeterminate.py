"""Products of 0 with what is not finite, which sound evaluations take for NaN, or for nothing.

Where a class is impossible, −ln p and 1/p are infinite, and so is their product with any factor but 0. A factor that is
itself a product, such as that of an upstream gradient and a weight, may underflow to 0; then the class has no part, or
0 times infinity is NaN. Likewise a gradient that is 0 is NaN where the divisor of a mean is NaN, if it is computed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.numerics.formats import FORMATS, Float64Array
from conformance.oracle.truth import Truth

__all__ = ["indeterminate"]

Booleans = npt.NDArray[np.bool_]


def indeterminate(
    truth: Truth, quantity: Quantity, reduction: str, observed: Float64Array, exact: Float64Array, *, flushed: bool
) -> Booleans | None:
    """Where ``observed`` is what underflow, or 0 times NaN, makes of ``exact``; both are flat. None: nowhere.

    Of an element that belongs to a class, NaN or 0; of a loss NaN, or a finite number, which leaves the classes out,
    where no other class makes it infinite. An infinity of the wrong sign is never admitted.
    """
    if not truth.block.reduces:
        return None
    found = None
    if quantity == "gradient":
        found = _zero_times_nan(truth, reduction, observed)
    elif quantity == "target_gradient":
        found = _zero_times_infinity(truth, reduction, observed)
    infinite = np.isinf(exact)
    if not infinite.any():
        return found
    impossible, vanishes = _impossible(truth), _vanishes(truth, quantity, reduction, flushed=flushed)
    lost = impossible & vanishes
    if not lost.any():
        return found
    if quantity in OF_LOGITS:
        here = lost.reshape(-1) & infinite & (np.isnan(observed) | (observed == 0.0))
        return here if found is None else found | here
    certain = impossible & ~vanishes & (truth.fast.predictions.coefficients != 0.0)
    some, sure = np.asarray(lost.any(axis=1)), np.asarray(certain.any(axis=1))
    if reduction != "none":
        some, sure = (truth.block.largest(rows.astype(np.float64)) > 0.0 for rows in (some, sure))
    return np.asarray(infinite & some & (np.isnan(observed) | (np.isfinite(observed) & ~sure)))


def _zero_times_nan(truth: Truth, reduction: str, observed: Float64Array) -> Booleans | None:
    """Elements of the gradient by classes without a part in the loss, whose mean divides by NaN."""
    nan = np.isnan(truth.fast.scale(reduction).mid) & ~truth.block.ignored
    if not nan.any():
        return None
    zero = nan[:, None] & (truth.fast.unscaled()[0] == 0.0)
    return np.asarray(zero.reshape(-1) & (np.isnan(observed) | (observed == 0.0)))


def _zero_times_infinity(truth: Truth, reduction: str, observed: Float64Array) -> Booleans | None:
    """Elements of the gradient by class probabilities, −ln p times an upstream gradient of 0, where p is 0."""
    unused = truth.fast.scale(reduction).mid == 0.0
    if not unused.any():
        return None
    return np.asarray((unused[:, None] & _impossible(truth)).reshape(-1) & np.isnan(observed))


def _impossible(truth: Truth) -> Booleans:
    """Classes of probability 0, (P, C)."""
    block = truth.block
    if block.operation == "log_loss":
        return np.asarray(truth.fast.predictions.predicted == 0.0)
    return np.isneginf(block.x) if block.operation == "nll_loss" else np.isposinf(truth.fast.positions.n)


def _vanishes(truth: Truth, quantity: Quantity, reduction: str, *, flushed: bool) -> Booleans:
    """Classes of which a product of the other factors may be rounded to 0, (P, C)."""
    form = FORMATS[truth.block.dtype]
    least = np.log2(form.least_normal if flushed else form.least_subnormal)
    found = np.zeros(truth.block.x.shape, dtype=np.bool_)
    for size in _products(truth, quantity, reduction):
        found |= np.isfinite(size) & (size < least)
    return found


def _products(truth: Truth, quantity: Quantity, reduction: str) -> Iterator[Float64Array]:
    """What the infinity of a class is multiplied by in the loss and its derivatives: log2 of sizes like (P, C).

    Logarithms, for float64 products underflow here as there; −inf stands for a factor of 0.
    """
    block, fast = truth.block, truth.fast
    coefficients, weight = _log2(fast.predictions.coefficients), fast.a.class_weight
    if weight is not None or block.smoothing is not None:
        yield coefficients
    if quantity == "value":
        return
    given = block.upstream(reduction)
    scales = [_log2(given if reduction == "none" else given[block.problem_of_row])[:, None]]
    if reduction == "mean":
        scales.append(scales[0] - _log2(fast.denominator.mid)[block.problem_of_row, None])
        yield scales[1]
    parts = [coefficients, _log2(block.shares), *([] if weight is None else [_log2(weight)])]
    factors = [_product(scale, part) for scale in scales for part in parts]
    yield from factors
    if any(each.tangent is not None for each in block.problems):
        ones = (np.ones(each.logits.shape) if each.tangent is None else each.tangent for each in block.problems)
        direction = _log2(block.rows(ones))
        yield from (_product(direction, part) for part in (*parts, *factors))


def _log2(numbers: Float64Array) -> Float64Array:
    return np.log2(np.abs(numbers))


def _product(a: Float64Array, b: Float64Array) -> Float64Array:
    """The size of a product, infinite where one of its factors is 1 or -1, so that nothing is rounded."""
    return np.where((a == 0.0) | (b == 0.0), np.inf, a + b)
