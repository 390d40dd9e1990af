"""The checks: what each asks of a call, and which belong together."""

from __future__ import annotations

from typing import Literal

__all__ = ["CHECKS", "IDENTITIES", "Check"]

Check = Literal[
    "value",
    "gradient",
    "error",
    "warning",
    "unmodified",
    "repeatable",
    "shift",
    "class-permutation",
    "position-permutation",
    "composed",
    "axis-move",
    "split",
    "drop-ignored",
    "gradient-sum",
    "probability-sum",
    "policy",
    "forward-mode",
    "second-order",
    "vectorised-map",
    "target-gradient",
    "second-backward",
    "concurrent",
    "refilled",
    "register",
    "process",
]

#: What each asks, in a line.
CHECKS: dict[Check, str] = {
    "value": "the result, held against the exact one",
    "gradient": "the gradient with respect to the logits, held against the exact one",
    "error": "invalid input is refused",
    "warning": "the documented warning comes",
    "unmodified": "neither the call, nor who writes to its results, changes inputs or results of earlier calls",
    "repeatable": "a second call gives the same bits",
    "shift": "a constant added to all logits of a position changes nothing",
    "class-permutation": "classes permuted together with targets and weights: the same result",
    "position-permutation": "positions permuted: the same result, permuted",
    "composed": "cross_entropy is nll_loss of log_softmax",
    "axis-move": "the class axis moved elsewhere: the same result",
    "split": "a batch cut in two: the same losses",
    "drop-ignored": "ignored positions left out: the same sum and mean",
    "gradient-sum": "the gradient sums to 0 over the classes",
    "probability-sum": "probabilities sum to 1 over the classes",
    "policy": "where implementations legitimately differ: what is declared is what is seen",
    "forward-mode": "the derivative in a direction, forward, held against the exact one",
    "second-order": "the gradient differentiated again in a direction, held against the exact one",
    "vectorised-map": "mapped over the batch: the same result",
    "target-gradient": "the gradient with respect to class probabilities, held against the exact one",
    "second-backward": "a second backward pass through one forward pass, with another upstream gradient",
    "concurrent": "called from two threads at once, with different logits: the same result",
    "refilled": "called on tensors that held other numbers in an earlier call: the result for those of now",
    "register": "an entry of the register of known defects still shows",
    "process": "the backend's process outlives the call, and its global state is as before",
}
#: Identities that every implementation satisfies: two calls held against each other.
IDENTITIES: tuple[Check, ...] = (
    "composed",
    "shift",
    "class-permutation",
    "position-permutation",
    "drop-ignored",
    "split",
    "axis-move",
)
