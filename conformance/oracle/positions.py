"""What every formula needs of each position: shifted logits, exponentials, their sum, probabilities, in float64.

These serve twice: with their error bounds they are the first tier of the oracle; without, they are the magnitudes
that the a-priori bounds are computed from, for every dtype. ``u`` is 2^-53 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from conformance.numerics.formats import Float64Array
from conformance.oracle.elementary import EXP_CUTOFF, EXP_ERROR, U, exp_negative, log1p_sum

__all__ = ["Positions"]

Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Positions:
    """Rows of logits (P, C). Without a class (C = 0) the sums over classes are empty and nothing is special.

    Rows that hold NaN or +inf, or nothing above −inf, are *special*: they are computed as if all zero, and whoever
    uses them replaces the results. A single −inf is ordinary: its exponential is 0 and its −log p is +inf.
    """

    x: Float64Array

    @cached_property
    def top(self) -> Float64Array:
        """The maximum of each row, (P,); NaN where a row holds NaN."""
        return np.max(self.x, axis=1) if self.x.shape[1] else np.zeros(len(self.x))

    @cached_property
    def special(self) -> Booleans:
        """Rows that hold NaN or +inf, or nothing above −inf, (P,)."""
        return ~np.isfinite(self.top)

    @cached_property
    def nan(self) -> Booleans:
        """Rows that hold NaN."""
        return np.isnan(self.top)

    @cached_property
    def plus_infinity(self) -> Booleans:
        """Rows whose maximum is +inf, (P,)."""
        return self.top == np.inf

    @cached_property
    def d(self) -> Float64Array:
        """max x − x_c ≥ 0, (P, C), relative error at most u; +inf at −inf logits."""
        top, usable = self.top, self.x
        if self.special.any():
            top, usable = np.where(self.special, 0.0, top), np.where(self.special[:, None], 0.0, usable)
        with np.errstate(over="ignore"):
            return np.subtract(top[:, None], usable)

    @cached_property
    def argmax(self) -> npt.NDArray[np.intp]:
        """The class of the first maximum of each row, (P,), as an index."""
        return np.argmin(self.d, axis=1) if self.x.shape[1] else np.zeros(len(self.x), dtype=np.intp)

    @cached_property
    def e(self) -> Float64Array:
        """exp(−d), (P, C): relative error ``exponential_error``, absolute error ``TINY`` where it was cut to 0."""
        return exp_negative(self.d)

    #: d is off by u·d ≤ 700 u, and exp by EXP_ERROR more.
    exponential_error = (EXP_CUTOFF * U + EXP_ERROR) * (1 + 2.0**-30)

    @cached_property
    def t(self) -> Float64Array:
        """Σ exp(−d) without the first maximum's own term, (P,): relative error ``sum_error`` + C·TINY."""
        rest = self.e.copy()
        if rest.shape[1]:
            rest[np.arange(len(rest)), self.argmax] = 0.0
        return rest.sum(axis=1)

    @property
    def sum_error(self) -> float:
        """Of ``t`` and ``s``: that of the terms, and C roundings in any order."""
        return (self.exponential_error + (self.x.shape[1] + 1) * U) * (1 + 2.0**-20)

    @cached_property
    def s(self) -> Float64Array:
        """Σ exp(−d) ∈ [1, C], (P,)."""
        return 1.0 + self.t

    @cached_property
    def _log(self) -> tuple[Float64Array, float]:
        return log1p_sum(self.t)

    @property
    def log_s(self) -> Float64Array:
        """L = ln s, (P,), accurate however close s is to 1."""
        return self._log[0]

    @cached_property
    def n(self) -> Float64Array:
        """−log p_c = d_c + L ≥ 0, (P, C): both terms are non-negative, so nothing cancels."""
        return self.d + self.log_s[:, None]

    @property
    def n_error(self) -> float:
        """Relative; d ln(1+t) = dt/(1+t) and ln(1+t) ≥ t/(1+t), so the relative error of t bounds that of L."""
        return (self.sum_error + self._log[1] + 2 * U) * (1 + 2.0**-20)

    @cached_property
    def p(self) -> Float64Array:
        """Softmax, (P, C): relative error ``p_error``, absolute error 2·TINY."""
        return self.e * (1.0 / self.s)[:, None]

    @property
    def p_error(self) -> float:
        """The relative error of ``p``: that of the exponential and of the sum."""
        return (self.exponential_error + self.sum_error + 4 * U) * (1 + 2.0**-20)

    @cached_property
    def spread(self) -> Float64Array:
        """D = Σ p_c d_c, (P,): the weighted distance below the maximum, at most ln C."""
        with np.errstate(invalid="ignore"):
            terms = self.p * self.d
        terms[self.p == 0.0] = 0.0
        return terms.sum(axis=1)

    @cached_property
    def climbs(self) -> Float64Array:
        """Σ p_c · (number of different logits above x_c), (P,).

        How often a sum of exponentials that is formed while the maximum is still being found gets rescaled at most,
        weighted by what each term contributes.
        """
        distance = np.sort(self.d, axis=1)
        higher = np.cumsum(distance[:, 1:] != distance[:, :-1], axis=1)
        return (higher * np.exp(-distance[:, 1:])).sum(axis=1) / self.s

    @cached_property
    def magnitude(self) -> Float64Array:
        """|log Σ exp(x)| of each row, (P,)."""
        return np.abs(np.where(self.special, 0.0, self.top) + self.log_s)
