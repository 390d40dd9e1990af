"""exp, log and log1p on float64 arrays with a proven error, from IEEE 754 basic operations alone.

Nothing here trusts the platform's mathematical functions: exp is a table and a short polynomial whose error is bounded
below, and log a series; log1p is the platform's guess, verified a posteriori through that exp. Throughout, ``u`` is
2^-53.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache

import numpy as np

from conformance.numerics.formats import Float64Array

__all__ = ["EXP_CUTOFF", "EXP_ERROR", "LOG_ERROR", "TINY", "U", "exp_negative", "log", "log1p_sum"]

U = 2.0**-53
#: Beyond this argument exp_negative returns 0; exp(-700) is still a normal number.
EXP_CUTOFF = 700.0
#: The relative error of exp_negative below the cutoff (proof in the function).
EXP_ERROR = 4 * U
#: The relative error of log (proof in the function).
LOG_ERROR = 8 * U
#: Bounds exp(-700) = 9.9e-305 from above, and so every exponential that was cut to 0.
TINY = 1e-304

_STEPS = 64
_PARTS = _STEPS / 0.6931471805599453  # 64 / ln 2: only chooses the table's entry, so its rounding is harmless


@cache
def _tables() -> tuple[Float64Array, float, float]:
    """2^(-j/64) correctly rounded for j = 0 … 63, and ln 2 / 64 = high + low with ``k·high`` exact for k < 2^16."""
    with localcontext() as context:
        context.prec = 60
        ln2 = Decimal(2).ln()
        table = np.array([float((-ln2 * j / _STEPS).exp()) for j in range(_STEPS)])
        step = ln2 / _STEPS
        high = float(np.round(float(step) * 2.0**43) / 2.0**43)  # 37 significant bits at most
        low = float(step - Decimal(high))
    return table, high, low


def exp_negative(d: Float64Array) -> Float64Array:
    """exp(−d) for d ≥ 0 (no NaN; +inf allowed), relative error at most ``EXP_ERROR``; 0 where d > ``EXP_CUTOFF``.

    ``d`` may have any shape, which the result has.

    Proof. With k = rint(64 d / ln 2) < 2^16, r = (k·high − d) + k·low satisfies |r| ≤ ln 2 / 128 + 2^-40 < 0.00542.
    k·high is exact; its difference to d is exact by Sterbenz's lemma, or else errs by at most u·|r|; k·low and the last
    sum err by at most u·(2^-27 + |r|) together, and high + low represents ln 2 / 64 to 2^-96: r is off by less than
    2.1·u·|r| + 2^-79, a relative error below 0.02 u in exp(r). The polynomial r + r²/2 + … + r⁵/120 leaves out less
    than 0.00542^6 / 719 < 2^-54.6 = 0.33 u, and its rounding errors are at most 3u·|r| < 0.02 u. The table is correctly
    rounded (u), t·p rounds by u·|p| < 0.006 u, the sum t + t·p by u; scaling by a power of two is exact. Together below
    2.4 u, doubled for second-order terms and comfort.
    """
    table, high, low = _tables()
    bounded = np.minimum(d, EXP_CUTOFF + 1.0)
    k = np.rint(bounded * _PARTS)
    r = k * high
    r -= bounded
    r += k * low
    whole = k.astype(np.int32)
    t = table.take(whole & (_STEPS - 1))
    p = r * (1.0 / 120.0)
    p += 1.0 / 24.0
    p *= r
    p += 1.0 / 6.0
    p *= r
    p += 0.5
    p *= r
    p *= r
    p += r
    p *= t
    p += t
    np.ldexp(p, -(whole >> 6), out=p)
    p[d > EXP_CUTOFF] = 0.0
    return p


def log1p_sum(t: Float64Array) -> tuple[Float64Array, float]:
    """ln(1 + t) for 0 ≤ t < 2^40, in the shape of ``t``, and one bound on the relative error of every entry.

    Below 2^-7 the alternating series to t⁸ leaves out less than t⁹/9, relatively 2^-59, and Horner's rule errs by less
    than 3 u. Elsewhere the platform's log1p gives y, whatever its quality, and ln(1+t) − y = ln(1 + z) with
    z = (1+t)·exp(−y) − 1, of which 1+t, exp and the product err by at most 7 u in all (the subtraction is exact near
    1); |ln(1+z)| ≤ 2|z|, and ln(1+t) ≥ 2^-7.1 there.
    """
    y = np.log1p(t)
    small = t < 2.0**-7
    error = 4 * U
    if small.any():
        z = t[small]
        series = np.full_like(z, -1.0 / 8.0)
        for n in range(7, 0, -1):
            series *= z
            series += (1.0 if n % 2 else -1.0) / n
        y[small] = series * z
    if not small.all():
        large = ~small
        z = (1.0 + t[large]) * exp_negative(y[large]) - 1.0
        error = max(error, float(np.max(2.0 * (np.abs(z) + 8 * U) / y[large])) * (1.0 + 4 * U))
    return y, error


def log(x: Float64Array) -> Float64Array:
    """ln x, in the shape of ``x``, relative error at most ``LOG_ERROR``: -inf at 0, NaN for negative numbers and NaN.

    Proof. x = 2^k m with sqrt(1/2) <= m < sqrt(2), exactly; f = m - 1 is exact (Sterbenz). With s = f/(2 + f), which
    errs by at most 2.1 u, ln m = 2s(1 + z/3 + z^2/5 + ...) for z = s^2 <= 0.0295; eleven terms leave out less than
    z^11/23 < 2^-60 relatively, and the sum in brackets, whose correction is below 0.011, errs by less than 1.1 u: ln m
    errs by at most 4.5 u. For k = 0 that is the result. Else k*high is exact (high has 32 bits, k eleven), k*low and
    its sum with ln m, which is at most 0.35 in magnitude, err by less than 2 u in all, and the last sum by u of its
    result, which exceeds 0.34: below 4.5 u*0.35/0.34 + 2 u*... < 8 u.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        m, k = np.frexp(x)
        low = m < _ROOT_HALF
        m = np.where(low, 2.0 * m, m)
        k = np.where(low, k - 1, k).astype(np.float64)
        f = m - 1.0
        s = f / (2.0 + f)
        z = s * s
        series = np.full_like(z, 1.0 / 21.0)
        for n in range(19, 1, -2):
            series *= z
            series += 1.0 / n
        of_m = 2.0 * s + 2.0 * s * (series * z)
        result = np.where(k == 0.0, of_m, k * _LN2_HIGH + (k * _LN2_LOW + of_m))
        return np.where(x > 0.0, np.where(x == np.inf, np.inf, result), np.where(x == 0.0, -np.inf, np.nan))


_ROOT_HALF = 0.7071067811865476
#: ln 2 = high + low, to 2^-86; high has 32 significant bits.
_LN2_HIGH, _LN2_LOW = 2977044471 * 2.0**-32, 1.9082149292705877e-10
