"""NumPy's reference and PyTorch, but for the cases that have a kind of fault of their own in the table."""

from __future__ import annotations

from typing import Any

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.adapters.torch import Torch
from tests.faults.table import KINDS, number_of

__all__ = ["Faulty", "FaultyTorch"]


class Faulty(Numpy):
    """Goes wrong in a case's call as the table says."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        value = super().softmax(logits, axis=axis)
        number = number_of(logits)
        return KINDS[number - 1].act(value, logits) if number else value


class FaultyTorch(Torch):
    """The same on PyTorch."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        value = super().softmax(logits, axis=axis)
        number = number_of(logits.detach().numpy())
        return KINDS[number - 1].act(value, logits) if number else value
