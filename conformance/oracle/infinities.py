"""What infinite terms come to: 0·∞, and a row that holds +inf, as the policies have them."""

from __future__ import annotations

import numpy as np

from conformance.model.policies import Policies
from conformance.numerics.formats import Float64Array

__all__ = ["plus_infinity_terms", "times", "zero_times_infinity"]

INF = np.inf


def zero_times_infinity(a: Float64Array, n: Float64Array, policies: Policies) -> Float64Array:
    """a·n, elementwise, where an exactly zero coefficient silences an infinite term unless the policy says NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = a * n
    if policies.zero_coefficient_at_minus_infinity == "zero":
        product[(a == 0.0) & (n == INF)] = 0.0
    return product


def plus_infinity_terms(x: Float64Array, policies: Policies) -> Float64Array:
    """−log p of one row, (C,), that holds +inf (and no NaN) under the declared policy; by the normative one all NaN."""
    infinite = x == INF
    if policies.plus_infinity == "inf":
        return np.where(infinite, np.nan, INF)
    if policies.plus_infinity == "limit":
        return np.where(infinite, np.log(infinite.sum()), INF)
    return np.full_like(x, np.nan)


def times(a: float, n: float, policies: Policies) -> float:
    """:func:`zero_times_infinity` of two numbers."""
    if a == 0.0 and n == INF:
        return 0.0 if policies.zero_coefficient_at_minus_infinity == "zero" else np.nan
    return a * n
