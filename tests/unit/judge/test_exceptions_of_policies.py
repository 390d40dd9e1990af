"""A policy may have another value for some operations, dtypes and versions: each call is held to its own."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call
from conformance.cases.select import select
from conformance.model.backend import BackendId
from conformance.model.outcome import Outcome
from conformance.profiles.profile import Declared, Exceptional
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
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


def outcomes(kind: type[Numpy], cases: str, policy: str, value: Any, *exceptions: Exceptional) -> list[Outcome]:
    declared = Declared(value=value, documentation="undocumented", exceptions=[*exceptions])
    profile = msgspec.structs.replace(NUMPY, policies={**NUMPY.policies, policy: declared})
    subject = Subject("mine", BackendId(name="mine", version="2.1"), profile)
    entries = select(SUITE, expression=cases, dtypes=("float32", "float64"))
    found = judged(kind(), entries, dtypes=("float32", "float64"), identities=False, subject=subject)
    return [each for unit in found for each in unit if each.check in ("value", "policy")]


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
