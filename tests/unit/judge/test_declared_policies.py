"""Results that are right, or wrong, by what a backend declares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Backend
from conformance.cases.expand import expand
from conformance.cases.resolve import resolve
from conformance.cases.select import select
from conformance.model.policies import NORMATIVE, Policies
from conformance.oracle.block import Block
from conformance.oracle.truth import Truth
from conformance.profiles.subject import Subject
from conformance.run.judged import judged
from tests.support.policies import INF, NAN, NUMPY, SUITE, declaring, observed, rows
from tests.yardstick.exact import Exact


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
        (Promoting, "refused", "fail", ["promoted"]),
        (PromotingWrongly, "refused", "fail", []),
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
    if value == "refused" and seen == ["promoted"]:  # so that the failure names what may be declared
        assert (by_check["policy"].verdict, by_check["policy"].reason) == ("fail", "policy-differs")


class AsksTargets(Numpy):
    """Asks the targets for what a tensor has."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return super().cross_entropy(logits, targets.reshape(targets.shape), **options)


class Slips(Numpy):
    """Asks the logits for what they have not."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return logits.unsqueeze(1)


@pytest.mark.parametrize(
    ("kind", "case", "verdict"),
    [
        (AsksTargets, "a-number-is-not-a-target-tensor", "pass"),
        (AsksTargets, "two-equal-logits-cost-ln-2", "pass"),
        (Slips, "two-equal-logits-cost-ln-2", "error"),
    ],
)
def test_a_number_that_lacks_an_attribute_of_tensors_is_refused(kind: type[Backend], case: str, verdict: str) -> None:
    found = judged(kind(), select(SUITE, expression=case), identities=False)
    assert {each.verdict for unit in found for each in unit if each.check in ("error", "value")} == {verdict}


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
    (entry,) = [each for each in SUITE if each.case.id == case]
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
    assert observed(found, "mixed-dtype-result", "float16") == {seen}
    assert {each.verdict for each in found if each.check == "gradient"} <= {"pass"}


class WideLoss(Numpy):
    """The loss of a half type is computed in float32, and stays there, as within autocast; the gradient does not."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return super().cross_entropy(logits.astype(np.float32), targets, **options)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits.astype(np.float32), upstream.astype(np.float32))
        return value, gradient.astype(logits.dtype)


class RoundedLoss(WideLoss):
    """A loss that was one of the half type comes in float32."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        return super().evaluate(call, logits).astype(logits.dtype).astype(np.float32)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return self.evaluate(call, logits), super().differentiate(call, logits, upstream)[1]


class WideGradient(WideLoss):
    """The gradient comes in float32, too."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, gradient.astype(np.float32)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("kind", "declared", "verdicts"),
    [
        (Numpy, "logits", {"value": "pass", "policy": "pass", "gradient": "pass"}),
        (Numpy, "float32", {"value": "pass", "policy": "fail", "gradient": "pass"}),
        (WideLoss, "float32", {"value": "deviation", "policy": "deviation", "gradient": "pass"}),
        (WideLoss, {"softmax": "float32"}, {"value": "fail", "policy": "fail", "gradient": "pass"}),
        (WideLoss, "logits", {"value": "fail", "policy": "fail", "gradient": "pass"}),
        (RoundedLoss, "float32", {"value": "fail", "policy": "not run", "gradient": "pass"}),
        (WideGradient, "float32", {"value": "deviation", "policy": "not run", "gradient": "fail"}),
    ],
)
def test_the_loss_of_a_half_type_has_the_dtype_that_is_declared_and_its_accuracy(
    kind: type[Backend], declared: Any, verdicts: dict[str, str], dtype: Any
) -> None:
    entries = select(SUITE, expression="ordinary-logits-in-half-types", dtypes=(dtype,))
    subject = Subject("mine", profile=declaring("half-type-result", declared))
    (found,) = judged(kind(), entries, dtypes=(dtype,), identities=False, subject=subject)
    for check, verdict in verdicts.items():
        assert {each.verdict for each in found if each.check == check} == {verdict}, check


class HalvedLoss(WideLoss):
    """A loss in float32 that is wrong in every dtype."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        return super().evaluate(call, logits) / 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(("kind", "right"), [(RoundedLoss, True), (HalvedLoss, False)])
def test_a_loss_that_is_held_to_float32_may_be_right_in_the_half_type(
    kind: type[Backend], right: bool, dtype: Any
) -> None:
    entries = select(SUITE, expression="ordinary-logits-in-half-types", dtypes=(dtype,))
    subject = Subject("mine", profile=declaring("half-type-result", "float32"))
    (found,) = judged(kind(), entries, dtypes=(dtype,), identities=False, subject=subject)
    values = [each for each in found if each.check == "value"]
    assert {(each.verdict, each.reason) for each in values} == {("fail", "beyond-bound")}
    assert {each.right_in for each in values} == {dtype if right else ""}


class WideSecond(WideLoss):
    """Of two functions the first gives log-probabilities of the half type, and the second computes in float32."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return super().nll_loss(log_probabilities.astype(np.float32), targets, **options)


def test_of_two_functions_the_second_has_what_the_first_has_rounded() -> None:
    entries = select(SUITE, expression="directions-with-weights-below-zero-of-two-functions", dtypes=("float16",))
    subject = Subject("mine", profile=declaring("half-type-result", "float32"))
    (found,) = judged(WideSecond(), entries, dtypes=("float16",), identities=False, subject=subject)
    assert {each.verdict for each in found if each.check == "value"} == {"deviation"}
    assert {each.verdict for each in found if each.check == "gradient"} == {"pass"}


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
