"""Random cases: sound, the same for the same id, and of every feature."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from conformance.cases.checks import complaints_about
from conformance.cases.expand import expand
from conformance.cases.resolve import invalid_of
from conformance.corpus.dice import Dice
from conformance.corpus.extents import extents_of
from conformance.corpus.random_cases import random_case, random_cases, recipe_of
from conformance.corpus.recipe import Recipe
from conformance.corpus.space import FACTORS, FORMS, PLAIN
from conformance.model.case import OPERATIONS, TRANSFORMS, Budget, Case, Expect, Generator, IntegerName, TargetKind
from conformance.model.dtypes import DTYPES
from conformance.model.layouts import FAR_APART, LAYOUTS, OPERANDS
from conformance.places import ROOT


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
    refused = 0
    for entry in random_cases(600, 0):
        assert not [*complaints_about(entry.case)], entry.case.id
        found = expand(entry)
        assert found.problems or found.skipped
        if entry.case.expect is not None:
            refused += len(found.problems)
            assert all(map(invalid_of, found.problems)), entry.case.id
    assert refused > 40


def words(value: Any, name: str = "") -> Iterator[str]:
    """The keys that a case has, and the words that these hold, as ``docs/fuzz.md`` names them."""
    if isinstance(value, msgspec.Struct):
        for key in value.__struct_fields__:
            held = getattr(value, key)
            if held not in (None, (), Budget()) and (type(value) is not Generator or held not in (0.0, 0)):
                yield f"{name}{key}"
                yield from words(held, f"{key}: ")
    elif isinstance(value, tuple):
        for each in value:
            yield from words(each, name)
    elif name == "layouts: ":
        yield from (name + word for word in re.split("[+=]", str(value)))
    elif isinstance(value, str):
        yield name + value


def test_every_key_is_drawn_or_named_with_a_reason() -> None:
    """All of the case model, in 10,000 draws: what is not drawn stands in the docs, and only that."""
    hints = get_type_hints(Case)
    lists = {"op": OPERATIONS, "dtypes": DTYPES, "transforms": TRANSFORMS, "layouts": (*LAYOUTS, *OPERANDS)}
    lists |= {"logits_dtype": get_args(IntegerName), "targets_as": get_args(TargetKind)}
    lists |= {"reductions": get_args(get_args(hints["reductions"])[0])}
    model = {f"{key}: {word}" for key, held in lists.items() for word in held} | {*Case.__struct_fields__}
    model |= {f"expect: {key}" for key in Expect.__struct_fields__}
    of_generators = (*Generator.__struct_fields__, *get_args(get_type_hints(Generator)["distribution"]))
    drawn = {word for index in range(10_000) for word in words(recipe_of(0, index).case("it"))}
    assert {*of_generators} <= {word.rpartition(": ")[2] for word in drawn}
    text = (ROOT / "docs/fuzz.md").read_text(encoding="utf-8")
    left_out = {name for row in re.findall(r"^\| (`[^|]*) \| ", text, re.M) for name in re.findall("`([^`]*)`", row)}
    assert model - drawn == left_out


def test_every_level_of_every_feature_occurs() -> None:
    drawn: dict[str, set[str]] = {factor: set() for factor in FACTORS}
    for index in range(6000):
        for factor, level in recipe_of(3, index).levels.items():
            drawn[factor].add(level)
    missing = {factor: {*levels} - drawn[factor] for factor, levels in FACTORS.items() if {*levels} - drawn[factor]}
    assert missing == {}


def test_numbers_of_classes_are_multiples_of_other_blocks_than_powers_of_two() -> None:
    """Kernels work in blocks of 96 or 160 as well, and models have 100 or 1,000 classes."""
    for level, blocks in (("middle", (10, 48, 96, 100)), ("wide", (96, 128, 160, 1000))):
        families = (extents_of({**PLAIN, "classes": level}, Dice(3, number))[0] for number in range(1000))
        classes = [extents[1] for extents in families]
        for block in blocks:
            assert sum(not each % block for each in classes) > 2 * len(classes) / block, (level, block)


def test_no_policy_is_observed_of_a_result_that_is_left_open() -> None:
    """Of no classes and ignored positions alone the definition says nothing, along whichever axis."""
    asked = {**PLAIN, "op": "nll_loss", "classes": "no", "axis": "default", "policy": "asked"}
    for ignored, observed in (("outside", False), ("none", True)):
        recipe = Recipe(levels={**asked, "ignored": ignored}, extents=(2, 0), seed=1)
        assert bool(recipe.case("it").policies) == observed


def test_the_space_takes_its_words_from_the_model() -> None:
    assert {*FACTORS["layout"]} == {*LAYOUTS} - {FAR_APART}
    assert {*FACTORS["op"]} == {*OPERATIONS}
    assert {*FACTORS["transforms"]} == {"none", "several", *TRANSFORMS}
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
