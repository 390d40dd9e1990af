"""Reading operands through their memory, in other steps than their own: what kernels of wrong strides are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Given, Kernel


def memory_of(array: Any) -> tuple[Any, int]:
    """The memory that an array is a view of, in rank 1, and where in it the array begins."""
    whole = array.base
    if not isinstance(whole, np.ndarray) or whole.ndim != 1 or whole.dtype != array.dtype:
        return np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,)), 0
    return whole, (array.ctypes.data - whole.ctypes.data) // array.itemsize


def steps_of(array: Any) -> list[int]:
    return [stride // array.itemsize for stride in array.strides]


def c_steps(shape: Sequence[int]) -> list[int]:
    return [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]


def read(array: Any, steps: Sequence[int], start: int | None = None) -> Any:
    """What a kernel reads that goes through the memory of an array in other steps; it stays within that memory."""
    whole, place = memory_of(array)
    if not array.size:
        return array
    index = np.full(array.shape, place if start is None else start)
    for axis, step in enumerate(steps):
        index = index + (np.arange(array.shape[axis]) * step).reshape([-1] + [1] * (array.ndim - axis - 1))
    return whole[index % len(whole)]


def dense(array: Any) -> Any:
    """Read from its address on, as if it were contiguous."""
    return read(array, c_steps(array.shape))


def unless_strided(array: Any) -> Any:
    """A copy where the last stride is not 1, and otherwise read as contiguous."""
    if not isinstance(array, np.ndarray) or not array.ndim or array.strides[-1] != array.itemsize:
        return array
    return dense(array)


class LogitsReader(Kernel):
    """Reads the logits in its own way."""

    def read_logits(self, array: Any) -> Any:
        return unless_strided(array)

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        own = isinstance(array, np.ndarray) and dtype is None and array.ndim > 0
        return super().rows(self.read_logits(array) if own else array, axis, dtype)


class OperandReader(Kernel):
    """Reads one of the other operands in its own way."""

    operand = "targets"

    def of(self, given: Given) -> bool:
        return True

    def reading(self, given: Given, array: Any) -> Any:
        return unless_strided(array)

    def given(self, given: Given) -> Given:
        array = getattr(given, self.operand)
        if not isinstance(array, np.ndarray) or not array.ndim or not self.of(given):
            return given
        changed: dict[str, Any] = {self.operand: self.reading(given, array)}
        return replace(given, **changed)


class LabelsReader(OperandReader):
    def of(self, given: Given) -> bool:
        return bool(given.targets.dtype.kind in "iu")


class ProbabilitiesReader(OperandReader):
    def of(self, given: Given) -> bool:
        return bool(given.targets.dtype.kind not in "iu")


class UpstreamReader(Kernel):
    """Reads the upstream gradient in its own way."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        return unless_strided(upstream)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        own = isinstance(upstream, np.ndarray) and upstream.ndim > 0
        return super().differentiate(call, logits, self.read_upstream(upstream, logits) if own else upstream)


class TangentReader(Kernel):
    """Reads the direction in its own way."""

    def read_tangent(self, tangent: Any, logits: Any) -> Any:
        return unless_strided(tangent)

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        return super().jvp(call, logits, self.read_tangent(tangent, logits))

    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        return super().hvp(call, logits, upstream, self.read_tangent(direction, logits))
