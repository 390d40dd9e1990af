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
