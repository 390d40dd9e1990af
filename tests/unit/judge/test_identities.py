"""The identities: each transformed problem has, at the places named, the exact values of the original."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conformance.cases.resolve import resolve
from conformance.judge.finding import Finding
from conformance.judge.identities import TransformedCall, transformed_calls
from conformance.judge.identity import Side, judge_identity
from conformance.judge.prepared import Prepared
from conformance.judge.unit import Unit
from conformance.model.checks import IDENTITIES
from conformance.model.policies import NORMATIVE
from conformance.model.problem import Problem
from conformance.oracle.block import Block
from conformance.worker.exchange import Failure, Observation
from tests.support.problems import small

SMOOTH = {"label_smoothing": 0.25, "weight": np.array([1.0, 2.0, 0.5], np.float32)}
PROBLEMS = {
    "plain": small(),
    "ignored": small(targets=[-1, 2], ignore_index=-1),
    "smoothed": small(**SMOOTH),
    "first axis": small(logits=np.array([[1.0, 2.0], [0.5, 0.0], [-1.0, 3.0]], np.float32), axis=0, class_axis=0),
    "probabilities": small(targets=np.array([[0.5, 0.25, 0.25], [0, 1, 0]], np.float32), target_kind="probabilities"),
    "softmax": small(operation="softmax", targets=None, target_kind=None, reductions=("none",)),
}


def exact(given: Problem, reduction: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return Prepared(Block((given,))).exact("value", reduction).mid


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_exact_values_satisfy_every_identity(name: str) -> None:
    given = PROBLEMS[name]
    derived = list(transformed_calls(given))
    assert derived and {each.name for each in derived} <= {*IDENTITIES}
    for each in derived:
        here, there = exact(given, each.reduction)[each.source], exact(each.problem, each.reduction)[each.take]
        assert np.allclose(here, there, rtol=1e-12, atol=0.0), each.name


def test_every_identity_is_derived_of_some_problem() -> None:
    assert {each.name for given in PROBLEMS.values() for each in transformed_calls(given)} == {*IDENTITIES}


def test_a_shift_is_another_for_each_position_and_changes_no_difference() -> None:
    (shift,) = [each for each in transformed_calls(small()) if each.name == "shift"]
    moved = shift.problem.logits - small().logits
    assert len(np.unique(moved)) == 2 and (np.ptp(moved, axis=1) == 0).all()


def test_classes_are_not_permuted_to_labels_that_their_type_does_not_hold() -> None:
    def names(labels: list[int]) -> set[str]:
        given = small(logits=np.zeros((2, 260), np.float32), targets=np.array(labels, np.uint8))
        return {each.name for each in transformed_calls(given)}

    assert "class-permutation" in names([100, 255])
    assert "class-permutation" not in names([0, 255])


@pytest.mark.parametrize(
    "changes",
    [{"layout": "transposed"}, {"logits": np.zeros((2, 0), np.float32)}, {"logits": np.zeros((9000, 3), np.float32)}],
)
def test_large_empty_and_strided_problems_have_none(changes: dict[str, Any]) -> None:
    assert list(transformed_calls(replace(small(), **changes))) == []


class TestJudged:
    """Two calls of a backend against each other."""

    def judge(self, there: Observation, base: str = "pass", name: str = "shift") -> Finding | None:
        given = small()
        derived = next(each for each in transformed_calls(given) if each.name == name)
        sides = (Side(Prepared(Block((given,))), 0), Side(Prepared(Block((derived.problem,))), 0))
        of_base = Finding(given, "value", derived.reduction, base)  # type: ignore[arg-type]
        unit, here = Unit(given, resolve(given, NORMATIVE)), exact(given, derived.reduction)
        return judge_identity(derived, unit, of_base, here, there, sides, "B")

    def seen(self, factor: float = 1.0, derived: TransformedCall | None = None, **changes: Any) -> Observation:
        value = (exact(small(), "none") * factor).astype(np.float32)
        return Observation(**{"key": 0, "value": value, **changes})

    def test_equal_within_both_bounds_passes(self) -> None:
        found = self.judge(self.seen())
        assert found is not None and (found.verdict, found.reason) == ("pass", "")

    @pytest.mark.parametrize(("base", "verdict"), [("pass", "fail"), ("deviation", "deviation")])
    def test_another_value_fails_with_both_values_as_facts(self, base: str, verdict: str) -> None:
        found = self.judge(self.seen(1.01), base)
        assert found is not None and (found.verdict, found.reason) == (verdict, "transformed-differs")
        assert found.ratio is not None and found.ratio > 1.0 and found.letter is not None
        assert found.observed == pytest.approx(found.expected * 1.01) and found.bound is not None

    @pytest.mark.parametrize("base", ["fail", "crash", "unsupported"])
    def test_nothing_is_said_where_the_plain_call_was_wrong(self, base: str) -> None:
        assert self.judge(self.seen(1.01), base) is None

    def test_another_shape(self) -> None:
        found = self.judge(self.seen(value=np.zeros(1, np.float32)))
        assert found is not None and (found.verdict, found.reason) == ("fail", "transformed-shape")

    @pytest.mark.parametrize(
        ("kind", "verdict"), [("raised", "fail"), ("crash", "crash"), ("timeout", "timeout"), ("adapter", "error")]
    )
    def test_a_transformed_call_that_failed(self, kind: Any, verdict: str) -> None:
        found = self.judge(self.seen(value=None, failure=Failure(kind, "RuntimeError", "no", "mine.py:3")))
        assert found is not None and (found.verdict, found.reason) == (verdict, "transformed-failed")
        assert found.error is not None and (found.error.type, found.error.where) == ("RuntimeError", "mine.py:3")

    def test_what_is_not_offered_is_said_of_the_composition_alone(self) -> None:
        lacking = self.seen(value=None, failure=Failure("unsupported", "Unsupported", "no nll_loss"))
        assert self.judge(lacking) is None
        found = self.judge(lacking, name="composed")
        assert found is not None and found.verdict == "unsupported" and str(found.error) == "no nll_loss"
