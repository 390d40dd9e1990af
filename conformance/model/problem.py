"""A case made concrete: the very tensors of one dtype and layout that a backend receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.model.case import Case, OperationName, ReductionName, TargetKind
from conformance.model.dtypes import DtypeName
from conformance.model.layouts import Layout

__all__ = ["Array", "Problem", "TargetKind"]

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Problem:
    """One case in one dtype and layout.

    Arrays have the shapes that the caller of the framework would give; floating arrays are already rounded to
    ``dtype``. ``axis`` is what the backend is given (``None``: the argument is left out); ``class_axis`` is where the
    truth is taken, from 0 (``None`` where the input is invalid or the axis is left to the framework).
    ``upstream`` maps each reduction to its upstream gradient, of the value's shape; ``tangent``, of the logits' shape,
    is the direction of the case's transforms, ``None`` where it asks for none. ``where``, of the logits' shape, is true
    for the classes that take part; ``None`` means all. ``reductions`` is
    ``("none",)`` for operations that do not reduce.
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

    @property
    def must_raise(self) -> bool:
        """Whether the case itself expects an error."""
        return self.case.expect is not None and self.case.expect.error is not None

    @property
    def takes_targets(self) -> bool:
        """Whether the operation is a loss."""
        return self.operation not in ("softmax", "log_softmax")

    @property
    def key(self) -> tuple[str, str, str]:
        """What names this problem among all: case id, dtype, layout."""
        return (self.case.id, self.dtype, self.layout)

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
