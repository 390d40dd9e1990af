"""A problem under policies: what is asked, or why the call has no result."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, get_args

import numpy as np
import pytest

from conformance.backends.discovery import names
from conformance.cases.expand import expand
from conformance.cases.load import load_suite
from conformance.cases.resolve import promoted, resolve
from conformance.model.case import Case, Expect, Invalid
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Problem
from conformance.numerics.formats import numpy_dtype
from conformance.places import CASES
from conformance.profiles.load import profile_named
from tests.support.problems import small

PROBABILITIES: dict[str, Any] = {"targets": np.full((2, 3), 0.25, np.float32), "target_kind": "probabilities"}


@pytest.mark.parametrize(
    ("given", "policies", "why"),
    [
        ({"targets": [0]}, {}, "index targets of shape (1,)"),
        ({"targets": [0, 3]}, {}, "a label is out of range"),
        ({"targets": [0, -1]}, {}, "a label is out of range"),
        ({"targets": [0.0, 1.0]}, {}, "index targets of dtype float64"),
        ({"targets": [True, False]}, {}, "index targets of dtype bool"),
        ({"targets": np.array([0, 1], np.int8)}, {"target_dtypes": ["int64"]}, "int8 are not accepted"),
        ({"targets": "no tensor", "target_kind": "python"}, {}, "the targets are not a tensor"),
        ({"weight": np.ones(2, np.float32)}, {}, "weights of shape (2,) for 3 classes"),
        ({"label_smoothing": 1.5}, {}, "label smoothing of 1.5"),
        ({"label_smoothing": float("nan")}, {}, "label smoothing of nan"),
        ({**PROBABILITIES, "ignore_index": 1}, {}, "ignore_index applies to index targets only"),
        ({**PROBABILITIES, "targets": np.ones((2, 2), np.float32)}, {}, "probabilities of shape (2, 2)"),
        (
            {**PROBABILITIES, "targets": np.full((2, 3), 0.25, np.float64)},
            {"mixed_dtype_result": "refused"},
            "probabilities of dtype float64 for logits of dtype float32",
        ),
        ({"axis": 2, "class_axis": None}, {}, "the class axis is out of range"),
        ({"axis": None, "class_axis": None}, {"default_axis": {"all": "required"}}, "the class axis has no default"),
        ({"logits": np.zeros((2, 3), np.int32)}, {}, "logits of dtype int32 are refused"),
        ({"logits": np.zeros((2, 0), np.float32)}, {"class_extent_0": "raise"}, "an empty class axis is refused"),
        ({"logits": np.float32(0.0), "axis": 0, "class_axis": None}, {"rank_0_logits": "raise"}, "logits of rank 0"),
    ],
)
def test_calls_without_a_result(given: dict[str, Any], policies: dict[str, Any], why: str) -> None:
    assert why in resolve(small(**given), Policies(**policies)).must_raise


def test_the_error_that_a_case_states_is_set_aside_to_ask_the_policies() -> None:
    stated = small(case=Case(id="c", why="w", op="cross_entropy", expect=Expect(error="as it says")))
    assert resolve(stated, NORMATIVE).must_raise == "as it says"
    assert resolve(stated, NORMATIVE, stated_error=False).must_raise == ""


@pytest.mark.parametrize(
    ("axis", "shape", "class_axis"), [(1, (2, 3), 1), ("implicit", (2, 3, 4), 0), (-1, (2, 3, 4), 2), (0, (2, 3), 0)]
)
def test_the_default_axis_is_that_of_the_policy(axis: Any, shape: tuple[int, ...], class_axis: int) -> None:
    asked = _softmax(shape)
    assert resolve(asked, Policies(default_axis={"softmax": axis})).problem.class_axis == class_axis


@pytest.mark.parametrize(
    ("logits", "targets", "policy", "value"),
    [
        ("bfloat16", "float32", "promoted", "float32"),
        ("bfloat16", "float16", "promoted", "float32"),
        ("float16", "float64", "promoted", "float64"),
        ("float32", "bfloat16", "promoted", "float32"),
        ("float32", "float32", "promoted", None),
        ("bfloat16", "float32", "logits", None),
    ],
)
def test_the_dtype_of_the_loss_beside_probabilities_of_another(
    logits: Any, targets: str, policy: Any, value: str | None
) -> None:
    given = PROBABILITIES | {"targets": np.full((2, 3), 0.25).astype(numpy_dtype(targets))}
    asked = small(logits=np.zeros((2, 3)).astype(numpy_dtype(logits)), dtype=logits, **given)
    found = resolve(asked, Policies(mixed_dtype_result=policy))
    assert not found.must_raise and found.problem.value_dtype == value and found.problem.dtype == logits


@pytest.mark.parametrize(
    ("dtype", "operation", "value", "held_to"),
    [
        ("float16", "cross_entropy", "float32", "float32"),
        ("bfloat16", "nll_loss_of_log_softmax", "float32", None),
        ("float16", "softmax", None, None),
        ("float32", "cross_entropy", None, None),
    ],
)
def test_the_value_of_a_half_type_may_be_one_of_float32(
    dtype: Any, operation: Any, value: str | None, held_to: str | None
) -> None:
    declared = Policies(half_type_result={"all": "float32", "softmax": "logits"})
    asked = small(logits=np.zeros((2, 3)).astype(numpy_dtype(dtype)), dtype=dtype, operation=operation)
    found = resolve(asked, declared).problem
    assert (found.dtype, found.value_dtype, found.held_to) == (dtype, value, held_to)


def test_beside_probabilities_of_another_dtype_the_wide_value_is_promoted() -> None:
    given = PROBABILITIES | {"targets": np.full((2, 3), 0.25)}
    asked = small(logits=np.zeros((2, 3), np.float16), dtype="float16", **given)
    found = resolve(asked, Policies(half_type_result="float32", mixed_dtype_result="promoted"))
    assert (found.problem.value_dtype, found.problem.held_to) == ("float64", "float32")


def test_ignored_labels_without_a_class_are_left_open() -> None:
    given = small(logits=np.zeros((2, 0), np.float32), targets=[-5, -5], ignore_index=-5)
    assert resolve(given, NORMATIVE).undefined and not resolve(given, NORMATIVE).must_raise


@pytest.mark.parametrize("declared", ["all", {"all": "all"}])
def test_the_whole_array_as_one_axis_is_left_open(declared: Any) -> None:
    assert resolve(_softmax((2, 3)), Policies(default_axis=declared)).undefined
    of_a_number = resolve(_softmax(()), Policies(default_axis=declared))
    assert of_a_number.problem.class_axis == 0 and not of_a_number.undefined


def test_a_value_for_all_operations_is_that_of_each() -> None:
    integers = small(logits=np.zeros((2, 3), np.int32))
    assert not resolve(integers, Policies(integer_logits={"all": "kept"})).must_raise


@pytest.mark.parametrize(
    ("value", "label", "becomes"),
    [("wraps", -1, 2), ("clamps", -9, 0), ("clamps", 7, 2)],
)
def test_a_label_out_of_range_may_be_taken_for_a_class(value: str, label: int, becomes: int) -> None:
    made = resolve(small(targets=[0, label]), Policies(label_out_of_range=value))  # type: ignore[arg-type]
    assert made.problem.targets.tolist() == [0, becomes] and made.marked is None and not made.must_raise


@pytest.mark.parametrize(("value", "loss"), [("nan", np.nan), ("zero", 0.0), (-1, -1.0), (0.1, float(np.float32(0.1)))])
def test_a_label_out_of_range_may_have_a_loss_of_its_own(value: Any, loss: float) -> None:
    made = resolve(small(targets=[5, 1]), Policies(label_out_of_range=value))
    assert made.marked is not None and made.marked.rows.tolist() == [True, False]
    assert np.array_equal(made.marked.loss[0], loss, equal_nan=True)


def test_labels_out_of_range_on_both_sides_have_a_loss_each() -> None:
    made = resolve(small(targets=[5, -9]), Policies(label_out_of_range={"above": "nan", "below": "zero"}))
    assert made.marked is not None and made.marked.rows.all()
    assert np.array_equal(made.marked.loss, [np.nan, 0.0], equal_nan=True)


def test_each_kind_of_label_has_its_own_value() -> None:
    made = resolve(small(targets=[5, -1]), Policies(label_out_of_range={"above": "nan", "negative": "wraps"}))
    assert made.problem.targets.tolist() == [0, 2] and made.marked is not None
    assert made.marked.rows.tolist() == [True, False]
    assert resolve(small(targets=[5, -9]), Policies(label_out_of_range={"above": "nan"})).must_raise
    assert resolve(small(targets=[5, 0]), Policies(label_out_of_range="undefined")).undefined


def test_a_large_label_without_sign_is_above() -> None:
    given = small(targets=np.array([0, 2**64 - 1], np.uint64))
    made = resolve(given, Policies(label_out_of_range={"above": "clamps"}))
    assert made.problem.targets.tolist() == [0, 2]


def test_the_default_ignored_label_is_filled_in_where_it_occurs() -> None:
    assert resolve(small(targets=[0, -100]), NORMATIVE).problem.ignore_index == -100
    assert resolve(small(targets=[0, 1]), NORMATIVE).problem.ignore_index is None
    assert resolve(small(targets=[0, -100]), Policies(default_ignore_index="none")).must_raise


def test_targets_of_extent_one_are_repeated_where_they_broadcast() -> None:
    made = resolve(small(targets=[2]), Policies(target_broadcasting="broadcast"))
    assert made.problem.targets.tolist() == [2, 2]
    assert resolve(small(targets=[2, 1, 0]), Policies(target_broadcasting="broadcast")).must_raise


def test_integer_logits_are_promoted_to_the_dtype_of_what_came_back() -> None:
    given = small(logits=np.array([[1, 2, 3], [4, 5, 6]]), weight=np.ones(3, np.float64))
    made = promoted(given, np.zeros(2, np.float32))
    assert made.dtype == "float32" and made.logits.dtype == np.float32
    assert made.weight is not None and made.weight.dtype == np.float32
    assert promoted(given, None) is given and promoted(small(), np.zeros(2, np.float64)).dtype == "float32"


def _softmax(shape: tuple[int, ...]) -> Problem:
    return small(
        logits=np.zeros(shape, np.float32), operation="softmax", targets=None, target_kind=None, axis=None,
        class_axis=None,
    )  # fmt: skip


def test_what_makes_an_input_invalid_is_known_of_every_case_that_expects_an_error() -> None:
    """But for logits of rank 0, which have a value by the usual definition."""
    found = defaultdict[str | None, set[str]](set)
    of_case = defaultdict[str, set[str]](set)
    for entry in load_suite((CASES,)).entries:
        if entry.case.expect is not None and (said := entry.case.expect.error) is not None:
            for problem in expand(entry).problems:
                invalid = resolve(problem, NORMATIVE).invalid
                found[invalid].add(said)
                of_case[entry.case.id].add(str(invalid))
    assert {said for said in found.pop(None) if "rank 0" not in said} == set()
    of_policies = {"class-extent", "logits-rank", "probability-dtype"}
    assert found.keys() == {*get_args(Invalid)} - of_policies
    assert found["label-of-no-class"] == {"no label is in range where there is no class"}
    assert found["smoothing-above"] == {"smoothing above 1"} and found["smoothing-below"] == {"smoothing below 0"}
    for entry in (entry for name in names() for entry in profile_named(name).known if entry.invalid):
        assert not [case for case in entry.cases if case in of_case and of_case[case].isdisjoint(entry.invalid)], (
            entry.id
        )
