"""Reductions and their denominators gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


class MeanOverAll(Kernel):
    """The mean is divided by all positions, the ignored ones included (TransformerEngine#2476, keras#18818)."""

    def divisor(self, ask: Ask) -> Any:
        if ask.weight is not None or not ask.by_index:
            return super().divisor(ask)
        return ask.x.dtype.type(len(ask.x))


class WeightedMeanOverCount(Kernel):
    """With weights the mean is divided by the number of valid positions, not by the sum of their weights
    (pytorch#40560).
    """

    def divisor(self, ask: Ask) -> Any:
        return self.total(ask.valid.astype(ask.x.dtype))


class WeightedMeanOverAll(Kernel):
    """With weights the mean is divided by N."""

    def divisor(self, ask: Ask) -> Any:
        return super().divisor(ask) if ask.weight is None else ask.x.dtype.type(len(ask.x))


class WeightsOfIgnoredPositionsCount(Kernel):
    """The denominator gathers a weight for ignored positions too, that of class 0 (pytorch#69339)."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.by_index or not ask.classes:
            return super().divisor(ask)
        return self.total(self.weights(ask)[ask.index])


class DividedByAllWeights(Kernel):
    """The denominator is the sum of the weight vector, whatever the targets."""

    def divisor(self, ask: Ask) -> Any:
        return super().divisor(ask) if ask.weight is None or not ask.by_index else self.total(ask.weight)


class MeanOfMeans(Kernel):
    """A mean per sample, then the mean of these: samples with fewer valid positions weigh too much
    (transformers#34191).
    """

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "mean" or not ask.by_index or len(ask.shape) < 2 or not losses.size:
            return super().reduced(ask, losses)
        table = losses.reshape(ask.shape[0], -1)
        w = np.where(ask.valid, self.weights(ask)[ask.index], 0).reshape(table.shape)
        return (self.total(table) / self.total(w)).mean()


class MeanOverTheBatchAxis(Kernel):
    """The sum is divided by the first extent only, as for a batch without further axes."""

    def divisor(self, ask: Ask) -> Any:
        return ask.x.dtype.type(ask.shape[0]) if len(ask.shape) > 1 else super().divisor(ask)


class MeanDividedTwice(Kernel):
    """Averaged in the kernel and again outside (YOLOv3#137)."""

    def divisor(self, ask: Ask) -> Any:
        return super().divisor(ask) ** 2


class MeanOverClassesToo(Kernel):
    """mean() over the one-hot products: divided by N times C."""

    def divisor(self, ask: Ask) -> Any:
        return super().divisor(ask) * max(ask.classes, 1)


class AllIgnoredGivesZero(Kernel):
    """The denominator is clamped to at least 1: all positions ignored gives 0 where NaN is declared (pytorch#64572)."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return np.where(found == 0, found.dtype.type(1), found)


class DenominatorAtLeastOne(Kernel):
    """The denominator is clamped to at least 1: weights that sum to less are not divided out."""

    def divisor(self, ask: Ask) -> Any:
        return np.maximum(super().divisor(ask), ask.x.dtype.type(1))


class DenominatorPlusEpsilon(Kernel):
    """1e-5 is added to the denominator against division by zero."""

    def divisor(self, ask: Ask) -> Any:
        return super().divisor(ask) + ask.x.dtype.type(1e-5)


class DenominatorOfAbsoluteWeights(Kernel):
    """The denominator sums |w|: negative weights do not cancel."""

    def divisor(self, ask: Ask) -> Any:
        if ask.weight is None or not ask.by_index:
            return super().divisor(ask)
        return self.total(np.where(ask.valid, np.abs(ask.weight)[ask.index], 0))


class ZeroWeightTakenForIgnored(Kernel):
    """Positions whose loss is exactly 0 are counted as ignored."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "mean" or not ask.by_index or ask.weight is not None:
            return super().reduced(ask, losses)
        return self.total(losses) / self.total((losses != 0).astype(losses.dtype))


class ProbabilityMeanOverWeights(Kernel):
    """Probability targets with weights: divided by the sum of w·q instead of N (pytorch#61309)."""

    def divisor(self, ask: Ask) -> Any:
        if ask.by_index or ask.weight is None:
            return super().divisor(ask)
        return self.total(self.total(ask.weight * ask.probabilities))


class SumIsMean(Kernel):
    """reduction="sum" averages."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        return found / self.divisor(ask) if ask.reduction == "sum" else found


class DefaultIsSum(Kernel):
    """A reduction that is left out is "sum"."""

    def given(self, given: Given) -> Given:
        return replace(given, reduction="sum") if given.reduction is None else given


class BatchOfOneNotReduced(Kernel):
    """A single position keeps its axis under sum and mean."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        return found.reshape(1) if ask.reduction != "none" and losses.size == 1 else found


class EmptyBatchGivesAnEmptyMean(Kernel):
    """An empty batch gives an array of shape (0,) for its mean (Keras)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return losses.reshape(-1) if ask.reduction == "mean" and not losses.size else super().reduced(ask, losses)


class EmptyBatchGivesZero(Kernel):
    """The mean of an empty batch is 0 where NaN is declared."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, losses) if losses.size else np.zeros(ask.shape if ask.reduction == "none" else ())


class WeightsUncountedWhereAllIsSmoothed(Kernel):
    """Smoothing of 1 leaves nothing to the label: the mean is divided by the count, not by the labels' weights."""

    def divisor(self, ask: Ask) -> Any:
        if ask.by_index and ask.smoothing == 1 and ask.weight is not None:
            return ask.x.dtype.type(ask.valid.sum())
        return super().divisor(ask)
