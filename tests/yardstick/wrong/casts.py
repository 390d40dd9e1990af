"""Casts in the wrong order or to the wrong type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Half(Kernel):
    """Base: knows the dtype of the input beside that of the intermediates."""

    narrow: Any = np.float32

    def compute(self, dtype: Any) -> Any:
        self.narrow = dtype
        return super().compute(dtype)

    def rounded(self, array: Any) -> Any:
        """Rounded to the input's dtype and back."""
        return array.astype(self.narrow).astype(array.dtype)


class LossRoundedBeforeTheWeight(_Half):
    """The loss is rounded to the half type, then weighted."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.weight is None or not ask.by_index or ask.smoothing:
            return super().losses(ask, a, log_probabilities)
        plain = super().losses(ask, super().coefficients(replace(ask, weight=None)), log_probabilities)
        return self.rounded(plain) * self.weights(ask)[ask.index]


class LossRoundedBeforeTheMean(_Half):
    """Each loss is rounded to the half type, then averaged: a bias of the rounding stays."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, self.rounded(losses) if ask.reduction != "none" else losses)


class MeanRoundedBeforeTheDivision(_Half):
    """The reciprocal of the number of positions is rounded to the half type."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "mean":
            return super().reduced(ask, losses)
        return self.total(losses) * self.rounded(1 / np.asarray(self.divisor(ask)))


class LogProbabilitiesRounded(_Half):
    """cross_entropy rounds the log-probabilities to the half type before it picks and weighs."""

    def log_probabilities(self, x: Any) -> Any:
        return self.rounded(super().log_probabilities(x))


class ExponentialsRounded(_Half):
    """Exponentials are rounded to the half type before they are summed."""

    def exp(self, x: Any) -> Any:
        return self.rounded(super().exp(x))


class ProbabilitiesRoundedInTheGradient(_Half):
    """Probabilities are rounded to the half type before the target is subtracted."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return super().slope(ask, a, self.rounded(p))


class SmoothingRoundedToFloat32(Kernel):
    """epsilon is a float32 scalar beside float64 logits."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        return replace(found, smoothing=float(np.float32(found.smoothing)))


class SmoothingRoundedToFloat16(Kernel):
    """epsilon is a float16 scalar: 0.1 is 0.09998."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        return replace(found, smoothing=float(np.float16(found.smoothing)))


class SmoothingInThousandths(Kernel):
    """epsilon is kept as an integer number of hundredths."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        return replace(found, smoothing=round(found.smoothing * 100) / 100 if found.smoothing < 0.99 else 1.0)


class UniformShareRounded(_Half):
    """epsilon/C is rounded to the half type, where wide rows lose it."""

    def uniform(self, ask: Ask) -> Any:
        return self.rounded(super().uniform(ask))


class WeightsInFloat32ForFloat64(Kernel):
    """Weights are kept in float32 beside float64 logits."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        with np.errstate(all="ignore"):
            return found.astype(np.float32).astype(found.dtype)


class UpstreamInFloat32ForFloat64(Kernel):
    """The upstream gradient of float64 passes through float32."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        with np.errstate(all="ignore"):
            return super().scale(ask, upstream.astype(np.float32).astype(upstream.dtype))


class TargetsInFloat32ForFloat64(Kernel):
    """Probability targets of float64 are kept in float32."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index:
            return super().coefficients(ask)
        q = ask.probabilities.astype(np.float32).astype(ask.x.dtype)
        return super().coefficients(replace(ask, probabilities=q))


class ExponentialInFloat32ForFloat64(Kernel):
    """exp has no double path."""

    def exp(self, x: Any) -> Any:
        with np.errstate(all="ignore"):
            return super().exp(x.astype(np.float32)).astype(x.dtype)


class LogarithmInFloat32ForFloat64(Kernel):
    """log has no double path."""

    def log(self, x: Any) -> Any:
        return super().log(x.astype(np.float32)).astype(x.dtype)


class LossesSummedInFloat32ForFloat64(Kernel):
    """Losses of float64 are reduced in float32."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none":
            return super().reduced(ask, losses)
        with np.errstate(all="ignore"):
            return super().reduced(ask, losses.astype(np.float32).astype(losses.dtype))


class DivisorInFloat32ForFloat64(Kernel):
    """The sum of the weights of float64 is kept in float32."""

    def divisor(self, ask: Ask) -> Any:
        return np.asarray(super().divisor(ask)).astype(np.float32).astype(ask.x.dtype)


class NllLossInFloat32ForFloat64(Kernel):
    """nll_loss of float64 is computed in float32."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        if log_probabilities.dtype != np.float64:
            return super().nll_loss(log_probabilities, targets, **options)
        with np.errstate(all="ignore"):
            narrow = log_probabilities.astype(np.float32)
        return super().nll_loss(narrow, targets, **options).astype(np.float64)


class Float16InsideFloat32(Kernel):
    """Tensor cores: float32 logits are multiplied in float16 (a half pass that nobody asked for)."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        if dtype is not None or array.dtype != np.float32:
            return x
        with np.errstate(all="ignore"):
            kept = x.astype(np.float16).astype(x.dtype)
        return np.where(np.isfinite(kept), kept, x)


class TenBitMantissaInFloat32(Kernel):
    """TF32: float32 logits keep 10 bits of their mantissa."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        if dtype is not None or array.dtype != np.float32:
            return x
        bits = np.ascontiguousarray(x).view(np.uint32)
        return np.where(np.isfinite(x), ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32), x)


class GradientTruncatedToBfloat16(Kernel):
    """The gradient of bfloat16 is cut instead of rounded."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if logits.dtype.name != "bfloat16":
            return value, gradient
        bits = gradient.view(np.uint16)
        return value, np.where(gradient.astype(np.float32) != 0, bits & np.uint16(0xFFFE), bits).view(gradient.dtype)


class HalfGradientLosesSubnormals(Kernel):
    """Gradients of float16 below the least normal number become 0, where keeping them is declared."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if logits.dtype != np.float16:
            return value, gradient
        return value, np.where(np.abs(gradient) < np.finfo(np.float16).tiny, np.float16(0), gradient)


class SmallProbabilitiesRounded(_Half):
    """The backward pass keeps small probabilities in float16: below what it holds they are 0, or have few bits."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        small = (p < np.finfo(np.float16).tiny) & (self.narrow == np.float16)
        return super().slope(ask, a, np.where(small, self.rounded(p), p))


class WeightedUpstreamLostInHalf(_Half):
    """The mean's upstream gradient is multiplied by the weight in the half type, then divided: small products are 0."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        found = super().scale(ask, upstream)
        if ask.weight is None or not ask.by_index or ask.reduction != "mean" or not ask.classes:
            return found
        product = upstream.reshape(-1, 1) * self.weights(ask)[ask.index][:, np.newaxis]
        return np.where((product != 0) & (self.rounded(product) == 0), 0, found)


class SubnormalProbabilitiesOfHalfAreZero(_Half):
    """Class probabilities that are subnormal in float16 are flushed: at a logit of -inf they cost nothing."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index and self.narrow == np.float16:
            q = ask.probabilities
            ask = replace(ask, probabilities=np.where(np.abs(q) < np.finfo(np.float16).tiny, 0, q).astype(q.dtype))
        return super().coefficients(ask)
