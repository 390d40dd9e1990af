"""What is unusual about a problem, in words: what is left of a failure's cause once its case is small."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from conformance.model.problem import Problem
from conformance.numerics.formats import FORMATS, Float64Array, widen

__all__ = ["Trait", "shown", "traits"]

_COUNTS = tuple(1 << power for power in range(2, 18))
_SIZES = (16.0, 88.0, 700.0, 1e4, 1e5)


class Trait(NamedTuple):
    """Something unusual about a problem: its ``kind`` in words, where ``#`` stands for the ``size``, if it has one."""

    kind: str
    size: float = 0.0

    def __str__(self) -> str:
        return self.kind.replace("#", f"{self.size:,.0f}")


def traits(problem: Problem, reduction: str) -> frozenset[Trait]:
    """All that holds of a problem and is not so of the plainest: a larger problem has the traits of a smaller one."""
    words = [*_of_shape(problem), *_of_numbers(problem), *_of_options(problem, reduction)]
    return frozenset([*_sizes(problem), *map(Trait, words)])


def shown(found: Collection[Trait]) -> list[str]:
    """The traits in words, in a stable order: of each kind only the one of the largest size."""
    largest = {each.kind: each for each in sorted(found)}
    return sorted(map(str, largest.values()))


def _sizes(problem: Problem) -> Iterator[Trait]:
    classes, positions = _extents(problem)
    yield from (Trait("more than # classes", count) for count in _COUNTS if classes > count)
    yield from (Trait("more than # positions", count) for count in _COUNTS if positions > count)
    finite = widen(problem.logits)[np.isfinite(widen(problem.logits))]
    largest = float(np.abs(finite).max(initial=0.0))
    yield from (Trait("logits beyond #", size) for size in _SIZES if largest > size)


def _extents(problem: Problem) -> tuple[int, int]:
    """How many classes, and how many positions."""
    shape = problem.logits.shape
    classes = shape[problem.class_axis or 0] if shape else 1
    return classes, problem.logits.size // classes if classes else 0


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
    if _extents(problem)[0] == 1:
        yield "one class"


def _of_numbers(problem: Problem) -> Iterator[str]:
    yield from _special(widen(problem.logits), "logits", FORMATS[problem.dtype].least_normal)
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
