"""Dtypes and shapes of results gone wrong, and defects of one dtype only."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class ResultInFloat32(Kernel):
    """Whatever comes in, float32 comes out."""

    def stored(self, result: Any, dtype: Any) -> Any:
        return np.asarray(result).astype(np.float32)


class LossInFloat32ForHalfTypes(Kernel):
    """The loss of half types is returned in float32, as under autocast (Liger#318)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        self.lossy = True
        return super().reduced(ask, losses)

    lossy = False

    def stored(self, result: Any, dtype: Any) -> Any:
        widened = self.lossy and np.dtype(dtype).itemsize == 2
        self.lossy = False
        return np.asarray(result).astype(np.float32 if widened else dtype)


class GradientInFloat32(Kernel):
    """The gradient of half types is returned in float32."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, gradient.astype(np.float32) if gradient.itemsize == 2 else gradient


class ReducedLossKeepsAnAxis(Kernel):
    """Reduced losses have shape (1,) instead of ()."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = np.asarray(super().reduced(ask, losses))
        return found if ask.reduction == "none" else found.reshape(1)


class LossKeepsTheClassAxis(Kernel):
    """keepdims: losses without reduction keep an axis of extent 1 for the classes."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        return found[..., np.newaxis] if ask.reduction == "none" and ask.shape else found


class LossesFlattened(Kernel):
    """Losses without reduction come back flat, whatever the shape of the positions."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return losses if ask.reduction == "none" else super().reduced(ask, losses)


class GradientWithTheClassAxisLast(Kernel):
    """The gradient comes back with the class axis last (where the shape hides it, the numbers are transposed)."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        place = self.axis(logits, dict(call.options)["axis"]) if logits.ndim else 0
        return value, np.moveaxis(gradient, place, -1) if logits.ndim else gradient


class Float16Only(Kernel):
    """float16 is computed in float16 throughout, the sums too; other dtypes are right."""

    def compute(self, dtype: Any) -> Any:
        return np.dtype(dtype) if np.dtype(dtype) == np.float16 else super().compute(dtype)


class Bfloat16ThroughFloat16(Kernel):
    """bfloat16 is converted to float16, whose range is smaller."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return x.astype(np.float16).astype(x.dtype) if array.dtype.name == "bfloat16" else x


class Bfloat16Truncated(Kernel):
    """bfloat16 results are truncated instead of rounded."""

    def stored(self, result: Any, dtype: Any) -> Any:
        if np.dtype(dtype).name != "bfloat16":
            return super().stored(result, dtype)
        bits = np.asarray(result).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
        return bits.view(np.float32).astype(dtype)


class Float16Saturates(Kernel):
    """float16 results beyond the range saturate at 65504."""

    def stored(self, result: Any, dtype: Any) -> Any:
        exact = np.asarray(result)
        return np.clip(exact, -65504, 65504).astype(dtype) if np.dtype(dtype) == np.float16 else exact.astype(dtype)


class Float64TakesAnotherPath(Kernel):
    """The float64 path has the rest of its sum in float32."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, total.astype(np.float32).astype(x.dtype)


class SubnormalsFlushed(Kernel):
    """Results below the least normal number are 0, where keeping them is declared."""

    def stored(self, result: Any, dtype: Any) -> Any:
        found = super().stored(result, dtype)
        if found.dtype != np.float32:
            return found
        return np.where(np.abs(found) < np.finfo(np.float32).tiny, np.float32(0), found)


class Float16GradientUnderflows(Kernel):
    """The gradient of the mean is divided by N in float16 before it is scaled: small ones vanish."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        found = super().scale(ask, upstream)
        return found.astype(np.float16).astype(found.dtype)


class RankThreeOnly(Kernel):
    """Logits of rank 3 go through a code path that drops the shift."""

    deep = False

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        self.deep = getattr(array, "ndim", 0) == 3
        return super().rows(array, axis, dtype)

    def top(self, x: Any) -> Any:
        return np.zeros_like(x[:, :1]) if self.deep else super().top(x)
