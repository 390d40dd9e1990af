"""What is due of a call's result whatever its numbers are: shape and dtype."""

from __future__ import annotations

import numpy as np

from conformance.model.problem import Problem
from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.numerics.formats import numpy_dtype

__all__ = ["due_dtype", "due_shape"]


def due_shape(problem: Problem, reduction: str, quantity: Quantity) -> tuple[int, ...]:
    """The shape of the result; ``default`` is read as the normative mean."""
    shape = problem.logits.shape
    if quantity in OF_LOGITS or not problem.takes_targets:
        return shape
    if reduction != "none":
        return ()
    axis = problem.class_axis or 0
    return shape[:axis] + shape[axis + 1 :]


def due_dtype(problem: Problem, quantity: Quantity) -> np.dtype[np.generic]:
    """The dtype of the result: a gradient has that of what is differentiated by, the value may have a wider one."""
    if quantity == "target_gradient":
        return numpy_dtype(problem.probability_dtype or problem.dtype)
    return numpy_dtype(problem.dtype if quantity in OF_LOGITS else problem.value_dtype or problem.dtype)
