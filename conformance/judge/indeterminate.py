"""Products of 0 and an infinity or NaN, in a sound evaluation, where the exact result says otherwise.

Where a class is impossible, −ln p and 1/p are infinite, and so is their product with any factor but 0. A factor that is
itself a product, such as that of an upstream gradient and a weight, may be evaluated to 0 where it is not, and 0 times
infinity is NaN, or nothing where classes without a share are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from conformance.model.quantities import Quantity
from conformance.numerics.formats import FORMATS, Float64Array
from conformance.oracle.truth import Truth

__all__ = ["undetermined", "vanishing_rows"]


def vanishing_rows(truth: Truth, quantity: Quantity, reduction: str) -> npt.NDArray[np.bool_]:
    """Rows of a loss with an impossible class, of which a product of factors may underflow, (P,)."""
    block, fast = truth.block, truth.fast
    if block.operation == "log_loss":
        impossible = fast.predictions.predicted == 0.0
    else:
        impossible = np.isneginf(block.x) if block.operation == "nll_loss" else np.isposinf(fast.positions.n)
    least = np.log2(FORMATS[block.dtype].least_normal)
    found = np.zeros(impossible.shape, dtype=np.bool_)
    for size in _products(truth, quantity, reduction):
        found |= np.isfinite(size) & (size < least)
    return np.asarray((found & impossible).any(axis=1))


def undetermined(truth: Truth, reduction: str) -> npt.NDArray[np.bool_]:
    """Elements of a loss's gradient, (P, C), that are 0 times NaN: NaN, or 0 where nothing is written to them.

    The gradient by a class that has no part in a loss is 0, whatever divides the mean: weights that sum to NaN.
    """
    nan = np.isnan(truth.fast.scale(reduction).mid) & ~truth.block.ignored
    if not nan.any():
        return np.zeros(truth.block.x.shape, dtype=np.bool_)
    return np.asarray(nan[:, None] & (truth.fast.unscaled()[0] == 0.0))


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
