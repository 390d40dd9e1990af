"""Kernels for calls of more elements than 32 bits count, which evaluate the positions alone that are judged.

Such a call takes no more memory and time than a small one. What is wrong counts all elements of an operand from the
first on, and does so in too few bits: with any smaller tensor, and with rows that lie apart in memory, it is right.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call
from conformance.worker.reserved import among_zeros
from tests.yardstick.kernel import Kernel

__all__ = ["WRONG", "Sampled"]


class Sampled(Numpy):
    """Right: every so many-th position is evaluated, and the results between are left zeros."""

    def __init__(self) -> None:
        super().__init__()
        self._kernel = Kernel()

    def evaluate(self, call: Call, logits: Any) -> Any:
        spacing = _spacing(logits)
        value = self._kernel.evaluate(self._sampled(call, spacing), self.logits(logits, spacing))
        return among_zeros(value, spacing)[1]

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        spacing = _spacing(logits)
        small = self._sampled(call, spacing)
        _, gradient = self._kernel.differentiate(small, self.saved(logits, spacing), upstream[::spacing])
        return self.evaluate(call, logits), self.written(among_zeros(gradient, spacing)[1], spacing)

    def _sampled(self, call: Call, spacing: int) -> Call:
        given = dict(call.operands)
        if "targets" in given:
            given["targets"] = self.labels(given["targets"], spacing)
        return Call(call.operation, given, call.options)

    def logits(self, array: Any, spacing: int) -> Any:
        """What is read of the logits."""
        return array[::spacing]

    def saved(self, array: Any, spacing: int) -> Any:
        """What the backward pass reads of them."""
        return self.logits(array, spacing)

    def labels(self, array: Any, spacing: int) -> Any:
        """What is read of the labels."""
        return array[::spacing]

    def written(self, gradient: Any, spacing: int) -> Any:
        """The gradient as it is given back."""
        return gradient


def _spacing(logits: Any) -> int:
    """How far the positions that are judged lie apart: of three or four, the others being zeros."""
    return next(each for each in ((len(logits) - 1) // 3, (len(logits) - 1) // 2) if logits[each].any())


def _counted(array: Any, spacing: int, kind: Any, unit: int = 1) -> Any:
    """The positions as they are found by the number of their elements, or bytes, in an integer of ``kind``."""
    own, size = array[::spacing], int(np.prod(array.shape[1:]))
    first = np.arange(len(own))[:, np.newaxis] * spacing * size
    places = ((first + np.arange(size)) * unit).astype(kind).astype(np.int64) // unit
    return array.reshape(-1)[places % array.size].reshape(own.shape)


class _CountedInInt32(Sampled):
    """The logits' elements are counted in int32."""

    kind: ClassVar[Any] = np.int32

    def logits(self, array: Any, spacing: int) -> Any:
        return _counted(array, spacing, self.kind)


class _CountedInUint32(_CountedInInt32):
    """The logits' elements are counted in uint32: only beyond 2^32 of them does it begin anew."""

    kind = np.uint32


class _BytesInUint32(Sampled):
    """The logits' bytes are counted in uint32."""

    def logits(self, array: Any, spacing: int) -> Any:
        return _counted(array, spacing, np.uint32, array.itemsize)


class _BackwardInInt32(Sampled):
    """The backward pass alone counts the logits' elements in int32."""

    def saved(self, array: Any, spacing: int) -> Any:
        return _counted(array, spacing, np.int32)


class _LabelsInInt32(Sampled):
    """The labels are counted in int32, though the logits are not."""

    def labels(self, array: Any, spacing: int) -> Any:
        return _counted(array, spacing, np.int32)


class _GradientUpTo31Bits(Sampled):
    """The gradient's elements from the 2^31st on are not written: they stay zeros."""

    def written(self, gradient: Any, spacing: int) -> Any:
        rows = gradient[::spacing]
        first = np.arange(len(rows)) * spacing * int(np.prod(gradient.shape[1:]))
        rows[first >= 2**31] = 0
        return gradient


#: Each, and the case that finds it out.
WRONG: dict[type[Sampled], str] = {
    _CountedInInt32: "beyond-memory.softmax",
    _CountedInUint32: "beyond-memory.elements-of-32-bits",
    _BytesInUint32: "beyond-memory.log-softmax",
    _BackwardInInt32: "beyond-memory.cross-entropy",
    _LabelsInInt32: "beyond-memory.positions",
    _GradientUpTo31Bits: "beyond-memory.images",
}
