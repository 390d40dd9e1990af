"""Errors counted in bins of equal width in the logarithm: memory stays the same however many there are."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["BIN", "Spread"]

#: Bins a decade: a quantile is right within 12 %.
BINS = 20
#: The bin of a size in SQL: an infinity where it is 0 or infinite. What is not a number cannot be placed: infinite.
BIN = (
    f"case when size <= 0 then '-inf'::double when isfinite(size) then floor({BINS} * log10(size)) "
    "else 'inf'::double end"
)


@dataclass(eq=False)
class Spread:
    """A distribution of numbers from 0 up: zeros, finite ones in bins, infinite ones (a wrong special value)."""

    zeros: int = 0
    infinite: int = 0
    bins: Counter[int] = field(default_factory=Counter)
    greatest: float = 0.0

    def add(self, place: float, count: int, greatest: float) -> None:
        """Add ``count`` numbers of a bin of ``BIN``, of which the greatest is given."""
        if place == -math.inf:
            self.zeros += count
        elif place == math.inf:
            self.infinite += count
        else:
            self.bins[int(place)] += count
            self.greatest = max(self.greatest, greatest)

    @property
    def count(self) -> int:
        """How many were counted."""
        return self.zeros + self.infinite + sum(self.bins.values())

    @property
    def worst(self) -> float:
        """The greatest of all, infinite ones too."""
        return math.inf if self.infinite else self.greatest

    def quantile(self, q: float) -> float:
        """The number that a share ``q`` does not exceed, to the width of a bin; 0 where nothing was counted."""
        wanted = q * self.count
        passed = self.zeros
        if passed >= wanted:
            return 0.0
        for place in sorted(self.bins):
            passed += self.bins[place]
            if passed >= wanted:
                return min(10 ** ((place + 0.5) / BINS), self.greatest)
        return self.worst

    def decades(self, low: int, high: int, parts: int = 4) -> list[int]:
        """Counts in ``parts`` bins a decade from 10^low to 10^high; what lies outside is in the outermost bins."""
        counts = [0] * ((high - low) * parts)
        for place, count in self.bins.items():
            at = math.floor((place / BINS - low) * parts)
            counts[min(max(at, 0), len(counts) - 1)] += count
        return counts
