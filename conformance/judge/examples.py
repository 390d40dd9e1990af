"""The examples of a map over losses that are reduced: each has a sum or a mean, and a divisor, of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.cases.resolve import resolve
from conformance.judge.unit import Unit
from conformance.model.case import ReductionName
from conformance.model.policies import NORMATIVE
from conformance.model.problem import Array, Problem

__all__ = ["axis_of_an_example", "examples_of", "upstream_of_examples"]

#: Of the examples in turn, what their upstream gradients are of the case's one: powers of two, of which none overflows.
FACTORS = (1.0, -0.5, 0.25, -0.125)


def axis_of_an_example(axis: int) -> int:
    """The class axis of one example, where that of all is ``axis``."""
    return axis - 1 if axis > 0 else axis


def upstream_of_examples(problem: Problem, reduction: str) -> Array:
    """An upstream gradient for each example along axis 0, in the dtype of the logits: (examples,).

    Raises KeyError where the problem has none in the reduction.
    """
    of_the_case: Any = problem.upstream[reduction]  # type: ignore[index]
    factors = np.resize(FACTORS, problem.logits.shape[0])
    return np.asarray(of_the_case.astype(np.float64) * factors).astype(problem.logits.dtype)


def examples_of(problem: Problem, reduction: ReductionName) -> tuple[Unit, ...]:
    """Each example along axis 0 as a problem in one reduction, and what the normative policies make of it.

    The targets must be an array, and the class axis stated and another than axis 0. Raises ValueError where it is not,
    and KeyError where the problem has no upstream gradient in the reduction.
    """
    if problem.axis is None or not problem.class_axis:
        stated = f"the class axis is {problem.class_axis}, stated as {problem.axis}"
        raise ValueError(f"{problem.case.id} has no examples along axis 0: {stated}")
    upstream, targets = upstream_of_examples(problem, reduction), np.asarray(problem.targets)
    found = [
        replace(
            problem,
            logits=np.asarray(logits),
            targets=np.asarray(targets[index]),
            where=None if problem.where is None else problem.where[index],
            axis=axis_of_an_example(problem.axis),
            class_axis=problem.class_axis - 1,
            reductions=(reduction,),
            upstream={reduction: np.asarray(upstream[index])},
            tangent=None,
        )
        for index, logits in enumerate(problem.logits)
    ]
    return tuple(Unit(each, resolve(each, NORMATIVE)) for each in found)
