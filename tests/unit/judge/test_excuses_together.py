"""Declared policies that matter only together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from conformance.backends.adapters.numpy import Numpy
from conformance.cases.load import load_suite
from conformance.profiles.profile import Declared, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged

CASE = """\
theme: excuses
cases:
  - id: it
    why: -100 is ignored where it is the default, and out of range where there is none
    op: cross_entropy
    logits: [[1, 2, 3], [3, 1, 0.5]]
    targets: [0, -100]
    reductions: [none]
    dtypes: [float32]
"""


class NanForBadLabels(Numpy):
    """No default ignored label, NaN for labels out of range."""

    def cross_entropy(self, logits, targets, **options):
        bad = targets < 0
        losses = super().cross_entropy(logits, np.where(bad, 0, targets), **options)
        return np.where(bad, np.nan, losses).astype(logits.dtype)


def verdict(tmp_path: Path, **policies: str) -> str:
    file = tmp_path / "cases.yaml"
    file.write_text(CASE, encoding="utf-8")
    declared = {
        name.replace("_", "-"): Declared(value=value, documentation="undocumented") for name, value in policies.items()
    }
    subject = Subject("it", profile=Profile(backend="it", policies=declared))
    found = judged(NanForBadLabels(), load_suite([file]).entries, dtypes=("float32",), subject=subject)
    (verdict,) = {each.verdict for unit in found for each in unit if each.check == "value"}
    return verdict


def test_a_policy_that_raises_the_question_and_one_that_answers_it_excuse_together(tmp_path: Path) -> None:
    assert verdict(tmp_path, default_ignore_index="none", label_out_of_range="nan") == "deviation"


def test_neither_excuses_alone(tmp_path: Path) -> None:
    assert verdict(tmp_path, label_out_of_range="nan") == "fail"
    assert verdict(tmp_path, default_ignore_index="none") == "fail"
    assert verdict(tmp_path, default_ignore_index="none", label_out_of_range="zero") == "fail"


BESIDE = CASE.replace("targets: [0, -100]", "targets: [-1, 255]\n    ignore_index: 255")


class NanForMinusOne(NanForBadLabels):
    """Label 255 is ignored, beside a bad one."""

    def cross_entropy(self, logits, targets, **options):
        losses = Numpy.cross_entropy(self, logits, np.where(targets < 0, 0, targets), **options)
        return np.where(targets < 0, np.nan, losses).astype(logits.dtype)


def test_an_ignored_label_beyond_the_classes_stays_ignored_beside_a_bad_one(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(BESIDE, encoding="utf-8")
    declared = {"label-out-of-range": Declared(value="nan", documentation="undocumented")}
    subject = Subject("it", profile=Profile(backend="it", policies=declared))
    found = judged(NanForMinusOne(), load_suite([file]).entries, dtypes=("float32",), subject=subject)
    outcomes = [each for unit in found for each in unit]
    assert {each.verdict for each in outcomes if each.check == "error"} == {"deviation"}
