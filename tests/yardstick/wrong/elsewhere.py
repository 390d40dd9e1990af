"""Special values at size in other operands than the logits, masks of many positions, and columns of classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class UnusedWeightPoisons(Kernel):
    """Over more than 64 classes the divisor is one-hot labels times weights: NaN of a class without a label enters."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return found + (ask.weight * 0).sum() if ask.by_index and ask.weight is not None and ask.classes > 64 else found


class ZeroWeightsCountAsOne(Kernel):
    """Over more than 100 positions a weight of 0 is guarded by 1 in the divisor."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is None or len(ask.x) <= 100:
            return super().divisor(ask)
        guarded = np.where(ask.weight == 0, 1, ask.weight)[ask.index]
        return self.total(np.where(ask.valid, guarded, 0).astype(ask.x.dtype))


class UpstreamNanIsZero(Kernel):
    """Over more than 100 positions NaN in the upstream gradient is 0."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        found = super().scale(ask, upstream)
        return np.where(np.isnan(found), 0, found) if len(ask.x) > 100 and upstream.size > 1 else found


class WideUpstreamNanIsZero(Kernel):
    """log_softmax: NaN in the upstream gradient of a row of more than 256 classes is left out of its sum."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return v - p * np.nansum(v, -1, keepdims=True) if v.shape[1] > 256 else super().log_softmax_gradient(p, v)


class WideProbabilityNanIsZero(Kernel):
    """Over more than 100 classes NaN among the class probabilities is 0."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index and ask.classes > 100:
            ask = replace(ask, probabilities=np.nan_to_num(ask.probabilities))
        return super().coefficients(ask)


class WideZeroTimesInfinity(Kernel):
    """Over more than 100 classes probability 0 times a log-probability of -inf is NaN."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.by_index or ask.classes <= 100:
            return super().losses(ask, a, log_probabilities)
        return self.total(a * -log_probabilities)


class MaskOfTheFirst64(Kernel):
    """Masks lie in a buffer of 64 positions: those behind use the masks of the first 64 in turn."""

    def masked(self, logits: Any, where: Any) -> Any:
        if where.ndim == 2 and len(where) > 64:
            where = where[np.arange(len(where)) % 64]
        return super().masked(logits, where)


class MaskIsUpstreamBehind128(Kernel):
    """Behind the first 128 positions the upstream gradient of masked classes enters the sum of log_softmax."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if "where" in call.operands and call.operation == "log_softmax" and len(gradient) > 128:
            wrong = super().differentiate(replace(call, operands={}), logits, upstream)[1]
            gradient = np.concatenate([gradient[:128], wrong[128:]])
        return value, gradient


class ColumnsBehind64(Kernel):
    """Classes first: softmax has no gradient behind the first 64 columns."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if call.operation == "softmax" and logits.ndim == 2 and self.axis(logits, dict(call.options)["axis"]) == 0:
            gradient = gradient.copy()
            gradient[:, 64:] = 0
        return value, gradient


class ColumnsInTilesOf32(Kernel):
    """Classes first: the last tile of 32 columns of log_softmax, which is not whole, is read one column early."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        if logits.ndim != 2 or self.axis(logits, axis) or min(logits.shape) <= 32 or not logits.shape[1] % 32:
            return found
        whole = logits.shape[1] // 32 * 32
        return np.concatenate([found[:, :whole], found[:, whole - 1 : -1]], 1)


class ZeroWeightTimesInfinityBehind64(Kernel):
    """A label of weight 0 at -inf is NaN behind the first 64 positions."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if not ask.by_index or ask.weight is None or len(ask.x) <= 64:
            return found
        label = np.take_along_axis(log_probabilities, ask.index[:, np.newaxis], 1)[:, 0]
        late = np.arange(len(ask.x)) >= 64
        meets = ask.valid & late & (ask.weight[ask.index] == 0) & np.isneginf(label)
        return np.where(meets, np.nan, found).astype(found.dtype)


class ZeroByItsBits(Kernel):
    """A class probability is 0 where its bits are, which those of -0 are not: at a logit of -inf it is NaN."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if ask.by_index:
            return found
        negative = (ask.probabilities == 0) & np.signbit(ask.probabilities)
        return np.where((negative & np.isneginf(log_probabilities)).any(-1), np.nan, found).astype(found.dtype)


class SubnormalWeightsAreZero(Kernel):
    """Weights pass a register that flushes what is subnormal; a mean of none but these is 0/0."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        return np.where(np.abs(found) < np.finfo(found.dtype).tiny, 0, found).astype(found.dtype)
