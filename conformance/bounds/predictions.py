"""How far the loss of probabilities that are given, and its derivatives, may be off, before anything is stored.

Nothing but the logarithm is computed of the input itself, unless a policy has it divided by its sum first.
docs/bounds.md, section 15, derives the lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conformance.bounds.classes import Arithmetic, gamma
from conformance.bounds.coefficients import CoefficientBounds
from conformance.bounds.slopes import Bound
from conformance.bounds.terms import TermBounds, finite
from conformance.numerics.formats import Float64Array
from conformance.oracle.positions import Positions
from conformance.oracle.predictions import Predictions

__all__ = ["PredictionBounds"]

#: Roundings of one monomial of a derivative beside those of the coefficients, of the sums and of the scale: quotients,
#: products, one difference. A second derivative has twice as many.
FORWARD, SECOND = 6.0, 12.0


@dataclass(frozen=True, eq=False)
class PredictionBounds:
    """Each method of a derivative gives error and magnitude of the exact result, (P, C), as :class:`SlopeBounds` does.

    ``scale`` is |s|, ``relative`` its relative error ρ, and ``inverse`` what an underflow before the division by W
    grows by, each (P, 1).
    """

    predictions: Predictions
    coefficients: CoefficientBounds
    arithmetic: Arithmetic
    flushed: bool

    # -- the logarithm ------------------------------------------------------------------------------------------------

    @cached_property
    def n(self) -> Float64Array:
        """|ln p_c|, 0 where it is infinite or NaN: such results are special, (P, C)."""
        return np.abs(finite(self.predictions.n))

    @property
    def reach(self) -> Float64Array:
        """What the roundings of ln p_c are relative to: itself, for nothing is subtracted."""
        return self.n

    @cached_property
    def term(self) -> Float64Array:
        """|Δ ln p_c|, (P, C): the logarithm's own error, and that of a quotient by the sum."""
        k = self.arithmetic.k_log * self.arithmetic.u
        if not self._divided:
            return k * self.n
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = np.where(self._quotient < 1.0, -np.log1p(-self._quotient), np.inf)
        error = moved + k * (self.n + moved)
        if self.predictions.normalisation == "clipped-and-normalised":
            error = np.maximum(error, self._of_logarithms)
        return np.asarray(error)

    @property
    def _divided(self) -> bool:
        return self.predictions.normalisation != "exact"

    @cached_property
    def _quotient(self) -> Float64Array:
        """The relative error of p/Σp, (P, 1): that of the sum, and one rounding; nothing is lost of what is summed."""
        kind, given = self.arithmetic, np.abs(finite(self.predictions.given))
        height = kind.height(np.count_nonzero(given, axis=1))[:, None] + 2.0
        with np.errstate(divide="ignore", invalid="ignore"):
            summed = given if self._first else np.maximum(given, np.abs(finite(self.predictions.q)))
            size = summed.sum(axis=1, keepdims=True)
            cancelled = np.maximum(size / np.abs(self.predictions.total), 1.0)
        return np.asarray(gamma(height * kind.u) * np.where(np.isnan(cancelled), 1.0, cancelled))

    @cached_property
    def _of_logarithms(self) -> Float64Array:
        """The same where the logarithms are normalised in place of the probabilities, as log_softmax does."""
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithms = np.log(self.predictions.q)
        inner = TermBounds(Positions(logarithms), self.arithmetic, self.flushed)
        k = self.arithmetic.k_log * self.arithmetic.u
        size = np.abs(finite(logarithms))
        return np.asarray(inner.term + k * (size + (inner.p * size).sum(axis=1, keepdims=True)) * (1.0 + inner.term))

    # -- derivatives --------------------------------------------------------------------------------------------------

    def slope(self, scale: Float64Array, relative: Float64Array, inverse: Float64Array) -> Bound:
        """−s·a_c/p_c: the errors of the coefficient and of the scale, and what their products and a quotient round."""
        exact, _ = self.predictions.slope()
        own, shared = self._monomials(self._mass / self._total)
        return self._derivative(scale, relative, inverse, np.abs(finite(exact)), own, shared, FORWARD)

    def bend(self, scale: Float64Array, relative: Float64Array, inverse: Float64Array) -> Bound:
        """s·a_c·t_c/p_c²."""
        tangent = self.predictions.block.tangent
        exact, _ = self.predictions.bend(tangent)
        t = np.abs(tangent)
        shared = self._mass * t.sum(axis=1, keepdims=True) / (self._total * self._total)
        own, shared = self._monomials(shared, t)
        return self._derivative(scale, relative, inverse, np.abs(finite(exact)), own, shared, SECOND)

    def jvp_terms(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Of Σ t_c·∂ℓ/∂p_c: errors, magnitudes, and how many terms there are, (P,) each."""
        one = np.ones((len(self.n), 1))
        error, exact = self.slope(one, np.zeros_like(one), one)
        t, u = np.abs(self.predictions.block.tangent), self.arithmetic.u
        size = exact * t
        # What a_c·t_c loses by an underflow grows by the division.
        lost = np.where(t == 0.0, 0.0, self._lost(one, one) * (1.0 + t))
        error = np.where(t == 0.0, 0.0, error * t * (1.0 + u)) + u * size + lost
        ignored, count = self.predictions.block.ignored, np.count_nonzero(size, axis=1).astype(np.float64)
        return np.where(ignored, 0.0, error.sum(axis=1)), np.where(ignored, 0.0, size.sum(axis=1)), count

    @property
    def _eta(self) -> float:
        return self.arithmetic.eta_compute(self.flushed)

    @cached_property
    def _steep(self) -> Float64Array:
        """1/p of the classes that have a part in the loss and are not clipped, else 0, (P, C)."""
        part = (self.coefficients.magnitude > 0.0) & self.predictions.passes
        return _over(np.where(part, 1.0, 0.0), np.abs(self.predictions.q))

    def _lost(self, scale: Float64Array, inverse: Float64Array) -> Float64Array:
        """An underflow before the division by p grows by that, (P, C)."""
        return self._eta * (1.0 + self.coefficients.magnitude) * (inverse + scale) * (1.0 + self._steep)

    @cached_property
    def _mass(self) -> Float64Array:
        return self.coefficients.size[:, None]

    @cached_property
    def _total(self) -> Float64Array:
        return np.abs(self.predictions.total)

    def _monomials(
        self, shared: Float64Array, tangent: Float64Array | None = None
    ) -> tuple[Float64Array, Float64Array]:
        """The magnitudes of a class's own monomial, and of that which it shares with the others, (P, C) each."""
        p = np.abs(self.predictions.given if tangent is not None and self._first else self.predictions.q)
        size = self.coefficients.magnitude * self.predictions.passes
        own = _over(size, p) if tangent is None else _over(_over(size, p) * tangent, p)
        if not self._divided:
            return own, np.zeros_like(own)
        return (_over(own, self._total) if self._first and tangent is None else own), shared + np.zeros_like(own)

    @property
    def _first(self) -> bool:
        return self.predictions.normalisation == "normalised"

    def _derivative(
        self,
        scale: Float64Array,
        relative: Float64Array,
        inverse: Float64Array,
        exact: Float64Array,
        own: Float64Array,
        shared: Float64Array,
        few: float,
    ) -> Bound:
        kind, a = self.arithmetic, self.coefficients
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            p = np.abs(self.predictions.q)
            # The coefficient's own error, relative to its magnitude.
            spoiled = np.where(a.magnitude > 0.0, a.error / a.magnitude, 0.0)
            growth = gamma(few * kind.u) + spoiled + relative
            size = own
            if self._divided:
                sums = gamma(kind.height(a.count)[:, None] * kind.u) + 2.0 * self._quotient
                growth, size = growth + sums + spoiled.max(axis=1, keepdims=True, initial=0.0), own + shared
            growth = growth * (1.0 + growth)
            lost = self._lost(scale, inverse)
            if few == SECOND:
                lost = lost * (1.0 + self._steep) * (1.0 + np.abs(self.predictions.block.tangent))
            error = np.where(size > 0.0, scale * size * growth + lost, 0.0)
            if few == SECOND:  # a square that underflows is lost
                error = np.where((a.magnitude > 0.0) & (p * p < kind.compute.least_normal), np.inf, error)
            error = np.where(np.isnan(error), np.inf, error)
        ignored = self.predictions.block.ignored[:, None]
        return np.where(ignored, 0.0, error), np.where(ignored, 0.0, scale * exact)


def _over(a: Float64Array, p: Float64Array) -> Float64Array:
    """a/p, elementwise, and 0 where ``a`` is 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(a == 0.0, 0.0, a / p)
