"""Sentences from facts."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from conformance.model.outcome import REASONS, DefectRef, ErrorFact, Outcome, Reason
from conformance.model.wording import message, statement


def outcome(**fields: Any) -> Outcome:
    base = {"case": "c", "backend": "b", "dtype": "float32", "layout": "contiguous", "op": "softmax", "check": "value"}
    return Outcome(**{**base, "verdict": "fail", **fields})


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_has_a_meaning_and_a_sentence_whatever_the_fields_hold(reason: Reason) -> None:
    assert REASONS[reason]
    for value in (None, 0.5, "nan", "<b>", [1.0], {"a": 1}):
        made = outcome(reason=reason, observed=value, expected=value, ratio="many", ulp=None, detail="d")
        assert isinstance(message(made), str)


def test_a_known_defect_is_named_and_an_exception_cannot_name_one() -> None:
    entry = DefectRef("late-shift", "owner/project#1")
    error = ErrorFact("RuntimeError", "boom [known: x, y]", "mine.py:3")
    assert message(outcome(verdict="known", reason="raised", error=error, defect=entry)) == (
        "RuntimeError: boom [known: x, y] (at mine.py:3) [known: late-shift, owner/project#1]"
    )
    posing = outcome(reason="raised", error=error)
    assert posing.defect is None and message(posing) == "RuntimeError: boom [known: x, y] (at mine.py:3)"
    assert statement(posing, where=False) == "RuntimeError: boom [known: x, y]"


def test_numbers_that_have_columns_may_be_left_out() -> None:
    made = outcome(reason="beyond-bound", class_="C", declared="B", observed=0.5, expected=0.25, ratio=3.0, ulp=7.0)
    assert message(made) == "0.5 instead of 0.25: class C, declared B; 3 times the bound, 7 ulp"
    assert statement(made, numbers=False) == "class C, declared B"


def test_of_a_transform_the_result_is_named() -> None:
    of = {"check": "second-order", "quantity": "hvp", "class_": "F"}
    made = outcome(**of, reason="beyond-bound", observed="nan", expected=0.0)
    assert message(made) == "the Hessian-vector product (hvp): nan instead of 0.0"
    made = outcome(**of, reason="wrong-shape", observed="(1,)", expected="(2,)")
    assert message(made) == "the Hessian-vector product (hvp) has shape (1,), not (2,)"


def test_an_infinite_difference_is_not_measured_in_bounds() -> None:
    made = outcome(reason="transformed-differs", observed=0.5, expected=0.25, ratio=3.0)
    assert message(made) == "0.5 where the untransformed call gave 0.25: 3 times both bounds together"
    made = outcome(reason="transformed-differs", observed="inf", expected="nan", ratio="inf")
    assert message(made) == "inf where the untransformed call gave nan"


@pytest.mark.parametrize(
    ("observed", "expected", "said"),
    [
        (-1.187499999405, -1.1875, "-1.187499999 instead of -1.1875"),
        (1.0, 1.0 + 2.0**-52, "1 instead of 1.0000000000000002"),
        (0.1 + 0.2, 0.3, "0.30000000000000004 instead of 0.3"),
        (0.69314718, 0.6931471805599453, "0.69314718 instead of 0.6931471805599453"),
    ],
)
def test_two_numbers_that_differ_are_not_printed_alike(observed: float, expected: float, said: str) -> None:
    made = outcome(reason="beyond-bound", class_="C", declared="B", observed=observed, expected=expected, ulp=9.0)
    assert message(made).startswith(f"{said}: class C")


@pytest.mark.parametrize("why", ["smoothing above 1", "label 3 is out of range for 3 classes"])
def test_any_fragment_says_why_an_error_is_due(why: str) -> None:
    assert message(outcome(check="error", reason="no-error", detail=why)) == (
        f"returned a result; an error is due: {why}"
    )


def test_an_observation_that_no_value_describes_is_explained() -> None:
    made = outcome(check="policy", reason="policy-differs", observed=["other"], expected="zero")
    assert message(made).startswith("observed other (what no value describes), declared zero")


def test_a_death_is_named_once() -> None:
    made = outcome(reason="failed", verdict="crash", error=ErrorFact("SIGABRT", "the backend's process ended"))
    assert message(made) == "SIGABRT: the backend's process ended"
