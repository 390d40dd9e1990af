"""What a vectorised map must equal: one example after the other, put together again."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.backends.contract import Backend, Call

__all__ = ["example", "looped"]


def example(call: Call, index: int) -> Call:
    """The call of one example: its own targets, and the weight that all share."""
    operands = {name: item if name == "weight" else item[index] for name, item in call.operands.items()}
    return Call(call.operation, {name: np.asarray(item) for name, item in operands.items()}, call.options)


def looped(backend: Backend, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
    """Values and gradients of every example along axis 0, stacked."""
    pairs = [
        backend.differentiate(example(call, i), np.asarray(logits[i]), np.asarray(upstream[i]))
        for i in range(len(logits))
    ]
    return np.stack([value for value, _ in pairs]), np.stack([gradient for _, gradient in pairs])
