"""A failing case as its very tensors, each of which can be made smaller, and back to a case."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from conformance.cases.checks import MAIN, NORMALISERS
from conformance.cases.tensors import materialise
from conformance.model.case import Case, Generator
from conformance.model.problem import Problem
from conformance.numerics.formats import DtypeName, Float64Array, round_to, widen

__all__ = ["Draft", "draft_of"]

#: Numbers that are written out; of more, a generator is made if one gives the same.
MOST_WRITTEN = 64
MOST_PLANTED = 64


@dataclass(frozen=True, eq=False)
class Draft:
    """One dtype, layout, reduction and check of a case. Arrays are float64, labels int64 or uint64.

    ``source`` is the case that it came from, whose generators are kept for operands that are as they were; ``keys``
    are those of the case that hold no tensor, as a case file has them.
    """

    source: Case
    keys: dict[str, Any]
    place: int
    logits: Float64Array
    targets: Any = None
    weight: Float64Array | None = None
    where: Float64Array | None = None
    upstream: Float64Array | None = None
    tangent: Float64Array | None = None

    @property
    def by_label(self) -> bool:
        """Whether the targets are labels."""
        return isinstance(self.targets, np.ndarray) and self.targets.dtype.kind in "iu"

    @property
    def classes(self) -> int:
        """C."""
        return self.logits.shape[self.place]

    @property
    def count(self) -> int:
        """How many positions there are."""
        shape, place = self.logits.shape, self.place
        return math.prod(shape[:place] + shape[place + 1 :])

    def with_keys(self, **keys: Any) -> Draft:
        """With other keys; None removes one."""
        merged = {name: each for name, each in (self.keys | keys).items() if each is not None}
        return replace(self, keys=merged)

    def case(self) -> Case:
        """The case, with its tensors as short as they can be written."""
        source, dtype = self.source, self.keys["dtypes"][0]
        given = source.input
        main = next((name for name in MAIN if getattr(source, name) is not None), "logits")
        found: dict[str, Any] = {**self.keys, main: _written(self.logits, given, self.place, dtype)}
        for name in ("targets", "weight", "where", "upstream", "tangent"):
            value = getattr(self, name)
            if value is not None:
                found[name] = _written(value, getattr(source, name), self.place, dtype)
        return msgspec.convert(found, Case)


def draft_of(problem: Problem, reduction: str) -> Draft:
    """The draft of one problem in one reduction: its case in that dtype and layout."""
    case = problem.case
    keys = {
        name: value
        for name, value in msgspec.to_builtins(case).items()
        if value not in (None, [], ()) and name not in (*_TENSORS, "tier", "spacing")
    }
    keys |= {"dtypes": [problem.dtype], "layouts": [problem.layout], "budget": None}
    if case.op not in NORMALISERS:
        keys["reductions"] = [reduction or "none"]
    usual = 1 if problem.logits.ndim > 1 else 0
    targets = problem.targets
    if isinstance(targets, np.ndarray) and targets.dtype.kind not in "iu":
        targets = widen(targets)
    elif isinstance(targets, np.ndarray) and targets.dtype != np.uint64:  # narrow ones may not hold the classes' number
        targets = targets.astype(np.int64)
    stated = None if case.upstream is None else problem.upstream.get(reduction)  # type: ignore[call-overload]
    return Draft(
        source=case,
        keys={name: value for name, value in keys.items() if value is not None},
        place=usual if problem.class_axis is None else problem.class_axis,
        logits=widen(problem.logits),
        targets=targets,
        weight=None if problem.weight is None else widen(problem.weight),
        where=None if problem.where is None else problem.where.astype(np.float64),
        upstream=None if stated is None else widen(stated),
        tangent=None if case.tangent is None or problem.tangent is None else widen(problem.tangent),
    )


_TENSORS = (*MAIN, "targets", "weight", "where", "upstream", "tangent", "expected", "budget")


def _written(values: Any, given: Any, place: int, dtype: DtypeName) -> Any:
    """As a case file has it: literal if it is small, else a generator that gives the same numbers."""
    if not isinstance(values, np.ndarray):
        return values
    labels = values.dtype.kind in "iu"
    if not values.size:  # lists of nothing have no shape
        nothing = {"distribution": "labels", "classes": 1} if labels else {"distribution": "constant"}
        return {**nothing, "shape": [*values.shape]}
    if values.size <= MOST_WRITTEN:
        return values.tolist()
    if isinstance(given, Generator) and given.shape is not None and tuple(given.shape) == values.shape:
        made = materialise(given, class_axis=place if values.ndim > place else None)
        if widen(round_to(made, dtype)).tobytes() == values.tobytes():
            return msgspec.to_builtins(given)
    usual, count = Counter(values.reshape(-1).tolist()).most_common(1)[0]
    if values.size - count > MOST_PLANTED or not math.isfinite(usual) or (labels and usual != 0):
        return values.tolist()
    flat = values.reshape(-1)
    same = (flat == usual) & (np.signbit(flat) == np.signbit(usual))
    planted = [[int(place), flat[place].item()] for place in np.flatnonzero(~same)]
    drawn = {"distribution": "labels", "classes": 1} if labels else {"distribution": "constant", "offset": usual}
    return {**drawn, "shape": [*values.shape], **({"planted": planted} if planted else {})}
