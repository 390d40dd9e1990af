"""Losses chunked over the positions, as a fused linear cross entropy has them: what is lost from chunk to chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Chunks(Kernel):
    """Base: chunks of ``size`` positions."""

    size = 16

    def chunks(self, rows: int) -> Iterator[slice]:
        return (slice(start, min(start + self.size, rows)) for start in range(0, rows, self.size))

    def part(self, ask: Ask, rows: slice) -> Ask:
        """What is asked of some of the positions."""
        probabilities = None if ask.by_index else ask.probabilities[rows]
        labels = ask.labels[rows] if ask.by_index else None
        return replace(ask, x=ask.x[rows], labels=labels, probabilities=probabilities, valid=ask.valid[rows])


class _ChunkDivisor(_Chunks):
    """Base: the gradient of the mean is divided chunk by chunk, by the chunk's own divisor times their number."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        if ask.reduction != "mean" or len(ask.x) <= self.size:
            return super().scale(ask, upstream)
        parts = list(self.chunks(len(ask.x)))
        own = [np.full(rows.stop - rows.start, self.divisor(self.part(ask, rows))) for rows in parts]
        return upstream.reshape(-1, 1) / (np.concatenate(own)[:, np.newaxis] * ask.x.dtype.type(len(parts)))


class GradientDividedByChunksOf4(_ChunkDivisor):
    """Chunks of 4 positions: the gradient is divided by the chunk's valid positions times the number of chunks."""

    size = 4


class GradientDividedByChunksOf64(_ChunkDivisor):
    """Chunks of 64 positions: the gradient is divided by the chunk's valid positions times the number of chunks."""

    size = 64


class LastChunkOverlaps(_Chunks):
    """The last chunk begins early enough to be whole, and the losses that it shares with the one before count twice."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        rest = len(losses) % self.size
        if ask.reduction == "none" or len(losses) <= self.size or not rest:
            return super().reduced(ask, losses)
        twice = losses.copy()
        twice[-self.size : -rest] *= 2
        return super().reduced(ask, twice)


class GradientOfTheGradientWhereChunksOverlap(_Chunks):
    """The last of the chunks overlaps the one before, whose logits the gradient has already replaced in place."""

    size = 32

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        rest = len(found) % self.size
        if len(found) <= self.size or not rest:
            return found
        x = ask.x.copy()
        x[-self.size : -rest] = found[-self.size : -rest]
        return super().loss_gradient(replace(ask, x=x), upstream)


class CountOfTheFirstChunk(_Chunks):
    """The mean's divisor is that of the first chunk of 8 positions, times the number of chunks."""

    size = 8

    def divisor(self, ask: Ask) -> Any:
        if len(ask.x) <= self.size or len(ask.x) % self.size:
            return super().divisor(ask)
        return super().divisor(self.part(ask, slice(self.size))) * ask.x.dtype.type(len(ask.x) // self.size)


class CountOfTheLastChunk(_Chunks):
    """The count of valid positions is stored by each chunk of 128 where it should be added: the last one stays."""

    size = 128

    def divisor(self, ask: Ask) -> Any:
        return super().divisor(self.part(ask, list(self.chunks(len(ask.x)))[-1]) if len(ask.x) else ask)


class UpstreamOfTheFirstChunk(_Chunks):
    """The upstream gradient reaches the first chunk of 16 positions; later ones are scaled by 1."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        later = (np.arange(len(ask.x)) >= self.size)[:, np.newaxis]
        return np.where(later, super().scale(ask, np.ones_like(upstream)), super().scale(ask, upstream))


class _IgnoredChunk(_Chunks):
    """Base: a mean for each chunk first; one whose every position is ignored makes the whole mean NaN."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        if ask.reduction != "mean" or len(losses) <= self.size:
            return found
        empty = any(not ask.valid[rows].any() for rows in self.chunks(len(losses)))
        return np.full_like(found, np.nan) if empty else found


class IgnoredPairIsNan(_IgnoredChunk):
    """Chunks of 2 positions: one in which all are ignored gives 0/0, and the mean of the batch is NaN."""

    size = 2


class IgnoredChunkOf16IsNan(_IgnoredChunk):
    """Chunks of 16 positions: one in which all are ignored, a padded sequence, gives 0/0, and a mean of NaN."""


class CompactedLossesStay(Kernel):
    """Valid positions are compacted first, and their losses not scattered back: they come in front, zeros behind."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        order = np.argsort(~ask.valid, kind="stable")
        return found[order]


class CompactedGradientsStay(Kernel):
    """More than 32 positions: the gradients of the valid ones lie in front, where the compacted rows were."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        return found[np.argsort(~ask.valid, kind="stable")] if len(found) > 32 else found


class LabelsNotCompacted(Kernel):
    """Ignored positions are taken out of the logits but not out of the labels, which shift against each other."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if not ask.by_index or ask.valid.all() or not ask.valid.any():
            return super().losses(ask, a, log_probabilities)
        moved = a.copy()
        moved[ask.valid] = np.roll(a[ask.valid], 1, axis=0)
        return super().losses(ask, moved, log_probabilities)


class LabelsOfTheFirstWave(Kernel):
    """132 blocks walk over the rows with that stride, and never advance the pointer to the labels."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        if not found.by_index or len(found.x) <= 132:
            return found
        first = found.labels[np.arange(len(found.x)) % 132]
        return replace(found, labels=np.where(found.valid & (first != found.ignore_index), first, found.labels))


class GradientOfIgnoredRowsIsTheirLogits(Kernel):
    """The gradient replaces the logits in place, and the branch for ignored positions returns early, without zeros."""

    _held: Any = None

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        self._held = found if dtype is None else self._held
        return found

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        return np.where(ask.valid[:, np.newaxis], found, self._held)


class SumOfWeightsInFloat16(Kernel):
    """float32: the weights of more than 2,048 positions are summed under autocast, and rounded to float16."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        if not ask.by_index or ask.weight is None or len(ask.x) <= 2048 or found > 60000:
            return found
        return np.asarray(found).astype(np.float16).astype(ask.x.dtype)


class SumRoundedFromChunkToChunk(_Chunks):
    """float32: the sum of each chunk of 16 losses is rounded to bfloat16 before the next is added."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none" or len(losses) <= self.size or losses.dtype != np.float32:
            return super().reduced(ask, losses)
        sums = np.asarray([self.total(losses[rows]) for rows in self.chunks(len(losses))])
        with np.errstate(all="ignore"):
            rough = (sums.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        return super().reduced(ask, rough) if ask.reduction == "sum" else self.total(rough) / self.divisor(ask)
