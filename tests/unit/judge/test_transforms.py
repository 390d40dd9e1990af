"""The transforms' verdicts: not offered, refused or wrong by declaration, wrong; and what they keep quiet of."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.contract import Backend, Unsupported
from conformance.cases.load import Entry, load_suite
from conformance.judge.examples import examples_of
from conformance.judge.judge import Judge
from conformance.model.case import TRANSFORMS
from conformance.model.errors import CaseError
from conformance.model.outcome import Outcome
from conformance.profiles.profile import Declared, Profile
from conformance.profiles.subject import Subject
from conformance.run.chunk import chunk_of
from conformance.run.judged import judged
from conformance.run.plan import Plan
from conformance.worker.exchange import Observation
from tests.yardstick.kernel import Given, Kernel

CASE = """
theme: transforms
cases:
  - id: a-case
    why: small
    op: cross_entropy
    logits: [[1, 2, 0.5], [0, -1, 3]]
    targets: [1, 0]
    dtypes: [float32]
"""


ALL = "transforms: [forward-mode, second-order, vectorised-map]"


def entries(tmp_path: Path, more: str = ALL) -> list[Entry]:
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    case = CASE.replace("    targets: [1, 0]\n", "") if more.startswith("targets:") else CASE
    (tmp_path / "case.yaml").write_text(case + f"    {more}\n")
    return list(load_suite([tmp_path]).entries)


def outcomes(tmp_path: Path, backend: Kernel, more: str = ALL, **policies: str) -> list[Outcome]:
    declared = {name: Declared(value=value, documentation="undocumented") for name, value in policies.items()}
    subject = Subject("kernel", profile=Profile(backend="kernel", policies=declared))
    found = judged(backend, entries(tmp_path, more), subject=subject)
    return [outcome for unit in found for outcome in unit if outcome.check in TRANSFORMS]


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


def verdicts(found: list[Outcome], check: str) -> set[str]:
    return {outcome.verdict for outcome in found if outcome.check == check}


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


class SharedWorkspace(Kernel):
    found: Any = None

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        SharedWorkspace.found = super().differentiate(call, logits, upstream)
        time.sleep(1e-3)
        return SharedWorkspace.found


class OneThread(SharedWorkspace):
    thread_safe = False


class RaisesInThreads(Kernel):
    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("no context in this thread")
        return super().differentiate(call, logits, upstream)


@pytest.mark.parametrize(
    ("backend", "verdict"),
    [(Kernel(), "pass"), (SharedWorkspace(), "fail"), (OneThread(), "unsupported"), (RaisesInThreads(), "fail")],
)
def test_two_threads_do_not_share_what_a_call_needs(tmp_path: Path, backend: Kernel, verdict: str) -> None:
    found = outcomes(tmp_path, backend, "transforms: [concurrent]")
    assert sorted(o.reduction for o in found) == ["mean", "none", "sum"]
    assert verdicts(found, "concurrent") == {verdict}


class SharedDerivative(Kernel):
    found: Any = None

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        SharedDerivative.found = super().jvp(call, logits, tangent)
        time.sleep(1e-3)
        return SharedDerivative.found


class DerivativeOfOneThread(SharedDerivative):
    of_one_thread = frozenset({"forward-mode"})


def test_a_transform_of_one_thread_is_not_asked_of_two(tmp_path: Path) -> None:
    found = outcomes(tmp_path, DerivativeOfOneThread(), "transforms: [forward-mode, concurrent]")
    assert (verdicts(found, "forward-mode"), verdicts(found, "concurrent")) == ({"pass"}, {"unsupported"})


def test_two_threads_make_the_transform_that_the_case_names(tmp_path: Path) -> None:
    asked = "transforms: [forward-mode, concurrent]"
    right, wrong = (outcomes(tmp_path, backend, asked) for backend in (Kernel(), SharedDerivative()))
    assert verdicts(right, "concurrent") == verdicts(right, "forward-mode") == {"pass"}
    assert verdicts(wrong, "forward-mode") == {"pass"}
    assert verdicts(wrong, "concurrent") == {"fail"}
    assert {o.quantity for o in wrong if o.check == "concurrent"} == {"jvp"}


class SharedForwardPass(Kernel):
    saved: Any = None

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        SharedForwardPass.saved = logits
        time.sleep(1e-3)
        return super().second_vjp(call, SharedForwardPass.saved, former, upstream)


def test_a_forward_pass_that_threads_share_is_seen_in_the_second_backward_pass(tmp_path: Path) -> None:
    found = outcomes(tmp_path, SharedForwardPass(), "transforms: [second-backward, concurrent]")
    assert (verdicts(found, "second-backward"), verdicts(found, "concurrent")) == ({"pass"}, {"fail"})


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


@pytest.mark.parametrize("name", ["second-order", "vectorised-map", "second-backward"])
def test_every_transform_is_right_in_two_threads(tmp_path: Path, name: str) -> None:
    assert verdicts(outcomes(tmp_path, Kernel(), f"transforms: [{name}, concurrent]"), "concurrent") == {"pass"}


def test_two_threads_are_asked_for_one_transform(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="two threads with several transforms"):
        outcomes(tmp_path, Kernel(), "transforms: [forward-mode, second-order, concurrent]")


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


def test_a_map_needs_an_axis_beside_the_classes(tmp_path: Path) -> None:
    (entry,) = entries(tmp_path)
    alone = msgspec.structs.replace(entry.case, logits=[1, 2, 0.5], targets=1)
    with pytest.raises(CaseError, match="no leading axis"):
        chunk_of(Plan([replace(entry, case=alone)]).portions[0])


def test_a_direction_is_stated_by_number_or_generator(tmp_path: Path) -> None:
    for more in ("tangent: 0.5", "tangent: {distribution: normal, seed: 3}"):
        chunk = chunk_of(Plan(entries(tmp_path, f"transforms: [forward-mode]\n    {more}")).portions[0])
        asked = [request for request in chunk.requests if request.transform]
        assert {request.transform for request in asked} == {"forward-mode"}
        assert all(request.tangent is not None and request.tangent.shape == (2, 3) for request in asked)
        assert all(request.upstream is None for request in asked)


MEANS = """
theme: transforms
cases:
  - id: a-map-of-means
    why: small
    op: cross_entropy
    logits: {distribution: uniform, shape: [3, 4, 2], seed: 1}
    targets: [[1, 0], [2, 2], [2, 3]]
    ignore_index: 2
    reductions: [mean, sum]
    transforms: [vectorised-map]
    policy: [mean-of-all-ignored, gradient-of-all-ignored]
    dtypes: [float32]
"""


class DividesByTheFirst(Kernel):
    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        value[-1] /= 2
        return value, gradient


class OneForAll(Kernel):
    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value.sum(), gradient


def test_a_map_of_losses_that_are_all_reduced_is_judged_example_by_example(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    (tmp_path / "case.yaml").write_text(MEANS)
    loaded = list(load_suite([tmp_path]).entries)
    asked = [request for request in chunk_of(Plan(loaded).portions[0]).requests if request.transform]
    assert [dict(request.options)["reduction"] for request in asked] == ["mean", "sum"]
    assert all(request.upstream is not None and request.upstream.shape == (3,) for request in asked)
    found: dict[type[Kernel], list[Outcome]] = {}
    for kind in (Kernel, DividesByTheFirst, OneForAll):
        units = judged(kind(), loaded, subject=Subject("kernel", profile=Profile(backend="kernel")))
        found[kind] = [outcome for unit in units for outcome in unit if outcome.check == "vectorised-map"]
    assert {(o.reduction, o.verdict) for o in found[Kernel]} == {("mean", "pass"), ("sum", "pass")}
    assert {(o.verdict, o.quantity, o.position) for o in found[DividesByTheFirst]} == {("fail", "value", 4)}
    assert {(o.verdict, o.reason) for o in found[OneForAll]} == {("fail", "wrong-shape")}


class NoGradientOfNothing(Kernel):
    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        gradient[np.isnan(value)] = np.nan
        return value, gradient


def test_a_deviation_of_one_example_is_one_of_the_map(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    (tmp_path / "case.yaml").write_text(MEANS.replace("[mean, sum]", "[mean]"))
    nan = Declared(value="nan", documentation="undocumented")
    profile = Profile(backend="kernel", policies={"gradient-of-all-ignored": nan})
    units = judged(NoGradientOfNothing(), load_suite([tmp_path]).entries, subject=Subject("kernel", profile=profile))
    (found,) = [outcome for unit in units for outcome in unit if outcome.check == "vectorised-map"]
    assert (found.verdict, found.quantity, found.position) == ("deviation", "gradient", 2)


def test_examples_lie_along_another_axis_than_the_classes(tmp_path: Path) -> None:
    problem = chunk_of(Plan(entries(tmp_path)).portions[0]).units[0].problem
    with pytest.raises(ValueError, match="no examples along axis 0"):
        examples_of(replace(problem, axis=0, class_axis=0), "mean")


def test_an_example_without_a_result_leaves_the_findings_of_the_others_in_their_place(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("flags: {}\n")
    (tmp_path / "case.yaml").write_text(MEANS)
    asked = chunk_of(Plan(list(load_suite([tmp_path]).entries)).portions[0]).transforms[0][0]
    zero = np.zeros((), np.float32)
    seen = [Observation(place, value=None if place == 1 else zero) for place in range(3)]
    found = Judge(Subject("kernel")).quantity(asked.prepared, asked.examples, "mean", seen, "value")
    assert [[each.problem for each in of_one] for of_one in found] == [
        [asked.examples[0].problem],
        [],
        [asked.examples[2].problem],
    ]


def test_the_map_is_asked_with_one_examples_axis(tmp_path: Path) -> None:
    chunk = chunk_of(Plan(entries(tmp_path)).portions[0])
    (asked,) = [request for request in chunk.requests if request.transform == "vectorised-map"]
    assert dict(asked.options)["axis"] == 0 and dict(asked.options)["reduction"] == "none"
    assert msgspec.structs.asdict(asked)["tangent"] is None


def test_read_only_memory_is_not_refilled(tmp_path: Path) -> None:
    found = outcomes(tmp_path, Kernel(), "transforms: [refilled]\n    layouts: [read-only]")
    assert verdicts(found, "refilled") == {"unsupported"}
