"""Masks in long rows: tiles that are all −inf, and −inf replaced by a number that is not small enough."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tests.yardstick.kernel import Kernel


class _MaskedTile(Kernel):
    """Base: a tile of ``width`` classes that is all -inf gives NaN; ``tiles`` says which are looked at."""

    width = 4096
    tiles: ClassVar[slice] = slice(None)

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        if x.shape[1] <= self.width:
            return top, total
        starts = range(0, x.shape[1], self.width)[self.tiles]
        gone = np.any([np.isneginf(x[:, start : start + self.width]).all(-1) for start in starts], axis=0)
        return top, np.where(gone[:, np.newaxis], np.nan, total).astype(x.dtype)


class FirstTileOf1024Masked(_MaskedTile):
    """A first tile of 1,024 classes that is all -inf gives -inf - -inf, NaN (flash-attention#1930)."""

    width = 1024
    tiles = slice(1)


class FirstTileOf4096Masked(_MaskedTile):
    """A first tile of 4,096 classes that is all -inf gives -inf - -inf, NaN."""

    tiles = slice(1)


class AnyTileOf2048Masked(_MaskedTile):
    """Any tile of 2,048 classes that is all -inf gives NaN: a padded vocabulary, or one that is masked by grammar."""

    width = 2048


class LastTileOf512Masked(_MaskedTile):
    """A last tile of 512 classes that is all -inf gives NaN: the padding of a vocabulary."""

    width = 512
    tiles = slice(-1, None)


class LateMaskIsMinus100(Kernel):
    """Beyond 4,096 classes log-probabilities see -100 in place of -inf."""

    def log_probabilities(self, x: Any) -> Any:
        if x.shape[1] <= 4096:
            return super().log_probabilities(x)
        late = np.isneginf(x) & (np.arange(x.shape[1]) >= 4096)
        return super().log_probabilities(np.where(late, x.dtype.type(-100), x))


class HalfMaskIsMinus1e4(Kernel):
    """Half types: -inf becomes -1e4, the mask that fits float16, so that a masked label costs 1e4 and not infinity."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        if dtype is not None or array.itemsize != 2:
            return found
        return np.where(np.isneginf(found), found.dtype.type(-1e4), found)


class MaskSpoilsTheLogSoftmaxGradient(Kernel):
    """log_softmax: the sum of v·0·x is formed in the gradient, NaN where one class is masked."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if call.operation == "log_softmax" and logits.ndim:
            with np.errstate(all="ignore"):
                spoilt = (value.astype(np.float32) * 0).sum(
                    self.axis(logits, dict(call.options)["axis"]), keepdims=True
                )
                gradient = (gradient + spoilt).astype(gradient.dtype)
        return value, gradient


class MostlyMaskedSoftmaxGradient(Kernel):
    """softmax: a row of which more than half is 0 takes a sparse path, which means v over the classes, not over p."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        sparse = (p == 0).mean(-1, keepdims=True) > 0.5
        return np.where(sparse, p * (v - v.mean(-1, keepdims=True)), super().softmax_gradient(p, v))
