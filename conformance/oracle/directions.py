"""The first tier of the transforms: derivatives in a direction and by the targets, in float64.

With p = softmax, t the direction, m = Σ p_j t_j and the coefficients a_c of the loss, A their sum, per position:

- softmax in direction t: p_c(t_c − m); log_softmax: t_c − m; nll_loss: −w_y t_y; cross_entropy: A·m − Σ a_c t_c;
- the gradient s(A·p_c − a_c) of cross_entropy in direction t: s·A·p_c(t_c − m); that of log_softmax, v_c − p_c·Σv:
  −p_c(t_c − m)·Σv; that of softmax, p_c(v_c − μ) with μ = Σ p_j v_j: p_c((t_c − m)(v_c − μ) − Σ p_j(t_j − m)(v_j − μ));
- of log_loss, whose probabilities are given, predictions.py says the same;
- the gradient of cross_entropy with respect to a class probability q_c: s·f_c·(−ln p_c), where f_c = ∂a_c/∂q_c is
  w_c(1 − ε), and w_c(1 − ε) − ε·w_c/(C−1) where smoothing spares the labelled class.

Radii are those of the monomials: a few roundings of 2^-53, and the proven error of p.
"""

from __future__ import annotations

import numpy as np

from conformance.numerics.formats import Float64Array
from conformance.numerics.sized import Sized
from conformance.oracle.elementary import TINY, U
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.fast import FastGradients
from conformance.oracle.infinities import zero_times_infinity

__all__ = ["FastTruth"]

#: Roundings of one monomial beside those of the sums over the classes.
FEW = 16


class _Position:
    """p, the direction and its mean, each with the magnitudes of its monomials and their errors."""

    def __init__(self, truth: FastGradients) -> None:
        at, self.t = truth.positions, truth.block.tangent
        self.p = at.p
        self.growth = (truth.block.classes + FEW) * U
        self.sized_p = Sized(at.p, at.p_error * at.p + 2 * TINY)
        self.sized_t = Sized.exact(self.t)
        self.mean, self.sized_mean = self.average(self.t)

    def average(self, values: Float64Array) -> tuple[Float64Array, Sized]:
        """Σ p_j·values_j, (P, 1)."""
        mid = (self.p * values).sum(axis=1, keepdims=True)
        return mid, (self.sized_p * Sized.exact(values)).total().rounded(self.growth)


def _enclosed(mid: Float64Array, sized: Sized, growth: float) -> Enclosure:
    return Enclosure.of(mid, sized.rounded(growth).error * (1.0 + 2.0**-20) + TINY)


def _jvp_rows(truth: FastGradients) -> Enclosure:
    """The derivative of every row's own result in the direction of its problem: (P, C), or (P,) for a loss."""
    if truth.block.operation == "log_loss":
        return _log_loss_jvp(truth)
    at, operation = _Position(truth), truth.block.operation
    gap, size = at.t - at.mean, at.sized_t + at.sized_mean
    if operation == "log_softmax":
        return _enclosed(gap, size, at.growth)
    if operation == "softmax":
        return _enclosed(at.p * gap, at.sized_p * size, at.growth)
    rows = np.arange(len(at.t))
    if operation == "nll_loss":
        mid = -truth.a.spike * at.t[rows, truth.block.targets]
        return Enclosure.of(mid, 2 * U * np.abs(mid) + TINY).where(truth.block.ignored, 0.0)
    mid, sized = np.zeros_like(at.mean), Sized.exact(np.zeros_like(at.mean))
    if truth.block.by_index:
        y = truth.block.targets[:, None]
        spike = truth.a.spike[:, None]
        mid = spike * (at.mean - np.take_along_axis(at.t, y, 1))
        at_target = Sized.exact(np.take_along_axis(at.t, y, 1)) + at.sized_mean
        sized = Sized.exact(spike) * at_target
    if truth.a.dense is not None:
        assert truth.a.dense_magnitude is not None
        mass = truth.a.mass[:, None]
        mid = mid + (mass * at.mean - (truth.a.dense * at.t).sum(axis=1, keepdims=True))
        coefficients = Sized(truth.a.dense_magnitude, 4 * U * truth.a.dense_magnitude)
        whole = coefficients.total() + Sized.exact(mass)  # a policy's mass may exceed that of the coefficients
        sized = sized + whole * at.sized_mean + (coefficients * at.sized_t).total()
    result = _enclosed(mid[:, 0], Sized(sized.size[:, 0], sized.error[:, 0]), 2 * at.growth)
    special = truth.positions.special & ~truth.block.ignored
    return result.where(truth.block.ignored, 0.0).where(special, np.nan)


def _hvp(truth: FastGradients, reduction: str) -> Enclosure:
    """The gradient's derivative in the direction, (P, C), for the problems' own upstream gradients."""
    if truth.block.operation == "log_loss":
        return truth.scaled(*truth.predictions.bend(truth.block.tangent), truth.scale(reduction))
    at, block = _Position(truth), truth.block
    gap, size = at.t - at.mean, at.sized_t + at.sized_mean
    if block.operation == "softmax":
        v = block.upstream("none")
        centre, sized_centre = at.average(v)
        other, sized_other = v - centre, Sized.exact(v) + sized_centre
        products = gap * other
        sized = size * sized_other
        spread = (at.p * products).sum(axis=1, keepdims=True)
        sized_spread = (at.sized_p * sized).total().rounded(at.growth)
        mid = at.p * (products - spread)
        return _special(truth, _enclosed(mid, at.sized_p * (sized + sized_spread), at.growth))
    if block.operation == "log_softmax":
        v = block.upstream("none")
        mass = -v.sum(axis=1, keepdims=True)
        sized_mass = Sized.exact(v).total().rounded(at.growth)
    else:
        mass, sized_mass = _mass(truth)
        scale = truth.scale(reduction)
        mass = mass * scale.mid[:, None]
        sized_mass = sized_mass * Sized(np.abs(scale.mid)[:, None], scale.rad[:, None])
    with np.errstate(invalid="ignore", over="ignore"):
        result = _enclosed(mass * at.p * gap, sized_mass * at.sized_p * size, 2 * at.growth)
    ignored = np.broadcast_to(block.ignored[:, None], gap.shape) if block.reduces else np.zeros(gap.shape, np.bool_)
    return _special(truth, result).where(ignored, 0.0)


def _target_gradient(truth: FastGradients, reduction: str) -> Enclosure:
    """The gradient with respect to the class probabilities, (P, C), for the problems' own upstream gradients."""
    scale, n = truth.scale(reduction), truth.n
    given = truth.block.operation == "log_loss"
    with np.errstate(invalid="ignore", over="ignore"):
        factor = scale.mid[:, None] * truth.a.target_factor
        mid = zero_times_infinity(factor, n, truth.policies)
        reach = np.where(np.isfinite(n), np.abs(n), 0.0)
        off = truth.predictions.error if given else truth.positions.n_error * reach
        rad = np.abs(factor) * (off + FEW * U * reach) + scale.rad[:, None] * np.abs(truth.a.target_factor) * reach
    result = Enclosure.of(mid, rad * (1.0 + 2.0**-20) + TINY * truth.block.classes)
    return result if given else _special(truth, result)


def _log_loss_jvp(truth: FastGradients) -> Enclosure:
    """Σ t_c·∂ℓ/∂p_c of every row, (P,)."""
    (slope, radius), t = truth.predictions.slope(), truth.block.tangent
    with np.errstate(invalid="ignore", over="ignore"):
        terms = np.where(slope == 0.0, 0.0, slope * t)
        rad = (radius * np.abs(t) + (truth.block.classes + FEW) * U * np.abs(terms)).sum(axis=1)
        result = Enclosure.of(terms.sum(axis=1), rad * (1.0 + 2.0**-20) + TINY)
    return result.where(truth.block.ignored, 0.0)


def _mass(truth: FastGradients) -> tuple[Float64Array, Sized]:
    """A of every row, (P, 1)."""
    mass = truth.a.spike[:, None] if truth.block.by_index else np.zeros((len(truth.block.x), 1))
    sized = Sized(np.abs(mass), 2 * U * np.abs(mass))
    if truth.a.dense is not None:
        assert truth.a.dense_magnitude is not None
        by_policy = truth.a.mass[:, None] if not truth.block.by_index else truth.a.dense.sum(axis=1, keepdims=True)
        mass = mass + by_policy
        magnitude = Sized(truth.a.dense_magnitude, 4 * U * truth.a.dense_magnitude)
        sized = sized + magnitude.total() + Sized.exact(by_policy)
        sized = sized.rounded((truth.block.classes + FEW) * U)
    return mass, sized


def _special(truth: FastGradients, result: Enclosure) -> Enclosure:
    special = truth.positions.special
    return result.where(np.broadcast_to(special[:, None], result.mid.shape), np.nan)


class FastTruth(FastGradients):
    """With the derivatives in a direction, and those by the targets."""

    def jvp(self, reduction: str) -> Enclosure:
        """The derivative of :meth:`value` in the problems' directions, in its shape."""
        rows = _jvp_rows(self)
        return self.reduced(rows, reduction) if self.block.reduces else rows

    def hvp(self, reduction: str) -> Enclosure:
        """The derivative of :meth:`gradient` in the problems' directions, (P, C)."""
        return _hvp(self, reduction)

    def target_gradient(self, reduction: str) -> Enclosure:
        """The gradient with respect to the class probabilities, (P, C)."""
        return _target_gradient(self, reduction)
