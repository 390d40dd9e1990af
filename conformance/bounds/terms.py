"""How far the logarithm of the sum, a log-probability and a probability may be off, before anything is stored.

Notation of docs/bounds.md: u unit roundoff of the intermediates, d_c = max x − x_c, s = Σ exp(−d_c), L = ln s,
p = softmax, n_c = −ln p_c = d_c + L. Each line is an inequality, not a first-order estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from conformance.bounds.classes import Arithmetic
from conformance.numerics.formats import Float64Array
from conformance.oracle.positions import Positions

__all__ = ["Logarithms", "TermBounds", "finite"]

#: d·u ≤ 745·2^-24 wherever exp(−d) is not lost to underflow in float32 or wider, so expm1(d·u) ≤ d·u·WEIGHT there.
WEIGHT = 1.0 + 2.0**-14
#: Where the exponential of the magnitudes was cut to zero but float64 still holds it.
DEEPEST = 760.0


class Logarithms(Protocol):
    """Bounds on the logarithms of probabilities, (P, C): of their size, what roundings are relative to, the error."""

    @property
    def n(self) -> Float64Array:
        """|ln p_c|, 0 where it is infinite."""

    @property
    def reach(self) -> Float64Array:
        """What the roundings of ln p_c are relative to."""

    @property
    def term(self) -> Float64Array:
        """|Δ ln p_c|."""


@dataclass(frozen=True, eq=False)
class TermBounds:
    """Bounds by position (P,) and by class (P, C), for rows of logits in ``arithmetic``.

    Infinity means that nothing is promised. Special rows (NaN, +inf, nothing above −inf) get bounds of no meaning.
    """

    positions: Positions
    arithmetic: Arithmetic
    flushed: bool

    # -- magnitudes ---------------------------------------------------------------------------------------------------

    @cached_property
    def d(self) -> Float64Array:
        """max x − x_c, 0 where it is infinite: such a term is exactly absent."""
        return finite(self.positions.d)

    @cached_property
    def n(self) -> Float64Array:
        """−ln p_c, 0 where it is infinite: such results are special."""
        return finite(self.positions.n)

    @cached_property
    def p(self) -> Float64Array:
        """Softmax; float64 holds probabilities below the cutoff of the first tier, so they are filled in."""
        p, compute = self.positions.p, self.arithmetic.compute
        if compute.name != "float64":
            return p
        deep = (p == 0.0) & (self.positions.d < DEEPEST)
        return np.where(deep, np.exp(-self.n), p) if deep.any() else p

    @cached_property
    def reach(self) -> Float64Array:
        """What the roundings of −ln p_c are relative to: itself, or |lse| + |x_c| where the two are subtracted."""
        if self.arithmetic.shifted:
            return self.n
        x = np.abs(finite(self.positions.x))
        return np.asarray(self.positions.magnitude[:, None] + x)

    # -- the sum ------------------------------------------------------------------------------------------------------

    @cached_property
    def sum_error(self) -> Float64Array:
        """κu, (P,): the computed sum is s·(1 + δ) with 1 − κu ≤ 1 + δ ≤ 1/(1 − κu)."""
        kind, at = self.arithmetic, self.positions
        classes = at.x.shape[1]
        roundings = kind.k_exp + kind.height(classes)
        if kind.climb and classes > 1:
            roundings = roundings + kind.climb * at.climbs
        return np.asarray(self._arguments + kind.u * roundings + self._lost + self._denormal_inputs)

    @cached_property
    def _arguments(self) -> Float64Array:
        """Σ p_c·(exp(u·d_c) − 1): the rounded differences, each weighted by what it contributes."""
        at, u = self.positions, self.arithmetic.u
        if not self.arithmetic.compute.is_half:
            return u * WEIGHT * at.spread
        return np.asarray((at.p * np.expm1(np.minimum(self.d, DEEPEST) * u)).sum(axis=1))

    @cached_property
    def _lost(self) -> Float64Array:
        """Exponentials, and rescaled sums, that underflow, relative to s.

        Only those near or below the least normal number can. Flushed, they are lost whole; kept, none is off by more
        than k_e/2 times itself: what is deep below the range comes out as zero, whatever the spacing there.
        """
        at, kind = self.positions, self.arithmetic
        eta = kind.eta_exp(self.flushed)
        if kind.compute.name != "float16":  # too small to count one by one
            return 2.0 * at.x.shape[1] * eta / at.s
        small = at.e < 1.1 * kind.compute.least_normal
        most = at.e if self.flushed else np.minimum(eta, 0.5 * kind.k_exp * at.e)
        lost = np.where(small, most, 0.0).sum(axis=1)
        return np.asarray((lost + kind.eta_compute(False)) / at.s)

    @property
    def _denormal_inputs(self) -> float:
        """Where subnormals are flushed, so may be the logits and their difference."""
        return 2.0 * self.arithmetic.compute.least_normal if self.flushed else 0.0

    # -- logarithms and probabilities ---------------------------------------------------------------------------------

    @cached_property
    def log_error(self) -> Float64Array:
        """|ΔL|, (P,): what the sum's error makes of the logarithm, and the logarithm's own."""
        kind = self.arithmetic
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(self.sum_error < 1.0, -np.log1p(-self.sum_error), np.inf)
        k = kind.k_log * kind.u
        return np.asarray(shift * (1.0 + k) + k * self.positions.log_s)

    @cached_property
    def term(self) -> Float64Array:
        """|Δ ln p_c| as an intermediate, (P, C)."""
        u = self.arithmetic.u
        inner = u * self.d + self.log_error[:, None]
        if not self.arithmetic.shifted:
            inner = (1.0 + u) * (inner + u * self.reach)
        return (1.0 + u) * inner + u * self.n + self._denormal_inputs

    @cached_property
    def probability(self) -> Float64Array:
        """|Δp_c| as an intermediate, (P, C): by division, by the sum's reciprocal, or by exp(ln p_c)."""
        return self.probability_from(self.term)

    def probability_from(self, term: Float64Array) -> Float64Array:
        """The same where ln p_c is off by ``term``."""
        kind = self.arithmetic
        exponent = np.where(self.p > 0.0, term + (kind.k_exp + 2.0) * kind.u, 0.0)
        return self.p * np.expm1(exponent) + kind.eta_exp(self.flushed) + kind.eta_compute(self.flushed)


def finite(values: Float64Array) -> Float64Array:
    """``values``, of any shape, with 0 in place of NaN and infinities."""
    usable = np.isfinite(values)
    return values if usable.all() else np.where(usable, values, 0.0)
