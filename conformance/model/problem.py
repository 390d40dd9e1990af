"""A case made concrete: the very tensors of one dtype and layout that a backend receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.model.case import Case, Invalid, OperationName, ReductionName, TargetKind
from conformance.model.dtypes import DTYPES, DtypeName
from conformance.model.layouts import Layout

__all__ = ["Array", "Problem", "value_shape"]

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Problem:
    """One case in one dtype and layout.

    Arrays have the shapes that the caller of the framework would give; floating arrays are already rounded to
    ``dtype``, but for class probabilities of a dtype that the case states. ``axis`` is what the backend is given
    (``None``: the argument is left out); ``class_axis`` is where the truth is taken, from 0 (``None`` where the input
    is invalid or the axis is left to the framework).
    ``upstream`` maps each reduction, and beside ``default`` all that it may stand for, to its upstream gradient, of the
    value's shape; ``tangent``, of the logits' shape, is the direction of the case's transforms, ``None`` where it asks
    for none. ``where``, of the logits' shape, is true for the classes that take part; ``None`` means all.
    ``reductions`` is ``("none",)`` for operations that do not reduce. ``value_dtype`` is the value's dtype where a
    policy has it be another than ``dtype``, which the gradient keeps, and ``held_to`` that whose bounds it is held to
    where these are not those of ``dtype``. ``invalid`` is what makes the input of a case
    that expects an error invalid, as far as that has a name.
    """

    case: Case
    theme: str
    dtype: DtypeName
    layout: Layout
    operation: OperationName
    logits: Array
    targets: Array | Any
    target_kind: TargetKind | None
    weight: Array | None
    axis: int | None
    class_axis: int | None
    ignore_index: int | None
    label_smoothing: float
    reductions: tuple[ReductionName, ...]
    upstream: dict[ReductionName, Array]
    tangent: Array | None = None
    where: npt.NDArray[np.bool_] | None = None
    value_dtype: DtypeName | None = None
    held_to: DtypeName | None = None
    invalid: Invalid | None = None

    @property
    def must_raise(self) -> bool:
        """Whether the case itself expects an error."""
        return self.case.expect is not None and self.case.expect.error is not None

    @property
    def takes_targets(self) -> bool:
        """Whether the operation is a loss."""
        return self.operation not in ("softmax", "log_softmax")

    def value_shape(self, reduction: str) -> tuple[int, ...]:
        """The value's shape."""
        return value_shape(reduction, self.logits.shape, self.target_kind, self.targets, self.class_axis)

    @property
    def key(self) -> tuple[str, str, str]:
        """What names this problem among all: case id, dtype, layout."""
        return (self.case.id, self.dtype, self.layout)

    @property
    def probability_dtype(self) -> DtypeName | None:
        """The dtype of class probabilities where it is another than that of floating-point logits."""
        if self.target_kind != "probabilities" or self.logits.dtype.kind in "iub":
            return None
        name = np.asarray(self.targets).dtype.name
        return next((each for each in DTYPES if each == name != self.dtype), None)

    def labels_out_of_range(self) -> npt.NDArray[np.bool_] | None:
        """Positions whose label is neither a class nor ignored, in the targets' shape; None where there is none."""
        if not self.takes_targets:
            return None
        targets = np.asarray(self.targets)
        classes = self.logits.shape[self.class_axis or 0] if self.logits.ndim else 1
        outside = (targets < 0) | (targets >= classes)
        if self.ignore_index is not None:
            outside &= targets != self.ignore_index
        return outside if outside.any() else None


def value_shape(
    reduction: str, logits_shape: tuple[int, ...], kind: TargetKind | None, targets: Any, class_axis: int | None
) -> tuple[int, ...]:
    """The shape of an operation's value: that of the logits without targets, else that of the reduced losses."""
    if kind is None:
        return logits_shape
    if reduction != "none":
        return ()
    if kind == "indices":
        return tuple(np.shape(targets))
    return logits_shape if class_axis is None else logits_shape[:class_axis] + logits_shape[class_axis + 1 :]
