"""Offsets within an operand's memory that an integer of 32 bits is to hold."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tests.yardstick.kernel import Given, Kernel
from tests.yardstick.views import (
    LabelsReader,
    LogitsReader,
    ProbabilitiesReader,
    UpstreamReader,
    memory_of,
    steps_of,
)


def _cut(array: Any, kind: Any, unit: int) -> Any:
    """What a kernel reads whose offsets, in elements or in bytes, are of an integer type; within the memory."""
    if not array.size or not array.ndim or max(array.strides) < 2**31:
        return array
    whole, place = memory_of(array)
    offsets = np.zeros(array.shape, np.int64)
    for axis, step in enumerate(steps_of(array)):
        offsets += (np.arange(array.shape[axis]) * step * unit).reshape([-1] + [1] * (array.ndim - axis - 1))
    return whole[(place + offsets.astype(kind).astype(np.int64) // unit) % len(whole)]


class LogitsAtInt32Offsets(LogitsReader):
    """A row of the logits is found at row·stride in int32, in elements."""

    def read_logits(self, array: Any) -> Any:
        return _cut(array, np.int32, 1)


class LogitsAtUnsignedOffsets(LogitsReader):
    """A row of the logits is found at row·stride in uint32, in elements: the third is the first."""

    def read_logits(self, array: Any) -> Any:
        return _cut(array, np.uint32, 1)


class LogitsAtInt32Bytes(LogitsReader):
    """A row of the logits is found at row·stride in int32, in bytes: every row is the first."""

    def read_logits(self, array: Any) -> Any:
        return _cut(array, np.int32, array.itemsize)


class HalfLogitsAtUnsignedBytes(LogitsReader):
    """Logits of half types alone: the offset in bytes is kept in uint32."""

    def read_logits(self, array: Any) -> Any:
        return _cut(array, np.uint32, 2) if array.itemsize == 2 else array


class _OfOneOperation(Kernel):
    """One operation alone keeps the offsets of its input in int32."""

    operation: ClassVar[str] = ""

    def evaluate(self, call: Any, logits: Any) -> Any:
        return super().evaluate(call, self._read(call, logits))

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().differentiate(call, self._read(call, logits), upstream)

    def _read(self, call: Any, logits: Any) -> Any:
        return _cut(logits, np.int32, 1) if call.operation == self.operation else logits


class SoftmaxAtInt32Offsets(_OfOneOperation):
    """softmax alone finds a row of the logits at row·stride in int32."""

    operation = "softmax"


class LogSoftmaxAtInt32Offsets(_OfOneOperation):
    """log_softmax alone finds a row of the logits at row·stride in int32."""

    operation = "log_softmax"


class NllLossAtInt32Offsets(_OfOneOperation):
    """nll_loss alone finds a row of the log-probabilities at row·stride in int32."""

    operation = "nll_loss"


class ClassesAtInt32Offsets(Kernel):
    """Over the first axis alone: the offset class·stride is of int32."""

    def evaluate(self, call: Any, logits: Any) -> Any:
        return super().evaluate(call, self._read(call, logits))

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().differentiate(call, self._read(call, logits), upstream)

    def _read(self, call: Any, logits: Any) -> Any:
        return _cut(logits, np.int32, 1) if dict(call.options).get("axis") == 0 else logits


class BackwardAtInt32Offsets(Kernel):
    """The backward pass alone finds a row of the logits at row·stride in int32."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value = self.evaluate(call, logits)
        return value, super().differentiate(call, _cut(logits, np.int32, 1), upstream)[1]


class LabelsAtInt32Offsets(LabelsReader):
    """A label is found at position·stride in int32, in elements."""

    def reading(self, given: Given, array: Any) -> Any:
        return _cut(array, np.int32, 1)


class LabelsAtInt32Bytes(LabelsReader):
    """A label is found at position·stride in int32, in bytes: every label is the first."""

    def reading(self, given: Given, array: Any) -> Any:
        return _cut(array, np.int32, array.itemsize)


class ProbabilitiesAtInt32Offsets(ProbabilitiesReader):
    """A row of class probabilities is found at row·stride in int32, in elements."""

    def reading(self, given: Given, array: Any) -> Any:
        return _cut(array, np.int32, 1)


class ProbabilitiesAtInt32Bytes(ProbabilitiesReader):
    """A row of class probabilities is found at row·stride in int32, in bytes."""

    def reading(self, given: Given, array: Any) -> Any:
        return _cut(array, np.int32, array.itemsize)


class UpstreamAtInt32Offsets(UpstreamReader):
    """A row of the upstream gradient is found at row·stride in int32."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        return _cut(upstream, np.int32, 1)
