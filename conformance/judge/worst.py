"""What shows a finding best: the result at fault, its position, and the input that leads to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.judge.prepared import Prepared
from conformance.model.problem import Array
from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.numerics.formats import Float64Array, widen
from conformance.oracle.block import Block

__all__ = ["Worst", "worst_elements", "worst_text"]

Integers = npt.NDArray[np.intp]


class Worst(NamedTuple):
    """The element at fault: its bound, what was observed and is exact; its row in the problem, and the input there."""

    bound: float | None = None
    observed: float | None = None
    expected: float | None = None
    position: int | None = None
    input: dict[str, Any] | None = None


def worst_text(value: Array | None) -> Any:
    """The first four elements of what came back, of any shape and dtype, as plain numbers."""
    if value is None:
        return None
    flat = widen(value).reshape(-1) if value.dtype.kind in "fV" or value.dtype.name == "bfloat16" else value.reshape(-1)
    return flat[:4].tolist()


def worst_elements(
    prepared: Prepared, quantity: Quantity, reduction: str, worst: Integers, numbers: Sequence[Float64Array]
) -> list[Worst]:
    """What to show of each problem of a block, whose element ``worst`` is farthest off, -1 where it has none.

    ``numbers`` are the bounds, the observed and the exact numbers, flat, in float64. Of an operation that reduces, the
    row is the problem's first.
    """
    block, there = prepared.block, worst >= 0
    if not there.any():
        return [Worst()] * len(worst)
    at = np.where(there, worst, 0)
    by_class = quantity in OF_LOGITS or not block.reduces
    row = at // max(block.classes, 1) if by_class else at if reduction == "none" else block.starts
    position = row - block.starts
    inside = there & (position >= 0) & (position < block.counts)
    inputs = iter(_inputs(block, row[inside], at[inside] % max(block.classes, 1) if by_class else None))
    rows = zip(
        *(each[at].tolist() for each in numbers), position.tolist(), inside.tolist(), there.tolist(), strict=True
    )
    return [
        Worst(*three, *((place, next(inputs)) if held else ())) if known else Worst()
        for *three, place, held, known in rows
    ]


def _inputs(block: Block, rows: Integers, classes: Integers | None) -> Iterator[dict[str, Any]]:
    """Rows that are at fault: their logits as hexadecimal floats (up to 16), targets, and the class that is worst."""
    count = block.classes
    targets = block.targets[rows].tolist() if block.by_index else None
    places = None if classes is None else classes.tolist()
    for number, logits in enumerate(block.x[rows, :16].tolist()):
        found: dict[str, Any] = {"logits": [*map(float.hex, logits)]}
        if count > 16:
            found["classes"] = count
        if targets is not None:
            found["target"] = targets[number]
        if places is not None:
            found["class"] = places[number]
        yield found
