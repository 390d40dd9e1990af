"""Infinite results of which a sound evaluation may leave nothing, since a factor of theirs underflows.

Where a class is impossible, −ln p and 1/p are infinite, and so is their product with any factor but 0. A factor that is
itself a product, such as that of an upstream gradient and a weight, may be evaluated to 0 where it is not, and 0 times
infinity is NaN, or nothing where classes without a share are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from conformance.numerics.formats import FORMATS, Float64Array
from conformance.oracle.truth import Truth

__all__ = ["vanishing_rows"]


def vanishing_rows(truth: Truth, reduction: str) -> npt.NDArray[np.bool_]:
    """Rows of a loss with an impossible class of which a factor is below the least normal number, (P,)."""
    block, fast = truth.block, truth.fast
    if block.operation == "log_loss":
        impossible = fast.predictions.predicted == 0.0
    else:
        impossible = np.isneginf(block.x) if block.operation == "nll_loss" else np.isposinf(fast.positions.n)
    least = FORMATS[block.dtype].least_normal
    found = np.zeros(impossible.shape, dtype=np.bool_)
    for factor in _factors(truth, reduction):
        size = np.abs(factor)
        found |= (size > 0.0) & (size < least)
    return np.asarray((found & impossible).any(axis=1))


def _factors(truth: Truth, reduction: str) -> Iterator[Float64Array]:
    """What the infinity of a class is multiplied by in the loss and its derivatives, in any order, each (P, C)."""
    block, fast = truth.block, truth.fast
    given = block.upstream(reduction)
    given = (given if reduction == "none" else given[block.problem_of_row])[:, None]
    coefficients, weight = fast.predictions.coefficients, fast.a.class_weight
    parts = [coefficients, block.shares, *([] if weight is None else [weight])]
    directions = [block.tangent] if block.problems[0].tangent is not None else []
    for scale in (given, fast.scale(reduction).mid[:, None]):
        for part in parts:
            yield part
            yield scale * part
            for direction in directions:
                yield part * direction
                yield scale * part * direction
