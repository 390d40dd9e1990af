"""Change points in a series of times, by Apache Otava."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import msgspec

__all__ = ["FEWEST", "MISSING", "ChangePoint", "change_points"]

MISSING = (
    "change points need Apache Otava: pip install --no-deps apache-otava==0.8.0 "
    "(its other dependencies are the services that it can report to, and an older NumPy)"
)
#: Otava's own default: one false change point in a thousand places.
LARGEST_P = 0.001
#: Changes below this share are of no interest, and machines drift by as much.
LEAST_CHANGE = 0.03
#: Runs below which a change cannot be separated from noise.
FEWEST = 4


class ChangePoint(msgspec.Struct, frozen=True, kw_only=True):
    """The times change from run ``index`` on; ``ratio`` is the mean from there over the mean before."""

    index: int
    ratio: float
    p: float


def change_points(seconds: Sequence[float]) -> tuple[ChangePoint, ...] | None:
    """Where a series of times changes; None if Otava is not installed.

    The algorithm is E-divisive means with Student's test, as in Fleming et al., *Hunter: Using Change Point Detection
    to Hunt for Performance Regressions* (ICPE 2023).
    """
    try:
        from otava.analysis import compute_change_points
    except ImportError:
        return None
    if len(seconds) < FEWEST:
        return ()
    with warnings.catch_warnings():
        # Runs that agree to the last digit have no spread, which its t-test divides by: there the p is 0 or undefined.
        warnings.simplefilter("ignore", RuntimeWarning)
        found, _ = compute_change_points([*seconds], max_pvalue=LARGEST_P, min_magnitude=LEAST_CHANGE)
    points = []
    for each in found:
        p, ratio = float(each.stats.pvalue), 1 + float(each.stats.forward_rel_change())
        if math.isfinite(p):
            points.append(ChangePoint(index=int(each.index), ratio=ratio, p=p))
    return tuple(points)
