"""What shows a finding best: the result at fault, its position, and the input that leads to it."""

from __future__ import annotations

from typing import Any

from conformance.judge.prepared import OF_LOGITS, Prepared, Quantity
from conformance.model.problem import Array
from conformance.numerics.formats import widen

__all__ = ["worst_input", "worst_row", "worst_text"]


def worst_text(value: Array | None) -> Any:
    """The first four elements of what came back, as plain numbers."""
    if value is None:
        return None
    flat = widen(value).reshape(-1) if value.dtype.kind in "fV" or value.dtype.name == "bfloat16" else value.reshape(-1)
    return flat[:4].tolist()


def worst_input(prepared: Prepared, quantity: Quantity, row: int | None, worst: int) -> Any:
    """The row at fault: its logits as hexadecimal floats (up to 16), its target; the class of the worst element."""
    if row is None:
        return None
    block = prepared.block
    x = block.x[row]
    found: dict[str, Any] = {"logits": [*map(float.hex, x[:16].tolist())]}
    if len(x) > 16:
        found["classes"] = len(x)
    if block.by_index:
        found["target"] = int(block.targets[row])
    if quantity in OF_LOGITS or not block.reduces:
        found["class"] = worst % block.classes
    return found


def worst_row(prepared: Prepared, quantity: Quantity, reduction: str, i: int, worst: int) -> int | None:
    """The row of the block that holds element ``worst``; the problem's first, where a reduction has one value.

    None for a problem without rows.
    """
    if worst < 0:
        return None
    block = prepared.block
    if quantity in OF_LOGITS or not block.reduces:
        row = worst // block.classes
    else:
        row = worst if reduction == "none" else int(block.starts[i])
    first = int(block.starts[i])
    return row if first <= row < first + int(block.counts[i]) else None
