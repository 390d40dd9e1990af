"""The policies: where sound implementations differ, each with its values, what it affects and how it is observed.

A policy is one field of :class:`Policies`: its ``Literal`` names the values, the normative one first, and its
:class:`Policy` says the rest. Everything else (what a profile may declare, what lint asks, what is observed, what may
excuse a result) is read from there. The truth takes :class:`Policies` as a parameter, so that a result which is not
normative can be held against exactly what a backend's profile declares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from conformance.model.policy import (
    DTYPE,
    HALF_TYPED,
    IGNORED,
    INPUT,
    LABEL,
    MIXED,
    OPERATION,
    TARGET,
    TARGET_DTYPE,
    AcceptedDtypes,
    AcceptedInput,
    AcceptedInputs,
    Policy,
)

if TYPE_CHECKING:  # a problem holds arrays, and listing the policies must not load NumPy
    from conformance.model.problem import Problem

__all__ = [
    "BY_CHECK",
    "BY_FIELD",
    "NORMATIVE",
    "POLICIES",
    "Choice",
    "DefaultAxis",
    "DefaultReduction",
    "Policies",
    "choice_in",
    "declarable",
    "default_axis",
    "denominator_of",
    "for_operation",
    "name_of_number",
    "number_given",
    "policy_label",
]

DefaultAxis = Literal[1, -1, 0, "all", "implicit", "required"]
DefaultReduction = Literal["mean", "none"]
#: What a policy gives that may give any number: one with a name, or another one as itself, whole ones as float64 has
#: them exactly.
Number = Literal["nan", "zero", "inf", "-inf"] | float | Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
#: A mean without a denominator.
Degenerate = Annotated[Literal["raise"] | Number, Policy(values=("nan", "zero", "inf", "raise"))]
ValueOrRaise = Literal["value", "raise"]
Offered = Literal["supported", "refused", "wrong"]
BadLabel = Literal["raise", "wraps", "clamps", "undefined"] | Number
#: ``label``: as for the class that the label was taken for; ``softmax``: p itself, nothing being subtracted.
BadLabelGradient = Literal["raise", "nan", "zero", "softmax", "label", "other"]
LabelKind = Literal["above", "negative", "below"]
TargetKind = Literal["indices", "probabilities"]
Overflow = Literal["value", "inf"]
#: The last one is the sum of the weights where there are any, and else the number of all positions, ignored ones too.
Denominator = Literal["sum-of-weights", "valid-count", "all-count", "weights-or-all-count"]
Refusal = Literal["refused", "not-applied"]
IntegerLogits = Literal["refused", "promoted", "kept"]
Broadcasting = Literal["refused", "broadcast"]
MaskedTarget = Literal["impossible", "dropped"]
Kept = Literal["kept", "flushed"]
Clipping = Literal["none", "eps-of-dtype"] | float
#: Divided by their sum, before they are clipped or after it.
Normalising = Literal["exact", "normalised", "clipped-and-normalised"]
Cancelling = Literal["kept", "lost"]
Upstream = Literal["product", "chained"]
MixedDtypes = Literal["logits", "promoted", "refused"]
HalfTyped = Literal["logits", "float32"]
Value = TypeVar("Value", bound=str | int)


class Policies(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """One value for every policy, or one for each of its aspects; by default the normative ones."""

    default_axis: Annotated[DefaultAxis | dict[str, DefaultAxis], Policy(affects="question", aspect=OPERATION)] = {}
    default_reduction: Annotated[DefaultReduction, Policy()] = "mean"
    default_ignore_index: Annotated[
        int | Literal["none"], Policy(affects="question", values=(-100, "none", -1, 255))
    ] = -100
    mean_denominator: Annotated[
        Denominator | dict[Literal["non-negative", "negative"], Denominator], Policy(aspect=IGNORED)
    ] = "sum-of-weights"
    mean_of_all_ignored: Degenerate = "nan"
    gradient_of_all_ignored: Annotated[Literal["zero", "nan"], Policy(result="gradient")] = "zero"
    mean_of_zero_weight: Degenerate = "nan"
    mean_of_empty_batch: Degenerate = "nan"
    intermediate_overflow: Annotated[Overflow | dict[str, Overflow], Policy(affects="intermediates", aspect=DTYPE)] = (
        "value"
    )
    ignore_index_with_probabilities: Annotated[
        Refusal | dict[Literal["non-negative", "negative"], Refusal], Policy(affects="question", aspect=IGNORED)
    ] = "refused"
    #: Logits that are integers: ``promoted`` to the floating type that the framework chooses; ``kept`` as integers.
    integer_logits: Annotated[
        IntegerLogits | dict[str, IntegerLogits], Policy(affects="question", aspect=OPERATION)
    ] = "refused"
    rank_0_logits: Annotated[ValueOrRaise | dict[str, ValueOrRaise], Policy(affects="question", aspect=OPERATION)] = (
        msgspec.field(default="value", name="rank-0-logits")
    )
    class_extent_0: Annotated[ValueOrRaise | dict[str, ValueOrRaise], Policy(affects="question", aspect=OPERATION)] = (
        msgspec.field(default="value", name="class-extent-0")
    )
    label_out_of_range: Annotated[
        BadLabel | dict[LabelKind, BadLabel],
        Policy(affects="question", aspect=LABEL, values=("raise", "nan", "zero", "wraps", "clamps")),
    ] = "raise"
    gradient_of_bad_label: Annotated[
        BadLabelGradient | dict[LabelKind, BadLabelGradient], Policy(result="gradient", aspect=LABEL)
    ] = "raise"
    zero_coefficient_at_minus_infinity: Annotated[Literal["zero", "nan"], Policy()] = "zero"
    #: The target's class takes no part: the loss is infinite, or the class drops out of it.
    masked_target: Annotated[MaskedTarget | dict[str, MaskedTarget], Policy(affects="question", aspect=TARGET)] = (
        "impossible"
    )
    unnormalised_probabilities: Annotated[Literal["exact", "normalised"], Policy()] = "exact"
    #: Predicted probabilities: the ends between which they are kept are a number and 1 less that number, or 0 and 1
    #: made as narrow as the dtype's spacing at 1.
    probability_clipping: Annotated[
        Clipping | dict[str, Clipping],
        Policy(operations=("log_loss",), aspect=DTYPE, values=("none", 1e-7, "eps-of-dtype")),
    ] = "none"
    #: Whether both ends are clipped, or the lower one alone.
    clipped_ends: Annotated[Literal["both", "lower"], Policy(operations=("log_loss",))] = "both"
    #: Predicted probabilities that do not sum to 1.
    unnormalised_predictions: Annotated[
        Normalising | dict[TargetKind, Normalising], Policy(operations=("log_loss",), aspect=TARGET)
    ] = "exact"
    weighted_probability_mean: Annotated[Literal["by-count", "by-weight"], Policy()] = "by-count"
    label_smoothing_of_one: Annotated[ValueOrRaise, Policy(affects="question")] = "value"
    label_smoothing_mass: Annotated[Literal["all-classes", "other-classes"], Policy()] = "all-classes"
    #: How class weights enter where several classes have a part in the target: each in its class's term, or not at all
    #: in the share of the smoothing, or as the target's mean weight, by which the unweighted loss is multiplied.
    label_smoothing_weights: Annotated[Literal["weighted", "unweighted", "product-of-sums"], Policy()] = "weighted"
    plus_infinity: Annotated[Literal["nan", "inf", "limit"], Policy()] = "nan"
    all_minus_infinity: Annotated[Literal["nan", "other"], Policy()] = "nan"
    subnormal_results: Annotated[Kept | dict[str, Kept], Policy(aspect=DTYPE)] = "kept"
    #: The gradient by an infinite upstream gradient: its product with each derivative, or what a chain of functions
    #: gives, each of which passes on what it was passed: 0 beside the label, and NaN where two infinities meet.
    infinite_upstream_gradient: Annotated[
        Upstream | dict[str, Upstream], Policy(result="gradient", aspect=OPERATION)
    ] = "product"
    #: The dtype of the loss of class probabilities whose dtype is not that of the logits: that of the logits, or the
    #: narrowest that holds both. The gradient has that of the logits, and both are held to the bounds of that dtype.
    mixed_dtype_result: Annotated[MixedDtypes | dict[str, MixedDtypes], Policy(affects="question", aspect=MIXED)] = (
        "logits"
    )
    #: The dtype of what comes of logits of a half type: theirs, or float32, as mixed precision has it. One function is
    #: then held to the bounds of float32; of two, the second gets what the first has stored in the logits' dtype.
    half_type_result: Annotated[HalfTyped | dict[str, HalfTyped], Policy(affects="question", aspect=HALF_TYPED)] = (
        "logits"
    )
    #: Targets of the right rank whose extents are 1 where they should be more.
    target_broadcasting: Annotated[
        Broadcasting | dict[TargetKind, Broadcasting], Policy(affects="question", aspect=TARGET)
    ] = "refused"
    #: Components of the gradient below what the absolute bound sees, as p − 1 has them where p is nearly 1.
    cancelling_gradient: Annotated[
        Cancelling | dict[str, Cancelling], Policy(affects="question", result="gradient", aspect=DTYPE, sound=True)
    ] = "kept"
    target_dtypes: Annotated[
        list[str],
        AcceptedDtypes(affects="question", aspect=TARGET_DTYPE, values=("accepted", "refused")),
    ] = []
    #: Invalid input that is taken: any result may come of it.
    accepted_inputs: Annotated[
        Literal["refused"] | list[AcceptedInput],
        AcceptedInputs(affects="question", aspect=INPUT, values=("refused", "accepted")),
    ] = "refused"
    double_differentiation: Annotated[
        Offered | dict[str, Offered], Policy(affects="transform", observed_by="second-order", aspect=OPERATION)
    ] = "supported"
    forward_mode: Annotated[
        Offered | dict[str, Offered], Policy(affects="transform", observed_by="forward-mode", aspect=OPERATION)
    ] = "supported"
    #: The gradient with respect to class probabilities.
    target_differentiation: Annotated[
        Offered | dict[str, Offered], Policy(affects="transform", observed_by="target-gradient", aspect=OPERATION)
    ] = "supported"


NORMATIVE = Policies()


def _literals(annotation: Any) -> tuple[Any, ...]:
    """The values of the first ``Literal`` in a field's type that is not a key."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    inside = get_args(annotation)[1:] if get_origin(annotation) is dict else get_args(annotation)
    return next((found for each in inside if (found := _literals(each))), ())


def _described() -> dict[str, Policy]:
    found = {}
    for each in msgspec.structs.fields(Policies):
        annotation, policy = get_args(each.type)
        values = policy.values or tuple(value for value in _literals(annotation) if value != "undefined")
        found[each.encode_name] = replace(policy, name=each.encode_name, field=each.name, values=values)
    return found


#: Every policy by its name, as profiles and cases write it.
POLICIES: Mapping[str, Policy] = _described()
#: The same by the field of :class:`Policies`.
BY_FIELD: Mapping[str, Policy] = {policy.field: policy for policy in POLICIES.values()}
#: The policies that a check observes, and no case.
BY_CHECK: Mapping[str, Policy] = {policy.observed_by: policy for policy in POLICIES.values() if policy.observed_by}


_DTYPES = "a list of dtypes"


def declarable(name: str) -> list[str]:
    """The words that a profile may declare for the policy ``name``, the normative one first."""
    policy = POLICIES[name]
    annotation = get_args(get_type_hints(Policies, include_extras=True)[policy.field])[0]
    words = [str(word) for word in dict.fromkeys(_declarable(annotation))]
    first = str(policy.values[0])
    return words if words == [_DTYPES] else [first, *(word for word in words if word != first)]


def _declarable(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return [word for member in get_args(annotation) for word in _declarable(member)]
    if get_origin(annotation) is dict:
        return _declarable(get_args(annotation)[1])
    if get_origin(annotation) is list:
        return _declarable(get_args(annotation)[0]) or [_DTYPES]
    return {int: ["any integer"], float: ["any other number"]}.get(annotation, [])


_NAMED_NUMBERS: Mapping[str, float] = {"nan": math.nan, "zero": 0.0, "inf": math.inf, "-inf": -math.inf}


def number_given(value: object) -> float | None:
    """The number that a policy's value stands for: that of the name (``zero``), or itself (-1); None for other words.

    So a value that gives a number needs no code that knows it.
    """
    if isinstance(value, str):
        return _NAMED_NUMBERS.get(value)
    return value if isinstance(value, int | float) else None


def name_of_number(value: object) -> str:
    """The word for a number that has one: ``zero`` for 0; empty for others, which are their own names."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return next((name for name, number in _NAMED_NUMBERS.items() if value == number), "")


def policy_label(policy: str, aspect: str) -> str:
    """``label-out-of-range/above``."""
    return f"{policy}/{aspect}" if aspect else policy


@dataclass(frozen=True)
class Choice:
    """A policy in one problem: its aspect there, and the values that it may take, the normative one first."""

    policy: Policy
    aspect: str
    values: tuple[Any, ...]

    @property
    def label(self) -> str:
        """Policy and aspect in words."""
        return policy_label(self.policy.name, self.aspect)

    @property
    def normative(self) -> str:
        """The normative value here."""
        return self.policy.normative(self.aspect)

    def chosen(self, policies: Policies) -> str:
        """The value that ``policies`` have here."""
        return self.policy.chosen(getattr(policies, self.policy.field), self.aspect)

    def with_value(self, policies: Policies, value: Any) -> Policies:
        """``policies`` with another value here."""
        field = self.policy.field
        if self.aspect and isinstance(getattr(NORMATIVE, field), dict):
            declared = getattr(policies, field)
            others = declared if isinstance(declared, dict) else {"all": declared}
            value = {**others, self.aspect: value}
        elif self.aspect:
            value = {self.aspect: value}
        return msgspec.structs.replace(policies, **{field: value})


def choice_in(name: str, problem: Problem, policies: Policies) -> Choice | None:
    """The choice that the policy ``name`` is in ``problem``; None where it has nothing to say there.

    ``policies`` are the declared ones: a number that they alone name is a value, too. Raises KeyError for a policy that
    does not exist.
    """
    policy = POLICIES[name]
    if policy.observed_by or not policy.is_about(problem.operation):
        return None
    aspect = policy.aspect.of(problem) if policy.aspect is not None else ""
    if policy.aspect is not None and not aspect:
        return None
    declared = for_operation(getattr(policies, policy.field), aspect, policy.values[0])
    more = declared not in policy.values and number_given(declared) is not None
    return Choice(policy, aspect, (*policy.values, declared) if more else policy.values)


def default_axis(policy: DefaultAxis, rank: int) -> int | None:
    """The class axis that a default policy picks for logits of ``rank``; None is the whole array.

    ``implicit`` is 0 for ranks 0, 1 and 3, else 1; 1 means 0 where there is no axis 1.

    Raises ValueError where the policy has no default.
    """
    if policy == "all":
        return None
    if policy == "implicit":
        return 0 if rank in (0, 1, 3) else 1
    if policy == "required":
        raise ValueError("the axis has no default")
    if policy == 1:
        return min(1, max(rank - 1, 0))
    return policy % max(rank, 1)


def denominator_of(policies: Policies, problem: Problem) -> str:
    """What the mean over class indices is divided by: ``sum-of-weights``, ``valid-count`` or ``all-count``."""
    sign = IGNORED.of(problem)
    declared = str(for_operation(policies.mean_denominator, sign, "sum-of-weights"))
    if declared == "weights-or-all-count":
        return "all-count" if problem.weight is None else "sum-of-weights"
    return declared


def for_operation(policy: Value | dict[Any, Value], operation: str, normative: Value) -> Value:
    """A policy's value for an operation (or a dtype, or a kind of input), where it may differ between them."""
    return policy.get(operation, policy.get("all", normative)) if isinstance(policy, dict) else policy
