"""Predicted probabilities, as the policies have them, and the loss of them with its derivatives: the first tier.

``log_loss`` is Σ a_c·(−ln p_c). Implementations may divide p by its sum and clip it, in one order or the other; with
q what the clip is given, m_c = 1 where it leaves q_c as it is and 0 elsewhere, S the sum, and per position and class:

- p alone, clipped: −a_c·m_c/q_c; by a second derivative in direction t: a_c·m_c·t_c/q_c²;
- q = p/S, then clipped: (B − a_c·m_c/q_c)/S with B = Σ a_j·m_j, and a_c·m_c·t_c/p_c² − B·Σt/S²;
- p clipped to q, then divided by its sum S: m_c(A/S − a_c/q_c), and m_c(a_c·t_c/q_c² − A·Σ m_j·t_j/S²), A = Σ a_j.

A coefficient that is 0 contributes nothing to a derivative, whatever p_c is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from conformance.model.policies import Policies, for_operation, number_given
from conformance.numerics.formats import FORMATS, DtypeName, Float64Array, nearest
from conformance.oracle.block import Block
from conformance.oracle.coefficients import Coefficients
from conformance.oracle.elementary import LOG_ERROR, TINY, U, log
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.infinities import zero_times_infinity

__all__ = ["Clip", "Predictions", "clip_of", "normalisation_of"]

SLACK = 1.0 + 2.0**-20
INF = np.inf


@dataclass(frozen=True)
class Clip:
    """The ends between which predictions are kept; by default they stay what they are."""

    low: float = -INF
    high: float = INF

    def __bool__(self) -> bool:
        return self != Clip()


def clip_of(policies: Policies, dtype: DtypeName) -> Clip:
    """The clip of a dtype under ``policies``: the ends are the nearest numbers of that dtype."""
    declared = policies.probability_clipping
    if isinstance(declared, dict):
        declared = declared.get(dtype, declared.get("all", "none"))
    least = 2.0 * FORMATS[dtype].unit_roundoff if declared == "eps-of-dtype" else number_given(declared)
    if least is None:
        return Clip()
    both = policies.clipped_ends == "both"
    return Clip(nearest(least, dtype), nearest(1.0 - least, dtype) if both else INF)


def normalisation_of(policies: Policies, block: Block) -> str:
    """What is done to predictions that do not sum to 1: ``exact``, ``normalised`` or ``clipped-and-normalised``."""
    return for_operation(policies.unnormalised_predictions, str(block.problems[0].target_kind), "exact")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Rows of predicted probabilities, (P, C), with those that the logarithm is taken of."""

    block: Block
    policies: Policies

    @cached_property
    def a(self) -> Coefficients:
        """What each class's −ln p is multiplied by."""
        return Coefficients(self.block, self.policies)

    @cached_property
    def clip(self) -> Clip:
        """The ends of the clip."""
        return clip_of(self.policies, self.block.dtype)

    @cached_property
    def normalisation(self) -> str:
        """What is done to predictions that do not sum to 1."""
        return normalisation_of(self.policies, self.block)

    @cached_property
    def given(self) -> Float64Array:
        """p as the implementation reads it: 0 in place of subnormal numbers where the policy flushes these."""
        p, dtype = self.block.x, self.block.dtype
        if for_operation(self.policies.subnormal_results, dtype, "kept") == "kept":
            return p
        return np.where(np.abs(p) < FORMATS[dtype].least_normal, 0.0, p)

    @cached_property
    def q(self) -> Float64Array:
        """What the clip is given, or in ``clipped-and-normalised`` what comes of it, before the division."""
        if self.normalisation == "normalised":
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                return np.asarray(self.given / self.total)
        return self._clipped(self.given) if self.normalisation == "clipped-and-normalised" else self.given

    @cached_property
    def total(self) -> Float64Array:
        """S, (P, 1); 1 where nothing is divided by."""
        if self.normalisation == "exact":
            return np.ones((len(self.block.x), 1))
        whole = self.given if self.normalisation == "normalised" else self._clipped(self.given)
        with np.errstate(invalid="ignore"):
            return np.asarray(whole.sum(axis=1, keepdims=True))

    @cached_property
    def relative(self) -> Float64Array:
        """The relative error of S, and of its quotients, (P, 1); 0 where nothing is divided by."""
        if self.normalisation == "exact":
            return np.zeros((len(self.block.x), 1))
        whole = self.given if self.normalisation == "normalised" else self.q
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.abs(whole).sum(axis=1, keepdims=True) / np.abs(self.total)
        return np.asarray((self.block.classes * size + 2.0) * U * SLACK)

    @cached_property
    def predicted(self) -> Float64Array:
        """That which the logarithm is taken of, (P, C)."""
        if self.normalisation == "clipped-and-normalised":
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                return np.asarray(self.q / self.total)
        return self._clipped(self.q)

    def _clipped(self, values: Float64Array) -> Float64Array:
        return np.clip(values, self.clip.low, self.clip.high) if self.clip else values

    @cached_property
    def passes(self) -> npt.NDArray[np.bool_]:
        """m_c: whether the clip leaves a class as it is, (P, C)."""
        values = self.given if self.normalisation == "clipped-and-normalised" else self.q
        return ~((values < self.clip.low) | (values > self.clip.high))

    @cached_property
    def at_an_end(self) -> npt.NDArray[np.bool_]:
        """Rows whose loss has no derivative, since a class that has a part in it lies at an end of the clip, (P,).

        A quotient may round to either side of it. Nor has it a sign at −0, whose reciprocal is −inf.
        """
        minus_zero = (self.block.x == 0.0) & np.signbit(self.block.x) & (self.coefficients != 0.0)
        if not self.clip:
            return np.asarray(minus_zero.any(axis=1))
        values = self.given if self.normalisation == "clipped-and-normalised" else self.q
        near = (self.block.classes + 4) * FORMATS[self.block.dtype].unit_roundoff
        near = near if self.normalisation == "normalised" else 0.0
        with np.errstate(invalid="ignore"):
            here = np.abs(values - self.clip.low) <= near * abs(self.clip.low)
            here |= np.abs(values - self.clip.high) <= near * abs(self.clip.high)
        matters = self.coefficients != 0.0 if self.normalisation == "exact" else np.ones_like(here)
        return np.asarray((here & matters | minus_zero).any(axis=1))

    @cached_property
    def n(self) -> Float64Array:
        """−ln p, (P, C): +inf at 0, negative beyond 1, NaN for negative numbers."""
        return -log(self.predicted)

    @cached_property
    def error(self) -> Float64Array:
        """How far ``n`` may be off, (P, C)."""
        with np.errstate(invalid="ignore"):
            own = LOG_ERROR * np.where(np.isfinite(self.n), np.abs(self.n), 0.0)
            moved = np.where(self.relative < 0.125, self.relative * 1.25, INF)
        return np.asarray(own if self.normalisation == "exact" else own + moved)

    # -- the loss and its derivatives ---------------------------------------------------------------------------------

    @cached_property
    def coefficients(self) -> Float64Array:
        """a_c, (P, C)."""
        return self._with_spike(self.a.spike if self.block.by_index else None, self.a.dense)

    @cached_property
    def sizes(self) -> Float64Array:
        """What the errors of the coefficients are relative to, (P, C), at most 6u of it."""
        return self._with_spike(np.abs(self.a.spike) if self.block.by_index else None, self.a.dense_magnitude)

    def _with_spike(self, spike: Float64Array | None, dense: Float64Array | None) -> Float64Array:
        result = np.zeros_like(self.block.x) if dense is None else dense.copy()
        if spike is not None:
            result[np.arange(len(result)), self.block.targets] += spike
        return result

    def loss(self) -> Enclosure:
        """ℓ of every row, (P,), ignored ones as others."""
        block, rows = self.block, np.arange(len(self.block.x))
        mid, rad = np.zeros(len(rows)), np.zeros(len(rows))
        with np.errstate(invalid="ignore", over="ignore"):
            if self.a.dense is None:
                spike, y = self.a.spike, block.targets
                mid = zero_times_infinity(spike, self.n[rows, y], self.policies)
                rad = np.abs(spike) * self.error[rows, y] + 4 * U * np.abs(mid)
            else:  # the label's own share is one with that of its class: of it alone nothing is infinite
                size = self.sizes
                terms = zero_times_infinity(self.coefficients, self.n, self.policies)
                finite = np.where(np.isfinite(self.n), np.abs(self.n), 0.0)
                error = size * (self.error + (block.classes + 10) * U * finite)
                rad = np.where(size == 0.0, 0.0, error).sum(axis=1)
                mid = terms.sum(axis=1)
        return Enclosure.of(mid, SLACK * rad + block.classes * TINY)

    def slope(self) -> tuple[Float64Array, Float64Array]:
        """∂ℓ/∂p_c, (P, C), and its radius."""
        a, size = self.coefficients, self.sizes
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            own = _unless_zero(-a * self.passes, self.q)
            own_size = np.abs(_unless_zero(size * self.passes, self.q))
            if self.normalisation == "exact":
                return own, SLACK * 8 * U * own_size
            growth = SLACK * (2.0 * self.relative + (self.block.classes + 12) * U)
            if self.normalisation == "normalised":
                mid = (self._mass(self.passes) + own) / self.total
                return mid, growth * (self._size(self.passes) + own_size) / np.abs(self.total)
            mid = self.passes * (self._mass() / self.total + own)
            return mid, growth * self.passes * (self._size() / np.abs(self.total) + own_size)

    def bend(self, tangent: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The derivative of :meth:`slope` in the direction ``tangent``, (P, C), and its radius."""
        a, size, t = self.coefficients, self.sizes, tangent
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            p = self.given if self.normalisation == "normalised" else self.q
            own = _unless_zero(_unless_zero(a * self.passes, p) * t, p)
            own_size = np.abs(_unless_zero(_unless_zero(size * self.passes, p) * np.abs(t), p))
            growth = SLACK * (4.0 * self.relative + (2 * self.block.classes + 16) * U)
            if self.normalisation == "exact":
                return own, SLACK * 12 * U * own_size
            passes = self.passes if self.normalisation == "clipped-and-normalised" else np.ones_like(self.passes)
            mass = self._mass() if self.normalisation == "clipped-and-normalised" else self._mass(self.passes)
            whole = self._size() if self.normalisation == "clipped-and-normalised" else self._size(self.passes)
            square = self.total * self.total
            mid = passes * (own - mass * (passes * t).sum(axis=1, keepdims=True) / square)
            shared = whole * (passes * np.abs(t)).sum(axis=1, keepdims=True) / square
            return mid, growth * passes * (own_size + shared)

    def _mass(self, of: npt.NDArray[np.bool_] | float = 1.0) -> Float64Array:
        return np.asarray((self.coefficients * of).sum(axis=1, keepdims=True))

    def _size(self, of: npt.NDArray[np.bool_] | float = 1.0) -> Float64Array:
        return np.asarray((self.sizes * of).sum(axis=1, keepdims=True))


def _unless_zero(a: Float64Array, p: Float64Array) -> Float64Array:
    """a/p, elementwise, and 0 where ``a`` is 0."""
    return np.where(a == 0.0, 0.0, a / p)
