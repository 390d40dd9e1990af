"""How far a derivative in a direction may be off: of the value (forward mode), of the gradient (second order).

Every arrangement that automatic differentiation comes to computes the same monomials: coefficients, probabilities and
directions multiplied, each with its own error, and a few roundings. Their magnitudes and errors are carried along;
docs/bounds.md, section 14, derives the counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conformance.bounds.classes import gamma
from conformance.bounds.slopes import Bound, SlopeBounds
from conformance.numerics.formats import Float64Array
from conformance.numerics.sized import Sized

__all__ = ["DirectionBounds"]

#: Roundings of one monomial beside those of p, of the coefficients, of the sums and of the scale: products, one
#: difference, and what the derivative of a quotient adds. A second derivative has twice as many.
FORWARD, SECOND = 6.0, 12.0
#: Products of one monomial, each of which may underflow.
UNDERFLOWS = 6.0


@dataclass(frozen=True, eq=False)
class DirectionBounds:
    """Each method gives the error and the magnitude of the exact result in float64, as :class:`SlopeBounds` does.

    Both are (P, C), but of a loss in a direction (P,), with the number of its terms.
    """

    slopes: SlopeBounds

    @cached_property
    def t(self) -> Sized:
        """The direction, (P, C); flushed where it is subnormal and the format flushes."""
        values, terms = self.slopes.block.tangent, self.slopes.terms
        size = np.abs(values)
        lost = (size < terms.arithmetic.compute.least_normal) & terms.flushed
        return Sized(size, np.where(lost, size, 0.0))

    @cached_property
    def p(self) -> Sized:
        """The probabilities, from the logits or from what the forward pass stored, (P, C)."""
        return Sized(self.slopes.terms.p, self.slopes.probability_error)

    @cached_property
    def mean(self) -> Sized:
        """m = Σ p_j·t_j, (P, 1)."""
        return self._average(self.t)

    def _average(self, values: Sized) -> Sized:
        """Σ p_j·values_j as a sum of products, rounded once each; or as a quotient of sums."""
        return (self.p * values).total().rounded(self._growth(np.count_nonzero(values.size, axis=1), 3.0))

    def _growth(self, terms: Float64Array | np.typing.NDArray[np.intp], few: float) -> Float64Array:
        kind = self.slopes.terms.arithmetic
        return gamma((kind.height(terms) + few) * kind.u)[:, None]

    def _few(self, count: float) -> float:
        return float(gamma(count * self.slopes.u))

    @cached_property
    def _exact_mean(self) -> Float64Array:
        return np.asarray((self.p.size * self.slopes.block.tangent).sum(axis=1, keepdims=True))

    @cached_property
    def _gap(self) -> Float64Array:
        """|t_c − m|, (P, C)."""
        return np.abs(self.slopes.block.tangent - self._exact_mean)

    def _lost(self, *factors: Float64Array) -> Float64Array:
        """What underflow takes: it may strike any partial product, and all other factors then multiply it."""
        lost = np.full_like(self.p.size, UNDERFLOWS * (self.slopes.eta + self.slopes.eta_store))
        for factor in factors:
            lost = lost * (1.0 + factor)
        return lost

    @cached_property
    def _largest(self) -> Float64Array:
        return np.asarray(self.t.size.max(axis=1, keepdims=True, initial=0.0))

    # -- forward mode -------------------------------------------------------------------------------------------------

    def softmax_jvp(self) -> Bound:
        """p_c·(t_c − m)."""
        error = (self.p * (self.t + self.mean)).rounded(self._few(FORWARD)).error
        return error + self._lost(self._largest), self.p.size * self._gap

    def log_softmax_jvp(self) -> Bound:
        """t_c − m: the difference rounds once, whatever the terms are."""
        error = self.t.error + self.mean.error
        return error + self.slopes.u * (self._gap + error) + self._lost(self._largest), self._gap

    def nll_jvp_terms(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Of −w_y·t_y: errors, magnitudes, and how many terms there are, (P,) each."""
        block, a = self.slopes.block, self.slopes.coefficients
        size = np.where(block.ignored, 0.0, np.abs(block.target_weight * self._at_target(block.tangent)))
        error = size * self._few(2.0 + a.roundings)
        error = error + np.abs(block.target_weight) * self._at_target(self.t.error)
        error = error + self.slopes.eta * (1.0 + np.abs(block.target_weight))
        return np.where(block.ignored, 0.0, error), size, (size > 0.0).astype(np.float64)

    def _at_target(self, values: Float64Array) -> Float64Array:
        return np.asarray(values[np.arange(len(values)), self.slopes.block.targets])

    def loss_jvp_terms(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Of Σ a_c·(m − t_c), or A·m − Σ a_c·t_c, or Σ g_c·t_c: errors, magnitudes, number of terms, (P,) each."""
        block, a = self.slopes.block, self.slopes.coefficients
        coefficients = Sized(a.magnitude, self.slopes.coefficient_error)
        inner = self.t + self.mean
        if self.slopes.composed:  # the tangent of the log-probabilities is stored in between
            u = self.slopes.terms.arithmetic.u_store
            inner = Sized(inner.size, inner.error + u * (self._gap + inner.error) + self.slopes.eta_store)
        row = (coefficients * inner).total().rounded(self._growth(a.count, FORWARD))
        lost = self._lost(self._largest, a.size[:, None]).sum(axis=1)
        count = np.full(len(lost), block.classes + 1.0)
        ignored = block.ignored
        return np.where(ignored, 0.0, row.error[:, 0] + lost), np.where(ignored, 0.0, row.size[:, 0]), count

    # -- second order -------------------------------------------------------------------------------------------------

    def loss_hvp(self, scale: Float64Array, relative: Float64Array, inverse: Float64Array) -> Bound:
        """s·A·p_c·(t_c − m)."""
        a = self.slopes.coefficients
        mass = Sized(np.abs(a.mass)[:, None], self.slopes.mass_error)
        factor = Sized(scale, scale * relative) * mass
        error = (factor * self.p * (self.t + self.mean)).rounded(self._few(SECOND)).error
        error = error + self._lost(self._largest, a.size[:, None], scale) * inverse
        exact = factor.size * self.p.size * self._gap
        return np.where(self.slopes.block.ignored[:, None], 0.0, error), exact

    def log_softmax_hvp(self) -> Bound:
        """−p_c·(t_c − m)·Σ v."""
        v = self._upstream
        signed = self.slopes.block.upstream("none").sum(axis=1, keepdims=True)
        summed = v.total().rounded(self._growth(np.count_nonzero(v.size, axis=1), 0.0))
        mass = Sized(np.abs(signed), summed.error)
        error = (mass * self.p * (self.t + self.mean)).rounded(self._few(SECOND)).error
        return error + self._lost(self._largest, v.total().size), mass.size * self.p.size * self._gap

    def softmax_hvp(self) -> Bound:
        """p_c·((t_c − m)(v_c − μ) − Σ p_j(t_j − m)(v_j − μ)), multiplied out in any way."""
        v, t = self._upstream, self.t
        heavy = self._average(v)
        products = self._average(t * v)
        ones = np.ones_like(heavy.size)
        # m·μ comes four times where the centred products are averaged, once of these within Σ p_j.
        crossed = heavy * self.mean * (Sized(3.0 * ones, 0.0 * ones) + self._average(Sized.exact(np.ones_like(t.size))))
        # A mean within a mean is summed twice.
        crossed = crossed.rounded(self._growth(np.count_nonzero(self.p.size, axis=1), 1.0))
        monomials = t * v + t * heavy + v * self.mean + crossed + products
        error = (self.p * monomials).rounded(self._few(SECOND)).error
        block, p = self.slopes.block, self.p.size
        gap = block.tangent - self._exact_mean
        other = block.upstream("none")
        other = other - (p * other).sum(axis=1, keepdims=True)
        exact = p * np.abs(gap * other - (p * gap * other).sum(axis=1, keepdims=True))
        return error + self._lost(self._largest, v.size.max(axis=1, keepdims=True, initial=0.0)), exact

    @cached_property
    def _upstream(self) -> Sized:
        values, terms = self.slopes.block.upstream("none"), self.slopes.terms
        size = np.abs(values)
        return Sized(size, np.where((size < terms.arithmetic.compute.least_normal) & terms.flushed, size, 0.0))
