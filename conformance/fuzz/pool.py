"""The inputs that came nearest to their bound, one for each kind of result, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conformance.corpus.dice import Dice
from conformance.corpus.recipe import Recipe
from conformance.corpus.settle import settled
from conformance.corpus.space import FACTORS, FAMILY
from conformance.model.outcome import Outcome

__all__ = ["Near", "Pool", "mutated"]

#: What a mutation leaves as it is: another of these would be another case altogether.
_KEPT = (*FAMILY, "op")


class Near(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe, and the largest error over its bound that a result of it had: 1 is the bound itself."""

    recipe: Recipe
    ratio: float
    op: str
    check: str
    dtype: str


class Pool:
    """For each operation, check and dtype the recipe with the largest error over its bound that still passes."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, str, str], Near] = {}

    def __len__(self) -> int:
        return len(self._best)

    @property
    def entries(self) -> list[Near]:
        """In the order of what was found first."""
        return [*self._best.values()]

    @property
    def nearest(self) -> Near | None:
        """The one with the largest ratio of all."""
        return max(self._best.values(), key=lambda each: each.ratio, default=None)

    def add(self, recipe: Recipe, outcomes: Sequence[Outcome]) -> None:
        """Take note of a case's passes."""
        for each in outcomes:
            if each.verdict == "pass" and isinstance(each.ratio, float) and 0.0 < each.ratio < math.inf:
                key = (each.op, each.check, each.dtype)
                if key not in self._best or self._best[key].ratio < each.ratio:
                    self._best[key] = Near(
                        recipe=recipe, ratio=each.ratio, op=each.op, check=each.check, dtype=each.dtype
                    )

    def drawn(self, dice: Dice) -> Recipe:
        """One of the recipes."""
        return dice.one_of(self.entries).recipe


def mutated(recipe: Recipe, dice: Dice, weights: Mapping[str, Mapping[str, float]] = FACTORS) -> Recipe:
    """A recipe that differs in a level or two, or in nothing but its numbers."""
    levels: dict[str, Any] = dict(recipe.levels)
    factors = [name for name in FACTORS if name not in _KEPT]
    for _ in range(dice.below(3)):
        factor = dice.one_of(factors)
        levels[factor] = dice.weighted(weights[factor])
    seed = dice.seed() if dice.chance(0.7) else recipe.seed
    return Recipe(levels=settled(levels, recipe.extents), extents=recipe.extents, seed=seed)
