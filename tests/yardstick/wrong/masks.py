"""Masks of classes that mask too little, too much, or the wrong thing."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.backends.contract import Call, Tensor
from tests.yardstick.kernel import Kernel


class MaskLeftOut(Kernel):
    """Every class takes part, whatever the mask says."""

    def masked(self, logits: Any, where: Any) -> Any:
        return logits


class MaskInverted(Kernel):
    """True hides a class in place of showing it, as other libraries have it."""

    def masked(self, logits: Any, where: Any) -> Any:
        return super().masked(logits, ~where)


class MaskOfTenThousand(Kernel):
    """Masked logits become −10,000, which logits of a like size do not outweigh."""

    def masked(self, logits: Any, where: Any) -> Any:
        return np.where(where, logits, np.full((), -1e4, logits.dtype))


class MaskAdded(Kernel):
    """A large negative number is added to the masked logits, and a larger logit stays."""

    def masked(self, logits: Any, where: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.where(where, logits, (logits - np.full((), 1e4, logits.dtype)).astype(logits.dtype))


class MaskByProduct(Kernel):
    """Masked logits are multiplied by 0, so that they count as logits of 0."""

    def masked(self, logits: Any, where: Any) -> Any:
        with np.errstate(all="ignore"):
            return (logits * where).astype(logits.dtype)


class MaskOfTheFirstPosition(Kernel):
    """The mask of the first position hides the same classes everywhere."""

    def masked(self, logits: Any, where: Any) -> Any:
        return super().masked(logits, np.broadcast_to(where[:1], where.shape))


class MaskNotInTheMaximum(Kernel):
    """The maximum is that of all classes, so that a large masked logit takes every other exponential to 0."""

    _hidden: Any = None

    def masked(self, logits: Any, where: Any) -> Any:
        self._hidden = np.max(np.where(where, np.full((), -np.inf, logits.dtype), logits), initial=-np.inf)
        return super().masked(logits, where)

    def log_probabilities(self, x: Any) -> Any:
        hidden, self._hidden = self._hidden, None
        found = super().log_probabilities(x)
        if hidden is None:
            return found
        lost = hidden - x.max(-1, keepdims=True) > 200
        return np.where(lost, -np.inf, found).astype(found.dtype)


class MaskAfterTheSoftmax(Kernel):
    """The mask hides results alone: what is left does not sum to 1."""

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        found = super().softmax(logits, axis=axis)
        return found if where is None else np.where(where, found, np.zeros((), found.dtype))


class MaskedGradient(Kernel):
    """The gradient of log_softmax counts the upstream gradient of masked classes."""

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        where = call.operands.get("where")
        if where is None or "targets" in call.operands:
            return super().differentiate(call, logits, upstream)
        value = self.evaluate(call, logits)
        plain = Call(call.operation, {}, call.options)
        return value, super().differentiate(plain, self.masked(logits, where), upstream)[1]


class MaskedLabelDropped(Kernel):
    """A label that the mask hides costs nothing, as if its position were ignored."""

    def cross_entropy(self, logits: Tensor, targets: Tensor, *, where: Tensor | None = None, **options: Any) -> Tensor:
        found = super().cross_entropy(logits, targets, where=where, **options)
        return found if where is None else np.where(np.isinf(found), np.zeros((), found.dtype), found)


class MaskedLabelUnmasked(Kernel):
    """The label's own logit is taken as it was before the mask: the loss may be negative."""

    def cross_entropy(self, logits: Tensor, targets: Tensor, *, where: Tensor | None = None, **options: Any) -> Tensor:
        found = super().cross_entropy(logits, targets, where=where, **options)
        return found if where is None else np.where(np.isinf(found), np.full((), -0.6867, found.dtype), found)


class MaskOfTheFirstImage(Kernel):
    """Masks of images: that of the first serves all."""

    def masked(self, logits: Any, where: Any) -> Any:
        first = np.broadcast_to(where[:1], where.shape) if where.ndim > 2 else where
        return super().masked(logits, first)


class SquareMaskTransposed(Kernel):
    """A mask of as many positions as classes is read columns first."""

    def masked(self, logits: Any, where: Any) -> Any:
        square = where.ndim == 2 and where.shape[0] == where.shape[1]
        return super().masked(logits, where.T if square else where)
