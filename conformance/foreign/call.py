"""One call of another project's test, with the value that the project gives for it and what it tolerates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from conformance.model.case import OperationName, Provenance, ReductionName
from conformance.model.problem import Array

__all__ = ["ForeignCall", "LeftOutTest", "Reason", "Taken"]

#: Why a test has no case: its call is that of another test; its operands are too many; a case cannot say it.
Reason = Literal["same call", "too large", "not expressible"]


class LeftOutTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test that is not taken over: ``other`` is the case that asks the same, ``detail`` what a case cannot say."""

    test: str
    reason: Reason
    detail: str = ""
    other: str = ""


@dataclass(frozen=True, eq=False)
class ForeignCall:
    """A call as the test makes it. ``logits`` are log-probabilities for nll_loss; ``where``, 1 or 0, has their shape.

    ``value`` is what the project expects, within ``atol + rtol·|value|``; ``reference`` links to the test.
    """

    id: str
    source: Provenance
    reference: str
    op: OperationName
    logits: Array
    axis: int
    value: Array
    rtol: float
    atol: float
    targets: Array | None = None
    weight: Array | None = None
    where: Array | None = None
    ignore_index: int | None = None
    label_smoothing: float | None = None
    reduction: ReductionName = "none"

    @property
    def count(self) -> int:
        """How many numbers its operands hold."""
        return sum(each.size for each in (self.logits, self.targets, self.weight, self.where) if each is not None)

    @property
    def digest(self) -> bytes:
        """The same for calls that ask the same."""
        found = hashlib.sha256(f"{self.op} {self._axis} {self.reduction}".encode())
        found.update(f"{self.ignore_index} {self.label_smoothing}".encode())
        for operand in (self.logits, self.targets, self.weight, self.where):
            found.update(b"" if operand is None else f"{operand.shape} {operand.dtype}".encode() + operand.tobytes())
        return found.digest()

    @property
    def _axis(self) -> int:
        rank = max(np.ndim(self.logits), 1)
        return self.axis % rank if -rank <= self.axis < rank else self.axis


@dataclass(frozen=True)
class Taken:
    """What a source gave: its calls, the tests that give none, and ``versions`` of what was asked for them."""

    versions: dict[str, str]
    calls: list[ForeignCall] = field(default_factory=list)
    left_out: list[LeftOutTest] = field(default_factory=list)

    def add(self, found: ForeignCall | LeftOutTest) -> None:
        """Add a call, or a test that gives none."""
        if isinstance(found, ForeignCall):
            self.calls.append(found)
        else:
            self.left_out.append(found)
