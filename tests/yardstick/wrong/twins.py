"""Defects of one operation only, while the others are sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Kernel


class _Twin(Kernel):
    """Base: ``flawed`` operations see :meth:`spoilt` logits, or have a top of their own."""

    flawed = ("softmax",)
    now = ""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        self.now = "softmax"
        return super().softmax(logits, axis=axis)

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        self.now = "log_softmax"
        return super().log_softmax(logits, axis=axis)

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        self.now = "cross_entropy"
        return super().cross_entropy(logits, targets, **options)

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        self.now = "nll_loss"
        return super().nll_loss(log_probabilities, targets, **options)

    @property
    def here(self) -> bool:
        return self.now in self.flawed


class SoftmaxWithoutShift(_Twin):
    """softmax alone is not shifted."""

    def top(self, x: Any) -> Any:
        return np.zeros_like(x[:, :1]) if self.here else super().top(x)


class LogSoftmaxWithoutShift(SoftmaxWithoutShift):
    """log_softmax alone is not shifted."""

    flawed = ("log_softmax",)


class CrossEntropyWithoutShift(SoftmaxWithoutShift):
    """cross_entropy alone is not shifted."""

    flawed = ("cross_entropy",)


class SoftmaxTail(_Twin):
    """softmax alone leaves a tail of C mod 8 classes out of its sum."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        whole = x.shape[1] // 8 * 8
        if not self.here or not whole:
            return top, total
        return top, self.total(self.exp(x[:, :whole] - top))[:, np.newaxis]


class LogSoftmaxTail(SoftmaxTail):
    """log_softmax alone leaves a tail of C mod 8 classes out of its sum."""

    flawed = ("log_softmax",)


class SoftmaxMaximumOverTheBatch(_Twin):
    """softmax alone is shifted by the greatest logit of the whole batch."""

    def top(self, x: Any) -> Any:
        return np.full_like(x[:, :1], x.max(initial=-np.inf)) if self.here else super().top(x)


class LogSoftmaxMaximumOverTheBatch(SoftmaxMaximumOverTheBatch):
    """log_softmax alone is shifted by the greatest logit of the whole batch."""

    flawed = ("log_softmax",)


class SoftmaxInHalf(_Twin):
    """softmax alone rounds its sum to the half type."""

    narrow: Any = np.float32

    def compute(self, dtype: Any) -> Any:
        self.narrow = dtype
        return super().compute(dtype)

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, total.astype(self.narrow).astype(x.dtype) if self.here else total


class LogSoftmaxInHalf(SoftmaxInHalf):
    """log_softmax alone rounds its sum to the half type."""

    flawed = ("log_softmax",)


class SoftmaxUnderflows(_Twin):
    """softmax alone drops terms more than 30 below the maximum."""

    def exp(self, x: Any) -> Any:
        return np.where(x < -30, 0, super().exp(x)).astype(x.dtype) if self.here else super().exp(x)


class LogSoftmaxClipped(_Twin):
    """log_softmax alone stops at -1e3."""

    def log_probabilities(self, x: Any) -> Any:
        found = super().log_probabilities(x)
        return np.maximum(found, -1e3) if self.now == "log_softmax" else found


class LogSoftmaxThroughSoftmax(_Twin):
    """log_softmax alone is log(softmax(x))."""

    def log_probabilities(self, x: Any) -> Any:
        return self.log(self.probabilities(x)) if self.now == "log_softmax" else super().log_probabilities(x)


class LogSoftmaxMinusLse(_Twin):
    """log_softmax alone is x - lse: a common offset swallows it."""

    def log_probabilities(self, x: Any) -> Any:
        if self.now != "log_softmax":
            return super().log_probabilities(x)
        top, total = self.normaliser(x)
        return x - (top + self.log(total))


class SoftmaxMaskedRowsZero(_Twin):
    """softmax alone gives zeros for a row that is all -inf."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        return np.where(np.isneginf(x).all(-1, keepdims=True), 0, found) if self.here else found


class LogSoftmaxMaskedRows(_Twin):
    """log_softmax alone gives -inf for a row that is all -inf."""

    def log_probabilities(self, x: Any) -> Any:
        found = super().log_probabilities(x)
        masked = np.isneginf(x).all(-1, keepdims=True)
        return np.where(masked, -np.inf, found) if self.now == "log_softmax" else found


class LogSoftmaxFiniteForMinusInfinity(_Twin):
    """log_softmax alone gives a finite number for a logit of -inf."""

    def log_probabilities(self, x: Any) -> Any:
        found = super().log_probabilities(x)
        return np.maximum(found, np.finfo(x.dtype).min) if self.now == "log_softmax" else found


class SoftmaxNanIsZero(_Twin):
    """softmax alone turns a NaN logit's row into zeros."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        return np.where(np.isnan(x).any(-1, keepdims=True), 0, found) if self.here else found


class LogSoftmaxNanSpreads(_Twin):
    """log_softmax alone: one NaN spoils the batch."""

    def log_probabilities(self, x: Any) -> Any:
        found = super().log_probabilities(x)
        return found * np.nan if self.now == "log_softmax" and np.isnan(x).any() else found


class NllLossWithoutWeights(Kernel):
    """nll_loss alone has no weights."""

    def nll_loss(self, log_probabilities: Any, targets: Any, *, weight: Any = None, **options: Any) -> Any:
        return super().nll_loss(log_probabilities, targets, weight=None, **options)


class NllLossMeanOverAll(Kernel):
    """nll_loss alone divides by all positions, the ignored ones included."""

    alone = False

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        self.alone = True
        try:
            return super().nll_loss(log_probabilities, targets, **options)
        finally:
            self.alone = False

    def divisor(self, ask: Any) -> Any:
        return ask.x.dtype.type(len(ask.x)) if self.alone and ask.weight is None else super().divisor(ask)


class NllLossNeverNegative(Kernel):
    """nll_loss alone cuts losses below 0, which positive log-probabilities have."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        return np.where(found < 0, found.dtype.type(0), found).astype(found.dtype)


class NllLossNormalises(Kernel):
    """nll_loss alone normalises what it takes for logits."""

    def nll_loss(self, log_probabilities: Any, targets: Any, *, axis: Any, **options: Any) -> Any:
        if log_probabilities.ndim:
            log_probabilities = super().log_softmax(log_probabilities, axis=axis)
        return super().nll_loss(log_probabilities, targets, axis=axis, **options)


class NllLossInfinityIsLarge(Kernel):
    """nll_loss alone replaces -inf by the most negative number."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        finite = np.maximum(log_probabilities, np.asarray(-60000, log_probabilities.dtype))
        return super().nll_loss(finite, targets, **options)


class NllLossReadsTheFirstClass(Kernel):
    """nll_loss alone: a label beyond 255 is taken modulo 256."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        large = targets.dtype.kind in "iu" and targets.dtype.itemsize > 1
        return super().nll_loss(
            log_probabilities, np.where(targets > 255, targets % 256, targets) if large else targets, **options
        )
