"""The interval of a ratio of times, from resampled processes and, within each, resampled rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Interval", "location_interval", "ratio_interval", "shift"]

RESAMPLES = 4000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; ``low <= estimate <= high``."""

    estimate: float
    low: float
    high: float


def ratio_interval(
    old: Sequence[Sequence[float]], new: Sequence[Sequence[float]], *, resamples: int = RESAMPLES
) -> Interval:
    """The ratio of times new/old, with its hierarchical bootstrap interval.

    ``old`` and ``new`` hold the rounds (seconds) of each process. The estimate is the Hodges–Lehmann shift of the
    logarithms of the process medians: the median over all pairs of processes of log(new/old), which one disturbed
    process hardly moves and which turns into its reciprocal when the runs are swapped. Processes are resampled with
    replacement, then the rounds within each.

    With few processes a percentile interval is too narrow, so its level is raised as in Hesterberg, *What teachers
    should know about the bootstrap* (The American Statistician 69, 2015), section 5.3.
    """
    import numpy as np

    generator = np.random.default_rng(0)
    before = _resampled(old, generator, resamples)
    after = _resampled(new, generator, resamples)
    shifts = _pairwise_median(before, after)
    estimate = shift([_median(each) for each in old], [_median(each) for each in new])
    tail = _tail(len(old), len(new))
    low, high = np.quantile(shifts, [tail, 1 - tail])
    return Interval(math.exp(estimate), math.exp(min(low, estimate)), math.exp(max(high, estimate)))


def location_interval(processes: Sequence[Sequence[float]]) -> Interval:
    """The median over processes of the process median (seconds), with its hierarchical bootstrap interval.

    The estimate is what anyone computes from the rounds, and pytest-benchmark prints: of an even number the mean of the
    two in the middle. With one process the interval spans only what its rounds say.
    """
    import numpy as np

    medians = np.median(_resampled(processes, np.random.default_rng(0), RESAMPLES), axis=1)
    estimate = float(np.median([np.median(each) for each in processes]))
    count = len(processes)
    tail = _tail(count, count) if count > 1 else (1 - LEVEL) / 2
    low, high = (math.exp(end) for end in np.quantile(medians, [tail, 1 - tail]))
    return Interval(estimate, min(low, estimate), max(high, estimate))


def shift(old: Sequence[float], new: Sequence[float]) -> float:
    """Hodges–Lehmann: the median of log(new) − log(old) over all pairs; dimensionless."""
    import numpy as np

    before = np.log(np.asarray(old, dtype=np.float64))[None, :]
    after = np.log(np.asarray(new, dtype=np.float64))[None, :]
    return float(_pairwise_median(before, after)[0])


def _pairwise_median(old: Floats, new: Floats) -> Floats:
    """For each row, the median of all differences new − old."""
    import numpy as np

    pairs = new[:, :, None] - old[:, None, :]
    return np.median(pairs.reshape(len(pairs), -1), axis=1)


def _resampled(processes: Sequence[Sequence[float]], generator: np.random.Generator, count: int) -> Floats:
    """Logarithms of process medians in ``count`` resamples: an array (count, processes).

    The rounds need not be drawn one by one. The median of n draws with replacement is the sorted sample at the place
    ⌈n·U⌉, where U is the median of n uniform numbers, whose law is a beta distribution.
    """
    import numpy as np

    ordered = [np.log(np.sort(np.asarray(each, dtype=np.float64))) for each in processes]
    lengths = np.array([len(each) for each in ordered])
    table = np.zeros((len(ordered), lengths.max()))
    for row, values in zip(table, ordered, strict=True):
        row[: len(values)] = values
    chosen = generator.integers(0, len(ordered), size=(count, len(ordered)))
    n = lengths[chosen]
    lower = (n + 1) // 2  # the place of the median; for an even n, of the lower of the two in the middle
    first = generator.beta(lower, n + 1 - lower)
    # Of the uniform numbers above the lower one, n − lower in number, the upper one is the least.
    second = first + (1 - first) * generator.beta(1, np.maximum(n - lower, 1))
    second = np.where(n % 2 == 1, first, second)
    return (_at(table, chosen, first, n) + _at(table, chosen, second, n)) / 2


def _at(table: Floats, row: Any, uniform: Floats, n: Any) -> Floats:
    import numpy as np

    place = np.clip(np.ceil(uniform * n).astype(np.int64) - 1, 0, n - 1)
    return table[row, place]


def _tail(old: int, new: int) -> float:
    """The percentile at which the interval ends, on each side: below 2.5 % for small samples."""
    from scipy import special, stats

    fewest = min(old, new)
    if fewest < 2:
        return 0.0
    width = math.sqrt(fewest / (fewest - 1)) * stats.t.ppf((1 + LEVEL) / 2, old + new - 2)
    return float(special.ndtr(-width))


def _median(rounds: Sequence[float]) -> float:
    """In logarithms, as everywhere here: the geometric mean of the two in the middle when the number is even."""
    ordered = sorted(rounds)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else math.sqrt(ordered[half - 1] * ordered[half])
