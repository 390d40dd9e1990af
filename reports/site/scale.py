"""Errors counted in bins of equal width in the logarithm: memory stays the same however many there are."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Spread"]

#: Bins a decade: a quantile is right within 12 %.
BINS = 20


@dataclass(eq=False)
class Spread:
    """A distribution of numbers from 0 up: zeros, finite ones in bins, infinite ones (a wrong special value)."""

    zeros: int = 0
    infinite: int = 0
    bins: Counter[int] = field(default_factory=Counter)
    greatest: float = 0.0

    def add(self, value: float) -> None:
        """Count one; NaN counts as infinite: neither can be placed."""
        if value <= 0.0:
            self.zeros += 1
        elif value < math.inf:
            self.bins[math.floor(BINS * math.log10(value))] += 1
            if value > self.greatest:
                self.greatest = value
        else:
            self.infinite += 1

    @property
    def count(self) -> int:
        """How many were counted."""
        return self.zeros + self.infinite + sum(self.bins.values())

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
        return math.inf if self.infinite else self.greatest

    def decades(self, low: int, high: int, parts: int = 4) -> list[int]:
        """Counts in ``parts`` bins a decade from 10^low to 10^high; what lies outside is in the outermost bins."""
        counts = [0] * ((high - low) * parts)
        for place, count in self.bins.items():
            at = math.floor((place / BINS - low) * parts)
            counts[min(max(at, 0), len(counts) - 1)] += count
        return counts
