"""Products of 0 with what is not finite: evaluations that are sound and differ there raise no alarm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.cases.load import load_suite
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY
from tests.yardstick.kernel import Kernel
from tests.yardstick.sound import Sequential

FILE = """\
theme: stability
cases:
  - id: infinite
    why: an impossible class has an infinite share
    op: {op}
    {inputs}
    dtypes: [{dtype}]
    upstream: {upstream}
"""
#: A prediction of 0, and a logit of -inf, of which the target has a share.
LOG_LOSS = "probabilities: [[0.0, 1.0]]\n    targets: [[0.004, 0.5]]\n    reductions: [mean]"
TARGETS = "logits: [[-.inf, 1.0]]\n    targets: [[0.25, 0.5]]\n    weight: [1e-30, 2.0]\n    reductions: [sum]"
TARGETS += "\n    transforms: [target-gradient]"


class WithoutInfinity(Kernel):
    """Of an impossible class nothing is left: neither in the loss nor in its gradient."""

    def given_gradient(self, ask: Any, upstream: Any) -> Any:
        return self.finite(super().given_gradient(ask, upstream))

    def loss_target_gradient(self, ask: Any, upstream: Any) -> Any:
        return self.finite(super().loss_target_gradient(ask, upstream))

    @staticmethod
    def finite(found: Any) -> Any:
        found[~(abs(found) < 1e30)] = 0
        return found


def fails(kind: type[Backend], folder: Path, op: str, inputs: str, upstream: str, dtype: str = "float32") -> set[str]:
    """The checks that fail."""
    file = folder / "infinite.yaml"
    file.write_text(FILE.format(op=op, inputs=inputs, upstream=upstream, dtype=dtype), encoding="utf-8")
    found = judged(kind(), load_suite([file]).entries, subject=Subject("mine", profile=NUMPY))
    return {each.check for unit in found for each in unit if each.verdict == "fail"}


@pytest.mark.parametrize(
    ("op", "inputs", "upstream", "dtype"),
    [
        ("log_loss", LOG_LOSS, "1e-45", "float32"),
        ("log_loss", LOG_LOSS, "5e-324", "float64"),
        ("cross_entropy", TARGETS, "1e-20", "float32"),
        ("cross_entropy", TARGETS, "1e-300", "float64"),
    ],
)
def test_an_infinity_whose_factor_may_underflow_is_not_judged(
    tmp_path: Path, op: str, inputs: str, upstream: str, dtype: str
) -> None:
    for kind in (Kernel, Sequential, WithoutInfinity):
        assert fails(kind, tmp_path, op, inputs, upstream, dtype) == set()


@pytest.mark.parametrize(
    ("op", "inputs", "check"),
    [("log_loss", LOG_LOSS, "gradient"), ("cross_entropy", TARGETS.replace("1e-30", "3.0"), "target-gradient")],
)
def test_an_infinity_with_factors_of_ordinary_size_is(tmp_path: Path, op: str, inputs: str, check: str) -> None:
    assert fails(Kernel, tmp_path, op, inputs, "0.5") == set()
    assert check in fails(WithoutInfinity, tmp_path, op, inputs, "0.5")


#: A mean of which the weights sum to NaN; the label of the first position has the weight 0.
NAN = "log_probabilities: [[-1, -2, -3], [-1, -2, -3], [-1, -2, -3]]\n    targets: [1, 0, 2]"
NAN += "\n    weight: [.nan, 0.0, 2.0]\n    reductions: [mean]"


class NothingWithoutWeight(Kernel):
    """The gradient is written at labels with a weight alone."""

    def nll_gradient(self, ask: Any, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        return np.where(self.coefficients(ask) == 0, 0, found)


class NothingAtAll(NothingWithoutWeight):
    """And not even there."""

    def nll_gradient(self, ask: Any, upstream: Any) -> Any:
        return np.zeros_like(super().nll_gradient(ask, upstream))


def test_a_class_without_a_part_has_no_gradient_or_one_that_is_not_a_number(tmp_path: Path) -> None:
    for kind in (Numpy, NothingWithoutWeight):
        assert fails(kind, tmp_path, "nll_loss", NAN, "0.5") == set()
    assert fails(NothingAtAll, tmp_path, "nll_loss", NAN, "0.5") == {"gradient"}


#: Losses that are infinite by another class, or in another row, than one that may vanish.
BESIDE = "probabilities: [[0.0, 0.0, 1.0]]\n    targets: [[0.5, 0.25, 0.25]]\n    weight: [1e-45, 2.0, 1.0]"
ANOTHER = "logits: [[-.inf, 1.0], [1.0, -.inf]]\n    targets: [[0.5, 0.5], [0.5, 0.5]]\n    weight: [1e-45, 1.0]"


class FiniteLoss(Kernel):
    """An infinite loss is 0."""

    def reduced(self, ask: Any, losses: Any) -> Any:
        return super().reduced(ask, np.where(np.isfinite(losses), losses, 0))


class MinusInfinity(Kernel):
    """Infinities have the wrong sign."""

    def reduced(self, ask: Any, losses: Any) -> Any:
        return super().reduced(ask, np.where(np.isfinite(losses), losses, -np.inf))

    def given_gradient(self, ask: Any, upstream: Any) -> Any:
        found = super().given_gradient(ask, upstream)
        return np.where(np.isfinite(found), found, np.inf)


@pytest.mark.parametrize(("op", "inputs"), [("log_loss", BESIDE), ("cross_entropy", ANOTHER)])
def test_an_infinity_beside_one_that_may_vanish_is_judged(tmp_path: Path, op: str, inputs: str) -> None:
    assert fails(Kernel, tmp_path, op, inputs + "\n    reductions: [sum]", "1.0") == set()
    for kind in (FiniteLoss, MinusInfinity):
        assert "value" in fails(kind, tmp_path, op, inputs + "\n    reductions: [sum]", "1.0")


def test_the_share_of_a_class_among_thousands_does_not_vanish_in_a_half_type(tmp_path: Path) -> None:
    logits = "[" + ", ".join(["-.inf", *["0.5"] * 1999]) + "]"
    inputs = f"logits: [{logits}]\n    targets: [7]\n    label_smoothing: 0.1\n    reductions: [sum]"
    assert fails(Kernel, tmp_path, "cross_entropy", inputs, "1.0", "float16") == set()
    for kind in (FiniteLoss, MinusInfinity):
        assert "value" in fails(kind, tmp_path, "cross_entropy", inputs, "1.0", "float16")


def test_an_infinity_of_the_wrong_sign_is_never_right(tmp_path: Path) -> None:
    assert "gradient" in fails(MinusInfinity, tmp_path, "log_loss", LOG_LOSS, "1e-45")


VACUOUS = """\
theme: stability
cases:
  - id: reciprocal
    why: 1/p exceeds float64, so that the bound of the sum's gradient is infinite
    op: log_loss
    probabilities: [[0.5, 5.0e-324]]
    targets: [[1.0, 1.0]]
    dtypes: [float64]
    reductions: [sum, default]
    upstream: 0.0
    policy: subnormal-results
"""


@pytest.mark.parametrize("kind", [Numpy, Sequential])
def test_where_a_bound_is_vacuous_no_policy_is_observed(kind: type[Backend], tmp_path: Path) -> None:
    file = tmp_path / "vacuous.yaml"
    file.write_text(VACUOUS, encoding="utf-8")
    (found,) = judged(kind(), load_suite([file]).entries, subject=Subject("mine", profile=NUMPY))
    verdicts = {each.reduction: each.verdict for each in found if each.check == "gradient"}
    assert verdicts == {"sum": "not run", "default": "not run"}
    assert [each.policy for each in found if each.check == "policy"] == []
    assert {each.verdict for each in found if each.check == "value"} == {"pass"}


class NothingOfAnImpossibleClass(Kernel):
    """The gradient by a probability whose logit is -inf is 1."""

    def loss_target_gradient(self, ask: Any, upstream: Any) -> Any:
        found = super().loss_target_gradient(ask, upstream)
        return np.where(np.isfinite(found), found, 1.0)


@pytest.mark.parametrize(
    ("kind", "failing"),
    [(Kernel, set()), (WithoutInfinity, set()), (NothingOfAnImpossibleClass, {"target-gradient"})],
)
def test_no_upstream_gradient_times_an_infinite_derivative_is_nan_or_nothing(
    tmp_path: Path, kind: type[Backend], failing: set[str]
) -> None:
    assert fails(kind, tmp_path, "cross_entropy", TARGETS, "0.0") == failing
