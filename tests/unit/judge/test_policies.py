"""The observed value of a policy: derived from results alone, whatever the profile says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.cases.expand import expand
from conformance.cases.load import Entry, load_suite
from conformance.cases.resolve import resolve
from conformance.cases.select import select
from conformance.model.case import Case
from conformance.model.policies import NORMATIVE, POLICIES, Policies
from conformance.model.records import Outcome
from conformance.model.wording import message
from conformance.oracle.block import Block
from conformance.oracle.truth import Truth
from conformance.places import ROOT
from conformance.profiles.load import load_profile
from conformance.profiles.profile import UNDECLARED, Declared, Profile
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.yardstick.exact import Exact

NUMPY = load_profile(ROOT / "backends" / "profiles" / "numpy.yaml")
SUITE = load_suite([ROOT / "cases"]).entries
INF, NAN = np.inf, np.nan


def rows(kind: type[Backend], cases: str, *, dtype: Any = "float32", profile: Profile = UNDECLARED) -> list[Outcome]:
    """The outcomes of the check ``policy`` for the cases whose ids hold one of the words."""
    entries = select(SUITE, expression=cases, dtypes=(dtype,))
    found = judged(kind(), entries, dtypes=(dtype,), identities=False, subject=Subject("mine", profile=profile))
    return [outcome for unit in found for outcome in unit if outcome.check == "policy"]


def observed(outcomes: list[Outcome], policy: str) -> set[str]:
    """The values that describe every call."""
    sets = [{*outcome.observed} for outcome in outcomes if outcome.policy == policy and outcome.observed]
    assert sets, f"nothing mentions {policy}"
    return set.intersection(*sets)


#: Policies that a case can observe.
OBSERVABLE = {name for name, policy in POLICIES.items() if not policy.observed_by}


def declaring(policy: str, value: Any) -> Profile:
    """NumPy's profile with another declaration."""
    declared = Declared(value=value, documentation="undocumented")
    return msgspec.structs.replace(NUMPY, policies={**NUMPY.policies, policy: declared})


def test_every_policy_is_observed_by_a_case_or_a_check_of_its_own() -> None:
    by_case = {policy for entry in SUITE for policy in entry.case.policies}
    assert OBSERVABLE - by_case == set()


class Promoting(Numpy):
    """Integer logits become numbers of float32."""

    factor = 1

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(np.asarray(logits, np.float32) * np.float32(self.factor), axis=axis)


class PromotingWrongly(Promoting):
    """To the wrong ones."""

    factor = 2


@pytest.mark.parametrize(
    ("kind", "value", "verdict", "seen"),
    [
        (Numpy, "refused", "pass", ["refused"]),
        (Promoting, "refused", "fail", []),
        (Promoting, "promoted", "deviation", ["promoted"]),
        (PromotingWrongly, "promoted", "fail", []),
        (Numpy, "promoted", "pass", ["refused"]),
    ],
)
def test_integer_logits_are_refused_or_promoted_to_the_right_result(
    kind: type[Backend], value: str, verdict: str, seen: list[str]
) -> None:
    entries = select(SUITE, expression="logits-of-type-int64-softmax", dtypes=("float32",))
    subject = Subject("mine", profile=declaring("integer-logits", value))
    (found,) = judged(kind(), entries, dtypes=("float32",), identities=False, subject=subject)
    by_check = {outcome.check: outcome for outcome in found}
    assert by_check["error"].verdict == verdict
    assert by_check["policy"].observed == (seen or ["other"])


@pytest.mark.parametrize(
    ("kind", "value", "verdict", "seen"),
    [
        (Numpy, "lost", "deviation", ["lost"]),
        (Numpy, "kept", "fail", ["lost"]),
        (Exact, "kept", "pass", ["kept"]),
        (Exact, "lost", "fail", ["kept"]),
    ],
)
def test_what_cancels_is_kept_or_lost_as_declared(
    kind: type[Backend], value: str, verdict: str, seen: list[str]
) -> None:
    found = rows(kind, "gap-that-loses", profile=declaring("cancelling-gradient", value))
    assert {(outcome.verdict, *(outcome.observed or [])) for outcome in found} == {(verdict, *seen)}


@pytest.mark.parametrize("kind", [Numpy, Exact])
def test_either_is_sound_where_nothing_is_declared(kind: type[Backend]) -> None:
    assert {outcome.verdict for outcome in rows(kind, "gap-that-loses")} == {"pass"}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("case", "product", "chained"),
    [
        ("infinite-upstream-of-labels", [INF, INF, -INF], [INF, INF, NAN]),
        ("infinite-upstream-of-probabilities", [-INF, INF, INF], [NAN, NAN, NAN]),
        ("infinite-upstream-of-nll-loss", [NAN, NAN, -INF], [0.0, 0.0, -INF]),
        ("infinite-upstream-of-an-ignored-label", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ],
)
def test_an_infinite_upstream_gradient_reaches_its_position_alone(
    case: str, product: list[float], chained: list[float], dtype: Any
) -> None:
    (entry,) = select(SUITE, expression=case)
    (problem,) = expand(entry, dtypes=[dtype]).problems
    for value, row in (("product", product), ("chained", chained)):
        truth = Truth(Block((resolve(problem, NORMATIVE).problem,)), Policies(infinite_upstream_gradient=value))
        first, infinite, third, *_ = truth.gradient("none").mid
        assert np.array_equal(infinite, row, equal_nan=True) and np.isfinite([first, third]).all()


@pytest.mark.parametrize(("value", "verdict"), [("product", "pass"), ("chained", "fail")])
def test_an_infinite_upstream_gradient_is_observed(value: str, verdict: str) -> None:
    found = rows(Numpy, "infinite-upstream", profile=declaring("infinite-upstream-gradient", value))
    assert {(outcome.verdict, *(outcome.observed or [])) for outcome in found} == {(verdict, "product")}


class PromotingLoss(Numpy):
    """The loss of class probabilities has the widest dtype of all."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return super().cross_entropy(logits.astype(np.float32), targets, **options)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return self.evaluate(call, logits), super().differentiate(call, logits, upstream)[1]


class PromotingRoundedLoss(PromotingLoss):
    """Of probabilities in the dtype of the logits."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return super().cross_entropy(logits, targets.astype(np.float16), **options)


class RefusingMixedDtypes(Numpy):
    """Class probabilities of another dtype than the logits are an error."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if targets.dtype != logits.dtype:
            raise TypeError("one dtype, please")
        return super().cross_entropy(logits, targets, **options)


@pytest.mark.parametrize(
    ("kind", "declared", "verdict", "policy", "seen"),
    [
        (Numpy, "logits", "pass", "pass", "logits"),
        (Numpy, "promoted", "pass", "fail", "logits"),
        (PromotingLoss, "promoted", "deviation", "deviation", "promoted"),
        (PromotingLoss, "logits", "fail", "fail", "promoted"),
        (PromotingRoundedLoss, "promoted", "fail", "not run", "other"),
        (RefusingMixedDtypes, "refused", "deviation", "deviation", "refused"),
        (RefusingMixedDtypes, "logits", "fail", "fail", "refused"),
    ],
)
def test_probabilities_of_another_dtype_decide_the_dtype_of_the_loss_as_declared(
    kind: type[Backend], declared: str, verdict: str, policy: str, seen: str
) -> None:
    entries = select(SUITE, expression="float32-probabilities-below-the-range", dtypes=("float16",))
    subject = Subject("mine", profile=declaring("mixed-dtype-result", declared))
    (found,) = judged(kind(), entries, dtypes=("float16",), identities=False, subject=subject)
    by_check = {check: {each.verdict for each in found if each.check == check} for check in ("value", "policy")}
    assert by_check == {"value": {verdict}, "policy": {policy}}
    assert observed(found, "mixed-dtype-result/float16") == {seen}
    assert {each.verdict for each in found if each.check == "gradient"} <= {"pass"}


class Dropping(Numpy):
    """A class that takes no part drops out of the loss."""

    def cross_entropy(self, logits: Any, targets: Any, *, where: Any = None, **options: Any) -> Any:
        if where is not None and targets.dtype.kind == "f":
            targets = targets * where
        return super().cross_entropy(logits, targets, where=where, **options)


@pytest.mark.parametrize(
    ("kind", "value", "verdicts"),
    [
        (Numpy, "impossible", {"pass"}),
        (Dropping, "dropped", {"deviation"}),
        (Dropping, "impossible", {"fail"}),
        (Numpy, "dropped", {"fail"}),
    ],
)
def test_the_target_of_a_masked_class(kind: type[Backend], value: str, verdicts: set[str]) -> None:
    found = rows(kind, "probability-of-a-masked-class", profile=declaring("masked-target", {"probabilities": value}))
    assert {outcome.verdict for outcome in found} == verdicts


class Constant(Numpy):
    """Of an infinite loss no logit has a gradient."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> tuple[Any, Any]:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, np.where(np.isinf(value)[:, None], 0, gradient).astype(gradient.dtype)


@pytest.mark.parametrize("kind", [Numpy, Constant])
def test_the_gradient_of_a_loss_that_a_mask_makes_infinite_is_not_judged(kind: type[Backend]) -> None:
    (entry,) = select(SUITE, expression="label-of-a-masked-class", dtypes=("float32",))
    asked = replace(entry, case=msgspec.structs.replace(entry.case, upstream=None))
    (found,) = judged(kind(), [asked], dtypes=("float32",), subject=Subject("mine", profile=NUMPY))
    assert {outcome.verdict for outcome in found} == {"pass"}
    assert {outcome.check for outcome in found} >= {"value", "gradient"}


class Unmasked(Numpy):
    """Takes no mask: what accepts anything promises nothing."""

    def softmax(self, logits: Any, *, axis: int | None, **others: Any) -> Any:
        return super().softmax(logits, axis=axis, **others)


def test_a_backend_whose_method_names_no_mask_is_not_asked() -> None:
    entries = select(SUITE, expression="masked-classes-of-softmax", dtypes=("float32",))
    (found,) = judged(Unmasked(), entries, dtypes=("float32",), subject=Subject("mine", profile=NUMPY))
    assert {outcome.verdict for outcome in found} == {"unsupported"}


class Clamping(Numpy):
    """Labels out of range are taken for the nearest class."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        return super().evaluate(self._clamped(call, logits), logits)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().differentiate(self._clamped(call, logits), logits, upstream)

    def _clamped(self, call: Any, logits: Any) -> Any:
        targets = call.operands["targets"].clip(0, logits.shape[1] - 1)
        return type(call)(call.operation, {**call.operands, "targets": targets}, call.options)


def test_clamped_labels_are_told_by_value_and_gradient_without_any_profile() -> None:
    found = rows(Clamping, "label-is-the-number-of-classes or label-is-below-minus")
    for kind in ("above", "below"):
        assert observed(found, f"label-out-of-range/{kind}") == {"clamps"}
        assert observed(found, f"gradient-of-bad-label/{kind}") == {"label"}
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
def test_the_default_axis_is_told_by_several_ranks_together(kind: type[Backend], axis: str) -> None:
    found = [row for row in rows(kind, "softmax-default-axis-rank") if row.policy == "default-axis/softmax"]
    assert observed(found, "default-axis/softmax") == {axis}


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
def test_other_ways_to_smooth_are_told_in_both_tiers(
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
    found = [row for row in rows(Numpy, case, profile=declaring(policy, value)) if row.policy.startswith(policy)]
    assert {row.verdict for row in found} == {"fail"}
    assert all(seen in row.observed and row.expected != seen and "declar" in message(row) for row in found)


@pytest.mark.parametrize(
    ("policy", "keys"),
    [
        # The default reduction is that of the framework: no upstream gradient fits it for sure.
        ("subnormal-results", {"op": "cross_entropy", "targets": [0], "reductions": ["default"]}),
        ("default-axis", {"op": "softmax", "axis": "default", "where": [[1, 0]]}),
    ],
)
def test_a_policy_is_observed_without_a_gradient_and_beside_a_mask(policy: str, keys: dict[str, Any]) -> None:
    given = {"id": "a", "why": "x", "dtypes": ["float32"], "logits": [[0.0, 1e-39]], "policy": policy, **keys}
    case = msgspec.convert(given, Case)
    (unit,) = judged(Numpy(), [Entry(case, "t", Path("f"), 0)], subject=Subject("numpy", profile=NUMPY))
    assert {each.verdict for each in unit} <= {"pass", "deviation"}


def test_what_numpy_declares_is_observed() -> None:
    found = rows(Numpy, "policy: and not 70000", profile=NUMPY)
    assert {row.verdict for row in found} == {"pass", "deviation"}
    assert {row.policy.partition("/")[0] for row in found} >= OBSERVABLE - {"intermediate-overflow"}


def test_an_overflow_is_observed_where_an_intermediate_overflows() -> None:
    found = rows(Numpy, "mean-whose-sum-overflows", profile=NUMPY)
    assert observed(found, "intermediate-overflow/float32") == {"inf"}
    double = rows(Numpy, "whole-range-of-float64", dtype="float64", profile=NUMPY)
    assert observed(double, "intermediate-overflow/float64") == {"inf"}


@pytest.mark.parametrize("profile", [UNDECLARED, NUMPY])
def test_what_follows_from_an_infinite_first_result_is_right_whatever_is_declared(profile: Profile) -> None:
    entries = select(SUITE, expression="log-probabilities-beyond-the-range", dtypes=("float16",))
    (found,) = judged(Numpy(), entries, dtypes=("float16",), subject=Subject("mine", profile=profile))
    assert [(each.verdict, str(each.observed)) for each in found if each.check == "value"] == [("pass", "inf")]


class LossesStored(Numpy):
    """The mean is one of losses that have been stored in the dtype of the logits."""

    def cross_entropy(self, logits: Any, targets: Any, *, reduction: Any = None, **options: Any) -> Any:
        losses = super().cross_entropy(logits, targets, reduction="none", **options)
        return losses if reduction == "none" else np.asarray(losses.mean(dtype=np.float32)).astype(logits.dtype)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return self.evaluate(call, logits), super().differentiate(call, logits, upstream)[1]


@pytest.mark.parametrize(("declared", "verdict"), [("inf", "deviation"), ("value", "fail")])
def test_a_mean_over_a_loss_that_overflows_is_as_declared(declared: str, verdict: str) -> None:
    profile = msgspec.structs.replace(declaring("intermediate-overflow", declared), classes={"all": {"float16": "D"}})
    found = rows(LossesStored, "mean-over-a-loss-beyond", dtype="float16", profile=profile)
    assert [(each.verdict, each.observed) for each in found] == [(verdict, ["inf"])]


def test_what_a_framework_lacks_is_unsupported() -> None:
    from conformance.backends.contract import Unsupported

    class Plain(Numpy):
        """No weights."""

        def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
            raise Unsupported("no losses here")

    found = rows(Plain, "smoothing-of-two-classes")
    assert {(row.verdict, tuple(row.observed)) for row in found} == {("unsupported", ())}
