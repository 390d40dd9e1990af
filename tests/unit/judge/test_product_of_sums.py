"""Class weights that enter as the mean weight of a smoothed or soft target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call
from conformance.cases.select import select
from conformance.model.outcome import Outcome
from conformance.model.policies import NORMATIVE
from conformance.profiles.profile import Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY, SUITE, declaring

CASE = "smoothing-with-weights"


class ByProduct(Numpy):
    """The unweighted loss of the smoothed target, times its mean weight; the mean divides by the sum of these."""

    def _parts(self, call: Call, logits: Any) -> tuple[Call, Any]:
        options, given = dict(call.options), dict(call.operands)
        weight, targets, epsilon = given.pop("weight"), given["targets"], options["label_smoothing"] or 0.0
        q = targets if targets.ndim == logits.ndim else np.eye(logits.shape[1])[targets]
        smoothed = (1 - epsilon) * q.astype(np.float64) + epsilon / logits.shape[1]
        given["targets"] = smoothed.astype(logits.dtype)
        options |= {"label_smoothing": None, "ignore_index": None, "reduction": "none"}
        return Call("cross_entropy", given, tuple(options.items())), (smoothed * weight.astype(np.float64)).sum(axis=1)

    def evaluate(self, call: Call, logits: Any) -> Any:
        if call.operation != "cross_entropy" or call.operands.get("weight") is None:
            return super().evaluate(call, logits)
        plain, weights = self._parts(call, logits)
        losses = super().evaluate(plain, logits) * weights
        reduction = dict(call.options)["reduction"]
        result = losses if reduction == "none" else losses.sum() / (weights.sum() if reduction == "mean" else 1)
        return np.asarray(result, logits.dtype)

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        if call.operation != "cross_entropy" or call.operands.get("weight") is None:
            return super().differentiate(call, logits, upstream)
        plain, weights = self._parts(call, logits)
        scale = upstream * weights / (weights.sum() if dict(call.options)["reduction"] == "mean" else 1)
        _, gradient = super().differentiate(plain, logits, np.asarray(scale, logits.dtype))
        return self.evaluate(call, logits), gradient


def outcomes(kind: type[Numpy], case: str, profile: Profile) -> list[Outcome]:
    entries = [each for each in select(SUITE, expression=case, dtypes=("float32", "float64")) if each.case.id == case]
    found = judged(
        kind(), entries, dtypes=("float32", "float64"), identities=False, subject=Subject("m", profile=profile)
    )
    return [each for unit in found for each in unit if each.check in ("value", "gradient", "policy")]


@pytest.mark.parametrize(
    ("kind", "declared", "results", "policy"),
    [
        (ByProduct, "product-of-sums", "deviation", "deviation"),
        (ByProduct, "weighted", "fail", "fail"),
        (Numpy, "product-of-sums", "pass", "fail"),
        (Numpy, "weighted", "pass", "pass"),
    ],
)
def test_weights_with_smoothing(kind: type[Numpy], declared: str, results: str, policy: str) -> None:
    found = outcomes(kind, CASE, declaring("label-smoothing-weights", declared))
    assert {each.verdict for each in found if each.check == "policy"} == {policy}
    assert {each.verdict for each in found if each.check != "policy"} == {results}
    assert {each.reduction for each in found} == {"none", "sum", "mean"}


@pytest.mark.parametrize("summing", ["exact", "normalised"])
def test_weights_with_class_probabilities(summing: str) -> None:
    case = "weighted-soft-targets"
    all_three = declaring("label-smoothing-weights", "product-of-sums")
    for policy, value in (("weighted-probability-mean", "by-weight"), ("unnormalised-probabilities", summing)):
        all_three.policies[policy] = declaring(policy, value).policies[policy]
    found = [each for each in outcomes(ByProduct, case, all_three) if each.check != "policy"]
    assert {each.verdict for each in found} == {"deviation"}, [(e.check, e.reduction, e.verdict) for e in found]
    assert NORMATIVE.label_smoothing_weights == "weighted"
    found = [each for each in outcomes(ByProduct, case, NUMPY) if each.check != "policy"]
    assert {each.verdict for each in found} == {"fail"}


@pytest.mark.parametrize(
    ("policy", "value"), [("label-smoothing-weights", "product-of-sums"), ("label-smoothing-mass", "other-classes")]
)
def test_the_truth_over_many_classes_takes_memory_for_its_rows_alone(policy: str, value: str) -> None:
    # A table of classes by classes would be 74.5 GiB.
    profile = declaring(policy, value)
    case = "weights-ignored-and-smoothing-over-100003-classes"
    (entry,) = [each for each in select(SUITE, expression=case, dtypes=("float32",)) if each.case.id == case]
    subject = Subject("m", profile=profile)
    found = judged(Numpy(), [entry], dtypes=("float32",), identities=False, subject=subject)
    assert {each.check for unit in found for each in unit} >= {"value", "gradient"}
