"""The transforms' verdicts: not offered, refused or wrong by declaration, wrong; and what they keep quiet of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Backend, Unsupported
from conformance.model.errors import CaseError
from conformance.run.chunk import chunk_of
from conformance.run.plan import Plan
from tests.support.transforms import ALL, entries, outcomes, verdicts
from tests.yardstick.kernel import Given, Kernel


class Int64Alone(Kernel):
    def checked(self, labels: Any, *more: Any) -> Any:
        if labels.dtype != np.int64:
            raise TypeError("labels are int64")
        return super().checked(labels, *more)


class Missing(Kernel):
    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        raise Unsupported("none here")


class Raising(Kernel):
    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        raise RuntimeError("no double backward")


class Doubled(Kernel):
    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        return super().hvp(call, logits, upstream, direction) * np.float32(2)


class Stopped(Kernel):
    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        return np.zeros_like(logits)


class Without(Kernel):
    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        raise Unsupported("none here")


class WrongValue(Kernel):
    def loss(self, ask: Any) -> Any:
        return super().loss(ask) + np.float32(1)


class Alone(Kernel):
    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        return super().jvp(call, logits, tangent)[1]


def test_every_transform_is_judged_in_every_reduction(tmp_path: Path) -> None:
    found = outcomes(tmp_path, Kernel())
    assert sorted((o.check, o.reduction) for o in found) == [
        *(("forward-mode", r) for r in ("mean", "none", "sum")),
        *(("second-order", r) for r in ("mean", "none", "sum")),
        ("vectorised-map", "none"),
    ]
    assert {o.verdict for o in found} == {"pass"}
    assert all(o.ratio is not None and o.class_ in ("A", "B") for o in found)


@pytest.mark.parametrize(
    ("backend", "policy", "verdict"),
    [
        (Missing(), "supported", "unsupported"),
        (Raising(), "supported", "fail"),
        (Raising(), "refused", "deviation"),
        (Doubled(), "supported", "fail"),
        (Doubled(), "refused", "fail"),
        (Doubled(), "wrong", "deviation"),
        (Kernel(), "wrong", "pass"),
    ],
)
def test_policies_decide_what_is_said_of_second_order(
    tmp_path: Path, backend: Kernel, policy: str, verdict: str
) -> None:
    found = outcomes(tmp_path, backend, **{"double-differentiation": policy})
    assert verdicts(found, "second-order") == {verdict}
    assert verdicts(found, "forward-mode") == {"pass"}


def test_a_transform_of_a_call_that_the_declared_policies_refuse_may_raise(tmp_path: Path) -> None:
    more = f"target_dtype: int32\n    {ALL.replace('vectorised-map', 'second-backward')}"
    declared: dict[str, Any] = {"target-dtypes": ["int64"]}
    assert {each.verdict for each in outcomes(tmp_path, Int64Alone(), more, **declared)} == {"deviation"}
    assert {each.verdict for each in outcomes(tmp_path, Int64Alone(), more)} == {"fail"}


class Scaled(Kernel):
    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        return super().second_vjp(call, logits, former, former * upstream)


class Before(Kernel):
    """Written before there was such a method."""

    second_vjp = Backend.second_vjp


@pytest.mark.parametrize(("backend", "verdict"), [(Kernel(), "pass"), (Scaled(), "fail"), (Before(), "unsupported")])
def test_second_backward_passes_are_held_against_the_gradient(tmp_path: Path, backend: Kernel, verdict: str) -> None:
    found = outcomes(tmp_path, backend, "transforms: [second-backward]")
    assert sorted(o.reduction for o in found) == ["mean", "none", "sum"]
    assert verdicts(found, "second-backward") == {verdict}


class KeptByTensor(Kernel):
    """What a tensor of labels asks for is kept for as long as the tensor lives."""

    labels: Any = None

    def given(self, given: Given) -> Given:
        if self.labels is None or self.labels[0] is not given.targets:
            self.labels = given.targets, given.targets.copy()
        return replace(given, targets=self.labels[1])


class NotWrittenTo(Kernel):
    """Its tensors are not to be written to."""

    fill = Backend.fill


@pytest.mark.parametrize(
    ("backend", "verdict"), [(Kernel(), "pass"), (KeptByTensor(), "fail"), (NotWrittenTo(), "unsupported")]
)
def test_tensors_that_are_written_to_between_two_calls(tmp_path: Path, backend: Kernel, verdict: str) -> None:
    found = outcomes(tmp_path, backend, "transforms: [refilled]")
    assert sorted(o.reduction for o in found) == ["mean", "none", "sum"]
    assert verdicts(found, "refilled") == {verdict}
    assert {o.verdict for o in found} <= {"pass", verdict}


SOFT = "targets: [[0.5, 0.25, 0.25], [0, 1, 0]]\n    transforms: [target-gradient]"


@pytest.mark.parametrize(
    ("backend", "policy", "verdict"),
    [
        (Kernel(), "supported", "pass"),
        (Stopped(), "supported", "fail"),
        (Stopped(), "wrong", "deviation"),
        (Without(), "supported", "unsupported"),
    ],
)
def test_the_gradient_by_the_targets_is_judged_by_its_policy(
    tmp_path: Path, backend: Kernel, policy: str, verdict: str
) -> None:
    found = outcomes(tmp_path, backend, SOFT, **{"target-differentiation": policy})
    assert len(found) == 3 and {outcome.verdict for outcome in found} == {verdict}


def test_a_wrong_value_is_not_reported_again(tmp_path: Path) -> None:
    found = outcomes(tmp_path, WrongValue())
    assert verdicts(found, "forward-mode") == verdicts(found, "vectorised-map") == {"pass"}


def test_what_is_not_a_pair_is_the_adapters_fault(tmp_path: Path) -> None:
    found = outcomes(tmp_path, Alone())
    assert verdicts(found, "forward-mode") == {"error"}
    assert verdicts(found, "second-order") == {"pass"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("transforms: [second]", "transforms"),
        ("tangent: 1", "nothing is differentiated"),
        ("transforms: [forward-mode]\n    tangent: [[1, 2]]", "tangent of shape"),
        ("transforms: [forward-mode]\n    expect: {error: bad}", "transforms"),
        ("transforms: [forward-mode]\n    axis: default", "left to the framework"),
        ("transforms: [target-gradient]", "the targets are class indices"),
        (
            "targets: [[1, 0, 0], [0, 0, 1]]\n    targets_as: indices\n    transforms: [target-gradient]",
            "no class prob",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(CaseError, match=words):
        chunk_of(Plan(entries(tmp_path, more)).portions[0])


def test_a_direction_is_stated_by_number_or_generator(tmp_path: Path) -> None:
    for more in ("tangent: 0.5", "tangent: {distribution: normal, seed: 3}"):
        chunk = chunk_of(Plan(entries(tmp_path, f"transforms: [forward-mode]\n    {more}")).portions[0])
        asked = [request for request in chunk.requests if request.transform]
        assert {request.transform for request in asked} == {"forward-mode"}
        assert all(request.tangent is not None and request.tangent.shape == (2, 3) for request in asked)
        assert all(request.upstream is None for request in asked)


def test_read_only_memory_is_not_refilled(tmp_path: Path) -> None:
    found = outcomes(tmp_path, Kernel(), "transforms: [refilled]\n    layouts: [read-only]")
    assert verdicts(found, "refilled") == {"unsupported"}
