"""How far a gradient may be off before it is stored: by formula or back through log_softmax, whichever errs more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conformance.bounds.classes import gamma
from conformance.bounds.coefficients import CoefficientBounds
from conformance.bounds.terms import Logarithms, TermBounds
from conformance.numerics.formats import Float64Array
from conformance.oracle.block import Block

__all__ = ["Bound", "SlopeBounds"]

Bound = tuple[Float64Array, Float64Array]


@dataclass(frozen=True, eq=False)
class SlopeBounds:
    """Each method gives the error, (P, C), and the magnitude of the exact gradient, (P, C), in float64.

    ``scale`` is |s|, ``relative`` its relative error ρ, and ``inverse`` what an underflow before the division by W
    grows by, each (P, 1).
    """

    block: Block
    terms: TermBounds
    coefficients: CoefficientBounds

    @property
    def u(self) -> float:
        """Unit roundoff of the intermediates."""
        return self.terms.arithmetic.u

    @property
    def eta(self) -> float:
        """The error of an intermediate that underflows."""
        return self.terms.arithmetic.eta_compute(self.terms.flushed)

    @property
    def eta_store(self) -> float:
        """The underflow of what is stored between two passes; 0 where that is not coarser than the intermediates."""
        kind = self.terms.arithmetic
        return kind.eta(self.terms.flushed) if kind.u_store else 0.0

    def _gamma(self, terms: Float64Array | float) -> Float64Array:
        return gamma(self.terms.arithmetic.height(terms) * self.u)

    # -- losses -------------------------------------------------------------------------------------------------------

    def nll_loss(self, scale: Float64Array, relative: Float64Array, inverse: Float64Array) -> Bound:
        """−s·w_y at the target: the scale's error, three roundings, underflow before and after the division by W."""
        u = self.u
        a = self.coefficients.magnitude
        exact = scale * a
        underflow = self.eta * (1.0 + a + inverse) * (a > 0.0)
        thrice = gamma(3.0 * u)
        error = exact * (relative + thrice + relative * thrice) + underflow
        return np.where(exact > 0.0, error, 0.0), exact

    def cross_entropy(self, scale: Float64Array, relative: Float64Array, inverse: Float64Array) -> Bound:
        """s·(A·p_c − a_c): the unscaled error, the scale's, and underflow wherever a product may be small."""
        u, a = self.u, self.coefficients
        error, slope, computed = self._unscaled
        exact = scale * slope
        growth = relative + u + relative * u
        error = scale * (1.0 + growth) * error + exact * growth
        # The product A·p, the scale, the gradients of log-probabilities and their sum, and the result underflow.
        carried = 1.0 + computed * a.count[:, None]
        lost = 2.0 + scale + a.size[:, None] * computed + a.magnitude + inverse * carried
        error = error + self.eta * lost
        if self.composed:
            error = error + self.eta_store * carried
        return np.where(self.block.ignored[:, None], 0.0, error), exact

    def by_targets(
        self, scale: Float64Array, relative: Float64Array, inverse: Float64Array, logarithms: Logarithms
    ) -> Bound:
        """s·f_c·(−ln p_c), with respect to q_c: f_c = w_c·(1 − ε) has at most six roundings with its products.

        1 − ε may come of an ε that was rounded, which costs u·ε however small 1 − ε is; each product may underflow.
        """
        u, truth = self.u, self.coefficients.truth
        factor, block = np.abs(truth.a.target_factor), self.block
        spoiled = gamma(6.0 * u) * factor
        if block.smoothing is not None:
            share = 1.0 if block.weight is None else np.abs(block.weight)[block.problem_of_row]
            spoiled = spoiled + 2.0 * u * block.smoothing[block.problem_of_row][:, None] * share
        n, reach, term = logarithms.n, logarithms.reach, logarithms.term
        exact = scale * factor * n
        error = factor * term + spoiled * (reach + term)
        growth = relative + gamma(3.0 * u)
        error = scale * error * (1.0 + growth) + exact * growth
        lost = self.eta + self.eta_store
        return error + 4.0 * lost * inverse * (1.0 + scale) * (1.0 + factor) * (1.0 + reach), exact

    @cached_property
    def coefficient_error(self) -> Float64Array:
        """|Δ'a_c|: with the upstream gradient and the division by W, class by class, (P, C)."""
        a, twice = self.coefficients, gamma(2.0 * self.u)
        error = a.error + twice * (a.magnitude + a.error)
        if self.composed:  # the gradient of the log-probabilities is stored in between
            error = error + self.terms.arithmetic.u_store * (a.magnitude + error)
        return error

    @cached_property
    def mass_error(self) -> Float64Array:
        """|ΔA|, (P, 1)."""
        a = self.coefficients
        spoiled = self.coefficient_error.sum(axis=1)[:, None]
        return np.asarray(spoiled + self._gamma(a.count)[:, None] * (a.size[:, None] + spoiled))

    @cached_property
    def probability_error(self) -> Float64Array:
        """|Δp_c| where a derivative starts from the logits or from what the forward pass stored, (P, C)."""
        if self.block.operation == "softmax":
            kind = self.terms.arithmetic
            return self.terms.probability * (1.0 + kind.u_store) + kind.u_store * self.terms.p + self.eta_store
        stored = self.composed or self.block.operation == "log_softmax"
        return self._probability_of_stored if stored else self.terms.probability

    @cached_property
    def _unscaled(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Of A·p_c − a_c: its error, its magnitude, and the largest p_c that may be computed, (P, C) each."""
        u, a, p = self.u, self.coefficients, self.terms.p
        error_a, error_mass = self.coefficient_error, self.mass_error
        error_p = self.probability_error
        mass, computed = np.abs(a.mass)[:, None], p + error_p
        slope = np.abs(a.mass[:, None] * p - a.exact)
        error = mass * error_p + (error_mass + u * (mass + error_mass)) * computed + error_a
        return error + u * (slope + error), slope, computed

    @property
    def composed(self) -> bool:
        """Whether the loss is two operations, with log-probabilities stored in between."""
        return self.block.operation == "nll_loss_of_log_softmax"

    @property
    def _probability_of_stored(self) -> Float64Array:
        """|Δp_c| where p_c is recovered from a log-probability that was stored in the output's format."""
        terms, u = self.terms, self.terms.arithmetic.u_store
        return terms.probability_from(terms.term * (1.0 + u) + u * terms.n + self.eta_store)

    # -- log_softmax and softmax --------------------------------------------------------------------------------------

    def log_softmax(self) -> Bound:
        """v_c − p_c·Σ v, with p from the logits or from the stored result."""
        u, v, p = self.u, self.block.upstream("none"), self.terms.p
        error_p = self.probability_error
        mass = np.abs(v.sum(axis=1))[:, None]
        size = np.abs(v).sum(axis=1)[:, None]
        lost = np.where(np.abs(v) < self.eta * self.terms.flushed, np.abs(v), 0.0).sum(axis=1)[:, None]
        error_mass = self._gamma(np.count_nonzero(v, axis=1))[:, None] * size + lost
        exact = np.abs(v - p * v.sum(axis=1)[:, None])
        error = mass * error_p + (error_mass + u * (mass + error_mass)) * (p + error_p) + 2.0 * self.eta
        return error + u * (exact + error) + self.eta, exact

    def softmax(self) -> Bound:
        """p_c·(v_c − Σ p·v) or p_c·v_c − p_c·Σ p·v, with p from the logits or the stored result."""
        u, kind, v, p = self.u, self.terms.arithmetic, self.block.upstream("none"), self.terms.p
        error_p = self.probability_error
        computed = p + error_p
        weight = np.abs(v)
        centre = (p * v).sum(axis=1)[:, None]
        products = computed * weight
        size = products.sum(axis=1)[:, None]
        lost = np.minimum(self.eta, products).sum(axis=1)[:, None]
        height = kind.height(np.count_nonzero(v, axis=1))[:, None] + 1.0  # one more for the products
        error_centre = (error_p * weight).sum(axis=1)[:, None] + lost + gamma(height * u) * (size + lost)
        gap = np.abs(v - centre)
        exact = p * gap
        error = error_p * gap + computed * error_centre
        error = error + u * computed * (weight + np.abs(centre) + error_centre) + 3.0 * self.eta
        return error + u * (exact + error) + self.eta, exact
