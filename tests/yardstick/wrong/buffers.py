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

    def mapped(self, call: Any, logits: Any, upstream: Any) -> Any:
        """A map has code of its own."""
        self.lends = False
        try:
            return super().mapped(call, logits, upstream)
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

    def hessian_product(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        return self.lent(super().hessian_product(call, logits, upstream, direction))


class DerivativeBufferReused(_Buffered):
    """Derivatives by forward mode lie in a buffer of their shape."""

    def directional(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, derivative = super().directional(call, logits, tangent)
        return value, self.lent(derivative)


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

    def mapped(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().mapped(call, logits, upstream)
        return value, self.written(gradient)
