"""NaN and infinities gone wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class NanSwallowedByTheMaximum(Kernel):
    """NaN logits are skipped: ``x > max`` is false for them, and fmax drops them."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.where(np.isnan(x), -np.inf, x) if dtype is None else x


class NanBecomesZero(Kernel):
    """nan_to_num on the losses."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.isnan(found), 0, found)


class NanBecomesZeroInSoftmax(Kernel):
    """Rows that are NaN come out as zeros (fully masked attention rows)."""

    def probabilities(self, x: Any) -> Any:
        return np.nan_to_num(super().probabilities(x), nan=0.0)


class MaskedRowsAreUniform(Kernel):
    """A row that is all -inf gives the uniform distribution (keras#21123)."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        return np.where(np.isneginf(x).all(-1, keepdims=True), 1 / x.shape[1], found)


class MaskedRowsCostNothing(Kernel):
    """A row that is all -inf has loss 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.isneginf(ask.x).all(-1), 0, found) if ask.classes else found


class MinusInfinityReplaced(Kernel):
    """-inf logits become -1e9: the loss of a masked target is finite."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.where(np.isneginf(x), x.dtype.type(-1e9), x) if dtype is None else x


class MinusInfinityReplacedByTheLargest(Kernel):
    """-inf logits become the most negative finite number."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.nan_to_num(x, nan=np.nan, posinf=np.inf, neginf=float(np.finfo(x.dtype).min)) if dtype is None else x


class MinusInfinityElsewhereIsNan(Kernel):
    """The one-hot lowering multiplies every log-probability: 0 times -inf where another class is -inf
    (pytorch/xla#2553).
    """

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        return np.where(ask.valid, self.total(a * -log_probabilities), 0)


class PlusInfinityIsInfinite(Kernel):
    """+inf logits give an infinite loss where NaN is declared (optax)."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where((ask.x == np.inf).any(-1) & ask.valid, np.inf, found) if ask.classes else found


class PlusInfinityIsTheLimit(Kernel):
    """+inf logits are replaced by the largest finite number."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.where(x == np.inf, np.finfo(x.dtype).max, x) if dtype is None else x


class InfiniteLossClamped(Kernel):
    """An infinite loss becomes the largest finite number."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(found == np.inf, np.finfo(found.dtype).max, found)


class NanInOneRowSpreads(Kernel):
    """The maximum is taken over the whole batch: a NaN in one row spoils them all."""

    def top(self, x: Any) -> Any:
        return np.full_like(x[:, :1], np.nan) if np.isnan(x).any() else super().top(x)


class IgnoredNanSpreads(Kernel):
    """The sum over the batch is taken before the mask: an ignored NaN row makes the mean NaN."""

    spoilt = False

    def ask(self, logits: Any, targets: Any, weight: Any, axis: int | None, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, weight, axis, *rest, **named)
        self.spoilt = bool(np.isnan(self.rows(logits, axis)).any())
        return found

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        return np.full_like(found, np.nan) if self.spoilt and ask.reduction != "none" else found


class NegativeZeroFirst(Kernel):
    """The class of a logit of exactly 0 is taken for padding and left out."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.where(x == 0, -np.inf, x) if dtype is None and x.shape[1:] != (1,) else x


class LossNeverNegative(Kernel):
    """Losses below 0 are set to 0: wrong for negative weights and targets."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        return np.maximum(super().losses(ask, a, log_probabilities), 0)


class BothInfinitiesTakeTheLimit(Kernel):
    """softmax: a position with an infinite logit of each sign gets the limit, 1 and 0."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        both = np.isposinf(x).any(-1, keepdims=True) & np.isneginf(x).any(-1, keepdims=True)
        return np.where(both, np.isposinf(x) / np.maximum(np.isposinf(x).sum(-1, keepdims=True), 1), found)


class InfinitiesShareTheProbability(Kernel):
    """softmax: two or more infinite logits share the probability; one gives NaN."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        count = np.isposinf(x).sum(-1, keepdims=True)
        return np.where(count > 1, np.isposinf(x) / np.maximum(count, 1), found)


class NanSwallowedWithoutABatch(Kernel):
    """log_softmax of rank 1 leaves NaN logits out."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        if logits.ndim == 1 and not np.isnan(logits).all():
            logits = np.where(np.isnan(logits), np.asarray(-np.inf, logits.dtype), logits)
        return super().log_softmax(logits, axis=axis)
