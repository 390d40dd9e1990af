"""What a finding says: its message, the result at fault, and the input that shows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.bounds.classes import Letter
from conformance.judge.finding import Finding
from conformance.judge.prepared import OF_LOGITS, Prepared, Quantity
from conformance.model.problem import Array
from conformance.numerics.formats import widen

__all__ = ["numeric_message", "worst_input", "worst_text"]


def numeric_message(finding: Finding, declared: Letter) -> str:
    """Observed and exact value, the class reached and declared, and by how much."""
    observed, expected = finding.observed, finding.expected
    if observed is None or expected is None:
        return "wrong value"
    if not np.isfinite(observed) or not np.isfinite(expected):
        return f"{observed!r} instead of {expected!r}" if finding.letter == "F" else _class_message(finding, declared)
    return f"{observed:.9g} instead of {expected!r}: {_class_message(finding, declared)}"


def _class_message(finding: Finding, declared: Letter) -> str:
    reached = "beyond every class" if finding.letter == "F" else f"class {finding.letter}"
    return f"{reached}, declared {declared}; {finding.ratio:.3g} times the bound, {finding.ulp:.3g} ulp"


def worst_text(value: Array | None) -> Any:
    """The first four elements of what came back, as plain numbers."""
    if value is None:
        return None
    flat = widen(value).reshape(-1) if value.dtype.kind in "fV" or value.dtype.name == "bfloat16" else value.reshape(-1)
    return flat[:4].tolist()


def worst_input(prepared: Prepared, quantity: Quantity, reduction: str, i: int, worst: int) -> Any:
    """The position at fault: its logits as hexadecimal floats (up to 16), its target."""
    if worst < 0:
        return None
    block = prepared.block
    by_rows = quantity in OF_LOGITS or not block.reduces
    if by_rows:
        row = worst // block.classes
    elif reduction == "none":
        row = worst
    else:
        row = int(block.starts[i])
    if row >= len(block.x):
        return None
    x = block.x[row]
    text = [v.hex() for v in x[:16].tolist()]
    found: dict[str, Any] = {"position": row - int(block.starts[i]), "logits": text}
    if len(x) > 16:
        found["classes"] = len(x)
    if block.by_index:
        found["target"] = int(block.targets[row])
    if by_rows:
        found["class"] = worst % block.classes
    return found
