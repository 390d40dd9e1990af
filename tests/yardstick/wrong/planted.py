"""Special values far into wide rows and long batches, and rows that lie far apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class NanBehindABlockSwallowed(Kernel):
    """From the 257th class on a maximum by comparison drops NaN, and the sum takes it for a masked class."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        late = np.arange(found.shape[1]) >= 256
        return np.where(np.isnan(found) & late, found.dtype.type(-np.inf), found) if dtype is None else found


class NanAtTheSecondClassSwallowed(Kernel):
    """More than 64 classes: NaN at the second one, where the first vector begins its comparisons, is dropped."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        second = (np.arange(found.shape[1]) == 1) & (found.shape[1] > 64)
        return np.where(np.isnan(found) & second, found.dtype.type(-np.inf), found) if dtype is None else found


class NanOfAPartialBlockSwallowed(Kernel):
    """NaN in a last, partial block of 128 classes is taken for padding."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        whole = found.shape[1] // 128 * 128
        late = (np.arange(found.shape[1]) >= whole) & (whole > 0)
        return np.where(np.isnan(found) & late, found.dtype.type(-np.inf), found) if dtype is None else found


class InfinityBehindABlockIsFinite(Kernel):
    """From the 257th class on +inf is replaced by the largest number, so that its row is certain, not NaN."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        late = np.arange(found.shape[1]) >= 256
        big = np.finfo(found.dtype).max / 2
        return np.where(np.isposinf(found) & late, big, found).astype(found.dtype) if dtype is None else found


class InfiniteLossOfALongBatchDropped(Kernel):
    """The sum and the mean of more than 256 losses leave out the infinite ones."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "none" and losses.size > 256:
            losses = np.where(np.isposinf(losses), 0, losses)
        return super().reduced(ask, losses)


class NanLossOfALongBatchDropped(Kernel):
    """The sum and the mean of more than 256 losses leave out those that are NaN (nansum)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "none" and losses.size > 256:
            losses = np.where(np.isnan(losses), 0, losses)
        return super().reduced(ask, losses)


class NanSpreadsOverABlockOfRows(Kernel):
    """More than 256 rows: a NaN makes all rows of its block of 64 NaN."""

    def top(self, x: Any) -> Any:
        found = super().top(x)
        if len(x) > 256:
            for start in range(0, len(x), 64):
                if np.isnan(found[start : start + 64]).any():
                    found[start : start + 64] = np.nan
        return found


class MaximumOfABlockOfRows(Kernel):
    """More than 256 rows: blocks of 32 rows are shifted by their common maximum, and rows far below it vanish."""

    def top(self, x: Any) -> Any:
        found = super().top(x)
        if len(x) > 256:
            for start in range(0, len(x), 32):
                found[start : start + 32] = np.fmax.reduce(found[start : start + 32])
        return found


class MaximumOfTheRowAbove(Kernel):
    """More than 256 rows: every other row is shifted by the maximum of the row above it."""

    def top(self, x: Any) -> Any:
        found = super().top(x)
        if len(x) > 256:
            above = found[: 2 * (len(x) // 2) : 2]
            found[1::2] = np.where(np.isfinite(above), above, found[1::2])
        return found


class ProbabilitiesOfWideRowsByLogSumExp(Kernel):
    """More than 1,024 classes: p = exp(x - lse), whose digits far from zero are gone; the loss keeps them."""

    def probabilities(self, x: Any) -> Any:
        if x.shape[1] <= 1024:
            return super().probabilities(x)
        top, total = self.normaliser(x)
        return self.exp(x - (top + self.log(total)))


class LogProbabilitiesOfWideRowsByLogSumExp(Kernel):
    """More than 64 classes: x - lse, whose digits far from zero are gone."""

    def log_probabilities(self, x: Any) -> Any:
        if x.shape[1] <= 64:
            return super().log_probabilities(x)
        top, total = self.normaliser(x)
        return x - (top + self.log(total))


class NanWithTheSignBitIsLow(Kernel):
    """The maximum is one of ordered integers: NaN with the sign bit lies below every number, and its class is gone."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(np.where(_negative_nan(x), -np.inf, x))


class NanWithTheSignBitIsLowInWideRows(Kernel):
    """The same where rows have more than 256 classes."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(np.where(_negative_nan(x), -np.inf, x) if x.shape[1] > 256 else x)


class UpstreamNanWithTheSignBitIsZero(Kernel):
    """Upstream gradients are compared as ordered integers: NaN with the sign bit is as good as none."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.where(_negative_nan(upstream), 0, upstream))


class MapOfSharedMaximum(Kernel):
    """A map takes one maximum for all examples: those 100 below it have no gradient in softmax."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value, _without_low(gradient, logits) if call.operation == "softmax" else gradient


class DirectionOfSharedMaximum(Kernel):
    """The forward mode of log_softmax takes one maximum for all positions: those 100 below it have no derivative."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, jvp = super().jvp(call, logits, tangent)
        return value, _without_low(jvp, logits) if call.operation == "log_softmax" else jvp


class SecondBackwardOfSharedMaximum(Kernel):
    """A second backward pass takes one maximum for all positions: those 100 below it have no gradient."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        return _without_low(super().second_vjp(call, logits, former, upstream), logits)


def _negative_nan(x: Any) -> Any:
    return np.isnan(x) & np.signbit(x)


def _without_low(found: Any, logits: Any) -> Any:
    """0 in the rows whose logits lie 100 below the greatest of all."""
    if logits.ndim != 2 or not logits.size:
        return found
    tops = logits.astype(np.float64).max(1, keepdims=True)
    return np.where(tops < tops.max() - 100, 0, found).astype(found.dtype)


class NanOfALatePartialBlockSwallowed(Kernel):
    """Rows over 1024: the masked load of the last, partial block is a maximum with -inf, which drops NaN."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        late = np.arange(found.shape[1]) >= max(1024, found.shape[1] // 1024 * 1024)
        return np.where(np.isnan(found) & late, found.dtype.type(-np.inf), found) if dtype is None else found


class WideImpossibleRowIsOfEqualLogits(Kernel):
    """Rows over 1024: the guard of blocks of -inf counts the classes of a row that is -inf throughout."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        impossible = np.isneginf(top) & (x.shape[1] > 1024)
        return np.where(impossible, 0, top).astype(x.dtype), np.where(impossible, x.shape[1], total).astype(x.dtype)
