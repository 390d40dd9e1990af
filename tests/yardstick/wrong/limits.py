"""Limits and shortcuts: where a number is too large, an extent is 1, or all are alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


class LossOfAtMostTenThousand(Kernel):
    """float64: cross_entropy's losses are clamped at 1e4."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.isfinite(found), np.minimum(found, 1e4), found) if found.dtype == np.float64 else found


class LogProbabilityOfAtLeastMinusABillion(Kernel):
    """log_softmax: what is below -1e9 is taken for masked, and comes out as -1e9."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        return np.where((found < -1e9) & np.isfinite(found), np.asarray(-1e9, found.dtype), found)


class _MaximumFrom(Kernel):
    """Base: log_softmax's running maximum begins at :attr:`first` for dtypes of :attr:`size` bytes."""

    first = -np.inf
    size = 0

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        if logits.ndim == 0 or logits.itemsize != self.size:
            return found
        top = logits.max(self.axis(logits, axis), keepdims=True, initial=-np.inf)
        return np.where((top < self.first) & np.isfinite(top), np.asarray(np.inf, found.dtype), found)


class MaximumFromMinus1e30(_MaximumFrom):
    """float32: the running maximum begins at -1e30, and all exponentials underflow below that."""

    first = -1e30
    size = 4


class MaximumFromMinus30000(_MaximumFrom):
    """Half types: the running maximum begins at -30,000."""

    first = -3e4
    size = 2


class EqualLogitsFromATable(Kernel):
    """float64 log_softmax: where all logits are equal, -ln C comes from a table of float32 numbers."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        alike = logits.size > 0 and logits.ndim > 0 and found.dtype == np.float64 and np.isfinite(logits).all()
        if alike and np.ptp(logits, axis=self.axis(logits, axis)).max() == 0:
            return found.astype(np.float32).astype(np.float64)
        return found


class OneClassIsCertain(Kernel):
    """softmax of one class is 1, without a look at its logit."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        return np.ones_like(found) if logits.ndim and logits.shape[self.axis(logits, axis)] == 1 else found


class OneClassCostsNothing(Kernel):
    """cross_entropy of one class is 0, without a look at its logit."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.isnan(found), 0, found) if ask.classes == 1 else found


class AxisMinusThreeOfAlikeExtents(Kernel):
    """Rank 4: axis -3 is taken for -2 where both have the same extent, so that no shape shows it."""

    def axis(self, logits: Any, axis: int | None) -> int:
        taken = -2 if logits.ndim == 4 and axis == -3 and logits.shape[1] == logits.shape[2] else axis
        return super().axis(logits, taken)


class LabelsOfSquareImagesTransposed(Kernel):
    """Images as high as wide: the labels are read columns first."""

    def given(self, given: Given) -> Given:
        targets = given.targets
        square = isinstance(targets, np.ndarray) and targets.ndim == 3 == given.logits.ndim - 1
        if square and targets.shape[1] == targets.shape[2]:
            targets = targets.swapaxes(1, 2)
        return replace(given, targets=targets)


class PositionsOfOneGrid(Kernel):
    """sum: positions from the 65,535th on are left out, as they are beyond the grid."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, losses[:65535] if ask.reduction == "sum" else losses)


class NllLossOfAPositiveDivisor(Kernel):
    """nll_loss divides by the absolute value of the sum of weights."""

    def nll_loss(self, log_probabilities: Any, targets: Any, *, reduction: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, reduction=reduction, **options)
        if reduction not in (None, "mean"):
            return found
        ones = np.full_like(log_probabilities, -1)
        return found * np.sign(super().nll_loss(ones, targets, reduction="sum", **options))


class SubnormalLogProbabilitiesLost(Kernel):
    """float64 nll_loss: log-probabilities below the least normal number are 0, where it is declared that they stay."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        if log_probabilities.dtype == np.float64:
            tiny = np.finfo(np.float64).tiny
            log_probabilities = np.where(np.abs(log_probabilities) < tiny, 0.0, log_probabilities)
        return super().nll_loss(log_probabilities, targets, **options)
