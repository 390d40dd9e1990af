"""Merges of blocks gone wrong: one pass over the classes, each block with a maximum of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.sound import Online


class _Blocks(Online):
    """Base: blocks of ``width`` classes; a merge knows its number, from 0, and how many there will be."""

    width = 32

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        count = max(1, -(-x.shape[1] // self.width))
        top, total = self.one(x[:, : self.width])
        for number in range(1, count):
            part = x[:, number * self.width : (number + 1) * self.width]
            top, total = self.merge(top, total, part, number, count)
        return top, np.where(np.isnan(top) | (np.abs(top) == np.inf), np.nan, total)

    def one(self, part: Any) -> tuple[Any, Any]:
        """The maximum of a block, and its sum relative to it."""
        top = part.max(-1, keepdims=True)
        return top, self.part(part, top)

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        other, more = self.one(part)
        higher = np.maximum(top, other)
        return higher, self.merged(total, top, higher) + self.merged(more, other, higher)


class ThirdBlockNotRescaled(_Blocks):
    """The sum so far is rescaled for the second block only: wrong where a third one raises the maximum."""

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        if number < 2:
            return super().merge(top, total, part, number, count)
        other, more = self.one(part)
        higher = np.maximum(top, other)
        return higher, total + self.merged(more, other, higher)


class LastBlockNotRescaled(_Blocks):
    """The last block is added relative to its own maximum where there are three or more."""

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        if number < count - 1 or count < 3:
            return super().merge(top, total, part, number, count)
        other, more = self.one(part)
        higher = np.maximum(top, other)
        return higher, self.merged(total, top, higher) + more


class NewMaximumDropsTheSum(_Blocks):
    """A block that raises the maximum starts the sum anew."""

    width = 64

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        other, more = self.one(part)
        higher, sound = super().merge(top, total, part, number, count)
        return higher, np.where(other > top, more, sound)


class EqualMaximumDropped(_Blocks):
    """A block whose maximum equals the one so far is taken for the same block and left out."""

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        other, _ = self.one(part)
        higher, sound = super().merge(top, total, part, number, count)
        return higher, np.where(other == top, total, sound)


class LaterBlockOfMinusInfinity(_Blocks):
    """A block after the first that is all -inf gives exp(-inf - -inf), NaN, in its own sum."""

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        other = part.max(-1, keepdims=True)
        higher = np.maximum(top, other)
        more = self.total(self.exp(part - other))[:, np.newaxis]
        return higher, self.merged(total, top, higher) + more * self.exp(other - higher)


class LastBlockOfMinusInfinity(LaterBlockOfMinusInfinity):
    """Only a last block that is all -inf gives NaN: earlier ones are skipped."""

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        if number == count - 1:
            return super().merge(top, total, part, number, count)
        return _Blocks.merge(self, top, total, part, number, count)


class MaskedBlockOfSixteen(LaterBlockOfMinusInfinity):
    """Blocks of 16: one after the first that is all -inf gives NaN."""

    width = 16


class MaskedBlockOf128(LaterBlockOfMinusInfinity):
    """Blocks of 128: one after the first that is all -inf gives NaN."""

    width = 128


class MaskedBlockEndsTheLoop(_Blocks):
    """A block that is all -inf is taken for the end of the row: what follows is left out."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        x = x.copy()
        for start in range(self.width, x.shape[1], self.width):
            masked = np.isneginf(x[:, start : start + self.width]).all(-1)
            x[masked, start:] = -np.inf
        return super().normaliser(x)


class _Unscaled(_Blocks):
    """Base: sums are added as they are, each relative to the maximum of its own block."""

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        other, more = self.one(part)
        return np.maximum(top, other), total + more


class Unscaled16(_Unscaled):
    """Blocks of 16 are merged without rescaling."""

    width = 16


class Unscaled256(_Unscaled):
    """Blocks of 256 are merged without rescaling."""

    width = 256


class Unscaled2048(_Unscaled):
    """Blocks of 2,048 are merged without rescaling."""

    width = 2048


class Unscaled8192(_Unscaled):
    """Blocks of 8,192 are merged without rescaling."""

    width = 8192


class Unscaled16384(_Unscaled):
    """Blocks of 16,384 are merged without rescaling."""

    width = 16384


class Unscaled32768(_Unscaled):
    """Blocks of 32,768 are merged without rescaling."""

    width = 32768


class Unscaled65536(_Unscaled):
    """Blocks of 65,536 are merged without rescaling."""

    width = 65536


class RaisedIn4096(_Blocks):
    """Blocks of 4,096: only the sum so far is rescaled, so that blocks below the maximum count too much."""

    width = 4096

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        other, more = self.one(part)
        higher = np.maximum(top, other)
        return higher, self.merged(total, top, higher) + more


class LoweredIn4096(_Blocks):
    """Blocks of 4,096: only the new sum is rescaled, so that a late maximum leaves the sum so far too large."""

    width = 4096

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        other, more = self.one(part)
        higher = np.maximum(top, other)
        return higher, total + self.merged(more, other, higher)


class RescaledInFloat16(_Blocks):
    """The rescaling factor goes through a float16 register."""

    def merged(self, total: Any, top: Any, higher: Any) -> Any:
        factor = self.exp(top - higher).astype(np.float16).astype(total.dtype)
        return np.where(total == 0, 0, total * factor).astype(total.dtype)


class RescaledTwice(_Blocks):
    """The sum so far is multiplied by the factor in the loop and again at its end, from the third block on."""

    def merge(self, top: Any, total: Any, part: Any, number: int, count: int) -> tuple[Any, Any]:
        if number > 1:
            total = total * self.exp(top - np.maximum(top, part.max(-1, keepdims=True)))
        return super().merge(top, total, part, number, count)


class OddBlockDropped(_Blocks):
    """Blocks are merged in pairs: the last of an odd number is left out, from three on."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        count = -(-x.shape[1] // self.width)
        return super().normaliser(x[:, : (count - 1) * self.width] if count > 2 and count % 2 else x)


class FirstBlockOfTheRowsBefore(_Blocks):
    """The running maximum is not reset between rows: every row starts from the greatest of those before it."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        if x.shape[1] <= self.width:
            return top, total
        carried = np.maximum.accumulate(top, axis=0)
        return carried, self.merged(total, top, carried)


class MaximumOfTheFirstTwoBlocks(_Blocks):
    """Two blocks decide the maximum: a third one beyond it overflows or is summed relative to it."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        if x.shape[1] <= 2 * self.width:
            return super().normaliser(x)
        top = x[:, : 2 * self.width].max(-1, keepdims=True)
        return top, self.total(self.exp(x - top))[:, np.newaxis]
