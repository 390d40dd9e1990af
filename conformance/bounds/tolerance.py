"""The a-priori bounds on every result of a block, for one class of arithmetic.

Every tolerance is absolute and for finite exact results; special values are compared exactly elsewhere. Infinity means
that the bound is vacuous. docs/bounds.md derives each line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from conformance.bounds.classes import Arithmetic, gamma
from conformance.bounds.coefficients import CoefficientBounds
from conformance.bounds.directions import DirectionBounds
from conformance.bounds.predictions import PredictionBounds
from conformance.bounds.slopes import SlopeBounds
from conformance.bounds.terms import Logarithms, TermBounds, finite
from conformance.model.policies import denominator_of
from conformance.numerics.formats import Float64Array
from conformance.oracle.block import Block
from conformance.oracle.truth import Truth

__all__ = ["Tolerance"]

#: The bounds are evaluated in float64 from magnitudes that are good to 2^-36.
ROUNDING = 1.0 + 2.0**-30


@dataclass(frozen=True, eq=False)
class Tolerance:
    """Bounds for every problem of ``truth``'s block in ``arithmetic``.

    ``flushed`` says that subnormal numbers may be treated as zero. ``given`` are losses that are not computed: at which
    rows, (P,), and what they are, (P,).
    """

    truth: Truth
    arithmetic: Arithmetic
    flushed: bool = False
    given: tuple[npt.NDArray[np.bool_], Float64Array] | None = None

    @property
    def block(self) -> Block:
        """The problems that the bounds are for."""
        return self.truth.block

    @property
    def u(self) -> float:
        """Unit roundoff of the intermediates."""
        return self.arithmetic.u

    @cached_property
    def terms(self) -> TermBounds:
        """Bounds on log-probabilities and probabilities."""
        return TermBounds(self.truth.fast.positions, self.arithmetic, self.flushed)

    @cached_property
    def _given(self) -> PredictionBounds:
        """The same of probabilities that are given, and bounds on the derivatives by them."""
        return PredictionBounds(self.truth.fast.predictions, self.coefficients, self.arithmetic, self.flushed)

    @property
    def _logarithms(self) -> Logarithms:
        return self._given if self.block.operation == "log_loss" else self.terms

    @cached_property
    def coefficients(self) -> CoefficientBounds:
        """Bounds on the coefficients a_c of a loss."""
        return CoefficientBounds(self.truth.fast, self.arithmetic, self.flushed)

    @cached_property
    def _slopes(self) -> SlopeBounds:
        return SlopeBounds(self.block, self.terms, self.coefficients)

    @cached_property
    def _directions(self) -> DirectionBounds:
        return DirectionBounds(self._slopes)

    @cached_property
    def eta(self) -> float:
        """The error of an intermediate that underflows."""
        return self.arithmetic.eta_compute(self.flushed)

    def value(self, reduction: str) -> Float64Array:
        """(P,) or (P, C) for ``none``; (n,) for ``sum`` and ``mean``."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            error, exact = self._value(reduction)
            return self._stored(error, exact)

    def gradient(self, reduction: str) -> Float64Array:
        """(P, C)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            slopes = self._slopes
            operation = self.block.operation
            if operation == "softmax":
                return self._stored(*slopes.softmax())
            if operation == "log_softmax":
                return self._stored(*slopes.log_softmax())
            scale, relative, inverse = self._scale(reduction)
            if operation == "log_loss":
                return self._stored(*self._given.slope(scale, relative, inverse))
            loss = slopes.nll_loss if operation == "nll_loss" else slopes.cross_entropy
            return self._stored(*loss(scale, relative, inverse))

    def jvp(self, reduction: str) -> Float64Array:
        """In the value's shape: bounds on its derivative in the problems' directions."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            directions, operation = self._directions, self.block.operation
            if operation == "softmax":
                return self._stored(*directions.softmax_jvp())
            if operation == "log_softmax":
                return self._stored(*directions.log_softmax_jvp())
            terms = directions.nll_jvp_terms if operation == "nll_loss" else directions.loss_jvp_terms
            terms = self._given.jvp_terms if operation == "log_loss" else terms
            rows = finite(self.truth.fast.jvp("none").mid)
            return self._stored(*self._reduced(*terms(), rows, reduction))

    def hvp(self, reduction: str) -> Float64Array:
        """(P, C): bounds on the gradient's derivative in the problems' directions."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            directions, operation = self._directions, self.block.operation
            if operation == "softmax":
                return self._stored(*directions.softmax_hvp())
            if operation == "log_softmax":
                return self._stored(*directions.log_softmax_hvp())
            loss = self._given.bend if operation == "log_loss" else directions.loss_hvp
            return self._stored(*loss(*self._scale(reduction)))

    def target_gradient(self, reduction: str) -> Float64Array:
        """(P, C): bounds on the gradient with respect to the class probabilities."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._stored(*self._slopes.by_targets(*self._scale(reduction), self._logarithms))

    def _stored(self, error: Float64Array, exact: Float64Array) -> Float64Array:
        """An intermediate off by ``error``, rounded to the output's format: (1 + u_o)·error + u_o·|y| + η."""
        u = self.arithmetic.u_store
        total = ROUNDING * ((1.0 + u) * error + u * np.abs(exact)) + self.arithmetic.eta(self.flushed)
        return np.where(np.isnan(total), np.inf, total)

    # -- values -------------------------------------------------------------------------------------------------------

    def _value(self, reduction: str) -> tuple[Float64Array, Float64Array]:
        """The error before it is stored, and the exact result's magnitude."""
        operation = self.block.operation
        if operation == "softmax":
            return self.terms.probability, self.terms.p
        if operation == "log_softmax":
            return self.terms.term, self.terms.n
        error, size, count = self._products
        exact = finite(self.truth.fast.loss.mid)
        if self.given is not None:
            rows, loss = self.given
            exact = np.where(rows, finite(loss), exact)
            size, count = np.where(rows, np.abs(exact), size), np.where(rows, 1.0, count)
            error = np.where(rows, 0.0, error)
        return self._reduced(error, size, count, exact, reduction)

    def _reduced(
        self, error: Float64Array, size: Float64Array, count: Float64Array, exact: Float64Array, reduction: str
    ) -> tuple[Float64Array, Float64Array]:
        """The same of rows (P,): each a sum of ``count`` terms, whose errors and magnitudes are summed."""
        if reduction == "none":
            return error + gamma(self.arithmetic.height(count) * self.u) * (size + error), exact
        rows, total = self.block.counts.astype(np.float64), self.block.total(count)
        error, size = self.block.total(error), self.block.total(size)
        each = self.block.largest(count)
        error = error + gamma(self.arithmetic.nested_height(each, rows, total) * self.u) * (size + error)
        exact = np.abs(self.block.total(exact))
        if reduction == "sum":
            return error, exact
        weight, relative = self.denominator
        thrice = gamma(3.0 * self.u)  # W in this format, its reciprocal, the product
        tiny = np.where(weight * self.arithmetic.compute.least_normal < 1.0, 0.0, self.eta) * (exact + error)
        spoiled = error * (1.0 + thrice) + exact * (thrice + relative)
        error = spoiled / (weight * np.maximum(1.0 - relative, 0.0)) + tiny
        # Without a denominator the mean is a policy's special value or 0, and that is exact.
        return np.where(weight == 0.0, 0.0, error), finite(exact / weight)

    @cached_property
    def _products(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Of the terms a_c·(−ln p_c) of every row: errors and magnitudes, summed, and how many there are, (P,)."""
        block, a, u = self.block, self.coefficients, self.u
        if a.sparse:
            n, reach, term = self._picked
            weight = np.abs(block.target_weight)
            error = weight * term
            if not a.plain:
                error = error + u * weight * (reach + term) + self.eta * (1.0 + self.flushed * n)
            elif block.operation == "nll_loss":
                error = error + u * weight * n
            ignored, count = block.ignored, (weight > 0.0).astype(np.float64)
            return np.where(ignored, 0.0, error), np.where(ignored, 0.0, weight * reach), count
        reach, term = self._logarithms.reach, self._logarithms.term
        error = a.magnitude * term + a.error * (reach + term) + u * (a.magnitude + a.error) * (reach + term)
        error = error + self.eta * (a.magnitude > 0.0)
        size = (a.magnitude * reach).sum(axis=1)
        ignored = block.ignored
        return np.where(ignored, 0.0, error.sum(axis=1)), np.where(ignored, 0.0, size), a.count

    @property
    def _picked(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """At the target, (P,) each: −ln p_y, what its roundings are relative to, and how far it is off."""
        at = (np.arange(len(self.block.x)), self.block.targets)
        if self.block.operation == "nll_loss":
            n = np.abs(finite(self.block.x[at]))
            # Where subnormal inputs count as zero, such a log-probability is lost.
            lost = n < self.arithmetic.compute.least_normal * self.flushed
            return n, n, np.where(lost, n, 0.0)
        terms = self._logarithms
        n, reach, term = terms.n[at], terms.reach[at], terms.term[at]
        if self.block.operation == "nll_loss_of_log_softmax":  # the log-probabilities are stored in between
            u = self.arithmetic.u_store
            return n, n, term * (1.0 + u) + u * n + self.arithmetic.eta(self.flushed)
        return n, reach, term

    # -- the mean and the scale of a gradient -------------------------------------------------------------------------

    @cached_property
    def denominator(self) -> tuple[Float64Array, Float64Array]:
        """|W| and the relative error of its computed value, (n,); a count is exact up to its last rounding."""
        truth, block = self.truth.fast, self.block
        size = np.abs(finite(truth.denominator.mid))
        policies = self.truth.policies
        rows = block.counts.astype(np.float64)
        by_weight = [denominator_of(policies, problem) == "sum-of-weights" for problem in block.problems]
        if block.by_index and block.weight is not None and any(by_weight):
            weights = truth.a.target_weight
            summed = block.total(np.abs(weights))
            each = block.classes + 8.0 if truth.a.by_product else 0.0  # by which a mean weight may be off itself
            relative = gamma((self.arithmetic.height(rows) + each) * self.u) * summed / size
            return size, np.where(by_weight, finite_or_infinite(relative), 0.0)
        if not block.by_index and block.weight is not None and policies.weighted_probability_mean == "by-weight":
            a = self.coefficients
            height = self.arithmetic.nested_height(self.block.largest(a.count), rows, block.total(a.count))
            error, summed = block.total(a.error.sum(axis=1)), block.total(a.size)
            relative = (error + gamma(height * self.u) * (summed + error)) / size
            return size, finite_or_infinite(relative)
        return size, np.zeros_like(size)

    def _scale(self, reduction: str) -> tuple[Float64Array, Float64Array, Float64Array]:
        """|s|, its relative error ρ, and what an underflow before the division by W grows by, (P, 1) each."""
        scale = np.abs(finite(self.truth.fast.scale(reduction).mid))[:, None]
        if reduction != "mean":
            return scale, np.zeros_like(scale), np.ones_like(scale)
        weight, relative = self.denominator
        u = self.u
        rho = (relative + 2.0 * u + u * u) / np.maximum(1.0 - relative, 0.0)
        inverse = np.maximum(1.0, 1.0 / weight)
        rows = self.block.problem_of_row
        return scale, finite_or_infinite(rho)[rows][:, None], inverse[rows][:, None]


def finite_or_infinite(values: Float64Array) -> Float64Array:
    """``values``, of any shape, with infinity in place of NaN: nothing is promised there."""
    return np.where(np.isnan(values), np.inf, values)
