"""Magnitudes with error bounds, carried through sums and products: running error analysis of polynomials.

A directional derivative of a softmax is a polynomial in probabilities, coefficients and directions. Whatever the order
in which a sound evaluation multiplies it out, it computes the same signed monomials, each with a few factors
``1 + δ``. So the sum of the monomials' magnitudes, with every factor's own error, bounds what can go wrong; signs do
not enter (N. J. Higham, Accuracy and Stability of Numerical Algorithms, sections 3.3 and 5.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conformance.numerics.formats import Float64Array

__all__ = ["Sized"]


@dataclass(frozen=True, eq=False)
class Sized:
    """``size`` bounds the magnitude of a number, or the sum of those of its monomials; ``error`` how far it is off.

    Both are arrays of one shape, in float64; sums and products are elementwise, and broadcast.
    """

    size: Float64Array
    error: Float64Array

    @staticmethod
    def exact(values: Float64Array) -> Sized:
        """Numbers that are known exactly, of either sign."""
        size = np.abs(values)
        return Sized(size, np.zeros_like(size))

    def __add__(self, other: Sized) -> Sized:
        return Sized(self.size + other.size, self.error + other.error)

    def __mul__(self, other: Sized) -> Sized:
        error = self.size * other.error + self.error * (other.size + other.error)
        return Sized(self.size * other.size, error)

    def rounded(self, growth: Float64Array | float) -> Sized:
        """With roundings that multiply every monomial by a factor within 1 ± ``growth``."""
        return Sized(self.size, self.error + growth * (self.size + self.error))

    def total(self) -> Sized:
        """The sum along the classes, the last axis, which is kept; its roundings come by :meth:`rounded`."""
        return Sized(self.size.sum(axis=-1, keepdims=True), self.error.sum(axis=-1, keepdims=True))

    def lost(self, amount: Float64Array | float) -> Sized:
        """With an absolute error more, such as what underflow takes."""
        return Sized(self.size, self.error + amount)
