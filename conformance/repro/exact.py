"""The exact value of one element, as text of 17 digits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.model.problem import Problem

__all__ = ["exact_text"]

#: Logits: a larger problem's exact value is the recorded one, which is its nearest double.
SMALL = 64


def exact_text(problem: Problem, quantity: str, reduction: str, index: tuple[int, ...], recorded: Any) -> str:
    """17 digits of the element: from the oracle where that agrees with ``recorded``, a double, else that one's."""
    known = float(recorded)
    text = f"{known:.17g}"
    open_ended = quantity not in ("value", "gradient") or not 0 < problem.logits.size <= SMALL
    if open_ended or known != known or abs(known) == float("inf"):
        return text
    from conformance.oracle.text import expected_text

    name: Any = reduction
    key = "gradient" if quantity == "gradient" else reduction if problem.takes_targets else "value"
    found: Any = expected_text(replace(problem, reductions=(name,)), key)
    for each in index:
        if not isinstance(found, list) or each >= len(found):
            return text
        found = found[each]
    if not isinstance(found, str) or abs(float(found) - known) > 1e-14 * abs(known):
        return text
    return found
