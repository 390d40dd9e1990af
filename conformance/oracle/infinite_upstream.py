"""Gradients by an infinite upstream gradient: no number, but infinities, NaN and 0, which a policy decides between."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.numerics.formats import Float64Array
from conformance.oracle.block import Block
from conformance.oracle.enclosure import Enclosure

__all__ = ["chained", "infinite_rows", "product"]


def infinite_rows(block: Block, reduction: str) -> npt.NDArray[np.bool_]:
    """The rows whose loss has an infinite upstream gradient, (P,)."""
    return np.isinf(_rows(block, reduction)) & ~block.ignored


def product(gradient: Enclosure, block: Block, reduction: str, fast: Enclosure) -> Enclosure:
    """``gradient``, (P, C), where these rows are as the first tier's ``fast``: the product with each derivative.

    Balls do not say whether an infinity times a number that may be 0 is NaN.
    """
    return _replaced(gradient, infinite_rows(block, reduction), fast.mid)


def chained(gradient: Enclosure, block: Block, reduction: str) -> Enclosure:
    """``gradient``, (P, C), with the rows of an infinite upstream gradient as a chain of functions gives them.

    The losses pass g = -v w_y back to the label's log-probability and 0 to the others, or -v w q to all for class
    probabilities q; log_softmax makes g - p sum(g) of it, which is NaN where two infinities meet. By the product of v
    with each derivative, p - q of a label is infinite, and each other log-probability's 0 gives NaN.
    """
    rows = _rows(block, reduction)
    with np.errstate(all="ignore"):
        passed = _passed(block, rows)
        if block.operation == "log_loss":
            passed = np.where(passed == 0.0, 0.0, passed / block.x)
        elif block.operation != "nll_loss":
            p = np.exp(block.x - block.x.max(axis=1, keepdims=True))
            passed = passed - p / p.sum(axis=1, keepdims=True) * passed.sum(axis=1, keepdims=True)
    return _replaced(gradient, infinite_rows(block, reduction), passed)


def _replaced(gradient: Enclosure, rows: npt.NDArray[np.bool_], values: Float64Array) -> Enclosure:
    """``gradient`` with those of ``values`` that are 0 or not finite, in some rows."""
    for special in (np.nan, np.inf, -np.inf, 0.0):
        same = np.isnan(values) if np.isnan(special) else values == special
        gradient = gradient.where(rows[:, None] & same, special)
    return gradient


def _rows(block: Block, reduction: str) -> Float64Array:
    """The upstream gradient of each row's loss; of a mean, as far as it is infinite."""
    if not block.reduces:
        return np.zeros(len(block.x))
    upstream = block.upstream(reduction)
    return upstream if reduction == "none" else upstream[block.problem_of_row]


def _passed(block: Block, rows: Float64Array) -> Float64Array:
    """What the loss passes back to each log-probability, (P, C)."""
    if not block.by_index or block.smoothing is not None:
        weight = 1.0 if block.weight is None else block.weight[block.problem_of_row]
        smoothing = 0.0 if block.smoothing is None else block.smoothing[block.problem_of_row][:, None]
        smoothed = (1.0 - smoothing) * block.shares + smoothing / block.classes
        return np.asarray(-rows[:, None] * (weight * smoothed))
    passed = np.zeros(block.x.shape)
    passed[np.arange(len(passed)), block.targets] = -rows * block.target_weight
    return passed
