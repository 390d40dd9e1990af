"""Random cases: sound, the same for the same id, and of every feature."""

from __future__ import annotations

import pytest

from conformance.cases.checks import complaints_about
from conformance.cases.expand import expand
from conformance.corpus.dice import Dice
from conformance.corpus.random_cases import random_case, random_cases, recipe_of
from conformance.corpus.recipe import Recipe
from conformance.corpus.space import FACTORS, FORMS
from conformance.model.case import OPERATIONS, TRANSFORMS
from conformance.model.layouts import BETWEEN, LAYOUTS


def test_a_case_follows_from_its_id_alone() -> None:
    for entry in random_cases(30, 7):
        again = random_case(entry.case.id)
        assert again is not None and repr(again.case) == repr(entry.case)
    assert [repr(each.case) for each in random_cases(3, 8)] != [repr(each.case) for each in random_cases(3, 7)]


@pytest.mark.parametrize("name", ["random", "random.7", "random.a.b", "random.7.12.3", "random.-1.0", "other.7.12"])
def test_no_other_id_names_one(name: str) -> None:
    assert random_case(name) is None


def test_choices_are_the_same_with_every_version_of_python() -> None:
    dice = Dice("a", 1)
    assert [dice.below(1000) for _ in range(4)] == [331, 885, 783, 140]
    assert Dice("a", 1).weighted({"x": 1.0, "y": 1.0}) == "x"


def test_every_case_is_sound() -> None:
    for entry in random_cases(400, 0):
        assert not [*complaints_about(entry.case)], entry.case.id
        assert expand(entry).problems or expand(entry).skipped


def test_every_level_of_every_feature_occurs() -> None:
    drawn: dict[str, set[str]] = {factor: set() for factor in FACTORS}
    for index in range(6000):
        for factor, level in recipe_of(3, index).levels.items():
            drawn[factor].add(level)
    missing = {factor: {*levels} - drawn[factor] for factor, levels in FACTORS.items() if {*levels} - drawn[factor]}
    assert missing == {}


def test_the_space_takes_its_words_from_the_model() -> None:
    assert {*FACTORS["layout"]} == {*LAYOUTS} - {*BETWEEN}
    assert {*FACTORS["op"]} == {*OPERATIONS}
    assert {*FACTORS["transforms"]} == {"none", *TRANSFORMS}
    assert {*FACTORS["form"]} == {*FORMS}


def test_labels_hold_what_their_recipe_says() -> None:
    """An ignored label occurs where a position is ignored, and nowhere else."""
    for index in range(1200):
        recipe: Recipe = recipe_of(5, index)
        case = recipe.case("it")
        if case.targets_as != "indices" or recipe.levels["invalid"] != "nothing":
            continue
        flat = str(case.targets)
        if recipe.levels["ignored"] == "unused":
            assert case.ignore_index is not None and str(case.ignore_index) not in flat
        if recipe.levels["ignored-share"] == "all" and recipe.levels["ignored"] == "minus-one":
            assert {*flat} <= {*"[], -1"}
