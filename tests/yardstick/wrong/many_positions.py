"""Right for few positions and for very many: of hundreds and thousands, a derivative is summed too narrowly."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel

FEW, MANY = 300, 5000


def _in_half(terms: Any, dtype: Any) -> Any:
    """The sum of terms, one after the other, each partial sum stored in a half type."""
    total = np.zeros((), dtype)
    for each in terms.reshape(-1).astype(dtype):
        total = (total + each).astype(dtype)
    return total.astype(terms.dtype)


class _InHalf(Kernel):
    """``dtype`` is that of half types while what is wrong is under way."""

    dtype: Any = None

    def halved(self, count: int) -> bool:
        return self.dtype is not None and FEW <= count <= MANY

    def begun(self, logits: Any) -> None:
        self.dtype = logits.dtype if logits.dtype.itemsize == 2 else None


class TangentSummedInHalf(_InHalf):
    """Forward mode in half types: the sum over 300 to 5,000 positions is kept in the half type."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        self.begun(logits)
        try:
            return super().jvp(call, logits, tangent)
        finally:
            self.dtype = None

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none" or not self.halved(losses.size):
            return super().reduced(ask, losses)
        total = _in_half(losses, self.dtype)
        return total if ask.reduction == "sum" else total / self.divisor(ask)


class CurvatureWeighedInHalf(_InHalf):
    """Second order in half types: the sum of the weights of 300 to 5,000 positions is kept in the half type."""

    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        self.begun(logits)
        try:
            return super().hvp(call, logits, upstream, direction)
        finally:
            self.dtype = None

    def divisor(self, ask: Ask) -> Any:
        if not self.halved(len(ask.x)) or not ask.by_index:
            return super().divisor(ask)
        return _in_half(np.where(ask.valid, self.weights(ask)[ask.index], 0).astype(ask.x.dtype), self.dtype)


class MapOfOtherTypesUpTo1024(Kernel):
    """A map in any type but float32: the examples behind the first 1,024 have the results of the last before."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        if logits.dtype.name == "float32" or len(value) <= 1024:
            return value, gradient
        kept = np.minimum(np.arange(len(value)), 1023)
        return value[kept], gradient[kept]
