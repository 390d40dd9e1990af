"""A rule: which backends another project's tests let pass, and how one of its calls is made."""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from conformance.backends.contract import Backend, Call, Unsupported
from conformance.foreign.call import ForeignCall

__all__ = ["OPERATIONS", "Asked", "Rule", "quiet", "takes_mask"]

OPERATIONS = ("softmax", "log_softmax", "nll_loss", "cross_entropy")


class Asked:
    """A foreign call as a backend gets it: operands of its own, contiguous or every second element of a buffer.

    What lies between the elements is NaN, or -1 among labels, as in PyTorch's ``noncontiguous_like``.
    """

    def __init__(self, call: ForeignCall, *, strided: bool = False) -> None:
        given = {"targets": call.targets, "weight": call.weight, "where": call.where}
        placed = {name: _placed(each, strided) for name, each in given.items() if each is not None}
        if "where" in placed:
            placed["where"] = np.asarray(placed["where"] != 0)
        options: list[tuple[str, Any]] = [("axis", call.axis)]
        if call.targets is not None:
            options.append(("ignore_index", call.ignore_index))
            options += [("label_smoothing", call.label_smoothing)] if call.op == "cross_entropy" else []
            options.append(("reduction", call.reduction))
        self.call = Call(call.op, placed, tuple(options))  # type: ignore[arg-type]
        self.logits = _placed(call.logits, strided)

    def value(self, backend: Backend) -> Any:
        """What the backend gives, as an array; raises what it raises, and Unsupported where it takes no mask."""
        if "where" in self.call.operands and not takes_mask(backend, self.call.operation):
            raise Unsupported("no mask of classes")
        return np.asarray(backend.array(backend.evaluate(self.call, backend.tensor(self.logits))))


class Rule(ABC):
    """``ops`` and ``checks`` are what it asks; a wrong backend that differs elsewhere is not asked."""

    key: str
    #: In the table: what is held against what, and how closely.
    title: str
    source: str
    ops: tuple[str, ...] = OPERATIONS
    checks: tuple[str, ...] = ("value",)
    #: The key of another rule, asked before: what that kills, this kills too.
    includes: str = ""

    @abstractmethod
    def failure(self, backend: Backend) -> str:
        """The first test that the backend fails; empty where it passes all."""


def takes_mask(backend: Backend, operation: str) -> bool:
    """Whether an operation can leave classes out, which a backend need not offer."""
    return "where" in inspect.signature(getattr(backend, operation)).parameters


def _placed(array: Any, strided: bool) -> Any:
    if not strided or not array.ndim:
        return np.array(array, order="C")
    filler: Any = np.nan if array.dtype.kind == "f" else -1
    buffer = np.full((*array.shape[:-1], 2 * array.shape[-1]), filler, array.dtype)
    buffer[..., 1::2] = array
    return buffer[..., 1::2]


@contextmanager
def quiet() -> Iterator[None]:
    """Wrong backends overflow and warn: that alone fails no test of the peers."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
