"""Builds problems straight from numbers, without a case file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.model.case import REDUCTIONS, Case, OperationName, ReductionName, TargetKind
from conformance.model.problem import Problem
from conformance.numerics.formats import DtypeName, round_to
from conformance.oracle.block import Block
from conformance.oracle.truth import Tier, Truth

__all__ = ["problem", "small", "truth"]


def problem(
    operation: OperationName,
    logits: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
    *,
    weight: npt.ArrayLike | None = None,
    smoothing: float = 0.0,
    ignore_index: int | None = None,
    dtype: DtypeName = "float64",
    axis: int = 1,
    upstream: npt.ArrayLike | None = None,
    seed: int = 0,
) -> Problem:
    """A problem whose floating arrays are rounded to ``dtype``; ``upstream`` is drawn by ``seed`` unless given."""

    def rounded(values: npt.ArrayLike) -> npt.NDArray[np.generic]:
        return round_to(np.asarray(values, dtype=np.float64), dtype)

    x = rounded(logits)
    kind: TargetKind | None = None
    y: Any = None
    if targets is not None:
        y = np.asarray(targets)
        kind = "indices" if y.dtype.kind in "iu" else "probabilities"
        y = y if kind == "indices" else rounded(y)
    reductions: tuple[ReductionName, ...] = ("none",) if targets is None else REDUCTIONS
    shape = x.shape if targets is None else x.shape[:axis] + x.shape[axis + 1 :]
    rng = np.random.default_rng(seed)
    given = {}
    for name in reductions:
        extent = shape if name == "none" else ()
        given[name] = rounded(rng.normal(size=extent) if upstream is None else np.broadcast_to(upstream, extent))
    return Problem(
        case=Case(id="made-here", why="a test", op=operation),
        theme="test",
        dtype=dtype,
        layout="contiguous",
        operation=operation,
        logits=x,
        targets=y,
        target_kind=kind,
        weight=None if weight is None else rounded(weight),
        axis=axis,
        class_axis=axis,
        ignore_index=ignore_index,
        label_smoothing=smoothing,
        reductions=reductions,
        upstream=given,
    )


def truth(made: Problem, tier: Tier | None = None) -> Truth:
    """The truth of one problem on its own."""
    return Truth(Block((made,)), tier=tier)


def small(**changes: Any) -> Problem:
    """``cross_entropy`` of two positions and three classes with index targets, in float32; as changed."""
    fields: dict[str, Any] = {
        "case": Case(id="c", why="w", op="cross_entropy"),
        "theme": "t",
        "dtype": "float32",
        "layout": "contiguous",
        "operation": "cross_entropy",
        "logits": np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], np.float32),
        "targets": [1, 2],
        "target_kind": "indices",
        "weight": None,
        "axis": 1,
        "class_axis": 1,
        "ignore_index": None,
        "label_smoothing": 0.0,
        "reductions": ("none", "mean"),
        "upstream": {},
    }
    fields |= changes
    if isinstance(fields["targets"], list):
        fields["targets"] = np.array(fields["targets"])
    return Problem(**fields)
