"""A policy may have another value for some operations, dtypes and versions: each call is held to its own."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call
from conformance.cases.select import select
from conformance.judge.judge import Judge
from conformance.model.backend import BackendId
from conformance.model.outcome import Outcome
from conformance.profiles.profile import Declared, Exceptional
from conformance.profiles.subject import Subject
from conformance.run.apart import calls_of
from conformance.run.chunk import chunk_of
from conformance.run.judged import judged
from conformance.run.plan import Portion
from tests.support.policies import INF, NUMPY, SUITE


class Reaching(Numpy):
    """A logit of +inf takes all of softmax in float32; NaN in float64, and in log_softmax."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        usual, infinite = super().softmax(logits, axis=axis), logits == INF
        reached = infinite.any(axis=1, keepdims=True) & (logits.dtype == np.float32)
        return np.where(reached, infinite, usual).astype(logits.dtype)


class Unreduced(Numpy):
    """Where no reduction is stated, cross_entropy does not reduce; nll_loss takes the mean."""

    def _stated(self, call: Call) -> Call:
        options = dict(call.options)
        if call.operation == "cross_entropy":
            options["reduction"] = options["reduction"] or "none"
        return Call(call.operation, call.operands, tuple(options.items()))

    def evaluate(self, call: Call, logits: Any) -> Any:
        return super().evaluate(self._stated(call), logits)

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        return super().differentiate(self._stated(call), logits, upstream)


class Clipping(Numpy):
    """A label out of range is taken for the nearest class."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return super().cross_entropy(logits, self._clipped(logits, targets), **options)

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return super().nll_loss(log_probabilities, self._clipped(log_probabilities, targets), **options)

    def _clipped(self, logits: Any, targets: Any) -> Any:
        return np.clip(targets, 0, logits.shape[1] - 1)


def subject_with(policy: str, value: Any, *exceptions: Exceptional) -> Subject:
    declared = Declared(value=value, documentation="undocumented", exceptions=[*exceptions])
    profile = msgspec.structs.replace(NUMPY, policies={**NUMPY.policies, policy: declared})
    return Subject("mine", BackendId(name="mine", version="2.1"), profile)


def outcomes(kind: type[Numpy], cases: str, policy: str, value: Any, *exceptions: Exceptional) -> list[Outcome]:
    subject = subject_with(policy, value, *exceptions)
    entries = select(SUITE, expression=cases, dtypes=("float32", "float64"))
    found = judged(kind(), entries, dtypes=("float32", "float64"), identities=False, subject=subject)
    return [each for unit in found for each in unit if each.check in ("value", "policy", "error")]


def verdicts(found: list[Outcome], policy: str) -> set[tuple[str, str, str]]:
    return {(e.op, e.dtype, e.verdict) for e in found if e.check == "value" or e.policy == policy}


def test_an_exception_by_operation_and_dtype_describes_its_calls_alone() -> None:
    both = Exceptional(value="limit", ops=["softmax"], dtypes=["float32"])
    found = outcomes(Reaching, "plus-infinity-softmax or plus-infinity-log-softmax", "plus-infinity", "nan", both)
    assert verdicts(found, "plus-infinity") == {
        ("softmax", "float32", "deviation"), ("softmax", "float64", "pass"),
        ("log_softmax", "float32", "pass"), ("log_softmax", "float64", "pass"),
    }  # fmt: skip
    of_softmax = [each for each in found if each.check == "policy" and each.op == "softmax"]
    assert {(each.dtype, each.expected) for each in of_softmax} == {("float32", "limit"), ("float64", "nan")}


@pytest.mark.parametrize(
    "exception",
    [
        Exceptional(value="limit", ops=["log_softmax"]),
        Exceptional(value="limit", ops=["softmax"], dtypes=["float64"]),
        Exceptional(value="limit", ops=["softmax"], versions="<2"),
        Exceptional(value="limit", ops=["softmax"], modes=["compile"]),
    ],
)
def test_an_exception_of_other_calls_excuses_nothing(exception: Exceptional) -> None:
    found = outcomes(Reaching, "plus-infinity-softmax", "plus-infinity", "nan", exception)
    assert ("softmax", "float32", "fail") in verdicts(found, "plus-infinity")


def test_a_default_reduction_of_one_operation() -> None:
    cases = "default-reduction-of-cross-entropy or default-reduction-of-nll-loss"
    own = Exceptional(value="none", ops=["cross_entropy"])
    found = verdicts(outcomes(Unreduced, cases, "default-reduction", "mean", own), "default-reduction")
    assert {verdict for op, _, verdict in found if op == "cross_entropy"} == {"deviation"}
    assert {verdict for op, _, verdict in found if op == "nll_loss"} == {"pass"}
    found = verdicts(outcomes(Unreduced, cases, "default-reduction", "mean"), "default-reduction")
    assert {verdict for op, _, verdict in found if op == "cross_entropy"} >= {"fail"}


CASES = "label-is-the-number-of-classes"  # once of each operation that takes labels


@pytest.mark.parametrize(("usual", "of_nll"), [("undefined", "raise"), ("raise", "undefined")])
def test_what_is_left_open_of_one_operation_is_not_of_another(usual: str, of_nll: str) -> None:
    exception = Exceptional(value=of_nll, ops=["nll_loss"])
    found = outcomes(Clipping, CASES, "label-out-of-range", usual, exception)
    verdicts = {(e.op, e.verdict, e.reason) for e in found if e.check == "error"}
    due, left_open = ("fail", "no-error"), ("deviation", "left-open")
    assert verdicts == {
        ("cross_entropy", *(left_open if usual == "undefined" else due)),
        ("nll_loss", *(left_open if of_nll == "undefined" else due)),
    }
    subject = subject_with("label-out-of-range", usual, exception)
    chunk = chunk_of(Portion(0, tuple(select(SUITE, expression=CASES)), frozenset({"float32"}), identities=False))
    calls = calls_of(chunk, Judge(subject))
    assert {chunk.requests[place].operation for place in calls.left_open} == {
        "cross_entropy" if usual == "undefined" else "nll_loss"
    }
    assert {chunk.requests[place].operation for place in calls.due} == {
        "nll_loss" if usual == "undefined" else "cross_entropy"
    }


def test_of_what_is_left_open_only_the_policy_that_is_undefined_is_reported_as_that() -> None:
    found = outcomes(Clipping, CASES, "label-out-of-range", "undefined")
    policies = {(e.policy, e.expected, e.excused_by) for e in found if e.reason == "policy-undefined"}
    assert policies == {("label-out-of-range", "undefined", ("label-out-of-range",))}
    assert {e.excused_by for e in found if e.reason == "left-open"} == {("label-out-of-range",)}
