"""Sums gone wrong: accumulators too narrow, lanes skipped, blocks merged with the wrong maximum."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel
from tests.yardstick.sound import Online, Sequential


class _Narrow(Sequential):
    """Base: knows the dtype of the input that is computed with, beside that of the intermediates."""

    narrow: Any = np.float32

    def compute(self, dtype: Any) -> Any:
        self.narrow = dtype
        return super().compute(dtype)


class HalfAccumulator(_Narrow):
    """Sums of half types are rounded to the half type after each term: 512 equal bfloat16 logits stick
    (executorch#20089).
    """

    def total(self, terms: Any) -> Any:
        if np.dtype(self.narrow).itemsize != 2:
            return super().total(terms)
        if not terms.shape[-1]:
            return np.zeros(terms.shape[:-1], terms.dtype)
        rounded = terms.astype(self.narrow)
        return np.add.accumulate(rounded, axis=-1, dtype=self.narrow)[..., -1].astype(terms.dtype)


class SumStoredInHalf(_Narrow):
    """The sum of exponentials is rounded to the input's dtype: 65,536 terms overflow float16 (torch, jax, tf
    log_softmax).
    """

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, total.astype(self.narrow).astype(x.dtype)


class MeanOverflowsInHalf(_Narrow):
    """The sum before the mean is stored in the input's dtype: 70,000 float16 losses overflow (pytorch#61523)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "mean":
            return super().reduced(ask, losses)
        return self.total(losses).astype(self.narrow).astype(losses.dtype) / self.divisor(ask)


class CountStoredInHalf(_Narrow):
    """The number of positions is counted in the input's dtype: float16 overflows, bfloat16 sticks at 256."""

    def divisor(self, ask: Ask) -> Any:
        return np.asarray(super().divisor(ask)).astype(self.narrow).astype(ask.x.dtype)


class NormaliserInBfloat16(_Narrow):
    """The logarithm of the sum is rounded to the half type before it is subtracted (optax#1020)."""

    def log(self, x: Any) -> Any:
        return super().log(x).astype(self.narrow).astype(x.dtype)


class TargetLogitInHalf(_Narrow):
    """The maximum-shifted logits are rounded to the half type while the sum is not (unsloth#1254)."""

    def log_probabilities(self, x: Any) -> Any:
        top, total = self.normaliser(x)
        return (x - top).astype(self.narrow).astype(x.dtype) - self.log(total)


class Float32ForFloat64(Kernel):
    """The kernel has no float64 path: it computes in float32 and converts (TF32-like scalars, Liger#1362)."""

    def compute(self, dtype: Any) -> Any:
        return np.dtype(np.float32)


class Float32ScalarsInFloat64(Kernel):
    """The scale of the gradient goes through a float32 scalar (Liger#1362)."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, upstream).astype(np.float32).astype(ask.x.dtype)


class TailMissesTheMaximum(Kernel):
    """The maximum is taken over whole vectors of 8 lanes; the tail is summed but never compared."""

    def top(self, x: Any) -> Any:
        whole = x.shape[1] // 8 * 8
        return x[:, : whole or x.shape[1]].max(-1, keepdims=True)


class TailMissesTheSum(Kernel):
    """A tail of C mod 4 classes is left out of the sum of exponentials."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, _ = super().normaliser(x)
        whole = x.shape[1] // 4 * 4 or x.shape[1]
        return top, self.total(self.exp(x[:, :whole] - top))[:, np.newaxis]


class LastClassMissesTheSum(Kernel):
    """An off-by-one loop bound leaves the last class out of a sum of more than 128 exponentials."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        if x.shape[1] <= 128:
            return top, total
        return top, self.total(self.exp(x[:, :-1] - top))[:, np.newaxis]


class PaddingJoinsTheSum(Kernel):
    """Masked lanes of the last vector hold 0 instead of -inf and join the sum."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, total + (-x.shape[1] % 8 if x.shape[1] > 8 else 0) * self.exp(-top)


class BlocksMergedWithoutRescaling(Online):
    """The sums of the blocks are added although each is relative to its own maximum."""

    def merged(self, total: Any, top: Any, higher: Any) -> Any:
        return total


class BlocksMergedWithTheWrongSign(Online):
    """The rescaling factor is exp(new - old) instead of exp(old - new)."""

    def merged(self, total: Any, top: Any, higher: Any) -> Any:
        return np.where(total == 0, 0, total * self.exp(higher - top)).astype(total.dtype)


class LeadingBlockOfMinusInfinity(Online):
    """A first block that is all -inf gives -inf - -inf, and NaN from there on (flash-attention#1930)."""

    def block(self, classes: int) -> int:
        return 8

    def merged(self, total: Any, top: Any, higher: Any) -> Any:
        return total * self.exp(top - higher)

    def part(self, part: Any, higher: Any) -> Any:
        return self.total(self.exp(part - higher))[:, np.newaxis]


class LastBlockForgotten(Online):
    """A loop over C // 32 blocks never sees the classes after the last whole one."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, : x.shape[1] // 32 * 32] if x.shape[1] >= 32 else x)


class BlockSumsInTheWrongOrder(Online):
    """The new block is summed relative to the old maximum: overflows where the logits rise."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        width = self.block(x.shape[1])
        top, total = super().normaliser(x[:, :width])
        for start in range(width, x.shape[1], width):
            part = x[:, start : start + width]
            higher = np.maximum(top, part.max(-1, keepdims=True))
            total = (total + self.total(self.exp(part - top))[:, np.newaxis]) * self.exp(top - higher)
            top = higher
        return top, total


class ShardedVocabulary(Kernel):
    """Two shards of the classes: their sums are added before their maxima are made equal (flash-attention#673)."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        if x.shape[1] < 1024:
            return super().normaliser(x)
        half = x.shape[1] // 2
        top, total = super().normaliser(x[:, :half])
        other, more = super().normaliser(x[:, half:])
        return np.maximum(top, other), total + more


class SumSticks(Sequential):
    """An 11-bit accumulator, as a tensor core would have it, whatever the dtype: long sums stick at 2048."""

    def total(self, terms: Any) -> Any:
        if terms.shape[-1] < 2000:
            return super().total(terms)
        with np.errstate(over="ignore"):
            return np.add.accumulate(terms.astype(np.float16), axis=-1, dtype=np.float16)[..., -1].astype(terms.dtype)


class LargeMeanInChunks(Kernel):
    """Means over more than 65,535 positions lose the positions beyond: a grid dimension is capped."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none":
            return super().reduced(ask, losses)
        total = self.total(losses[:65535])
        return total if ask.reduction == "sum" else total / self.divisor(ask)
