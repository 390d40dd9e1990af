"""Expected values of a user's cases: what a run refuses, and what it takes for a rounded number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.cases.stated import require_true_values
from conformance.model.errors import CaseErrors
from conformance.model.problem import Problem
from tests.support.case_files import entry

BODY = "logits: [[0.2, 0.7, 0.1]]\ntargets: [1]\nexpected: "


def oracle(problem: Problem, key: str) -> str | list[Any] | None:
    """Makes up a truth for each key."""
    return {"mean": "0.76794954890362488", "none": ["0.5"], "sum": "inf"}.get(key)


@pytest.mark.parametrize(
    "expected",
    [
        "{mean: 0.76794954890362488, none: [0.5], sum: .inf}",
        "{mean: 0.7679}",
        "{mean: 0.7680}",
        "{mean: 0.767}",
        "{mean: 7.6795e-1}",
        "{mean: 0.76794960}",  # as float32 computes it
    ],
)
def test_true_to_the_last_place_written(tmp_path: Path, expected: str) -> None:
    require_true_values([entry(tmp_path, BODY + expected)], oracle, except_below=tmp_path / "other")


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ("{mean: 0.7}", "expected.mean: 0.7 is not the true value"),
        ("{mean: 1}", "1 is not the true value"),
        ("{mean: 0.7681}", "0.7681 is not"),
        ("{mean: .nan}", ".nan is not"),
        ("{sum: 1e300}", "1e300 is not"),
        ("{mean: 99e999999}", "99e999999 is not"),
        ("{mean: -99e-999999}", "-99e-999999 is not"),
        ("{sum: -.inf}", "-.inf is not"),
        ("{none: [0.25]}", "expected.none[0]: 0.25 is not"),
        ("{none: [0.5, 0.5]}", "value of another shape"),
        ("{none: 0.5}", "value of another shape"),
        ("{gradient: [[0.5]]}", "the definition gives no value here"),
    ],
)
def test_refused(tmp_path: Path, expected: str, problem: str) -> None:
    case = entry(tmp_path, BODY + expected)
    with pytest.raises(CaseErrors) as caught:
        require_true_values([case], oracle, except_below=tmp_path / "other")
    (error,) = caught.value.errors
    assert problem in str(error) and error.hint and error.place and error.place.line == 8
    require_true_values([case], oracle, except_below=tmp_path)  # the suite's own are the linter's
