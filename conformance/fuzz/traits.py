"""What is unusual about a problem, in words: what is left of a failure's cause once its case is small."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from conformance.model.problem import Problem
from conformance.numerics.formats import FORMATS, Float64Array, widen

__all__ = ["shown", "traits"]

_COUNTS = tuple(1 << power for power in range(2, 18))
_SIZES = (16.0, 88.0, 700.0, 1e4, 1e5)


def traits(problem: Problem, reduction: str) -> frozenset[str]:
    """All that holds of a problem and is not so of the plainest: a larger problem has the traits of a smaller one."""
    return frozenset(_of_shape(problem)) | frozenset(_of_numbers(problem)) | frozenset(_of_options(problem, reduction))


def shown(found: Collection[str]) -> list[str]:
    """The traits in a stable order, of the sizes only the largest."""
    kept = set(found)
    for name in ("classes", "positions"):
        counts = [each for each in kept if each.startswith("more than ") and each.endswith(name)]
        kept -= {*sorted(counts, key=_count)[:-1]}
    sizes = [each for each in kept if each.startswith("logits beyond ")]
    return sorted(kept - {*sorted(sizes, key=_count)[:-1]})


def _count(trait: str) -> float:
    return next(float(word.replace(",", "")) for word in trait.split() if word[0].isdigit())


def _of_shape(problem: Problem) -> Iterator[str]:
    shape = problem.logits.shape
    if problem.dtype != "float32":
        yield problem.dtype
    if problem.layout != "contiguous":
        yield f"{problem.layout} memory"
    if len(shape) != 2:
        yield f"rank {len(shape)}"
    axis = problem.class_axis
    if problem.axis is None:
        yield "no axis stated"
    elif axis is None:
        yield f"axis {problem.axis}"
    elif axis not in (1, len(shape) - 1):
        yield f"classes on axis {axis} of {len(shape)}"
    elif problem.axis < 0:
        yield "negative axis"
    classes = shape[axis or 0] if shape else 1
    positions = problem.logits.size // classes if classes else 0
    for count in _COUNTS:
        if classes > count:
            yield f"more than {count:,} classes"
        if positions > count:
            yield f"more than {count:,} positions"
    if classes == 1:
        yield "one class"


def _of_numbers(problem: Problem) -> Iterator[str]:
    yield from _special(widen(problem.logits), "logits", FORMATS[problem.dtype].least_normal)
    finite = widen(problem.logits)[np.isfinite(widen(problem.logits))]
    largest = float(np.abs(finite).max(initial=0.0))
    yield from (f"logits beyond {size:,.0f}" for size in _SIZES if largest > size)
    if problem.weight is not None:
        yield "weights"
        yield from _special(widen(problem.weight), "weights", 0.0)
        if (widen(problem.weight) < 0).any():
            yield "negative weights"
    if problem.target_kind == "probabilities":
        yield "class probabilities"


def _special(values: Float64Array, name: str, least: float) -> Iterator[str]:
    if np.isnan(values).any():
        yield f"NaN among the {name}"
    if np.isposinf(values).any():
        yield f"inf among the {name}"
    if np.isneginf(values).any():
        yield f"-inf among the {name}"
    if ((np.abs(values) < least) & (values != 0)).any():
        yield f"subnormal {name}"


def _of_options(problem: Problem, reduction: str) -> Iterator[str]:
    case = problem.case
    if problem.takes_targets and reduction not in ("", "none"):
        yield f"reduction {reduction}"
    if problem.ignore_index is not None:
        yield "ignore_index"
    if case.label_smoothing is not None:
        yield "label smoothing" if 0 <= case.label_smoothing <= 1 else "label smoothing out of range"
    if problem.where is not None:
        yield "a mask of classes"
    if case.target_dtype is not None:
        yield f"labels of {case.target_dtype}"
    if case.logits_dtype is not None:
        yield f"logits of {case.logits_dtype}"
    if problem.target_kind == "indices" and problem.labels_out_of_range() is not None:
        yield "a label out of range"
    if case.expect is not None and case.expect.error is not None:
        yield case.expect.error
    upstream = problem.upstream.get(reduction) if case.upstream is not None else None  # type: ignore[call-overload]
    if upstream is not None:
        yield "an upstream gradient of zeros" if not widen(upstream).any() else "a stated upstream gradient"
