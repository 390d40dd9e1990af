"""How far the coefficients a_c of a loss may be off: weight, probability target, 1 − ε and ε/C, and their products.

The errors are relative to the magnitudes that enter, not to a_c: with targets of both signs (1−ε)·q_c and ε/C may
cancel, and an implementation may form 1 − ε from an ε that it rounded, which costs u·ε however small 1 − ε is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conformance.bounds.classes import Arithmetic, gamma
from conformance.numerics.formats import Float64Array
from conformance.oracle.block import Block
from conformance.oracle.directions import FastTruth

__all__ = ["CoefficientBounds"]


@dataclass(frozen=True, eq=False)
class CoefficientBounds:
    """Exact coefficients, magnitudes and error bounds of every row and class, (P, C) each."""

    truth: FastTruth
    arithmetic: Arithmetic
    flushed: bool

    @property
    def block(self) -> Block:
        """The problems whose coefficients these are."""
        return self.truth.block

    @cached_property
    def sparse(self) -> bool:
        """Whether only the target's class enters."""
        return self.block.by_index and self.block.smoothing is None

    @cached_property
    def plain(self) -> bool:
        """Whether the coefficients are just 0 and 1."""
        return self.sparse and self.block.weight is None

    @cached_property
    def roundings(self) -> float:
        """k_a: with smoothing ε, C, their quotient and the sum with (1−ε)·q (or 1 − ε and its product); the weight."""
        weighted = 1.0 * (self.block.weight is not None and not self.sparse)
        if self.truth.a.by_product:  # the mean weight is a sum over the classes, of products with the smoothed target
            weighted += self.block.classes + 4.0
        return 4.0 * (self.block.smoothing is not None) + weighted

    @cached_property
    def exact(self) -> Float64Array:
        """a_c, signed."""
        dense = self.truth.a.dense
        if not self.block.by_index:
            assert dense is not None
            return dense
        return self._with_spike(self.truth.a.spike, dense)

    @cached_property
    def magnitude(self) -> Float64Array:
        """|w_c|·((1−ε)·|q_c| + ε/C), with q the indicator of the target for index targets."""
        if not self.block.by_index:
            assert self.truth.a.dense_magnitude is not None
            return self.truth.a.dense_magnitude
        return self._with_spike(np.abs(self.truth.a.spike), self.truth.a.dense_magnitude)

    def _with_spike(self, spike: Float64Array, dense: Float64Array | None) -> Float64Array:
        result = np.zeros_like(self.block.x) if dense is None else dense.copy()
        result[np.arange(len(result)), self.block.targets] += spike
        return result

    @cached_property
    def error(self) -> Float64Array:
        """|Δa_c|: ((1+u)^k_a − 1)·magnitude + u·ε·|w_c·q_c| + underflow."""
        block, u = self.block, self.arithmetic.u
        error = np.asarray(gamma(self.roundings * u) * self.magnitude)
        if block.smoothing is not None:
            smoothing = block.smoothing[block.problem_of_row]
            if block.by_index:
                rows = np.arange(len(error))
                error[rows, block.targets] += u * smoothing * np.abs(self.truth.a.target_weight)
            else:
                size = smoothing[:, None] * np.abs(block.probabilities)
                error += u * (size if block.weight is None else size * self._weight)
        if self.roundings or self.flushed:
            error += self._underflow
        return error

    @cached_property
    def _weight(self) -> Float64Array:
        """|w_c| where the class has a part in the loss, else 0: nothing is computed with what is not used, (P, C)."""
        assert self.truth.a.class_weight is not None
        return np.where(self.magnitude != 0.0, np.abs(self.truth.a.class_weight), 0.0)

    @property
    def _underflow(self) -> Float64Array:
        """ε/C and (1−ε)·q_c underflow before they are weighted, the product after.

        No part loses more than thrice itself.
        """
        eta, parts = self.arithmetic.eta_compute(self.flushed), 1.0 if self.block.by_index else 2.0
        most = eta * parts if self.block.weight is None else eta * (1.0 + parts * self._weight)
        return np.minimum(most, 3.0 * self.magnitude)

    @cached_property
    def count(self) -> Float64Array:
        """How many terms a sum over the classes has that are not zero, (P,).

        The target's own part may be a term beside the uniform ones.
        """
        count = np.asarray(np.count_nonzero(self.magnitude, axis=1), dtype=np.float64)
        return count + 1.0 if self.block.by_index and not self.sparse else count

    @cached_property
    def mass(self) -> Float64Array:
        """A = Σ a_c, signed, (P,)."""
        return np.asarray(self.exact.sum(axis=1)) if self.block.by_index else self.truth.a.mass

    @cached_property
    def size(self) -> Float64Array:
        """Σ magnitudes, (P,)."""
        return np.asarray(self.magnitude.sum(axis=1))
