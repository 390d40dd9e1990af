"""The observed value of a policy: derived from results alone, whatever the profile says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.cases.load import Entry, load_suite
from conformance.cases.select import select
from conformance.model.case import Case
from conformance.model.wording import message
from conformance.profiles.profile import UNDECLARED, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import NUMPY, OBSERVABLE, SUITE, declaring, observed, rows


def test_every_policy_is_observed_by_a_case_or_a_check_of_its_own() -> None:
    by_case = {policy for entry in SUITE for policy in entry.case.policies}
    assert OBSERVABLE - by_case == set()


class Clamping(Numpy):
    """Labels out of range are taken for the nearest class."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        return super().evaluate(self._clamped(call, logits), logits)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().differentiate(self._clamped(call, logits), logits, upstream)

    def _clamped(self, call: Any, logits: Any) -> Any:
        targets = call.operands["targets"].clip(0, logits.shape[1] - 1)
        return type(call)(call.operation, {**call.operands, "targets": targets}, call.options)


def test_clamped_labels_are_seen_by_value_and_gradient_without_any_profile() -> None:
    found = rows(Clamping, "label-is-the-number-of-classes or label-is-below-minus")
    for kind in ("above", "below"):
        assert observed(found, "label-out-of-range", kind) == {"clamps"}
        assert observed(found, "gradient-of-bad-label", kind) == {"label"}
    assert {outcome.verdict for outcome in found} == {"fail"}
    assert all(outcome.expected is None for outcome in found)


class AxisZero(Numpy):
    """Softmax along the first axis where none is stated."""

    usual: Any = 0

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(logits, axis=self.usual if axis is None else axis)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        options = {"axis": self.usual}
        return super().differentiate(
            type(call)(call.operation, call.operands, tuple(options.items())), logits, upstream
        )


class WholeArray(Numpy):
    """Softmax over the whole array where no axis is stated."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        if axis is not None:
            return super().softmax(logits, axis=axis)
        return super().softmax(logits.reshape(-1), axis=0).reshape(logits.shape)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        flat = type(call)(call.operation, call.operands, (("axis", 0),))
        value, gradient = super().differentiate(flat, logits.reshape(-1), upstream.reshape(-1))
        return value.reshape(logits.shape), gradient.reshape(logits.shape)


@pytest.mark.parametrize(("kind", "axis"), [(AxisZero, "0"), (WholeArray, "all"), (Numpy, "1")])
def test_the_default_axis_is_seen_by_several_ranks_together(kind: type[Backend], axis: str) -> None:
    found = [row for row in rows(kind, "softmax-default-axis-rank") if row.aspect == "softmax"]
    assert observed(found, "default-axis", "softmax") == {axis}


class Smoothing(Numpy):
    """Smoothing gives the other classes ε/(C−1) each."""

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: float | None, **options: Any) -> Any:
        epsilon, classes = label_smoothing or 0.0, logits.shape[1]
        q = np.where(np.arange(classes) == targets[:, None], 1 - epsilon, epsilon / (classes - 1)).astype(logits.dtype)
        return super().cross_entropy(logits, q, label_smoothing=None, **{**options, "ignore_index": None})


class UnweightedSmoothing(Numpy):
    """The uniform part of the smoothing has no weights."""

    def cross_entropy(
        self, logits: Any, targets: Any, *, weight: Any = None, label_smoothing: float | None, **options: Any
    ) -> Any:
        epsilon, classes = label_smoothing or 0.0, logits.shape[1]
        q = np.where(np.arange(classes) == targets[:, None], (1 - epsilon) * weight, 0) + epsilon / classes
        losses = super().cross_entropy(
            logits,
            q.astype(logits.dtype),
            label_smoothing=None,
            **{**options, "ignore_index": None, "reduction": "none"},
        )
        if options["reduction"] == "none":
            return losses
        return losses.sum() if options["reduction"] == "sum" else losses.sum() / weight[targets].sum()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("kind", "case", "policy", "value"),
    [
        (Smoothing, "smoothing-spreads-over-all", "label-smoothing-mass", "other-classes"),
        (UnweightedSmoothing, "smoothing-with-weights", "label-smoothing-weights", "unweighted"),
    ],
)
def test_other_ways_to_smooth_are_seen_in_both_tiers(
    kind: type[Backend], case: str, policy: str, value: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_gradient(self: Any, call: Any, logits: Any, upstream: Any) -> Any:
        raise NotImplementedError

    monkeypatch.setattr(kind, "differentiate", no_gradient, raising=False)
    found = [row for row in rows(kind, f"{case} and not ignored", dtype=dtype) if row.policy == policy]
    assert observed(found, policy) == {value}


@pytest.mark.parametrize(
    ("policy", "value", "case", "seen"),
    [
        ("mean-of-all-ignored", "zero", "all-positions-ignored", "nan"),
        ("label-out-of-range", "nan", "label-is-255", "raise"),
        ("unnormalised-probabilities", "normalised", "targets-of-zero", "exact"),
        ("default-reduction", "none", "default-reduction-of-cross-entropy", "mean"),
        ("label-smoothing-mass", "unsupported", "smoothing-of-two-classes", "all-classes"),
        ("subnormal-results", "flushed", "softmax-gap-of-88", "kept"),
        ("target-dtypes", ["int64"], "labels-of-type-uint8", "accepted"),
        ("target-broadcasting", "broadcast", "too-few-targets", "refused"),
    ],
)
def test_a_declaration_that_is_not_observed_fails(policy: str, value: Any, case: str, seen: str) -> None:
    found = [row for row in rows(Numpy, case, profile=declaring(policy, value)) if row.policy == policy]
    assert {row.verdict for row in found} == {"fail"}
    assert all(seen in row.observed and row.expected != seen and "declar" in message(row) for row in found)


class NoneByDefault(Numpy):
    """Nothing is reduced where no reduction is stated."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        return super().evaluate(self._stated(call), logits)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().differentiate(self._stated(call), logits, upstream)

    def _stated(self, call: Any) -> Any:
        options = dict(call.options)
        return type(call)(
            call.operation, call.operands, tuple((options | {"reduction": options["reduction"] or "none"}).items())
        )


@pytest.mark.parametrize(
    ("profile", "verdict"),
    [(UNDECLARED, "fail"), (declaring("default-reduction", "none"), "deviation")],
)
def test_the_gradient_without_a_reduction_is_that_of_the_declared_default(profile: Profile, verdict: str) -> None:
    entries = select(SUITE, expression="default-reduction-of-cross-entropy", dtypes=("float32",))
    (unit,) = judged(NoneByDefault(), entries, dtypes=("float32",), subject=Subject("mine", profile=profile))
    found = {each.check: each.verdict for each in unit if each.check in ("value", "gradient", "policy")}
    assert found == dict.fromkeys(("value", "gradient", "policy"), verdict)
    assert observed(list(unit), "default-reduction") == {"none"}


@pytest.mark.parametrize(
    ("policy", "keys"),
    [
        ("subnormal-results", {"op": "cross_entropy", "targets": [0], "reductions": ["default"]}),
        ("default-axis", {"op": "softmax", "axis": "default", "where": [[1, 0]]}),
        (
            "class-extent-0",
            {
                "op": "cross_entropy",
                "logits": {"distribution": "constant", "shape": [1, 0]},
                "targets": [0],
                "ignore_index": 0,
            },
        ),
    ],
)
def test_a_policy_is_observed_without_a_gradient_beside_a_mask_and_of_an_open_result(
    policy: str, keys: dict[str, Any]
) -> None:
    given = {"id": "a", "why": "x", "dtypes": ["float32"], "logits": [[0.0, 1e-39]], "policy": policy, **keys}
    case = msgspec.convert(given, Case)
    (unit,) = judged(Numpy(), [Entry(case, "t", Path("f"), 0)], subject=Subject("numpy", profile=NUMPY))
    assert {each.verdict for each in unit} <= {"pass", "deviation"}


def test_what_numpy_declares_is_observed() -> None:
    found = rows(Numpy, "policy: and not 70000", profile=NUMPY)
    assert {row.verdict for row in found} == {"pass", "deviation"}
    # Of what is not clipped no case says which ends are, and float32 says nothing of half types.
    assert {row.policy for row in found} >= OBSERVABLE - {"intermediate-overflow", "clipped-ends", "half-type-result"}


def test_an_overflow_is_observed_where_an_intermediate_overflows() -> None:
    found = rows(Numpy, "mean-whose-sum-overflows", profile=NUMPY)
    assert observed(found, "intermediate-overflow", "float32") == {"inf"}
    double = rows(Numpy, "whole-range-of-float64", dtype="float64", profile=NUMPY)
    assert observed(double, "intermediate-overflow", "float64") == {"inf"}


TERMS_OF_BOTH_SIGNS = """
theme: overflow
cases:
  - {id: terms-of-both-signs, why: "each term of the loss is beyond float32, and their sum is 0", op: cross_entropy,
     logits: [[3.3895313892515355e+38, 0, 0]], targets: [[1, 1, 1]], weight: [-3, -2, 2], reductions: [none],
     dtypes: [float32]}
"""


@pytest.mark.parametrize(("profile", "verdict"), [(UNDECLARED, "fail"), (NUMPY, "deviation")])
def test_terms_of_one_loss_that_overflow_are_as_declared(tmp_path: Path, profile: Profile, verdict: str) -> None:
    (tmp_path / "cases.yaml").write_text(TERMS_OF_BOTH_SIGNS)
    (found,) = judged(Numpy(), load_suite([tmp_path]).entries, subject=Subject("mine", profile=profile))
    values = [each for each in found if each.check == "value"]
    assert [(each.verdict, str(each.observed)) for each in values] == [(verdict, "nan")]


@pytest.mark.parametrize("profile", [UNDECLARED, NUMPY])
def test_what_follows_from_an_infinite_first_result_is_right_whatever_is_declared(profile: Profile) -> None:
    entries = select(SUITE, expression="log-probabilities-beyond-the-range", dtypes=("float16",))
    (found,) = judged(Numpy(), entries, dtypes=("float16",), subject=Subject("mine", profile=profile))
    assert [(each.verdict, str(each.observed)) for each in found if each.check == "value"] == [("pass", "inf")]


def test_what_a_framework_lacks_is_unsupported() -> None:
    from conformance.backends.contract import Unsupported

    class Plain(Numpy):
        """No weights."""

        def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
            raise Unsupported("no losses here")

    found = rows(Plain, "smoothing-of-two-classes")
    assert {(row.verdict, tuple(row.observed)) for row in found} == {("unsupported", ())}
