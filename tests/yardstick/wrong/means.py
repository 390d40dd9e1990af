"""Means over the wrong things."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _MeanOfChunks(Kernel):
    """Base: the mean of the means of ``size`` positions each, as of micro-batches or devices."""

    size = 2

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "mean" or losses.size <= self.size:
            return super().reduced(ask, losses)
        means = []
        for start in range(0, losses.size, self.size):
            inside = np.arange(losses.size)
            valid = ask.valid & (inside >= start) & (inside < start + self.size)
            divisor = self.divisor(replace(ask, valid=valid)) if ask.by_index else min(self.size, losses.size - start)
            means.append(self.total(losses[start : start + self.size]) / divisor)
        return self.total(np.asarray(means, losses.dtype)) / losses.dtype.type(len(means))


class MeanOfPairs(_MeanOfChunks):
    """The mean of the means of two positions each: an odd one counts twice."""


class MeanOfMicroBatches(_MeanOfChunks):
    """The mean of the means of four positions each (gradient accumulation)."""

    size = 4


class MeanOfLargeChunks(_MeanOfChunks):
    """The mean of the means of 64 positions each."""

    size = 64


class PositionsOfWeightZeroNotCounted(Kernel):
    """The mean leaves positions whose weight is 0 out of the count, and counts the others as 1."""

    def divisor(self, ask: Ask) -> Any:
        if ask.weight is None or not ask.by_index or not ask.classes:
            return super().divisor(ask)
        return self.total((ask.valid & (ask.weight[ask.index] != 0)).astype(ask.x.dtype))


class OneLess(Kernel):
    """The mean divides by N - 1."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return found - 1 if len(ask.x) > 1 and ask.weight is None else found


class DenominatorOfSmoothedWeights(Kernel):
    """With smoothing the denominator is the sum of all coefficients, the uniform share included."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.smoothing or not ask.by_index or ask.weight is None:
            return super().divisor(ask)
        return self.total(self.total(self.coefficients(ask)))


class DenominatorShrinksWithSmoothing(Kernel):
    """With smoothing the denominator is multiplied by 1 - epsilon."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return found * ask.x.dtype.type(1 - ask.smoothing) if ask.smoothing < 1 else found


class ProbabilityMeanOverTheirSum(Kernel):
    """The mean of probability targets is divided by the sum of the targets."""

    def divisor(self, ask: Ask) -> Any:
        return super().divisor(ask) if ask.by_index else self.total(self.total(ask.probabilities))


class ProbabilityMeanOverValidRows(Kernel):
    """The mean of probability targets leaves rows out whose targets are all 0."""

    def divisor(self, ask: Ask) -> Any:
        if ask.by_index:
            return super().divisor(ask)
        return self.total((ask.probabilities != 0).any(-1).astype(ask.x.dtype))


class ProbabilityMeanOverTheFirstAxis(Kernel):
    """The mean of probability targets of segmentation shapes is divided by the batch extent."""

    def divisor(self, ask: Ask) -> Any:
        if ask.by_index or len(ask.shape) < 2:
            return super().divisor(ask)
        return ask.x.dtype.type(ask.shape[0])


class _GradientDivisor(Kernel):
    """Base: the loss is divided rightly, the gradient by :meth:`other`."""

    def other(self, ask: Ask) -> Any:
        raise NotImplementedError

    def scale(self, ask: Ask, upstream: Any) -> Any:
        if ask.reduction != "mean":
            return super().scale(ask, upstream)
        return upstream.reshape(-1, 1) / self.other(ask)


class GradientDividedByTheBatch(_GradientDivisor):
    """The gradient of the mean of segmentation shapes is divided by the batch extent only."""

    def other(self, ask: Ask) -> Any:
        return ask.x.dtype.type(ask.shape[0]) if len(ask.shape) > 1 else self.divisor(ask)


class GradientDividedByTheCount(_GradientDivisor):
    """The gradient of the weighted mean is divided by the number of valid positions."""

    def other(self, ask: Ask) -> Any:
        return self.total(ask.valid.astype(ask.x.dtype)) if ask.by_index else self.divisor(ask)


class GradientCountsTheIgnored(_GradientDivisor):
    """The gradient of the mean counts ignored positions in, the loss does not."""

    def other(self, ask: Ask) -> Any:
        return ask.x.dtype.type(len(ask.x)) if ask.weight is None else self.divisor(ask)


class GradientDividedByClasses(_GradientDivisor):
    """The gradient of the mean is divided by the classes, where these are as many as the positions it goes unseen."""

    def other(self, ask: Ask) -> Any:
        return ask.x.dtype.type(max(ask.classes, 1)) if ask.weight is None else self.divisor(ask)


class GradientOfTheProbabilityMean(_GradientDivisor):
    """The gradient of the mean of probability targets is divided by all elements."""

    def other(self, ask: Ask) -> Any:
        return self.divisor(ask) if ask.by_index else ask.x.dtype.type(max(ask.x.size, 1))


class NllLossGradientCountsTheIgnored(Kernel):
    """nll_loss: the gradient of the mean counts ignored positions in."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        if ask.reduction != "mean" or ask.weight is not None:
            return found
        return found * (self.divisor(ask) / ask.x.dtype.type(max(len(ask.x), 1)))


class NanmeanOfTheLosses(Kernel):
    """sum and mean leave NaN losses out."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, np.where(np.isnan(losses), 0, losses) if ask.reduction != "none" else losses)


class InfiniteLossesLeftOut(Kernel):
    """sum and mean leave infinite losses out."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, np.where(np.isinf(losses), 0, losses) if ask.reduction != "none" else losses)


class NegativeLossesLeftOut(Kernel):
    """sum and mean leave negative losses out, which negative weights or targets give."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, np.where(losses < 0, 0, losses) if ask.reduction != "none" else losses)


class MedianOfFive(Kernel):
    """The mean of more than four losses leaves out the greatest (trimmed against outliers)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "mean" or losses.size < 5 or not np.isfinite(losses).all():
            return super().reduced(ask, losses)
        kept = losses.copy()
        kept[losses.argmax()] = 0
        return super().reduced(ask, kept)


class MeanOfNothingIsInfinite(Kernel):
    """All positions ignored: the mean is inf where NaN is declared."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        nothing = ask.by_index and losses.size and not ask.valid.any() and ask.reduction == "mean"
        return np.full_like(found, np.inf) if nothing else found


class MeanOfWeightZeroIsZero(Kernel):
    """Weights that sum to 0 give a mean of 0 where NaN is declared; all ignored still gives NaN."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        weightless = ask.reduction == "mean" and ask.weight is not None and ask.valid.any() and self.divisor(ask) == 0
        return np.zeros_like(found) if weightless else found


class GradientOfNothingIsNan(Kernel):
    """All positions ignored: the gradient of the mean is NaN where 0 is declared."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        nothing = ask.by_index and len(ask.x) and not ask.valid.any() and ask.reduction == "mean"
        return found * np.nan if nothing else found


class MeanOfAnIgnoredImageIsNan(Kernel):
    """A mean for each image first: one whose every pixel is ignored makes the whole mean NaN."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        if ask.reduction != "mean" or len(ask.shape) < 2 or not ask.by_index or not ask.valid.any():
            return found
        return found * np.nan if (~ask.valid.reshape(ask.shape[0], -1)).all(1).any() else found
