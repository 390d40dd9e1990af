"""The narrower dtype in which a wrong result would be right.

Whoever converts on the way, or keeps a sum in a narrower dtype, returns the digits of that dtype in a wider one. How
far off they are is the inputs' doing, so that no size describes such a defect; the bounds of the narrower dtype do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from conformance.model.dtypes import DtypeName
from conformance.model.problem import Array, Problem
from conformance.numerics.formats import round_to, widen

__all__ = ["in_dtype", "narrowed"]

#: The dtypes in which what is due in another may have been computed, the most precise first.
_NARROWER: Mapping[DtypeName, tuple[DtypeName, ...]] = {"float64": ("float32",), "float32": ("float16", "bfloat16")}


def in_dtype(problem: Problem, dtype: DtypeName) -> Problem:
    """The problem with its numbers, those of any floating-point dtype and integer logits, rounded to ``dtype``."""

    def rounded(array: Array) -> Array:
        return round_to(widen(array), dtype)

    logits = problem.logits
    whole = logits.dtype.kind in "iub"
    return replace(
        problem,
        dtype=dtype,
        logits=round_to(logits.astype(np.float64), dtype) if whole else rounded(logits),
        targets=rounded(np.asarray(problem.targets)) if problem.target_kind == "probabilities" else problem.targets,
        weight=None if problem.weight is None else rounded(problem.weight),
        upstream={name: rounded(each) for name, each in problem.upstream.items()},
        tangent=None if problem.tangent is None else rounded(problem.tangent),
    )


def narrowed(problem: Problem) -> Iterator[Problem]:
    """The problem in each narrower dtype: with its inputs rounded to it, then as they are, computed on in it."""
    for dtype in _NARROWER.get(problem.dtype, ()):
        yield in_dtype(problem, dtype)
        yield replace(problem, dtype=dtype)
