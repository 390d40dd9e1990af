"""An earlier draft of the bounds, kept so that the counterexamples show what they broke: first order, with fewer terms.

The letters of conformance.bounds apply; a_c are the exact coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from conformance.bounds.classes import Arithmetic, gamma
from conformance.bounds.coefficients import CoefficientBounds
from conformance.numerics.formats import Float64Array
from conformance.oracle.positions import Positions
from conformance.oracle.truth import Truth

__all__ = ["Earlier"]


@dataclass(frozen=True, eq=False)
class Earlier:
    truth: Truth
    arithmetic: Arithmetic
    flushed: bool = False

    def height(self, terms: float) -> float:
        if terms <= 1:
            return 0.0
        return {"any": terms - 1.0, "wide": 1.0, "pairwise": float(np.ceil(np.log2(terms)))}[self.arithmetic.order]

    def gamma(self, terms: float) -> float:
        return float(gamma(self.height(terms) * self.arithmetic.u))

    @cached_property
    def at(self) -> Positions:
        return self.truth.fast.positions

    @cached_property
    def a(self) -> Float64Array:
        return np.abs(CoefficientBounds(self.truth.fast, self.arithmetic, self.flushed).exact)

    @cached_property
    def k(self) -> float:
        block = self.truth.block
        return 0.0 if block.by_index and block.weight is None and block.smoothing is None else 4.0

    @cached_property
    def log_error(self) -> Float64Array:
        kind, classes = self.arithmetic, self.truth.block.classes
        kappa = self.at.spread + kind.k_exp + self.height(classes) + kind.k_log * self.at.log_s
        return gamma(kappa * kind.u)

    @cached_property
    def probability(self) -> Float64Array:
        kind = self.arithmetic
        roundings = 2.0 * self.at.n + self.at.spread[:, None] + 2 * kind.k_exp + self.height(self.truth.block.classes)
        exponent = kind.u * (roundings + kind.k_log * self.at.log_s[:, None] + 2.0)
        return self.at.p * np.expm1(exponent) + kind.eta(self.flushed)

    def _stored(self, y: Float64Array) -> Float64Array:
        return self.arithmetic.u_store * np.abs(y) + self.arithmetic.eta(self.flushed)

    def value(self, reduction: str) -> Float64Array:
        block, kind, u = self.truth.block, self.arithmetic, self.arithmetic.u
        loss = np.abs(self.truth.value("none").mid)
        if block.operation == "nll_loss":
            error = u * (self.k + 1.0) * loss
        else:
            n = np.where(np.isfinite(self.at.n), self.at.n, 0.0)
            term = 2.0 * u * n + self.log_error[:, None]
            error = (self.a * term).sum(axis=1)
            if self.k:
                error = error + ((self.k + 1.0) * u + self.gamma(block.classes)) * (self.a * n).sum(axis=1)
        rows = len(loss)
        if reduction == "none":
            return error + self._stored(loss)
        error = np.asarray([error.sum() + self.gamma(rows) * loss.sum()])
        if reduction == "sum":
            return error + self._stored(self.truth.value("sum").mid)
        weight, slack = self._denominator
        mean = np.abs(self.truth.value("mean").mid)
        return error / weight + mean * (self.gamma(rows) * slack + 2.0 * kind.u) + self._stored(mean)

    @cached_property
    def _denominator(self) -> tuple[float, float]:
        block = self.truth.block
        weight = abs(float(self.truth.fast.denominator.mid[0]))
        return weight, float(np.abs(block.target_weight).sum()) / weight if block.by_index else 0.0

    def gradient(self, reduction: str) -> Float64Array:
        u, p, eta = self.arithmetic.u, self.at.p, self.arithmetic.eta(self.flushed)
        exact = np.abs(self.truth.gradient(reduction).mid)
        scale: Any = np.abs(self.truth.fast.scale(reduction).mid)[:, None]
        rho = u if reduction != "mean" else self.gamma(len(p)) * self._denominator[1] + 2.0 * u
        if self.truth.block.operation == "nll_loss":
            return (rho + self.k * u) * exact + self._stored(exact)
        mass = np.abs(CoefficientBounds(self.truth.fast, self.arithmetic, self.flushed).mass)[:, None]
        size = self.a.sum(axis=1)[:, None]
        error = mass * self.probability
        error = error + (self.gamma(self.truth.block.classes) + self.k * u) * p * size
        error = error + u * self.k * self.a + u * (mass * p + exact / np.where(scale > 0, scale, 1.0))
        error = scale * error + rho * exact + eta * np.maximum(1.0, scale * np.maximum(1.0, size))
        return np.asarray(error + self._stored(exact))
