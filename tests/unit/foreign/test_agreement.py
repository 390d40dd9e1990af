"""How a foreign value stands to the truth, and how a foreign call becomes a case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.cases.expand import expand
from conformance.cases.load import load_suite
from conformance.foreign.agreement import Agreement, agreements
from conformance.foreign.call import ForeignCall
from conformance.foreign.write import write_cases
from conformance.model.case import Provenance

LOGITS = np.array([[0.1, 0.7, -0.3], [2.0, 0.0, 1.0]], np.float32)
#: -ln p of the labels 1 and 2.
LOSSES = np.log(np.exp(LOGITS.astype(np.float64)).sum(1)) - LOGITS[[0, 1], [1, 2]]
MEAN = ForeignCall(
    id="mine.mean",
    source=Provenance(project="mine", version="1", test="test_mean", license="MIT"),
    reference="https://example.org/tests",
    op="cross_entropy",
    logits=LOGITS,
    axis=1,
    targets=np.array([1, 2]),
    weight=np.array([1.0, 0.5, 2.0], np.float32),
    reduction="mean",
    value=np.array((LOSSES * [0.5, 2.0]).sum() / 2.5, np.float32),
    rtol=1e-3,
    atol=1e-7,
)
SOFTMAX = replace(MEAN, id="mine.softmax", op="softmax", targets=None, weight=None, reduction="none")


def standing(call: ForeignCall, folder: Path) -> Agreement:
    written = write_cases([call], folder, "mine", 100)
    (found,) = agreements(written.calls, written.files)
    return found


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.0, "bound"), (1.0005, "tolerance"), (1.01, "differs"), (np.nan, "differs")]
)
def test_a_value_stands_within_the_bound_or_the_tolerance_or_neither(
    factor: float, expected: str, tmp_path: Path
) -> None:
    found = standing(replace(MEAN, value=MEAN.value * np.float32(factor)), tmp_path)
    assert (found.standing, found.policy) == (expected, "")
    assert (found.error_over_bound is None) == np.isnan(factor)


def test_another_definition_is_named_by_its_policy(tmp_path: Path) -> None:
    by_count = np.array((LOSSES * [0.5, 2.0]).mean(), np.float32)
    found = standing(replace(MEAN, value=by_count), tmp_path)
    assert (found.standing, found.policy, found.value) == ("differs", "mean-denominator/non-negative", "valid-count")


def test_a_row_without_a_finite_logit(tmp_path: Path) -> None:
    impossible = replace(SOFTMAX, logits=np.full((1, 2), -np.inf, np.float32), value=np.zeros((1, 2), np.float32))
    found = standing(impossible, tmp_path)
    assert (found.standing, found.policy, found.value) == ("differs", "all-minus-infinity", "other")


def test_operands_come_back_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    logits = (rng.standard_normal((4, 3, 2)) * 10.0 ** rng.integers(-30, 30, (4, 3, 2))).astype(np.float32)
    labels = rng.integers(0, 3, (4, 2)).astype(np.int32)
    call = replace(MEAN, logits=logits, targets=labels, ignore_index=-7)
    empty = replace(SOFTMAX, logits=np.zeros((2, 0), np.float32), value=np.zeros((2, 0), np.float32))
    entries = load_suite(write_cases([call, empty], tmp_path, "mine", 100).files).entries
    assert len(entries) == 2
    for entry, wanted in zip(entries, (call, empty), strict=True):
        (problem,) = expand(entry).problems
        assert problem.logits.dtype == np.float32 and problem.logits.tobytes() == wanted.logits.tobytes()
        assert problem.logits.shape == wanted.logits.shape and problem.ignore_index == wanted.ignore_index
        assert wanted.targets is None or (problem.targets.dtype, problem.targets.tolist()) == (
            np.int32,
            labels.tolist(),
        )


def test_what_has_no_case_is_named(tmp_path: Path) -> None:
    again = replace(MEAN, source=Provenance(project="mine", version="1", test="test_again", license="MIT"), axis=-1)
    large = replace(SOFTMAX, logits=np.zeros((11, 10), np.float32))
    lacking = replace(MEAN, id="mine.short", weight=np.array([1.0, 2.0], np.float32))
    written = write_cases([MEAN, again, large, lacking], tmp_path, "mine", 100)
    assert [call.id for call in written.calls] == ["mine.mean"]
    assert [(each.test, each.reason, each.other) for each in written.left_out] == [
        ("test_again", "same call", "mine.mean"),
        ("test_mean", "too large", ""),
        ("test_mean", "not expressible", ""),
    ]
    assert written.left_out[1].detail == "110 numbers, more than 100" and "weight" in written.left_out[2].detail
