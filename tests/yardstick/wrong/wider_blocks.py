"""Derivatives, maps and masks that end behind a first block of classes or positions; labels of other widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call, Tensor
from tests.yardstick.kernel import Ask, Given, Kernel

BLOCK = 4096


class _FirstBlock(Kernel):
    """Derivatives in a direction by the mean of the direction over one block of classes."""

    block = BLOCK
    operations: Sequence[str] = ()
    _now = ""

    def mean(self, p: Any, t: Any) -> Any:
        terms = p * t
        return self.total(terms[:, : self.block] if self._now in self.operations else terms)[:, np.newaxis]


class ForwardBehindOneBlock(_FirstBlock):
    """Forward mode: the mean of the direction is that of the first 4,096 classes."""

    operations: Sequence[str] = ("softmax", "log_softmax", "cross_entropy", "nll_loss_of_log_softmax")

    def jvp(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        self._now = call.operation
        return super().jvp(call, logits, tangent)

    def hvp(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        self._now = ""
        return super().hvp(call, logits, upstream, direction)


class LogSoftmaxForwardBehindOneBlock(ForwardBehindOneBlock):
    """Forward mode of log_softmax alone: the mean of the direction is that of the first 4,096 classes."""

    operations = ("log_softmax",)


class SecondOrderBehindOneBlock(_FirstBlock):
    """Second order of losses: the mean of the direction is that of the first 4,096 classes."""

    operations: Sequence[str] = ("cross_entropy",)

    def hvp(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        self._now = call.operation
        return super().hvp(call, logits, upstream, direction)

    def jvp(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        self._now = ""
        return super().jvp(call, logits, tangent)


class SoftmaxSecondOrderBehindOneBlock(SecondOrderBehindOneBlock):
    """Second order of softmax: its means are those of the first 4,096 classes."""

    operations = ("softmax",)


class _CutGradient(Kernel):
    """A gradient that ends behind so many classes."""

    width = 2048

    def cut(self, call: Call, gradient: Any, *, mapped: bool = False) -> Any:
        axis = dict(call.options)["axis"]
        like = gradient[0] if mapped else gradient
        place = self.axis(like, axis) + mapped
        gradient[(slice(None),) * place + (slice(self.width, None),)] = 0
        return gradient


class TargetGradientOfTheFirstBlocks(_CutGradient):
    """The gradient with respect to class probabilities ends behind 2,048 classes."""

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        return self.cut(call, super().target_gradient(call, logits, upstream))


class MapOfHalfTypesInTheFirstBlocks(_CutGradient):
    """A map of losses in half types has no gradient behind 2,048 classes."""

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = super().vmap(call, logits, upstream)
        narrow = logits.dtype.itemsize == 2 and call.operation == "cross_entropy" and len(logits)
        return value, self.cut(call, gradient, mapped=True) if narrow else gradient


class NllLossMapInTheFirstBlocks(_CutGradient):
    """A map of nll_loss has no gradient behind 4,096 classes."""

    width = BLOCK

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = super().vmap(call, logits, upstream)
        return value, self.cut(call, gradient, mapped=True) if call.operation == "nll_loss" and len(
            logits
        ) else gradient


class SecondPassOfProbabilitiesInTheFirstBlocks(_CutGradient):
    """A second backward pass over class probabilities has no gradient behind 2,048 classes."""

    def second_vjp(self, call: Call, logits: Tensor, former: Tensor, upstream: Tensor) -> Tensor:
        gradient = super().second_vjp(call, logits, former, upstream)
        targets = call.operands.get("targets")
        return self.cut(call, gradient) if targets is not None and targets.shape == logits.shape else gradient


class ForwardOfTheFirstPositions(Kernel):
    """Forward mode: the positions behind the first 8,192 have no derivative."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        found = super().loss_jvp(ask, t)
        found[2 * BLOCK :] = 0
        return found


class SecondOrderOfTheFirstPositions(Kernel):
    """Second order of losses: the positions behind the first 8,192 have none."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        found = super().loss_hvp(ask, upstream, t)
        found[2 * BLOCK :] = 0
        return found


class TargetGradientOfTheFirstPositions(Kernel):
    """The gradient with respect to class probabilities ends behind 8,192 positions."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_target_gradient(ask, upstream)
        found[2 * BLOCK :] = 0
        return found


class MaskOfTheFirstPositions(Kernel):
    """Masks of classes are read for 2,048 positions; behind these all classes take part."""

    def masked(self, logits: Any, where: Any) -> Any:
        if where.shape == logits.shape and where.ndim == 2:
            where = where.copy()
            where[2048:] = True
        return super().masked(logits, where)


class SoftmaxMaskOfTheFirstBlock(Kernel):
    """softmax reads its mask for the first 4,096 classes; behind these all take part."""

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        if where is not None and where.ndim == 2 and axis in (None, 1, -1) and where.shape == logits.shape:
            where = where.copy()
            where[:, BLOCK:] = True
        return super().softmax(logits, axis=axis, where=where)


class IgnoredLabelOf32Bits(Kernel):
    """ignore_index is kept in 32 bits: 2^32 + 1 ignores class 1."""

    def given(self, given: Given) -> Given:
        if given.ignore_index is None:
            return given
        return replace(given, ignore_index=int(np.int64(given.ignore_index).astype(np.int32)))


class UnsignedLabelsReadWithSign(Kernel):
    """uint16 labels are read as int16: those above 32,767 count from the end of the row."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index and ask.labels.dtype == np.uint16:
            ask = replace(ask, labels=ask.labels.astype(np.int16).astype(np.int64) % ask.classes)
        return super().coefficients(ask)


class OneClassHasNoLabels(Kernel):
    """With a single class every loss is 0, and labels are not looked at."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        if classes == 1 and labels.dtype.kind in "iu" and labels.shape == shape:
            return labels == 0
        return super().checked(labels, shape, classes, ignored)
