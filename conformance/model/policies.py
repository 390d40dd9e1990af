"""The freedoms of an implementation, as values; the first of each is the normative choice.

A backend's profile declares where it differs. The truth takes them as a parameter, so that a result which is not
normative can be held against exactly what was declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = [
    "NORMATIVE",
    "POLICIES",
    "BadLabel",
    "BadLabelGradient",
    "DefaultAxis",
    "Policies",
    "default_axis",
    "for_operation",
]

DefaultAxis = Literal[1, -1, 0, "all", "implicit", "required"]
Degenerate = Literal["nan", "zero", "inf", "raise"]
ValueOrRaise = Literal["value", "raise"]
Offered = Literal["supported", "refused", "wrong"]
BadLabel = Literal["raise", "nan", "zero", "wraps", "clamps", "undefined"]
#: ``label``: as for the class that the label was taken for; ``softmax``: p itself, nothing being subtracted.
BadLabelGradient = Literal["raise", "nan", "zero", "softmax", "label", "other"]
LabelKind = Literal["above", "negative", "below"]
Overflow = Literal["value", "inf"]
Refusal = Literal["refused", "not-applied"]
IntegerLogits = Literal["refused", "promoted", "kept"]
Broadcasting = Literal["refused", "broadcast"]


class Policies(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """One value for every policy that changes what the right answer is, or whether there is one."""

    default_axis: dict[str, DefaultAxis] = {}
    default_reduction: Literal["mean", "none"] = "mean"
    default_ignore_index: int | Literal["none"] = -100
    mean_denominator: Literal["sum-of-weights", "valid-count", "all-count"] = "sum-of-weights"
    mean_of_all_ignored: Degenerate = "nan"
    gradient_of_all_ignored: Literal["zero", "nan"] = "zero"
    mean_of_zero_weight: Degenerate = "nan"
    mean_of_empty_batch: Degenerate = "nan"
    #: By dtype, if it differs.
    intermediate_overflow: Overflow | dict[str, Overflow] = "value"
    ignore_index_with_probabilities: Refusal | dict[Literal["non-negative", "negative"], Refusal] = "refused"
    #: Logits that are integers: ``promoted`` to the floating type that the framework chooses; ``kept`` as integers.
    integer_logits: IntegerLogits | dict[str, IntegerLogits] = "refused"
    rank_0_logits: ValueOrRaise | dict[str, ValueOrRaise] = msgspec.field(default="value", name="rank-0-logits")
    class_extent_0: ValueOrRaise | dict[str, ValueOrRaise] = msgspec.field(default="value", name="class-extent-0")
    #: ``above`` is C and beyond, ``negative`` is −C to −1, ``below`` is less than −C.
    label_out_of_range: BadLabel | dict[LabelKind, BadLabel] = "raise"
    gradient_of_bad_label: BadLabelGradient | dict[LabelKind, BadLabelGradient] = "raise"
    zero_coefficient_at_minus_infinity: Literal["zero", "nan"] = "zero"
    #: The target's class takes no part: the loss is infinite, or the class drops out of it.
    masked_target: Literal["impossible", "dropped"] | dict[str, Literal["impossible", "dropped"]] = "impossible"
    unnormalised_probabilities: Literal["exact", "normalised"] = "exact"
    weighted_probability_mean: Literal["by-count", "by-weight"] = "by-count"
    label_smoothing_mass: Literal["all-classes", "other-classes"] = "all-classes"
    label_smoothing_weights: Literal["weighted", "unweighted"] = "weighted"
    plus_infinity: Literal["nan", "inf", "limit"] = "nan"
    all_minus_infinity: Literal["nan", "other"] = "nan"
    subnormal_results: Literal["kept", "flushed"] | dict[str, Literal["kept", "flushed"]] = "kept"
    #: Targets of the right rank whose extents are 1 where they should be more.
    target_broadcasting: Broadcasting | dict[Literal["indices", "probabilities"], Broadcasting] = "refused"
    #: Components of the gradient below what the absolute bound sees, as p − 1 has them where p is nearly 1: either is
    #: sound. By dtype, if it differs.
    cancelling_gradient: Literal["kept", "lost"] | dict[str, Literal["kept", "lost"]] = "kept"
    target_dtypes: list[str] | dict[str, list[str]] = []
    double_differentiation: Offered | dict[str, Offered] = "supported"
    forward_mode: Offered | dict[str, Offered] = "supported"
    #: The gradient with respect to class probabilities.
    target_differentiation: Offered | dict[str, Offered] = "supported"


NORMATIVE = Policies()
#: The names of all policies, as profiles and cases write them.
POLICIES: tuple[str, ...] = tuple(field.encode_name for field in msgspec.structs.fields(Policies))


def default_axis(policy: DefaultAxis, rank: int) -> int | None:
    """The class axis that a default policy picks for logits of ``rank``; None is the whole array.

    ``implicit`` is 0 for ranks 0, 1 and 3, else 1; 1 means 0 where there is no axis 1.
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


def for_operation(policy: str | Mapping[Any, str], operation: str, normative: str) -> str:
    """A policy's value for an operation (or a dtype, or a kind of input), where it may differ between them."""
    return policy if isinstance(policy, str) else policy.get(operation, normative)
