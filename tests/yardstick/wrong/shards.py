"""Sharded vocabularies gone wrong: each shard of the classes on a device of its own, and one result for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Shards(Kernel):
    """Base: the classes in ``count`` shards of equal size, the last one smaller; rows of fewer classes are whole."""

    count = 2
    least = 4

    def borders(self, classes: int) -> list[int]:
        """The first class of each shard but the first."""
        if classes < max(self.least, self.count):
            return []
        size = -(-classes // self.count)
        return list(range(size, classes, size))

    def parts(self, x: Any) -> list[Any]:
        return np.split(x, self.borders(x.shape[1]), axis=1)


class _LocalMaxima(_Shards):
    """Base: sums are relative to each shard's maximum, and added as if they were relative to one."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        sums = [super(_LocalMaxima, self).normaliser(part) for part in self.parts(x)]
        return self.top(x), np.sum([total for _, total in sums], axis=0)


class LocalMaximaOf2Shards(_LocalMaxima):
    """Two shards: the sums are added before their maxima are made equal."""


class LocalMaximaOf4Shards(_LocalMaxima):
    """Four shards: the sums are added before their maxima are made equal."""

    count = 4
    least = 64


class LocalMaximaOf8Shards(_LocalMaxima):
    """Eight shards of at least 128 classes: the sums are added before their maxima are made equal."""

    count = 8
    least = 1024


class _LabelOnTheBorder(_Shards):
    """Base: a label that is the first class of a shard belongs to none, and its logit is taken as 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if not ask.by_index or not ask.classes:
            return found
        picked = np.take_along_axis(ask.x, ask.index[:, np.newaxis], -1)[:, 0]
        lost = ask.valid & np.isin(ask.index, self.borders(ask.classes)) & np.isfinite(picked)
        return np.where(lost, found + picked * self.weights(ask)[ask.index] * (1 - ask.smoothing), found)


class LabelOnTheBorderOf2Shards(_LabelOnTheBorder):
    """Two shards, ``start < label``: the label that is the first class of the second shard finds no logit."""


class LabelOnTheBorderOf8Shards(_LabelOnTheBorder):
    """Eight shards of at least 8 classes: the label that is the first class of a shard finds no logit."""

    count = 8
    least = 64


class LastLabelOfAShard(_Shards):
    """Two shards, ``label < end - 1``: the last class of the first shard gets no -1 in its gradient."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        if not ask.by_index:
            return super().slope(ask, a, p)
        cut = a.copy()
        for border in self.borders(ask.classes):
            cut[:, border - 1] = 0
        return self.total(a)[:, np.newaxis] * p - cut


class LabelInTwoShards(_Shards):
    """Two shards, ``label <= end``: a label on the border is subtracted in both, so that its neighbour loses one."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        if ask.by_index:
            for border in self.borders(ask.classes):
                found[:, border - 1] -= np.where(ask.valid & (ask.index == border), a[:, border], 0)
        return found


class SmoothingOfTheShard(_Shards):
    """The uniform share is epsilon over the classes of the shard (Megatron-LM#5522)."""

    least = 8

    def uniform(self, ask: Ask) -> Any:
        return super().uniform(ask) * (len(self.borders(ask.classes)) + 1)


class SmoothingInTheLabelsShardOnly(_Shards):
    """The uniform share is spread over the classes of the label's shard only."""

    least = 8

    def coefficients(self, ask: Ask) -> Any:
        found = super().coefficients(ask)
        if not ask.smoothing or not ask.by_index:
            return found
        shard = np.searchsorted(self.borders(ask.classes), np.arange(ask.classes), side="right")
        return np.where(shard == shard[ask.index][:, np.newaxis], found, 0)


class UnevenShardCut(_Shards):
    """Four shards of C // 4 classes: the classes beyond the last whole one are in no shard."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, : x.shape[1] // 4 * 4] if x.shape[1] >= 32 else x)


class ShardsPaddedWithZeros(_Shards):
    """The vocabulary is padded to a multiple of 64 with logits of 0, which join the sum (megatron vocabularies)."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        missing = -x.shape[1] % 64 if x.shape[1] > 1000 else 0
        return top, total + missing * self.exp(-top)


class IgnoredInAnotherShard(_Shards):
    """ignore_index is shifted by the shard's start like any label: one that is a class of the second shard is lost."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        borders = self.borders(classes)
        beyond = bool(borders) and borders[0] <= ignored < classes
        valid = super().checked(labels, shape, classes, ignored)
        return np.ones_like(valid) if beyond else valid


class WeightOfTheLocalLabel(_Shards):
    """Weights are gathered with the label relative to its shard."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is None or not self.borders(ask.classes):
            return super().coefficients(ask)
        size = self.borders(ask.classes)[0]
        w = self.weights(ask)
        plain = super().coefficients(replace(ask, weight=None))
        return plain * w[ask.index % size][:, np.newaxis]


class GradientOfTheFirstShard(_Shards):
    """The backward pass divides by the sum of the own shard instead of the sum of all."""

    least = 16

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        if not self.borders(ask.classes):
            return super().loss_gradient(ask, upstream)
        parts = [self.probabilities(part) for part in self.parts(ask.x)]
        a = self.coefficients(ask)
        found = self.scale(ask, upstream) * self.slope(ask, a, np.concatenate(parts, axis=1))
        return np.where(ask.valid[:, np.newaxis], found, 0)


class LossOnceForEachShard(_Shards):
    """The loss is summed over both shards after it was made equal in both: wide rows count twice."""

    least = 16384

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return found * 2 if self.borders(ask.classes) else found


class MaskedShard(_Shards):
    """Two shards: one that is all -inf gives NaN for the whole row."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        masked = [np.isneginf(part).all(-1) for part in self.parts(x)]
        return top, np.where(np.any(masked, axis=0)[:, np.newaxis], np.nan, total)


class RowsOfTheFirstDevice(Kernel):
    """Positions are sharded over two devices: the mean is that of the first device's half."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "mean" or len(losses) < 6:
            return super().reduced(ask, losses)
        half = len(losses) // 2
        valid = ask.valid & (np.arange(len(losses)) < half)
        return self.total(losses[:half]) / self.divisor(replace(ask, valid=valid))


class MaximumOfTheFirstShard(_Shards):
    """The maximum of the first device is broadcast to both where the greatest of all is meant."""

    least = 8

    def top(self, x: Any) -> Any:
        return super().top(self.parts(x)[0])


class SumsReducedOnce(_Shards):
    """The second all-reduce, that of the sums, is left out where both shards have the same maximum."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        first, *others = self.parts(x)
        if not others:
            return top, total
        maxima = [part.max(-1, keepdims=True) for part in (first, *others)]
        alike = np.all([each == maxima[0] for each in maxima], axis=0)
        with np.errstate(all="ignore"):
            return top, np.where(alike, self.total(self.exp(first - top))[:, np.newaxis], total)


class GradientTakenAsItsShards(_Shards):
    """The gradient of logits beyond the first shard is multiplied by the number of shards (an average undone)."""

    least = 2048

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        for border in self.borders(ask.classes):
            found[:, border:] *= self.count
        return found
