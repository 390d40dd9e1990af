"""Do the shapes of a case fit each other? Asked of every case that does not expect an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.cases.targets import Targets
from conformance.model.problem import Array

if TYPE_CHECKING:
    from conformance.cases.load import Entry

__all__ = ["check_fit"]

_ON_PURPOSE = "or, if refusing it is the point, write `expect: {error: ...}`"


def check_fit(entry: Entry, logits: Array, targets: Targets, weight: Array | None, class_axis: int | None) -> None:
    """Raise CaseError, with line and hint, where axis, targets or weight do not fit the logits.

    With the axis left to the framework, or logits of rank 0, only that framework's rule decides: nothing is checked.
    """
    axis = entry.case.axis
    if class_axis is None:
        if isinstance(axis, int) and logits.ndim:
            problem = f"axis {axis} of logits of rank {logits.ndim}"
            hint = f"write an axis from {-logits.ndim} to {logits.ndim - 1}, {_ON_PURPOSE}"
            raise entry.error(("axis",), problem, hint)
        return
    _check_targets(entry, logits.shape, targets, class_axis)
    extent = logits.shape[class_axis]
    if weight is not None and weight.shape != (extent,):
        problem = f"weight of shape {weight.shape} for {extent} classes (axis {class_axis} of logits {logits.shape})"
        raise entry.error(("weight",), problem, f"one weight a class: shape ({extent},), {_ON_PURPOSE}")


def _check_targets(entry: Entry, logits_shape: tuple[int, ...], targets: Targets, class_axis: int) -> None:
    if targets.kind is None or targets.kind == "python":
        return
    indices = targets.kind == "indices"
    wanted = logits_shape[:class_axis] + logits_shape[class_axis + 1 :] if indices else logits_shape
    if targets.values.shape != wanted:
        what = "class indices" if indices else "class probabilities"
        problem = (
            f"{what} of shape {targets.values.shape} for logits of shape {logits_shape}, classes along {class_axis}"
        )
        raise entry.error(("targets",), problem, f"give them shape {wanted}, {_ON_PURPOSE}")
    if indices and targets.values.dtype.kind not in "iu":
        problem = f"class indices of dtype {'float' if targets.is_rounded else targets.values.dtype.name}"
        raise entry.error(("targets",), problem, f"write integers, {_ON_PURPOSE}")
    if not indices and targets.values.dtype.kind in "iub":
        problem = f"class probabilities of dtype {targets.values.dtype.name}"
        raise entry.error(("targets",), problem, f"choose a floating `target_dtype`, {_ON_PURPOSE}")
