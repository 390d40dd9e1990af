"""Lanes, warps and registers: reductions by shuffle and atomics, constants and stores as the hardware has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel
from tests.yardstick.sound import Online


class RescaleSkippedWhereTheSignStays(Online):
    """Online softmax: the sum so far is rescaled only where the maximum changes its sign."""

    def merged(self, total: Any, top: Any, higher: Any) -> Any:
        stays = (np.sign(top) == np.sign(higher)) & np.isfinite(top)
        return np.where(stays, total, super().merged(total, top, higher)).astype(total.dtype)


class RescaleSkippedWhereSmall(Online):
    """Online softmax: a maximum that rises by less than 1 is taken over without a rescaling (a lazy one)."""

    def merged(self, total: Any, top: Any, higher: Any) -> Any:
        found = super().merged(total, top, higher)
        with np.errstate(all="ignore"):
            small = (higher - top > 0) & (higher - top < 1)
        return np.where(small, total, found).astype(total.dtype)


class LaneMaximaNotMerged(Kernel):
    """Two lanes take the classes in turn, each relative to its own maximum, and their sums are added as they are."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        if x.shape[1] < 64:
            return super().normaliser(x)
        top, total = super().normaliser(x[:, ::2])
        other, more = super().normaliser(x[:, 1::2])
        return np.maximum(top, other), total + more


class ShuffleFromInactiveLanes(Kernel):
    """17 to 31 classes: a shuffle from a lane beyond the row returns the lane's own value, which then counts twice."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        if not 16 < x.shape[1] < 32:
            return top, total
        held = self.exp(x - top)
        for offset in (16, 8, 4, 2, 1):
            source = np.arange(x.shape[1]) + offset
            held = held + held[:, np.where(source < x.shape[1], source, np.arange(x.shape[1]))]
        return top, held[:, :1]


class MaximumOfSignedBits(Kernel):
    """An atomic maximum over the bits as signed integers: among negative numbers it finds the lowest."""

    def top(self, x: Any) -> Any:
        found = super().top(x)
        return np.where(
            (found < 0) & np.isfinite(found), x.min(-1, keepdims=True, where=np.isfinite(x), initial=0), found
        )


class MaximumOfUnsignedBits(Kernel):
    """An atomic maximum over the bits as unsigned integers: any negative number is above all positive ones."""

    def top(self, x: Any) -> Any:
        lowest = x.min(-1, keepdims=True, where=np.isfinite(x), initial=0)
        return np.where(lowest < 0, lowest, super().top(x))


class RowsOfAWarpShareTheMaximum(Kernel):
    """Up to 16 classes two rows share a warp, and a shuffle as wide as the warp gives both the greater maximum."""

    def top(self, x: Any) -> Any:
        found = super().top(x)
        if x.shape[1] > 16 or len(found) < 2:
            return found
        even = len(found) // 2 * 2
        pairs = found[:even].reshape(-1, 2).max(1)
        return np.concatenate([np.repeat(pairs, 2)[:, np.newaxis], found[even:]])


class LogTwoEOfFourDigits(Kernel):
    """exp(x) as 2 to the power of 1.4427·x: the constant has too few digits."""

    def exp(self, x: Any) -> Any:
        return np.exp2(x * x.dtype.type(1.4427))


class LogTwoEInFloat32(Kernel):
    """float64: exp(x) as 2 to the power of x·log2(e), the constant a float32 literal (Liger#1362)."""

    def exp(self, x: Any) -> Any:
        return np.exp2(x * np.float64(np.float32(1.4426950408889634))) if x.dtype == np.float64 else super().exp(x)


class LnTwoOfSixDigits(Kernel):
    """ln(x) as 0.693147·log2(x): right to the last digits of float32, not of float64."""

    def log(self, x: Any) -> Any:
        return np.log2(x) * x.dtype.type(0.693147)


class ReciprocalOfTwelveBits(Kernel):
    """softmax multiplies by an approximate reciprocal of 12 bits that no Newton step refines."""

    def probabilities(self, x: Any) -> Any:
        top, total = self.normaliser(x)
        fraction, exponent = np.frexp(1 / total)
        rough = np.ldexp(np.round(fraction * 4096) / 4096, exponent)
        return self.exp(x - top) * rough.astype(x.dtype)


class PairStoreReachesTheNextRow(Kernel):
    """Half types, an odd number of classes: the last number is stored as a pair, whose zero falls into the next row."""

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        if like.ndim != 2 or like.itemsize != 2 or rows.shape[1] % 2 == 0 or not rows.size:
            return super().restored(rows, like, axis)
        rows = rows.copy()
        rows[1:, 0] = 0
        return super().restored(rows, like, axis)


class SavedLogSumInFloat16(Kernel):
    """What the backward pass keeps of the forward pass, the logarithm of the sum, lies in float16."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        if not ask.classes or not len(ask.x):
            return super().loss_gradient(ask, upstream)
        top, total = self.normaliser(ask.x)
        saved = (top + self.log(total)).astype(np.float16).astype(ask.x.dtype)
        found = self.scale(ask, upstream) * self.slope(ask, self.coefficients(ask), self.exp(ask.x - saved))
        return np.where(ask.valid[:, np.newaxis], found, 0)


class SavedLogSumInFloat32(Kernel):
    """float64: the backward pass keeps the logarithm of the sum in float32 (flash-attention)."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        if ask.x.dtype != np.float64 or not ask.classes or not len(ask.x):
            return super().loss_gradient(ask, upstream)
        top, total = self.normaliser(ask.x)
        saved = (top + self.log(total)).astype(np.float32).astype(ask.x.dtype)
        found = self.scale(ask, upstream) * self.slope(ask, self.coefficients(ask), self.exp(ask.x - saved))
        return np.where(ask.valid[:, np.newaxis], found, 0)


class SavedMaximumOfTheLastRow(Kernel):
    """The backward pass reads the saved maximum of the row before: harmless until rows lie far apart."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        if len(ask.x) < 2 or not ask.classes:
            return super().loss_gradient(ask, upstream)
        shift = np.roll(self.top(ask.x), 1, axis=0)
        e = self.exp(ask.x - shift)
        p = e / self.total(e)[:, np.newaxis]
        found = self.scale(ask, upstream) * self.slope(ask, self.coefficients(ask), p)
        return np.where(ask.valid[:, np.newaxis], found, 0)


class TwoPassesReadOneTileLess(Kernel):
    """The second pass, which writes softmax, stops a tile of 256 early and leaves what the first one stored there."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        with np.errstate(all="ignore"):
            x = self.rows(logits, axis)
            if x.shape[1] <= 256:
                return super().softmax(logits, axis=axis)
            found = self.probabilities(x)
            start = (x.shape[1] - 1) // 256 * 256
            found[:, start:] = self.exp(x - self.top(x))[:, start:]
            return self.restored(found, logits, axis)
