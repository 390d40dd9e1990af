"""The upstream gradient misused."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class UpstreamsMean(Kernel):
    """Every position is scaled by the mean of the upstream gradient."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.full_like(upstream, upstream.mean()) if upstream.size else upstream)


class UpstreamsSignOnly(Kernel):
    """Only the sign of the upstream gradient is used."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.sign(upstream))


class UpstreamSquared(Kernel):
    """The upstream gradient is multiplied into itself, its sign kept."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, upstream * np.abs(upstream))


class UpstreamOfOnesUnderMean(Kernel):
    """The mean's upstream gradient is taken to be 1; those of none and sum are read."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.ones_like(upstream) if ask.reduction == "mean" else upstream)


class UpstreamOfOnesUnderSum(Kernel):
    """The sum's upstream gradient is taken to be 1; those of none and mean are read."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.ones_like(upstream) if ask.reduction == "sum" else upstream)


class UpstreamOfOnesUnderNone(Kernel):
    """Without reduction the upstream gradient is taken to be ones; those of sum and mean are read."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.ones_like(upstream) if ask.reduction == "none" else upstream)


class UpstreamReversed(Kernel):
    """The upstream gradient is read from its end."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, upstream.reshape(-1)[::-1].reshape(upstream.shape))


class UpstreamTransposed(Kernel):
    """The upstream gradient of positions on two axes is read column by column."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, upstream.T.reshape(upstream.shape) if upstream.ndim == 2 else upstream)


class UpstreamBroadcastOverTheBatch(Kernel):
    """Segmentation: the upstream gradient of the first image serves all images."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        if upstream.ndim > 1:
            upstream = np.broadcast_to(upstream[:1], upstream.shape)
        return super().scale(ask, upstream)


class UpstreamBroadcastOverThePixels(Kernel):
    """Segmentation: the upstream gradient of the first pixel serves the whole image."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        if upstream.ndim > 1:
            first = upstream.reshape(len(upstream), -1)[:, :1]
            upstream = np.broadcast_to(first, (len(upstream), ask.x.shape[0] // max(len(upstream), 1)))
        return super().scale(ask, upstream)


class UpstreamOnTheSoftmaxOnly(Kernel):
    """The upstream gradient scales the softmax but not the one-hot part."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        a = self.coefficients(ask)
        one = self.scale(ask, np.ones_like(upstream))
        p = self.probabilities(ask.x)
        found = self.scale(ask, upstream) * self.slope(ask, a, p) + (self.scale(ask, upstream) - one) * a
        return np.where(ask.valid[:, np.newaxis], found, 0)


class UpstreamRoundedToFloat16(Kernel):
    """The upstream gradient is stored in float16."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, upstream.astype(np.float16).astype(upstream.dtype))


class UpstreamCutToIntegers(Kernel):
    """The upstream gradient passes through an integer register."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.trunc(upstream))


class UpstreamClippedToOne(Kernel):
    """The upstream gradient is clipped to [-1, 1] (gradient clipping in the wrong place)."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.clip(upstream, -1, 1))


class NegativeUpstreamDropped(Kernel):
    """Negative upstream gradients count as 0."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.maximum(upstream, 0))


class UpstreamMultipliesRoundedGradients(Kernel):
    """The gradient for an upstream gradient of 1 is rounded to the half type, then scaled: small ones are lost."""

    narrow: Any = np.float32

    def compute(self, dtype: Any) -> Any:
        self.narrow = dtype
        return super().compute(dtype)

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p) / self.divisor(ask)
        kept = found.astype(self.narrow).astype(found.dtype) * self.divisor(ask)
        return kept if ask.reduction == "mean" else super().slope(ask, a, p)


class NllUpstreamOfTheFirstPosition(Kernel):
    """nll_loss: the first element of the upstream gradient serves all positions."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        first = upstream.reshape(-1)[:1] if upstream.size else upstream.reshape(-1)
        return super().nll_gradient(ask, np.broadcast_to(first, upstream.shape) if upstream.size else upstream)


class NllUpstreamTakenForOnes(Kernel):
    """nll_loss: the upstream gradient is never read."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        return super().nll_gradient(ask, np.ones_like(upstream))


class NllUpstreamNotDivided(Kernel):
    """nll_loss: the gradient of the mean is that of the sum."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        return found * self.divisor(ask) if ask.reduction == "mean" else found


class SoftmaxUpstreamsSum(Kernel):
    """softmax: the dot product with the upstream gradient is taken without the probabilities."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return p * (v - v.mean(-1, keepdims=True))


class SoftmaxUpstreamOfTheFirstRow(Kernel):
    """softmax: the upstream gradient of the first position serves all."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return super().softmax_gradient(p, np.broadcast_to(v[:1], v.shape) if len(v) else v)


class SoftmaxDotOverTheBatch(Kernel):
    """softmax: the dot product in the gradient runs over the positions too."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return p * (v - (p * v).sum())


class LogSoftmaxUpstreamSummedOverTheBatch(Kernel):
    """log_softmax: the sum of the upstream gradient runs over the positions too."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return v - p * v.sum()


class LogSoftmaxGradientWithoutProbabilities(Kernel):
    """log_softmax: the mean of the upstream gradient is subtracted, whatever the probabilities."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return v - v.mean(-1, keepdims=True)


class LogSoftmaxUpstreamsAbsoluteSum(Kernel):
    """log_softmax: the sum of |v| where the sum of v is meant."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return v - p * self.total(np.abs(v))[:, np.newaxis]


class UpstreamOfSoftmaxInHalf(Kernel):
    """softmax: the product of probability and upstream gradient is rounded to float16 before it is summed."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        with np.errstate(all="ignore"):
            product = (p * v).astype(np.float16).astype(p.dtype)
        return p * (v - self.total(product)[:, np.newaxis])


class PositionsOfNoUpstreamSkipped(Kernel):
    """Positions whose upstream gradient is 0 are skipped, and their gradient is what the buffer held: the logits."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        v = upstream.reshape(-1, 1)
        return np.where(v == 0, ask.x, found) if len(v) == len(found) > 1 else found


class FalsyUpstream(Kernel):
    """``upstream or ones``: an upstream gradient of nothing but 0 is taken for one that was not given."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, upstream if upstream.any() else np.ones_like(upstream))
