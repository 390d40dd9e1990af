"""Invalid input that is taken, smoothing of one and divisors: what is declared and done, and what is declared alone."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.cases.select import select
from conformance.model.outcome import Outcome
from conformance.model.policies import AcceptedInput
from conformance.profiles.profile import UNDECLARED, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import SUITE, declaring

#: A case of each kind of input that may be taken.
CASES: dict[AcceptedInput, str] = {
    "axis": "softmax-axis-2-of-rank-2",
    "reduction": "unknown-reduction-cross-entropy",
    "smoothing-above": "smoothing-above-one",
    "smoothing-below": "smoothing-below-zero",
    "smoothing-nan": "smoothing-that-is-not-a-number",
    "target-shape": "too-many-targets",
    "target-type": "text-is-not-a-target",
    "upstream-shape": "upstream-gradient-for-three-positions-of-two",
    "weight-shape": "too-few-weights",
}


class Careless(Numpy):
    """Takes everything, and gives zeros where NumPy's reference refuses."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        try:
            return super().evaluate(call, logits)
        except Exception:
            return np.zeros_like(logits)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value = self.evaluate(call, logits)
        try:
            return super().differentiate(call, logits, upstream)
        except Exception:
            return value, np.zeros_like(logits)


def outcomes(kind: type[Numpy], case: str, profile: Profile) -> list[Outcome]:
    entries = [each for each in select(SUITE, expression=case, dtypes=("float32",)) if each.case.id == case]
    found = judged(kind(), entries, dtypes=("float32",), identities=False, subject=Subject("mine", profile=profile))
    return [each for unit in found for each in unit if each.check in ("error", "value", "gradient", "policy")]


def verdicts(found: list[Outcome]) -> set[tuple[str, str]]:
    return {(each.check, each.verdict) for each in found}


@pytest.mark.parametrize("kind", CASES)
def test_input_that_is_declared_to_be_taken_and_is_deviates(kind: AcceptedInput) -> None:
    found = outcomes(Careless, CASES[kind], declaring("accepted-inputs", [kind]))
    assert verdicts(found) == {("error", "deviation"), ("policy", "deviation")}
    assert {each.excused_by for each in found} == {("accepted-inputs",)}
    assert {each.aspect for each in found if each.check == "policy"} == {kind}


@pytest.mark.parametrize("kind", CASES)
def test_input_that_is_declared_to_be_taken_and_is_refused_fails(kind: AcceptedInput) -> None:
    found = outcomes(Numpy, CASES[kind], declaring("accepted-inputs", [kind]))
    assert verdicts(found) == {("error", "pass"), ("policy", "fail")}


def test_input_that_is_taken_and_not_declared_fails_the_check_error_alone() -> None:
    for profile in (UNDECLARED, declaring("accepted-inputs", ["weight-shape"])):
        found = outcomes(Careless, CASES["axis"], profile)
        assert ("error", "fail") in verdicts(found) and not any(each.excused_by for each in found)


class NeverOne(Numpy):
    """Smoothing lies below 1."""

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: float | None, **options: Any) -> Any:
        if label_smoothing == 1:
            raise ValueError("label_smoothing must be below 1")
        return super().cross_entropy(logits, targets, label_smoothing=label_smoothing, **options)


@pytest.mark.parametrize(
    ("kind", "declared", "value", "policy"),
    [
        (NeverOne, "raise", "deviation", "deviation"),
        (NeverOne, "value", "fail", "fail"),
        (Numpy, "raise", "pass", "fail"),
        (Numpy, "value", "pass", "pass"),
    ],
)
def test_smoothing_of_exactly_one(kind: type[Numpy], declared: str, value: str, policy: str) -> None:
    found = outcomes(kind, "smoothing-of-exactly-one", declaring("label-smoothing-of-one", declared))
    assert {(check, verdict) for check, verdict in verdicts(found) if check != "gradient"} == {
        ("value", value), ("policy", policy),
    }  # fmt: skip


class BySign(Numpy):
    """Divides by the number of all positions where the ignored label is negative."""

    def _rescaled(self, call: Any, result: Any) -> Any:
        options, targets = dict(call.options), call.operands["targets"]
        ignored = options["ignore_index"]
        if options["reduction"] != "mean" or ignored is None or ignored >= 0 or call.operands.get("weight") is not None:
            return result
        return (result * np.float64((targets != ignored).sum() / targets.size)).astype(result.dtype)

    def evaluate(self, call: Any, logits: Any) -> Any:
        return self._rescaled(call, super().evaluate(call, logits))

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        _, gradient = super().differentiate(call, logits, upstream)
        return self.evaluate(call, logits), self._rescaled(call, gradient)


BY_SIGN = {"negative": "weights-or-all-count", "non-negative": "sum-of-weights"}


@pytest.mark.parametrize(
    ("kind", "declared", "negative", "other"),
    [
        (BySign, BY_SIGN, "deviation", "pass"),
        (BySign, "sum-of-weights", "fail", "pass"),
        (Numpy, BY_SIGN, "fail", "pass"),
        (BySign, "weights-or-all-count", "deviation", "fail"),
    ],
)
def test_a_divisor_by_the_sign_of_the_ignored_label(
    kind: type[Numpy], declared: Any, negative: str, other: str
) -> None:
    profile = declaring("mean-denominator", declared)
    for case, verdict in (("one-of-two-ignored-equals-one", negative), ("ignored-label-is-a-class", other)):
        found = [each for each in outcomes(kind, case, profile) if each.reduction == "mean"]
        (policy,) = [each for each in found if each.policy == "mean-denominator"]
        assert policy.verdict == verdict, (case, policy)
    with_weights = outcomes(kind, "weights-and-ignored-positions-in-the-divisor", profile)
    assert {each.verdict for each in with_weights if each.check == "value"} == {"pass"}


def test_floating_labels_that_are_listed_are_the_integers_that_they_are() -> None:
    class Casting(Numpy):
        offset = 0

        def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
            return super().cross_entropy(logits, np.asarray(targets).astype(np.int64) - self.offset, **options)

    class CastingWrongly(Casting):
        offset = 1

    profile = declaring("target-dtypes", ["int64", "float32"])
    listed = msgspec.structs.replace(profile, known=[])
    assert verdicts(outcomes(Casting, "floating-labels", listed)) >= {("error", "deviation")}
    assert verdicts(outcomes(CastingWrongly, "floating-labels", listed)) >= {("error", "fail")}
    assert verdicts(outcomes(Casting, "floating-labels", declaring("target-dtypes", []))) >= {("error", "fail")}
