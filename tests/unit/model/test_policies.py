"""One declaration of each policy, from which all else is read."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.model.case import Case
from conformance.model.policies import (
    BY_CHECK,
    NORMATIVE,
    POLICIES,
    Policies,
    choice_in,
    declarable,
    name_of_number,
    number_given,
)
from conformance.model.problem import Problem
from tests.support.problems import small

INF = math.inf


def problem(targets: Any) -> Problem:
    return small(targets=np.array(targets))


def test_every_field_is_a_policy_and_its_default_the_normative_value() -> None:
    assert [policy.field for policy in POLICIES.values()] == list(Policies.__struct_fields__)
    for policy in POLICIES.values():
        default = getattr(NORMATIVE, policy.field)
        assert policy.values and (default in ({}, []) or default == policy.values[0]), policy.name
        assert "undefined" not in policy.values
    assert {*BY_CHECK} == {"second-order", "forward-mode", "target-gradient"}


def test_every_word_that_is_offered_can_be_declared_alone() -> None:
    for name in POLICIES:
        for word in {*declarable(name)} - {"any integer", "any other number", "a list of dtypes"}:
            value: Any = int(word) if word.lstrip("-").isdigit() else word
            listed = name == "accepted-inputs" and word != "refused"  # several may be taken
            stated = {name: [value] if listed else value}
            assert stated.items() <= msgspec.to_builtins(msgspec.convert(stated, Policies)).items()


@pytest.mark.parametrize(
    ("targets", "aspect"), [([0, 3], "above"), ([-1, 0], "negative"), ([0, -4], "below"), ([0, 2], None)]
)
def test_of_a_label_out_of_range_its_kind_is_the_aspect(targets: list[int], aspect: str | None) -> None:
    choice = choice_in("label-out-of-range", problem(targets), NORMATIVE)
    assert (None if choice is None else choice.label) == (None if aspect is None else f"label-out-of-range/{aspect}")


def test_a_value_holds_for_its_aspect_alone() -> None:
    choice = choice_in("label-out-of-range", problem([0, 3]), NORMATIVE)
    assert choice is not None and choice.normative == "raise" == choice.chosen(NORMATIVE)
    changed = choice.with_value(NORMATIVE, "nan")
    assert changed.label_out_of_range == {"above": "nan"} and choice.chosen(changed) == "nan"
    below = choice_in("label-out-of-range", problem([0, -4]), changed)
    assert below is not None and below.chosen(changed) == "raise"


def test_another_value_for_one_operation_leaves_that_of_all_others() -> None:
    choice = choice_in("default-axis", small(case=Case(id="c", why="w", op="cross_entropy")), NORMATIVE)
    assert choice is not None and choice.chosen(Policies(default_axis="all")) == "all"
    changed = choice.with_value(Policies(default_axis="all"), -1)
    assert changed.default_axis == {"all": "all", "cross_entropy": -1}


@pytest.mark.parametrize(
    ("declared", "dtype", "chosen"),
    [
        ([], "int32", "accepted"),
        ([], "float32", "refused"),
        (["int64"], "int32", "refused"),
    ],
)
def test_dtypes_of_targets_are_accepted_or_refused(declared: Any, dtype: str, chosen: str) -> None:
    choice = choice_in("target-dtypes", problem(np.array([0, 1], dtype)), NORMATIVE)
    assert choice is not None and choice.chosen(Policies(target_dtypes=declared)) == chosen


def test_a_label_that_is_declared_to_be_ignored_is_a_value_too() -> None:
    choice = choice_in("default-ignore-index", problem([0, 1]), Policies(default_ignore_index=7))
    assert choice is not None and choice.values == (-100, "none", -1, 255, 7)


def test_a_number_that_is_declared_is_a_value_of_its_kind_of_label_alone() -> None:
    declared = Policies(label_out_of_range={"above": -1, "below": "-inf"})
    values = {
        label: choice.values
        for label in (3, -1, -4)
        if (choice := choice_in("label-out-of-range", problem([0, label]), declared)) is not None
    }
    usual = ("raise", "nan", "zero", "wraps", "clamps")
    assert values == {3: (*usual, -1), -1: usual, -4: (*usual, "-inf")}


@pytest.mark.parametrize(
    ("value", "number", "name"),
    [("zero", 0.0, ""), ("-inf", -INF, ""), (-1, -1.0, ""), (0, 0.0, "zero"), (-0.0, 0.0, "zero"), (INF, INF, "inf"),
     ("raise", None, ""), ("wraps", None, ""), (["int64"], None, "")],
)  # fmt: skip
def test_a_value_that_is_a_number_or_has_the_name_of_one(value: Any, number: float | None, name: str) -> None:
    assert (number_given(value), name_of_number(value)) == (number, name)
    assert math.isnan(number_given("nan") or 0.0) and name_of_number(math.nan) == "nan"


def test_a_policy_of_a_check_is_not_a_choice_of_a_case() -> None:
    assert choice_in("forward-mode", problem([0, 1]), NORMATIVE) is None
    with pytest.raises(KeyError):
        choice_in("no-such-policy", problem([0, 1]), NORMATIVE)


def test_wrong_values_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="mean-denominator"):
        msgspec.convert({"mean-denominator": "all"}, Policies)
