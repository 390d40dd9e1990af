"""Losses of both signs that exceed the dtype: evaluations that are sound and differ there raise no alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.cases.load import load_suite
from conformance.profiles.profile import UNDECLARED, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY
from tests.yardstick.sound import Fused, Pairwise, Sequential

FILE = """\
theme: overflow
cases:
  - id: both-signs
    why: losses of both signs exceed float64, and so does their sum
    op: cross_entropy
    logits: [[0.0, 1.7e308], [0.0, 1.7e308], [1.7e308, 0.0], [1.7e308, 0.0], [1.7e308, 0.0], [1.7e308, 0.0]]
    targets: [0, 0, 1, 1, 1, 1]
    weight: [1.0, {weight}]
    dtypes: [float64]
    reductions: [sum]
"""


class NotANumber(Numpy):
    """A sum that is not finite is NaN."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        value = super().evaluate(call, logits)
        return value if value.ndim else value * np.float64(0.0)


def value_of_the_sum(kind: type[Backend], folder: Path, profile: Profile, weight: str) -> str:
    """The verdict on it."""
    file = folder / "overflow.yaml"
    file.write_text(FILE.format(weight=weight), encoding="utf-8")
    (found,) = judged(kind(), load_suite([file]).entries, subject=Subject("mine", profile=profile))
    (value,) = (each for each in found if each.check == "value" and each.reduction == "sum")
    assert value.reason in ("", "beyond-bound", "declared")
    return value.verdict


@pytest.mark.parametrize("kind", [Numpy, Fused, Pairwise, Sequential, NotANumber])
def test_an_infinite_sum_of_both_signs_may_be_either_infinity_or_nan(kind: type[Backend], tmp_path: Path) -> None:
    assert value_of_the_sum(kind, tmp_path, NUMPY, "-1.0") in ("pass", "deviation")


def test_a_sum_of_one_sign_is_infinite_and_nothing_else(tmp_path: Path) -> None:
    assert value_of_the_sum(Numpy, tmp_path, NUMPY, "1.0") == "pass"
    assert value_of_the_sum(NotANumber, tmp_path, NUMPY, "1.0") == "fail"


def test_without_a_declared_overflow_the_sum_is_what_it_is(tmp_path: Path) -> None:
    assert value_of_the_sum(NotANumber, tmp_path, UNDECLARED, "-1.0") == "fail"


BESIDE = """\
theme: overflow
cases:
  - id: both-signs
    why: an infinite loss beside one of the other sign, which may exceed float64
    op: nll_loss
    log_probabilities: [[-.inf, 0.0], [0.0, 1.7e308]]
    targets: [0, 1]
    weight: [1.0, WEIGHT]
    dtypes: [float64]
    reductions: [sum]
"""


@pytest.mark.parametrize(("weight", "verdicts"), [("2.0", {"pass", "deviation"}), ("1.0", {"fail"})])
def test_an_infinite_loss_beside_one_that_exceeds_the_dtype_may_sum_to_nan(
    weight: str, verdicts: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.FILE", BESIDE.replace("WEIGHT", "{weight}"))
    assert value_of_the_sum(NotANumber, tmp_path, NUMPY, weight) in verdicts
