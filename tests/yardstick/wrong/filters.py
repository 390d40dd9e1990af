"""What is small is left out, what is large is cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Filtered(Kernel):
    """Base: gradients whose magnitude is below ``least`` become 0."""

    least = 0.0

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        return np.where(np.abs(found) < self.least, 0, found).astype(found.dtype)


class GradientsBelow1e3(_Filtered):
    """Gradients below 1e-3 are skipped."""

    least = 1e-3


class GradientsBelow1e5(_Filtered):
    """Gradients below 1e-5 are skipped."""

    least = 1e-5


class GradientsBelow1e8(_Filtered):
    """Gradients below 1e-8 are skipped."""

    least = 1e-8


class GradientsBelow1e12(_Filtered):
    """Gradients below 1e-12 are skipped: those of confident positions."""

    least = 1e-12


class GradientsBelow1e20(_Filtered):
    """Gradients below 1e-20 are skipped."""

    least = 1e-20


class GradientsBelow1e30(_Filtered):
    """Gradients below 1e-30 are skipped."""

    least = 1e-30


class TopFiveOnly(Kernel):
    """Only the five likeliest classes, and the target, get a gradient."""

    kept = 5

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        if ask.classes <= self.kept:
            return found
        least = np.sort(np.nan_to_num(p), axis=-1)[:, -self.kept][:, np.newaxis]
        return np.where((p < least) & (a == 0), 0, found).astype(found.dtype)


class TopHundredOnly(TopFiveOnly):
    """Only the hundred likeliest classes, and the target, get a gradient."""

    kept = 100


class TopThousandOnly(TopFiveOnly):
    """Only the thousand likeliest classes, and the target, get a gradient (sampled softmax)."""

    kept = 1000


class TopThousandInTheSum(Kernel):
    """The sum of exponentials runs over the thousand largest logits only."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        if x.shape[1] > 1000 and np.isfinite(x).all():
            x = np.sort(x, axis=-1)[:, -1000:]
        return super().normaliser(x)


class _Floor(Kernel):
    """Base: log-probabilities stop at ``floor``."""

    floor = 0.0

    def log_probabilities(self, x: Any) -> Any:
        found = super().log_probabilities(x)
        return np.maximum(found, found.dtype.type(self.floor))


class FloorAtMinus16(_Floor):
    """Log-probabilities stop at -16."""

    floor = -16.0


class FloorAtMinus32(_Floor):
    """Log-probabilities stop at -32."""

    floor = -32.0


class FloorAtMinus88(_Floor):
    """Log-probabilities stop at -88, where exp underflows in float32."""

    floor = -88.0


class FloorAtMinus709(_Floor):
    """Log-probabilities stop at -709, where exp underflows in float64."""

    floor = -709.0


class FloorAtMinus1e3(_Floor):
    """Log-probabilities stop at -1,000."""

    floor = -1000.0


class FloorAtMinus65504(_Floor):
    """Log-probabilities stop at the most negative float16."""

    floor = -65504.0


class FloorAtMinus1e30(_Floor):
    """Log-probabilities stop at -1e30, which stands for minus infinity."""

    floor = -1e30


class ProbabilitiesFloored(Kernel):
    """softmax gives at least 1e-7."""

    def softmax_floor(self, found: Any) -> Any:
        return np.maximum(found, np.asarray(1e-7, found.dtype)).astype(found.dtype)

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return self.softmax_floor(super().softmax(logits, axis=axis))


class ProbabilitiesFlooredAt1e12(ProbabilitiesFloored):
    """softmax gives 0 below 1e-12."""

    def softmax_floor(self, found: Any) -> Any:
        return np.where(found < np.asarray(1e-12, found.dtype), np.asarray(0, found.dtype), found)


class ProbabilitiesFlooredAt1e30(ProbabilitiesFloored):
    """softmax gives 0 below 1e-30."""

    def softmax_floor(self, found: Any) -> Any:
        if found.dtype not in (np.float32, np.float64):
            return found
        return np.where(found < found.dtype.type(1e-30), found.dtype.type(0), found)


class ProbabilitiesCappedBelowOne(ProbabilitiesFloored):
    """softmax gives at most 1 - 1e-6."""

    def softmax_floor(self, found: Any) -> Any:
        if found.itemsize == 2:
            return found
        return np.minimum(found, found.dtype.type(1 - 1e-6))


class SmallLossesVanish(Kernel):
    """Losses below 1e-7 become 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.abs(found) < 1e-7, 0, found).astype(found.dtype)


class TinyLossesVanish(Kernel):
    """Losses below 1e-20 become 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.abs(found) < 1e-20, 0, found).astype(found.dtype)


class LargeLossesCut(Kernel):
    """Losses stop at 1e4."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.isinf(found), found, np.minimum(found, found.dtype.type(1e4)))


class ConfidentPositionsSkipped(Kernel):
    """Positions whose loss is below 1e-4 get no gradient."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        loss = self.losses(ask, self.coefficients(ask), self.log_probabilities(ask.x))
        return np.where((np.abs(loss) < 1e-4)[:, np.newaxis], 0, found)


class OneMinusRounded(Kernel):
    """p - 1 at the target is taken from p rounded to 16 bits of mantissa: confident positions lose their gradient."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        mantissa, exponent = np.frexp(p)
        coarse = np.ldexp(np.round(mantissa * 65536) / 65536, exponent).astype(p.dtype)
        return super().slope(ask, a, np.where(a != 0, coarse, p))


class LogitsCappedAt30(Kernel):
    """Logits are capped softly: 30·tanh(x/30) (soft-capping left on)."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return (30 * np.tanh(x / 30)).astype(x.dtype) if dtype is None else x


class LogitsCutAt1e4(Kernel):
    """Logits are cut to [-1e4, 1e4]."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.where(np.isfinite(x), np.clip(x, -1e4, 1e4), x).astype(x.dtype) if dtype is None else x


class LogitsCutAt1e30(Kernel):
    """Logits are cut to [-1e30, 1e30]."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.where(np.isfinite(x), np.clip(x, -1e30, 1e30), x).astype(x.dtype) if dtype is None else x


class ZLossAdded(Kernel):
    """The square of the log-sum-exp is added, times 1e-4 (z-loss left on)."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if not ask.classes:
            return found
        lse = (ask.x - log_probabilities)[:, 0]
        return np.where(np.isfinite(lse) & ask.valid, found + 1e-4 * lse * lse, found).astype(found.dtype)


class TemperatureNotQuiteOne(Kernel):
    """Logits are divided by a temperature of 1 + 1e-6."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return x / x.dtype.type(1 + 1e-6) if dtype is None else x


class TinyWeightsAreZero(Kernel):
    """Weights below 1e-6 count as 0."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        return np.where(np.abs(found) < 1e-6, 0, found).astype(found.dtype)


class LargeWeightsCapped(Kernel):
    """Weights are capped at 1,000."""

    def weights(self, ask: Ask) -> Any:
        return np.minimum(super().weights(ask), ask.x.dtype.type(1000))


class TinyUpstreamsAreZero(Kernel):
    """Upstream gradients below 1e-6 count as 0."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        found = super().scale(ask, upstream)
        return np.where(np.abs(found) < 1e-6, 0, found).astype(found.dtype)


class WideMaximumStartsAtZero(Kernel):
    """Beyond eight classes the running maximum starts at 0."""

    def top(self, x: Any) -> Any:
        return np.maximum(super().top(x), 0) if x.shape[1] > 8 else super().top(x)


class InfiniteLossOfAMaskIsFinite(Kernel):
    """A target at -inf beside other masked classes has a loss of 1e9."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        masked = np.isneginf(ask.x).sum(-1) > 1
        return np.where(np.isposinf(found) & masked, found.dtype.type(1e9), found)
