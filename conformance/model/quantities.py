"""The quantities: what a call, or a transform of it, gives. Backends, judge, vectors and scripts use the same words."""

from __future__ import annotations

from typing import Literal

__all__ = ["OF_LOGITS", "QUANTITIES", "Quantity"]

Quantity = Literal["value", "gradient", "jvp", "hvp", "target_gradient"]

#: What messages call each.
QUANTITIES: dict[Quantity, str] = {
    "value": "value",
    "gradient": "gradient",
    "jvp": "Jacobian-vector product (jvp)",
    "hvp": "Hessian-vector product (hvp)",
    "target_gradient": "gradient with respect to the targets",
}
#: Those that have the logits' shape.
OF_LOGITS: frozenset[Quantity] = frozenset({"gradient", "hvp", "target_gradient"})
