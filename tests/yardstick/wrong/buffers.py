"""Results in buffers that a later call writes to: each is right until then."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Kernel


class _Buffered(Kernel):
    """Base: results lie in buffers that are kept by ``key``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.buffers: dict[Any, Any] = {}
        self.calls = 0
        self.lends = True

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        """A map has code of its own."""
        self.lends = False
        try:
            return super().vmap(call, logits, upstream)
        finally:
            self.lends = True

    def lent(self, result: Any, *key: Any) -> Any:
        """The result in the buffer of its shape, dtype and ``key``."""
        if not self.lends:
            return result
        buffer = self.buffers.setdefault((result.shape, result.dtype, *key), np.empty_like(result))
        buffer[...] = result
        return buffer


class GradientBufferReused(_Buffered):
    """Gradients of one shape share a buffer: the next backward pass overwrites the gradient of the last one."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, self.lent(gradient)


class TwoGradientBuffersInTurn(_Buffered):
    """Two buffers of each shape take turns: the next backward pass but one overwrites the gradient."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        self.calls += 1
        return value, self.lent(gradient, self.calls % 2)


class ValueBesideTheGradientReused(_Buffered):
    """The value that comes with a gradient lies in a buffer of its shape."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return self.lent(value), gradient


class CurvatureBufferReused(_Buffered):
    """Second derivatives of one shape share a buffer."""

    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        return self.lent(super().hvp(call, logits, upstream, direction))


class DerivativeBufferReused(_Buffered):
    """Derivatives by forward mode lie in a buffer of their shape."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, jvp = super().jvp(call, logits, tangent)
        return value, self.lent(jvp)


class MapInScratchMemory(_Buffered):
    """The gradients of a map lie in scratch memory, in which every later call begins, whatever its shape and dtype."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.scratch = np.zeros(1 << 22, np.uint8)

    def written(self, result: Any) -> Any:
        """The result where the scratch memory begins; as it is where that is too small."""
        if not 0 < result.nbytes <= self.scratch.nbytes:
            return result
        found = self.scratch[: result.nbytes].view(result.dtype).reshape(result.shape)
        found[...] = result
        return found

    def evaluate(self, call: Any, logits: Any) -> Any:
        value = super().evaluate(call, logits)
        self.written(np.asarray(value))
        return value

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value, self.written(gradient)


class _InTurn(_Buffered):
    """Base: ``count`` buffers of each shape and dtype take turns."""

    count = 4

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.turns: dict[Any, int] = {}

    def lent(self, result: Any, *key: Any) -> Any:
        if not self.lends:
            return result
        kind = (np.shape(result), result.dtype)
        turn = self.turns[kind] = (self.turns.get(kind, 0) + 1) % self.count
        return super().lent(np.asarray(result), turn)


class ThreeGradientBuffersInTurn(_InTurn):
    """Three buffers of each shape take turns as gradients."""

    count = 3

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, self.lent(gradient)


class EightGradientBuffersInTurn(ThreeGradientBuffersInTurn):
    """Eight buffers of each shape take turns as gradients."""

    count = 8


class EightValueBuffersInTurn(_InTurn):
    """Eight buffers of each shape take turns as values of softmax and log_softmax."""

    count = 8

    def evaluate(self, call: Any, logits: Any) -> Any:
        value = super().evaluate(call, logits)
        return self.lent(value) if call.operation in ("softmax", "log_softmax") else value


class FourCurvatureBuffersInTurn(_InTurn):
    """Four buffers of each shape take turns as second derivatives."""

    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        return self.lent(super().hvp(call, logits, upstream, direction))


class EightDerivativeBuffersInTurn(_InTurn):
    """Eight buffers of each shape take turns as derivatives by forward mode."""

    count = 8

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, jvp = super().jvp(call, logits, tangent)
        return value, self.lent(jvp)


class FourMapBuffersInTurn(_InTurn):
    """Four buffers of each shape take turns as gradients of a map."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value, self.lent(gradient)


class EightBuffersOfTargetGradientsInTurn(_InTurn):
    """Eight buffers of each shape take turns as gradients by class probabilities."""

    count = 8

    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        return self.lent(super().target_gradient(call, logits, upstream))


class FourBuffersOfSecondPassesInTurn(_InTurn):
    """Four buffers of each shape take turns as gradients of second backward passes."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        return self.lent(super().second_vjp(call, logits, former, upstream))


class HugeGradientBufferReused(_Buffered):
    """Gradients of more than 2^17 elements lie in a buffer of their shape."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, self.lent(gradient) if gradient.size > 1 << 17 else gradient


class HugeValueIsScratch(_Buffered):
    """A backward pass takes the value of the last call for scratch memory where that has more than 2^17 elements."""

    last: Any = None

    def evaluate(self, call: Any, logits: Any) -> Any:
        value = super().evaluate(call, logits)
        if np.size(value) > 1 << 17:
            self.last = value
        return value

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        last = self.last
        value, gradient = super().differentiate(call, logits, upstream)
        if last is not None and last.size == gradient.size:
            last[...] = gradient
        return value, gradient
