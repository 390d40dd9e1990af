"""Infinities, and NaN, that an overflowing intermediate of a sound evaluation explains.

The intermediates are the difference of two logits, the sum of the terms or losses, the sum of the weights, and products
of factors of a derivative. Where the terms have both signs either infinity, or NaN, may come of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.model.quantities import Quantity
from conformance.numerics.formats import FORMATS, Float64Array
from conformance.oracle.truth import Truth

__all__ = ["overflown", "stress"]

Booleans = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.intp]


def overflown(
    truth: Truth,
    quantity: Quantity,
    reduction: str,
    observed: Float64Array,
    exact: Float64Array,
    counts: Integers,
    largest: float,
    *,
    stored_only: bool,
) -> Booleans:
    """Where ``observed`` is what an intermediate beyond ``largest`` makes of ``exact``; both are flat.

    That is finite, unless terms of both signs exceed it: then either infinity, or NaN, may come of a loss that is
    infinite, too. ``counts`` are the elements of each problem. With ``stored_only`` the intermediate is what the first
    of two functions gives, and no other.
    """
    stressed, mixed = stress(truth, reduction, largest)
    if truth.block.operation == "log_loss" and quantity != "value":
        stressed = stressed | _reciprocals_exceed(truth, largest)
    if quantity == "target_gradient":
        stressed = stressed | _products_exceed(truth, reduction, largest)
    if stored_only:
        stressed = _stored_exceed(truth)
    stressed, mixed = np.repeat(stressed, counts), np.repeat(mixed, counts)
    signed = np.isinf(observed) & (mixed | (np.sign(observed) == np.sign(exact)))
    found = np.asarray(stressed & np.isfinite(exact) & (signed | (mixed & np.isnan(observed))))
    if quantity == "value" and truth.block.reduces and not stored_only:
        found |= _sums_of_both_signs_exceed(truth, reduction, largest) & ~np.isnan(exact) & ~np.isfinite(observed)
    return found


def stress(truth: Truth, reduction: str, largest: float) -> tuple[Booleans, Booleans]:
    """Problems whose intermediates may exceed ``largest``, and those whose terms have both signs, (n,)."""
    block, gap = truth.block, _gap(truth)
    stressed, mixed = (gap > largest) | _stored_exceed(truth), np.zeros(len(gap), dtype=np.bool_)
    if block.reduces:
        above, below = _terms(truth)
        positive, negative = block.total(above), block.total(below)
        weights = block.total(np.abs(block.target_weight)) if block.by_index else block.counts
        stressed |= block.largest(above + below) * 1.01 > largest
        stressed |= (reduction != "none") & (((positive + negative) * 1.01 > largest) | (weights > largest))
        mixed = (positive > 0) & (negative > 0)
    return stressed, mixed


def _sums_of_both_signs_exceed(truth: Truth, reduction: str, largest: float) -> Booleans:
    """Losses whose terms of both signs together may exceed ``largest``, or those of one, beside infinite ones, flat."""
    (above, below), loss = _terms(truth), np.where(_has_infinite_terms(truth), truth.fast.loss.mid, 0.0)
    up, down = np.isposinf(loss).astype(np.float64), np.isneginf(loss).astype(np.float64)
    if reduction != "none":
        above, below, up, down = map(truth.block.total, (above, below, up, down))
    both = (above > 0) & (below > 0) & ((above + below) * 1.01 > largest)
    return np.asarray(both | ((up > 0) & (below * 1.01 > largest)) | ((down > 0) & (above * 1.01 > largest)))


def _has_infinite_terms(truth: Truth) -> Booleans:
    """Rows with a class that has a part in the loss and an infinite logarithm, (P,); others only exceed float64."""
    block, fast = truth.block, truth.fast
    infinite = np.isinf(fast.n)
    if fast.a.dense is None:
        return np.asarray(infinite[np.arange(len(infinite)), block.targets])
    return np.asarray((infinite & (fast.a.dense != 0.0)).any(axis=1))


def _terms(truth: Truth) -> tuple[Float64Array, Float64Array]:
    """The sums of the positive and of the negative finite terms of each loss, as magnitudes, (P,)."""
    block, fast = truth.block, truth.fast
    if block.operation == "nll_loss" or fast.a.dense is None:
        loss = np.where(np.isnan(fast.loss.mid) | _has_infinite_terms(truth), 0.0, fast.loss.mid)
        return np.maximum(loss, 0.0), np.maximum(-loss, 0.0)
    n = np.where(np.isfinite(fast.n), fast.n, 0.0)
    terms = np.where(np.isfinite(fast.a.dense), fast.a.dense, 0.0) * n
    above, below = np.maximum(terms, 0.0).sum(axis=1), np.maximum(-terms, 0.0).sum(axis=1)
    if block.by_index:
        labelled = np.where(np.isfinite(fast.a.spike), fast.a.spike, 0.0) * n[np.arange(len(n)), block.targets]
        above, below = above + np.maximum(labelled, 0.0), below + np.maximum(-labelled, 0.0)
    return above, below


def _gap(truth: Truth) -> Float64Array:
    """The greatest difference of two finite logits of a position, (n,); infinite where it exceeds float64."""
    block = truth.block
    if block.operation == "log_loss":  # in which nothing is subtracted
        return np.zeros(len(block.counts))
    d = np.where(np.isfinite(block.x), truth.fast.positions.d, 0.0).max(axis=1, initial=0.0)
    gap = np.zeros(len(block.counts))
    np.maximum.at(gap, block.problem_of_row, d)
    return gap


def _stored_exceed(truth: Truth) -> Booleans:
    """Problems of two functions whose log-probabilities, as the first one stores them, may be infinite, (n,)."""
    block = truth.block
    if block.operation != "nll_loss_of_log_softmax":
        return np.zeros(len(block.counts), dtype=np.bool_)
    exceeding = _gap(truth) + truth.fast.positions.log_s.max(initial=0.0) > FORMATS[block.dtype].largest
    return np.asarray(exceeding)


def _products_exceed(truth: Truth, reduction: str, largest: float) -> Booleans:
    """Problems where a partial product of s, w_c and −ln p_c may exceed ``largest``, (n,)."""
    block, fast = truth.block, truth.fast
    n = np.where(np.isfinite(fast.n), np.abs(fast.n), 0.0).max(axis=1, initial=1.0)
    peak = n * np.maximum(np.abs(fast.scale(reduction).mid), 1.0)
    if block.weight is not None:
        peak = peak * np.maximum(np.abs(block.weight).max(axis=1, initial=1.0), 1.0)[block.problem_of_row]
    worst = np.zeros(len(block.counts))
    np.maximum.at(worst, block.problem_of_row, peak)
    return worst > largest


def _reciprocals_exceed(truth: Truth, largest: float) -> Booleans:
    """Problems where 1/p, its square or s·a may exceed ``largest`` in a class that has a part in the loss, (n,)."""
    of = truth.fast.predictions
    steep = np.where(of.coefficients != 0.0, 1.0 / np.minimum(np.abs(of.q), 1.0), 0.0).max(axis=1, initial=0.0)
    return truth.block.largest(steep * steep) > largest
