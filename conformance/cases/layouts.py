"""Whether a case's operands can lie in memory as its layouts say: what is named there is to be another view indeed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.model.layouts import named_operands, problem_of
from conformance.model.problem import Array
from conformance.worker.layouts import fits

if TYPE_CHECKING:
    from conformance.cases.load import Entry

__all__ = ["check_layouts"]

#: What the numbers must be like, and what to write for it.
_NEEDS = {
    "broadcast": ("that differ along axis 0", "repeat the {operand} of one position, or remove the layout"),
    "expanded": ("that differ along every axis", "repeat the {operand} along an axis, or remove the layout"),
    "overlapping": (
        "whose rows are not those of one sliding window",
        "begin each row with the second element of the one before, or remove the layout",
    ),
}
#: Those that apply to some operands only where they are called for all.
_OF_ALL = ("broadcast", "overlapping", "expanded", "channels-last", "channels-last-cut", "time-major", "far-apart")


def check_layouts(entry: Entry, operands: Mapping[str, Sequence[Any]]) -> None:
    """Raise CaseError for the first layout that an operand cannot have, or that makes no difference to it.

    ``operands`` maps each operand of the case to what it is: the upstream gradient, one array for each reduction. A
    layout of all operands need only suit the logits.
    """
    for index, layout in enumerate(entry.case.layouts):
        path = ("layouts", index)
        if (found := problem_of(layout)) is not None:
            raise entry.error(path, *found)
        named = named_operands(layout) or ({"logits": layout} if layout in _OF_ALL else {})
        for operand, name in named.items():
            arrays = [each for each in operands.get(operand, ()) if isinstance(each, np.ndarray)]
            if not arrays:
                raise entry.error(path, f"the case has no array of {operand}", "name another operand, or add this one")
            (logits,) = operands["logits"]
            problem = [found for each in arrays if (found := _misfit(operand, name, each, logits)) is not None]
            if len(problem) == len(arrays):
                raise entry.error(path, *problem[0])


def _misfit(operand: str, name: str, array: Array, logits: Array) -> tuple[str, str] | None:
    """Why the operand cannot lie so, and what to write."""
    if name == "beside-logits":
        if array.shape == logits.shape and array.dtype == logits.dtype and array.size and array.ndim:
            return None
        return f"{operand} beside logits of another shape or dtype", "name another layout"
    if name == "within-logits":
        outer = logits.ndim - array.ndim
        rows = np.ndindex(logits.shape[: max(outer, 0)])
        if array.dtype == logits.dtype and any(
            logits[row].shape == array.shape and logits[row].tobytes() == array.tobytes() for row in rows
        ):
            return None
        return f"{operand} is neither the logits nor one of their rows", "give them the numbers of a row"
    if fits(name, array):
        return None
    if name in _NEEDS and array.ndim > (name == "overlapping"):
        what, hint = _NEEDS[name]
        return f"{name}, with {operand} {what}", hint.format(operand=operand)
    return f"{name} makes no difference to {operand} of shape {array.shape}", "name another layout"
