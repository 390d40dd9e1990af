"""Mann–Whitney by ranks, and Holm's correction over all comparisons of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["holm", "least_p", "mann_whitney"]


def mann_whitney(old: Sequence[float], new: Sequence[float]) -> float:
    """The two-sided p-value that the process medians of two runs come from one law.

    Exact for up to 50 processes in all without ties, else by the normal approximation with its correction for ties.
    """
    from scipy import stats

    if len({*old, *new}) == 1:
        return 1.0
    tied = len({*old, *new}) < len(old) + len(new)
    method = "asymptotic" if tied or len(old) + len(new) > 50 else "exact"
    p = float(stats.mannwhitneyu(old, new, alternative="two-sided", method=method).pvalue)
    return min(p, 1.0) if math.isfinite(p) else 1.0


def least_p(old: int, new: int) -> float:
    """The smallest p that so many processes can give, when the two runs are wholly apart: 0.0079 for five and five."""
    return min(2 / math.comb(old + new, old), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: the family-wise error stays below any level they are held to.

    Source: Holm, *A simple sequentially rejective multiple test procedure* (Scand. J. Statist. 6, 1979).
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    worst = 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted
