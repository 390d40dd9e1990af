"""What a policy leaves free in one problem: the values that it may take there, and what a backend declares.

A policy may have a value of its own for an operation, a dtype or a kind of input; that is its *aspect*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from conformance.judge.resolve import labels_out_of_range
from conformance.model.case import OPERATIONS
from conformance.model.dtypes import DTYPES
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Problem

__all__ = ["ASPECTS", "BY_CHECK", "FIELDS", "OBSERVABLE", "SOUND", "Freedom", "freedom"]

#: A policy's name as it is written to its field.
FIELDS: dict[str, str] = {field.encode_name: field.name for field in msgspec.structs.fields(Policies)}
#: Policies that a check of its own observes, and not a case: the check's name.
BY_CHECK = {
    "double-differentiation": "second-order",
    "forward-mode": "forward-mode",
    "target-differentiation": "target-gradient",
}

#: What a policy may have a value of its own for: what these are called, and which there are.
ASPECTS: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("default-axis", "rank-0-logits", "class-extent-0", "target-dtypes", "integer-logits"),
        ("operation", (*OPERATIONS, "all")),
    ),
    **dict.fromkeys(("intermediate-overflow", "subnormal-results", "cancelling-gradient"), ("dtype", DTYPES)),
    **dict.fromkeys(("label-out-of-range", "gradient-of-bad-label"), ("kind of label", ("above", "negative", "below"))),
    "ignore-index-with-probabilities": ("kind of ignored label", ("non-negative", "negative")),
    "target-broadcasting": ("kind of target", ("indices", "probabilities")),
    "masked-target": ("kind of target", ("indices", "probabilities")),
}
_LABELS = ("raise", "nan", "zero", "wraps", "clamps")
_VALUES: dict[str, tuple[Any, ...]] = {
    "default-axis": (1, -1, 0, "all", "implicit", "required"),
    "default-reduction": ("mean", "none"),
    "default-ignore-index": (-100, "none", -1, 255),
    "mean-denominator": ("sum-of-weights", "valid-count", "all-count"),
    "mean-of-all-ignored": ("nan", "zero", "inf", "raise"),
    "gradient-of-all-ignored": ("zero", "nan"),
    "mean-of-zero-weight": ("nan", "zero", "inf", "raise"),
    "mean-of-empty-batch": ("nan", "zero", "inf", "raise"),
    "intermediate-overflow": ("value", "inf"),
    "ignore-index-with-probabilities": ("refused", "not-applied"),
    "rank-0-logits": ("value", "raise"),
    "class-extent-0": ("value", "raise"),
    "label-out-of-range": _LABELS,
    "gradient-of-bad-label": ("raise", "nan", "zero", "softmax", "label", "other"),
    "zero-coefficient-at-minus-infinity": ("zero", "nan"),
    "masked-target": ("impossible", "dropped"),
    "unnormalised-probabilities": ("exact", "normalised"),
    "weighted-probability-mean": ("by-count", "by-weight"),
    "label-smoothing-mass": ("all-classes", "other-classes"),
    "label-smoothing-weights": ("weighted", "unweighted"),
    "plus-infinity": ("nan", "inf", "limit"),
    "all-minus-infinity": ("nan", "other"),
    "subnormal-results": ("kept", "flushed"),
    "cancelling-gradient": ("kept", "lost"),
    "target-dtypes": ("accepted", "refused"),
    "integer-logits": ("refused", "promoted", "kept"),
    "target-broadcasting": ("refused", "broadcast"),
}
#: Policies of which every value is sound: who declares nothing has not failed.
SOUND = ("cancelling-gradient",)
#: Policies that a case can observe.
OBSERVABLE = tuple(_VALUES)


def _label_kind(problem: Problem) -> str:
    """``above``, ``negative`` or ``below``, by the first label that is neither a class nor ignored."""
    outside = labels_out_of_range(problem)
    if outside is None:
        return ""
    label = int(np.asarray(problem.targets)[outside].reshape(-1)[0])
    classes = problem.logits.shape[problem.class_axis or 0] if problem.logits.ndim else 1
    return "above" if label >= classes else "negative" if label >= -classes else "below"


_ASPECTS: dict[str, Callable[[Problem], str]] = {
    "default-axis": lambda problem: problem.operation,
    "intermediate-overflow": lambda problem: problem.dtype,
    "ignore-index-with-probabilities": lambda problem: (
        "negative" if (problem.ignore_index or 0) < 0 else "non-negative"
    ),
    "rank-0-logits": lambda problem: problem.operation,
    "integer-logits": lambda problem: problem.operation,
    "class-extent-0": lambda problem: problem.operation,
    "label-out-of-range": _label_kind,
    "gradient-of-bad-label": _label_kind,
    "subnormal-results": lambda problem: problem.dtype,
    "cancelling-gradient": lambda problem: problem.dtype,
    "target-dtypes": lambda problem: np.asarray(problem.targets).dtype.name,
    "target-broadcasting": lambda problem: str(problem.target_kind),
    "masked-target": lambda problem: str(problem.target_kind),
}


@dataclass(frozen=True)
class Freedom:
    """A policy in one problem: the values it may take, the normative one first."""

    policy: str
    aspect: str
    values: tuple[Any, ...]

    @property
    def label(self) -> str:
        """``label-out-of-range/above``."""
        return f"{self.policy}/{self.aspect}" if self.aspect else self.policy

    @property
    def normative(self) -> str:
        """The first choice here."""
        if self.policy == "target-dtypes":
            return "accepted" if self.aspect.startswith(("int", "uint")) else "refused"
        return str(self.values[0])

    def chosen(self, policies: Policies) -> str:
        """The value that ``policies`` have here."""
        value = getattr(policies, FIELDS[self.policy])
        if self.policy == "target-dtypes":
            return self._accepts(value)
        if isinstance(value, Mapping):
            value = value.get(self.aspect, value.get("all", self.values[0]))
        return str(value)

    def _accepts(self, accepted: Any) -> str:
        if isinstance(accepted, Mapping):
            accepted = sorted({name for names in accepted.values() for name in names})
        if not accepted:
            return self.normative
        return "accepted" if self.aspect in accepted else "refused"

    def with_value(self, policies: Policies, value: Any) -> Policies:
        """``policies`` with another value here."""
        field = FIELDS[self.policy]
        if self.aspect and isinstance(getattr(NORMATIVE, field), dict):
            value = {**getattr(policies, field), self.aspect: value}
        elif self.aspect:
            value = {self.aspect: value}
        return msgspec.structs.replace(policies, **{field: value})


def freedom(policy: str, problem: Problem, policies: Policies) -> Freedom | None:
    """What ``policy`` leaves free in ``problem``; None where it has nothing to say there.

    ``policies`` are the declared ones: a label that they alone ignore is a value, too. Raises KeyError for a policy
    that does not exist.
    """
    if policy in BY_CHECK:
        return None
    values, aspect = _VALUES[policy], _ASPECTS[policy](problem) if policy in _ASPECTS else ""
    if policy in ("label-out-of-range", "gradient-of-bad-label") and not aspect:
        return None
    if policy == "default-ignore-index" and policies.default_ignore_index not in values:
        values = (*values, policies.default_ignore_index)
    return Freedom(policy, aspect, values)
