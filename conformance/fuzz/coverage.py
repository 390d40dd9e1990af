"""Which pairs of features the cases so far had together."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

__all__ = ["Pairs"]


class Pairs:
    """Pairs of levels of two factors, each pair once."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._seen: set[int] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def gain(self, levels: Mapping[str, str]) -> int:
        """How many pairs of these levels were not seen yet."""
        return len(self._pairs(levels) - self._seen)

    def add(self, levels: Mapping[str, str]) -> int:
        """Take note of a case's levels; returns how many pairs were new."""
        before = len(self._seen)
        self._seen |= self._pairs(levels)
        return len(self._seen) - before

    def _pairs(self, levels: Mapping[str, str]) -> set[int]:
        names = self._numbers
        known = sorted(names.setdefault(each, len(names)) for each in levels.items())
        return {(one << 16) | other for one, other in combinations(known, 2)}
