"""Random cases, each of which follows from a seed and its number: nobody can fit a kernel to them beforehand."""

from __future__ import annotations

import re
from pathlib import Path

from conformance.cases.load import Entry
from conformance.corpus.dice import Dice
from conformance.corpus.extents import extents_of
from conformance.corpus.recipe import Recipe
from conformance.corpus.settle import settled
from conformance.corpus.space import FAMILY, drawn

__all__ = ["THEME", "random_case", "random_cases", "recipe_of"]

THEME = "random"
#: They stand in no file.
_NOWHERE = Path("<random>")
_NAME = re.compile(r"random\.([0-9]{1,18})\.([0-9]{1,9})")
#: Neighbours of one shape and dtype, as compilers start anew for each.
TOGETHER = 8


def random_cases(count: int, seed: int) -> list[Entry]:
    """The first ``count`` cases of ``seed``."""
    return [_entry(seed, index) for index in range(count)]


def random_case(name: str) -> Entry | None:
    """The case that an id such as ``random.7.12`` names: number 12 of seed 7; None for any other id."""
    match = _NAME.fullmatch(name)
    return _entry(int(match[1]), int(match[2])) if match else None


def _entry(seed: int, index: int) -> Entry:
    return Entry(recipe_of(seed, index).case(f"random.{seed}.{index}"), THEME, _NOWHERE, index)


def recipe_of(seed: int, index: int) -> Recipe:
    """The recipe of a case, which depends on no other one's."""
    family = Dice(seed, "family", index // TOGETHER)
    levels = drawn(family)
    extents, levels = extents_of(levels, family)
    dice = Dice(seed, "case", index)
    of_case = drawn(dice, {factor: levels[factor] for factor in FAMILY})
    return Recipe(levels=settled(of_case, extents), extents=extents, seed=dice.seed())
