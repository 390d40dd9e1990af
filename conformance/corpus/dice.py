"""Seeded choices: the same for the same key, with every version of Python and on every machine."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

__all__ = ["Dice"]

T = TypeVar("T")


class Dice:
    """Choices that follow from ``key`` alone.

    Of Python's generator only ``random()`` is used, whose sequence for a seed is promised not to change.
    """

    def __init__(self, *key: object) -> None:
        self._random = random.Random("/".join(map(str, key)))

    def share(self) -> float:
        """A number from [0, 1)."""
        return self._random.random()

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.share() < probability

    def below(self, count: int) -> int:
        """An integer from [0, count)."""
        return int(self.share() * count)

    def between(self, first: int, last: int) -> int:
        """An integer from first to last, both included."""
        return first + self.below(last - first + 1)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of them, each as likely."""
        return choices[self.below(len(choices))]

    def weighted(self, weights: Mapping[str, float]) -> str:
        """One of the words, as likely as its weight says."""
        goal = self.share() * sum(weights.values())
        for word, weight in weights.items():
            goal -= weight
            if goal < 0:
                return word
        return [*weights][-1]  # what is left to rounding

    def seed(self) -> int:
        """A seed for a generator of numbers."""
        return self.below(2**31)
