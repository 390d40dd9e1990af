"""What the yardstick found wrong in judge and oracle, repaired since: each as the smallest case that showed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.cases.load import load_suite
from conformance.model.outcome import Outcome
from conformance.profiles.profile import Profile
from conformance.profiles.subject import Subject
from conformance.run import judged as judging
from tests.yardstick.exact import AwayFromZero, Exact
from tests.yardstick.kernel import Kernel
from tests.yardstick.registry import subject
from tests.yardstick.wrong.defaults import GradientOfTheSumByDefault

EMPTY = """
  - {id: three, why: three positions, op: cross_entropy, logits: [[1, 2], [3, 1], [0, 2]], targets: [0, 0, 0]}
  - id: none-at-all
    why: an empty batch
    op: cross_entropy
    logits: {distribution: constant, shape: [0, 2]}
    targets: {distribution: labels, shape: [0]}
"""


@pytest.fixture
def judged(tmp_path: Path) -> Any:
    """A function from cases in YAML, a backend and dtypes to all outcomes."""

    def judge(cases: str, kind: type[Backend], *dtypes: str) -> list[Outcome]:
        file = tmp_path / "cases.yaml"
        file.write_text(f"theme: repaired\ncases:\n{cases}", encoding="utf-8")
        found = judging.judged(kind(), load_suite([file]).entries, dtypes=dtypes or None, subject=subject(kind))
        return [outcome for unit in found for outcome in unit]

    return judge


def verdicts(outcomes: list[Outcome], *checks: str) -> set[str]:
    found = {outcome.verdict for outcome in outcomes if not checks or outcome.check in checks}
    assert found, "nothing was judged"
    return found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", [Exact, AwayFromZero, Numpy])
def test_an_empty_batch_beside_another_takes_no_position_from_it(judged: Any, kind: type[Backend], dtype: str) -> None:
    assert verdicts(judged(EMPTY, kind, dtype)) == {"pass"}


def test_a_case_that_asks_for_the_default_reduction_only_has_the_gradient_of_the_mean(judged: Any) -> None:
    case = (
        "  - {id: it, why: it, op: cross_entropy, logits: [[1, 2], [3, 0]], targets: [0, 1], reductions: [default]}\n"
    )
    assert verdicts(judged(case, Exact)) == verdicts(judged(case, Exact), "gradient") == {"pass"}
    assert verdicts(judged(case, GradientOfTheSumByDefault), "gradient") == {"fail"}


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
@pytest.mark.parametrize("kind", [Exact, Numpy])
def test_no_class_and_no_axis_have_a_value(judged: Any, op: str, kind: type[Backend]) -> None:
    none = f"  - {{id: it, why: it, op: {op}, logits: {{distribution: constant, shape: [2, 0]}}}}\n"
    scalar = f"  - {{id: scalar, why: it, op: {op}, logits: 1.5, axis: -1}}\n"
    assert verdicts(judged(none + scalar, kind)) == {"pass"}


class _DoublesBesideTheGradient(Kernel):
    """Right alone, twice as much where the gradient is asked for too."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value * 2, gradient


class _FlatBesideTheGradient(Kernel):
    """Right alone, flattened where the gradient is asked for too."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value.reshape(1, -1), gradient


@pytest.mark.parametrize("kind", [_DoublesBesideTheGradient, _FlatBesideTheGradient])
def test_no_policy_excuses_a_wrong_value_beside_the_gradient(judged: Any, kind: type[Backend]) -> None:
    case = "  - {id: it, why: it, op: cross_entropy, logits: [[1, 2]], targets: [0]}\n"
    assert verdicts(judged(case, kind, "float32"), "value") == {"fail"}


@pytest.mark.parametrize(("dtype", "reach"), [("float64", "1.7e308"), ("float32", "3.3e38")])
def test_a_difference_that_overflows_is_the_policy_that_is_declared(judged: Any, dtype: str, reach: str) -> None:
    case = f"  - {{id: it, why: it, op: cross_entropy, logits: [[-{reach}, {reach}], [1, 0]], targets: [0, 0]}}\n"
    assert "fail" not in verdicts(judged(case, Numpy, dtype))
    assert verdicts(judged(case, Exact, dtype)) == {"pass"}


def test_a_log_probability_beyond_the_half_type_excuses_the_composition(judged: Any) -> None:
    case = "  - {id: it, why: it, op: cross_entropy, logits: [[-65504, 65504], [1, 0]], targets: [0, 0]}\n"
    assert verdicts(judged(case, Numpy, "float16"), "composed") == {"pass"}


class _CutsTheWeights(Kernel):
    """Weights that are too many are cut."""

    def cross_entropy(self, logits: Any, targets: Any, *, weight: Any = None, **options: Any) -> Any:
        return super().cross_entropy(logits, targets, weight=weight[: logits.shape[1]], **options)


def test_weights_that_do_not_fit_are_not_a_policy(judged: Any) -> None:
    case = """
  - id: it
    why: it
    op: cross_entropy
    logits: [[1, 2]]
    targets: [0]
    weight: [1, 2, 3]
    expect: {error: three weights for two classes}
"""
    assert verdicts(judged(case, _CutsTheWeights), "error") == {"fail"}
    assert verdicts(judged(case, Exact), "error") == {"pass"}


class _Broadcasts(Kernel):
    """An upstream gradient of one element serves all positions."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().differentiate(call, logits, np.broadcast_to(upstream, logits.shape[:1]))


def test_an_upstream_gradient_that_does_not_fit_must_be_refused(judged: Any) -> None:
    case = """
  - id: it
    why: it
    op: cross_entropy
    logits: [[1, 2], [3, 4]]
    targets: [0, 1]
    upstream: [0.5]
    reductions: [none]
    expect: {error: one element for two losses}
"""
    assert verdicts(judged(case, _Broadcasts), "error") == {"fail"}
    assert verdicts(judged(case, Numpy), "error") == {"pass"}


WEIGHTLESS = """
  - id: smoothed
    why: the losses do not vanish where the weights do
    op: cross_entropy
    logits: [[1, 2, 3]]
    targets: [2]
    weight: [1, 1, 0]
    label_smoothing: 0.1
    reductions: [mean]
"""


class _MeanIs(Numpy):
    """A mean that is whatever the subclass says."""

    result: float

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return np.asarray(self.result, dtype=logits.dtype)


class _Infinite(_MeanIs):
    result = np.inf


class _NotANumber(_MeanIs):
    result = np.nan


class _Negative(_MeanIs):
    result = -np.inf


class _Zero(_MeanIs):
    result = 0.0


@pytest.mark.parametrize(
    ("kind", "verdict"), [(_Infinite, "pass"), (_NotANumber, "pass"), (_Negative, "fail"), (_Zero, "fail")]
)
def test_smoothed_losses_over_weights_that_sum_to_zero_are_nan_or_plus_infinity(
    judged: Any, kind: type[Backend], verdict: str
) -> None:
    assert verdicts(judged(WEIGHTLESS, kind, "float32", "float64"), "value") == {verdict}


def test_plain_losses_over_weights_that_sum_to_zero_are_not_infinite(judged: Any) -> None:
    plain = WEIGHTLESS.replace("    label_smoothing: 0.1\n", "")
    assert verdicts(judged(plain, _Infinite, "float32"), "value") == {"fail"}


REQUIRING = """
  - id: ignoring
    why: the default ignored label
    op: cross_entropy
    logits: [[1, 2, 3], [0, 1, 0]]
    targets: [2, -100]
    requires: [ignore-index]
"""


def test_a_case_that_requires_what_a_profile_declares_unsupported_is_unsupported(tmp_path: Path) -> None:
    file = tmp_path / "cases.yaml"
    file.write_text(f"theme: repaired\ncases:\n{REQUIRING}", encoding="utf-8")
    entries = load_suite([file]).entries
    without = Subject("without", profile=Profile(backend="without", features={"ignore_index": "unsupported"}))
    found = [each for unit in judging.judged(Numpy(), entries, dtypes=("float32",), subject=without) for each in unit]
    assert [(each.reduction, each.verdict) for each in found] == [(r, "unsupported") for r in ("none", "sum", "mean")]
    assert found[0].detail == "ignore-index"
    offered = [
        each for unit in judging.judged(Numpy(), entries, dtypes=("float32",), subject=subject(Numpy)) for each in unit
    ]
    assert {each.verdict for each in offered} == {"pass"}


class _OneNanSpoilsAll(Kernel):
    """A NaN in one row makes the gradients of softmax and log_softmax NaN in all rows."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return super().softmax_gradient(p, v) * (np.nan if np.isnan(p).any() else 1)

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return super().log_softmax_gradient(p, v) * (np.nan if np.isnan(p).any() else 1)


class _NanWhereMasked(Kernel):
    """Classes of probability 0 get a NaN gradient."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return np.where(p == 0, np.nan, super().softmax_gradient(p, v))

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return np.where(p == 0, np.nan, super().log_softmax_gradient(p, v))


@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    ("kind", "logits"),
    [
        (_OneNanSpoilsAll, "[[.nan, 1], [1, 2]]"),
        (_OneNanSpoilsAll, "[[.inf, 1], [1, 2]]"),
        (_OneNanSpoilsAll, "[[-.inf, -.inf], [1, 2]]"),
        (_NanWhereMasked, "[[-.inf, 1, 2], [1, 2, 3]]"),
    ],
)
def test_gradients_beside_a_row_that_has_none_are_judged(
    judged: Any, op: str, kind: type[Backend], logits: str
) -> None:
    case = f"  - {{id: it, why: it, op: {op}, logits: {logits}}}\n"
    assert verdicts(judged(case, kind, "float32"), "gradient") == {"fail"}
    assert verdicts(judged(case, Kernel, "float32"), "gradient") == {"pass"}


class _RunningMean(Kernel):
    """mean += (loss - mean) / n: sound until a loss is infinite, then inf - inf."""

    def reduced(self, ask: Any, losses: Any) -> Any:
        if ask.reduction != "mean" or ask.weight is not None or not ask.valid.all():
            return super().reduced(ask, losses)
        mean = losses.dtype.type(0)
        for count, loss in enumerate(losses, 1):
            mean = mean + (loss - mean) / losses.dtype.type(count)
        return np.asarray(mean)


def test_a_running_mean_passes_finite_losses_and_fails_infinite_ones(judged: Any) -> None:
    """An exact infinity is not an intermediate that overflows: NaN in its place is wrong, whatever the algorithm."""
    finite = "  - {id: it, why: it, op: cross_entropy, logits: [[1, 2], [3, 5], [0, 1]], targets: [0, 1, 0]}\n"
    infinite = "  - {id: it, why: it, op: cross_entropy, logits: [[0, -.inf], [1, 2]], targets: [1, 0]}\n"
    assert verdicts(judged(finite, _RunningMean, "float32"), "value") == {"pass"}
    assert "fail" in verdicts(judged(infinite, _RunningMean, "float32"), "value")


class _FarFromZero(Kernel):
    """lse - x_y in float32 and rounded: class C, whose bound is wider than D's where the logits share an offset."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        wide = logits.astype(np.float32)
        top = wide.max(axis=1)
        lse = np.log(np.exp(wide - top[:, None]).sum(axis=1)) + top
        return (lse - np.take_along_axis(wide, targets[:, None], 1)[:, 0]).astype(logits.dtype)


def test_a_class_that_does_not_lie_within_the_declared_one_is_not_better_than_it(judged: Any) -> None:
    """Class C permits any loss at 1e8; a half type is held to D, which does not."""
    case = "  - {id: it, why: it, op: cross_entropy, logits: [[1e8, 1e8]], targets: [0], reductions: [none]}\n"
    [found] = [each for each in judged(case, _FarFromZero, "bfloat16") if each.check == "value"]
    assert (found.verdict, found.class_, found.observed) == ("fail", "C", 0.0)
    assert isinstance(found.ratio, float) and found.ratio > 1
