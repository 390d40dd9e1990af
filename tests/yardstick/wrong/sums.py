"""Accumulators too narrow, and sums that lose what they should keep."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Narrow(Kernel):
    """Base: sums in a format of their own, term by term."""

    def summed(self, terms: Any, dtype: Any) -> Any:
        if not terms.shape[-1]:
            return np.zeros(terms.shape[:-1], terms.dtype)
        with np.errstate(all="ignore"):
            return np.add.accumulate(terms.astype(dtype), axis=-1, dtype=dtype)[..., -1].astype(terms.dtype)


class Float32SumsOfDoubles(_Narrow):
    """Every sum of float64 runs in float32."""

    def total(self, terms: Any) -> Any:
        return self.summed(terms, np.float32) if terms.dtype == np.float64 else super().total(terms)


class LossesSummedInFloat16(_Narrow):
    """Losses are reduced in float16 whatever the dtype."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none":
            return super().reduced(ask, losses)
        total = self.summed(losses, np.float16)
        return total if ask.reduction == "sum" else total / self.divisor(ask)


class LossesSummedInTheirDtype(_Narrow):
    """Losses of half types are reduced in the half type: sums of many stick."""

    narrow: Any = np.float32

    def compute(self, dtype: Any) -> Any:
        self.narrow = dtype
        return super().compute(dtype)

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none" or np.dtype(self.narrow).itemsize != 2:
            return super().reduced(ask, losses)
        total = self.summed(losses, self.narrow)
        return total if ask.reduction == "sum" else total / self.divisor(ask)


class WeightsSummedInTheirDtype(LossesSummedInTheirDtype):
    """The weights of half types are summed in the half type for the mean's denominator."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return Kernel.reduced(self, ask, losses)

    def divisor(self, ask: Ask) -> Any:
        if ask.weight is None or not ask.by_index or np.dtype(self.narrow).itemsize != 2:
            return super().divisor(ask)
        return self.summed(np.where(ask.valid, self.weights(ask)[ask.index], 0), self.narrow)


class CoefficientsSummedInHalf(LossesSummedInTheirDtype):
    """The sum A of the coefficients, by which the softmax is scaled, is rounded to the half type."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return Kernel.reduced(self, ask, losses)

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return self.summed(a, self.narrow)[:, np.newaxis] * p - a


class KahanWithTheWrongSign(Kernel):
    """Compensated summation adds the error instead of subtracting it."""

    def total(self, terms: Any) -> Any:
        if terms.shape[-1] > 600 or terms.shape[-1] < 2:
            return super().total(terms)
        total = np.zeros(terms.shape[:-1], terms.dtype)
        error = np.zeros_like(total)
        for place in range(terms.shape[-1]):
            term = terms[..., place] + error * 64
            new = total + term
            error = (new - total) - term
            total = new
        return np.where(np.isfinite(total), total, super().total(terms))


class RunningMeanInFloat16(Kernel):
    """The mean is updated loss by loss with a factor 1/n in float16."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        plain = ask.weight is None and ask.by_index and ask.valid.all() and 1 < losses.size < 512
        if ask.reduction != "mean" or not plain:
            return super().reduced(ask, losses)
        mean = losses.dtype.type(0)
        for count, loss in enumerate(losses, 1):
            mean = mean + (loss - mean) * losses.dtype.type(np.float16(1 / count))
        return np.asarray(mean)


class LossesSummedInIntegers(Kernel):
    """Losses are summed as fixed-point numbers with 10 bits behind the point (atomic integers)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none" or not np.isfinite(losses).all() or (np.abs(losses) > 1e6).any():
            return super().reduced(ask, losses)
        return super().reduced(ask, (np.round(losses * 1024) / 1024).astype(losses.dtype))


class ExponentialsSummedAsFixedPoint(Kernel):
    """Exponentials are summed as fixed-point numbers with 16 bits behind the point."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, _ = super().normaliser(x)
        terms = self.exp(x - top)
        return top, self.total((np.round(terms * 65536) / 65536).astype(x.dtype))[:, np.newaxis]


class SumStopsWhereNothingChanges(Kernel):
    """The loop over the classes ends once a term no longer changes the sum: later, larger ones are lost."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, _ = super().normaliser(x)
        terms = self.exp(x - top)
        sums = np.cumsum(terms, axis=-1)
        still = (sums[:, 1:] == sums[:, :-1]) & (sums[:, :-1] > 0)
        stop = np.where(still.any(-1), still.argmax(-1), x.shape[1] - 1)
        return top, np.take_along_axis(sums, stop[:, np.newaxis], -1)


class VarianceOfOne(Kernel):
    """The sum of exponentials is replaced by C·mean, the mean in float16."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        mean = (total / x.shape[1]).astype(np.float16).astype(x.dtype)
        return top, mean * x.shape[1]


class SumOfAtMost256Terms(Kernel):
    """A bfloat16 accumulator of ones: the sum of exponentials never exceeds 256."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, np.minimum(total, x.dtype.type(256))


class SumOfAtMost65504(Kernel):
    """The sum of exponentials saturates at the largest float16."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, np.minimum(total, x.dtype.type(65504))
