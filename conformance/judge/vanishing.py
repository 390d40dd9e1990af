"""Infinite results of which a sound evaluation may leave nothing, since a factor of theirs underflows.

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

__all__ = ["vanishing_rows"]


def vanishing_rows(truth: Truth, quantity: Quantity, reduction: str) -> npt.NDArray[np.bool_]:
    """Rows of a loss with an impossible class, of which a product of factors may underflow, (P,)."""
    block, fast = truth.block, truth.fast
    if block.operation == "log_loss":
        impossible = fast.predictions.predicted == 0.0
    else:
        impossible = np.isneginf(block.x) if block.operation == "nll_loss" else np.isposinf(fast.positions.n)
    least = FORMATS[block.dtype].least_normal
    found = np.zeros(impossible.shape, dtype=np.bool_)
    for product in _products(truth, quantity, reduction):
        size = np.abs(product)
        found |= (size > 0.0) & (size < least)
    return np.asarray((found & impossible).any(axis=1))


def _products(truth: Truth, quantity: Quantity, reduction: str) -> Iterator[Float64Array]:
    """What the infinity of a class is multiplied by in the loss and its derivatives, each of a shape like (P, C)."""
    block, fast = truth.block, truth.fast
    coefficients, weight = fast.predictions.coefficients, fast.a.class_weight
    if weight is not None or block.smoothing is not None:
        yield coefficients
    if quantity == "value":
        return
    given = block.upstream(reduction)
    given = (given if reduction == "none" else given[block.problem_of_row])[:, None]
    scale = fast.scale(reduction).mid[:, None]
    parts = [coefficients, block.shares] if weight is None else [coefficients, block.shares, weight]
    if reduction == "mean":
        yield scale
    factors = [_product(each, part) for each in (given, scale) for part in parts]
    yield from factors
    if any(each.tangent is not None for each in block.problems):
        ones = (np.ones(each.logits.shape) if each.tangent is None else each.tangent for each in block.problems)
        direction = block.rows(ones)
        yield from (_product(direction, part) for part in (*parts, *factors))


def _product(a: Float64Array, b: Float64Array) -> Float64Array:
    """Their product, infinite where one of them is 1 or -1, so that nothing is rounded."""
    return np.where((np.abs(a) == 1.0) | (np.abs(b) == 1.0), np.inf, a * b)
