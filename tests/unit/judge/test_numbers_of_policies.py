"""A value of a policy that is a number: a profile declares it, and nothing else knows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.cases.load import load_suite
from conformance.model.outcome import Outcome
from conformance.profiles.load import load_profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged

CASES = """\
theme: numbers
cases:
  - id: all-ignored
    why: the mean of no position is 0/0
    policy: mean-of-all-ignored
    op: cross_entropy
    logits: [[1, 2, 3], [3, 1, 0.5]]
    targets: [1, 1]
    ignore_index: 1
    reductions: [mean]
    dtypes: DTYPES
  - id: empty
    why: the mean of no position is 0/0
    policy: mean-of-empty-batch
    op: cross_entropy
    logits: {distribution: constant, shape: [0, 3]}
    targets: []
    reductions: [mean]
    dtypes: DTYPES
  - id: weightless
    why: weights that sum to 0 divide 0 by 0
    policy: mean-of-zero-weight
    op: cross_entropy
    logits: [[1, 2, 3]]
    targets: [1]
    weight: [1, 0, 1]
    reductions: [mean]
    dtypes: DTYPES
  - id: out-of-range
    why: label 3 is above the range, and label 1 is ignored
    policy: label-out-of-range
    op: cross_entropy
    logits: [[1, 2, 3], [3, 1, 0.5], [40, 0, 0], [0, 40, 0]]
    targets: [0, 3, 1, 0]
    ignore_index: 1
    dtypes: DTYPES
  - id: on-both-sides
    why: label 3 is above the range, and label -4 below it
    op: cross_entropy
    logits: [[1, 2, 3], [3, 1, 0.5], [0, 1, 2]]
    targets: [0, 3, -4]
    dtypes: DTYPES
""".replace("DTYPES", "[float64, bfloat16]")
DECLARED = """\
backend: mine
extends: numpy
policies:
  mean-of-all-ignored: {value: NUMBER, documentation: undocumented}
  mean-of-empty-batch: {value: NUMBER, documentation: undocumented}
  mean-of-zero-weight: {value: NUMBER, documentation: undocumented}
  label-out-of-range: {value: {above: NUMBER, below: zero}, documentation: undocumented}
"""


class Giving(Numpy):
    """A mean without a denominator, and the loss of a label above the range, is ``number``; below it, it is 0."""

    number = -1.0

    def cross_entropy(self, logits: Any, targets: Any, *, reduction: str, weight: Any = None, **options: Any) -> Any:
        wide, classes = logits.astype(np.float64), logits.shape[1]
        weights = np.ones(classes) if weight is None else weight.astype(np.float64)
        ignored = targets == (-100 if options.get("ignore_index") is None else options["ignore_index"])
        bad = ((targets < 0) | (targets >= classes)) & ~ignored
        losses = super().cross_entropy(wide, np.where(bad, 0, targets), reduction="none", weight=weights, **options)
        losses = np.where(bad, np.where(targets < 0, 0.0, self.number), losses)
        if reduction == "none":
            return losses.astype(logits.dtype)
        size = weights[np.where(bad, 0, targets)[~ignored]].sum()
        total = losses.sum()
        return np.asarray(total if reduction == "sum" else total / size if size else self.number).astype(logits.dtype)


def outcomes(tmp_path: Path, declared: str, given: float) -> list[Outcome]:
    (tmp_path / "cases.yaml").write_text(CASES, encoding="utf-8")
    profile = tmp_path / "mine.profile.yaml"
    profile.write_text(DECLARED.replace("NUMBER", declared), encoding="utf-8")
    subject = Subject("mine", profile=load_profile(profile))
    backend = type("Mine", (Giving,), {"number": given})()
    found = judged(backend, load_suite([tmp_path / "cases.yaml"]).entries, identities=False, subject=subject)
    return [each for unit in found for each in unit if each.check in ("value", "error", "policy")]


@pytest.mark.parametrize("declared", ["-1", "7.5", "-0.1", "1e-3", "-inf"])
def test_a_declared_number_is_a_deviation_and_is_observed(tmp_path: Path, declared: str) -> None:
    found = outcomes(tmp_path, declared, float(declared))
    assert {each.verdict for each in found} == {"deviation"}
    policies = [each for each in found if each.check == "policy"]
    assert {each.case for each in policies} == {"all-ignored", "empty", "weightless", "out-of-range"}
    word = str(float(declared)).removesuffix(".0")
    assert all(word in each.observed for each in policies)
    assert {tuple(each.observed) for each in policies if each.dtype == "float64"} == {(word,)}


@pytest.mark.parametrize(("declared", "given"), [("-1", -0.99), ("-1", 0.0), ("zero", -1.0), ("-0.1", -0.2)])
def test_another_number_than_the_declared_one_fails(tmp_path: Path, declared: str, given: float) -> None:
    found = outcomes(tmp_path, declared, given)
    # A sum of half numbers may be off by more than what is wrong with one of its terms.
    clear = [each for each in found if each.check == "value" or (each.check == "error" and each.reduction == "none")]
    assert len(clear) == 2 * 5 and {each.verdict for each in clear} == {"fail"}


def test_the_normative_value_is_right_and_the_declaration_of_a_number_then_wrong(tmp_path: Path) -> None:
    found = outcomes(tmp_path, "-1", np.nan)
    means = [each for each in found if each.case in ("all-ignored", "empty", "weightless")]
    assert {(each.check, each.verdict) for each in means} == {("value", "pass"), ("policy", "fail")}
    assert {tuple(each.observed) for each in means if each.check == "policy"} == {("nan",)}
