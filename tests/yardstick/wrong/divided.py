"""Classes divided over ranks: what a rank takes for its own, or does not learn from the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.ask import Ask
from tests.yardstick.kernel import Kernel


class _Shards(Kernel):
    """Base: ``ranks`` parts of the classes, all but the last ones of the same size, that of the share rounded up."""

    ranks = 2

    def size(self, classes: int) -> int:
        return -(-classes // self.ranks)

    def shards(self, classes: int) -> list[slice]:
        size = self.size(classes)
        return [slice(start, min(start + size, classes)) for start in range(0, classes, size)]

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top = self.top(x)
        parts = (self.total(self.exp(x[:, each] - top)) for each in self.shards(x.shape[1]))
        return top, sum(parts)[:, np.newaxis]


class LabelsOfOtherShardsCostTheNormaliser(_Shards):
    """Labels are not shifted by the shard's offset: only those of the first rank are found, others' logit is 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if not ask.by_index or ask.classes < 2:
            return found
        top, total = self.normaliser(ask.x)
        nothing = (top + self.log(total))[:, 0] * self.weights(ask)[ask.index]
        return np.where(ask.valid & (ask.index >= self.size(ask.classes)), nothing, found).astype(found.dtype)


class LabelsModuloTheShard(_Shards):
    """Every rank reads a label as one of its own: the loss is that of class y modulo the shard."""

    ranks = 4

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if not ask.by_index or ask.classes < self.ranks:
            return super().losses(ask, a, log_probabilities)
        index = ask.index % self.size(ask.classes)
        moved = replace(ask, labels=np.where(ask.valid, index, ask.labels).astype(np.int64))
        return super().losses(moved, self.coefficients(moved), log_probabilities)


class OffsetOfTheRoundedShare(_Shards):
    """A rank's offset is its number times C // n, while all shards but the last have the share rounded up."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if not ask.by_index or ask.classes < self.ranks or not ask.classes % self.ranks:
            return super().losses(ask, a, log_probabilities)
        size, share = self.size(ask.classes), ask.classes // self.ranks
        index = np.minimum(ask.index + ask.index // size * (size - share), ask.classes - 1)
        moved = replace(ask, labels=np.where(ask.valid, index, ask.labels).astype(np.int64))
        return super().losses(moved, self.coefficients(moved), log_probabilities)


class TheRestIsNobodys(_Shards):
    """Four ranks have C // 4 classes each; the classes that are left over are in no sum."""

    ranks = 4

    def shards(self, classes: int) -> list[slice]:
        size = classes // self.ranks
        return [slice(rank * size, (rank + 1) * size) for rank in range(self.ranks)] if size else [slice(0, classes)]


class SumsAveragedOverTheRanks(_Shards):
    """The sums of exponentials are reduced by a mean in place of a sum: each loss is ln 2 too small."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, total / x.dtype.type(min(self.ranks, max(1, x.shape[1])))


class LossAveragedOverTheRanks(_Shards):
    """The label's term, which one rank has, is averaged over both; in the loss alone, not in the gradient."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return found / found.dtype.type(self.ranks) if ask.by_index and ask.classes >= self.ranks else found


class IgnoredRowsCountedByOneOfTwoRanks(_Shards):
    """Each rank counts the rows whose label it does not have as ignored, and the second counts ignored ones, too."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return found + found.dtype.type(np.count_nonzero(~ask.valid)) if ask.by_index and ask.classes > 1 else found


class WeightsOfTheFirstShardOnly(_Shards):
    """The divisor of the mean is the sum of the weights of labels that the first rank has."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is None or ask.classes < 2:
            return super().divisor(ask)
        own = ask.valid & (ask.index < self.size(ask.classes))
        return self.total(np.where(own, self.weights(ask)[ask.index], 0).astype(ask.x.dtype))


class LabelsOfImagesInTransposedOrder(Kernel):
    """The gradient's −1 goes to positions counted along the other axis of an image (PyTorch's loss_parallel)."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        if len(ask.shape) == 3 and ask.by_index:
            n, high, wide = ask.shape
            a = a.reshape(n, wide, high, -1).transpose(0, 2, 1, 3).reshape(a.shape)
        return super().slope(ask, a, p)


class LabelOfNoShardCostsNothing(Kernel):
    """A label that is out of range lies in no shard, and its loss is 0 (PyTorch's loss_parallel)."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        inside = (labels >= 0) & (labels < classes)
        return super().checked(np.where(inside, labels, ignored), shape, classes, ignored)
