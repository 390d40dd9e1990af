"""Masks beside other options, unbatched and far below zero; what ignored positions hold in wide rows and images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.corners import corners
from tests.yardstick.kernel import DEFAULT_IGNORED, Ask, Given, Kernel


class MaskForgetsWeights(Kernel):
    """Masked losses leave out the weights of classes."""

    def cross_entropy(self, logits: Any, targets: Any, *, where: Any = None, **options: Any) -> Any:
        if where is not None:
            options["weight"] = None
        return super().cross_entropy(logits, targets, where=where, **options)


class MaskedMeanCountsIgnored(Kernel):
    """The mean of masked losses counts ignored positions."""

    masks = False

    def cross_entropy(self, logits: Any, targets: Any, *, where: Any = None, **options: Any) -> Any:
        self.masks = where is not None
        try:
            return super().cross_entropy(logits, targets, where=where, **options)
        finally:
            self.masks = False

    def divisor(self, ask: Ask) -> Any:
        plain = self.masks and ask.by_index and ask.weight is None
        return ask.x.dtype.type(len(ask.x)) if plain else super().divisor(ask)


class MaskEndsBehind4096(Kernel):
    """All classes behind the first 4,096 take part."""

    def masked(self, logits: Any, where: Any) -> Any:
        return super().masked(logits, where | (np.arange(where.shape[-1]) >= 4096))


class MaskIsTheLowestFloat16(Kernel):
    """float16: softmax has -65504 in the place of a masked class."""

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        if where is not None and logits.dtype == np.float16:
            return super().softmax(np.where(where, logits, np.float16(-65504)), axis=axis)
        return super().softmax(logits, axis=axis, where=where)


class MaskIsMinus1e30(Kernel):
    """softmax has -1e30 in the place of a masked class, in every dtype that holds it."""

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        if where is not None and logits.dtype != np.float16:
            return super().softmax(np.where(where, logits, logits.dtype.type(-1e30)), axis=axis)
        return super().softmax(logits, axis=axis, where=where)


class MaskInOrderOfMemory(Kernel):
    """A mask of as many positions as classes is read in the order of its memory."""

    def masked(self, logits: Any, where: Any) -> Any:
        square = where.ndim == 2 and where.shape[0] == where.shape[1]
        return super().masked(logits, where.T if square and where.flags.f_contiguous else where)


class NoMaskUnbatched(Kernel):
    """A single position without a batch is not masked."""

    def masked(self, logits: Any, where: Any) -> Any:
        return super().masked(logits, where) if where.ndim > 1 else logits


class IgnoredNanInWideRows(Kernel):
    """More than 256 classes: the gradient of an ignored position is 0 times its logits."""

    held: Any = None

    def read(self, given: Given) -> Ask:
        self.held = self.rows(given.logits, given.axis)
        return super().read(given)

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        return np.where(ask.valid[:, np.newaxis], found, 0 * self.held) if ask.classes > 256 else found


class IgnoredInfinityInImages(Kernel):
    """The loss of an ignored pixel is 0 times its logits' sum."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        if logits.ndim != 4 or targets.ndim != 3 or found.ndim != 3 or options.get("axis") not in (None, 1):
            return found
        ignored = DEFAULT_IGNORED if options.get("ignore_index") is None else options["ignore_index"]
        with np.errstate(all="ignore"):
            nothing = 0 * logits.astype(np.float64).sum(1)
        return np.where(targets == ignored, nothing, found).astype(found.dtype)


class VoidBytesCountWithSmoothing(Kernel):
    """Labels of 255 in bytes are ignored, but a smoothed mean counts them."""

    def divisor(self, ask: Ask) -> Any:
        void = ask.by_index and ask.ignore_index == 255 and ask.labels.dtype == np.uint8
        return ask.x.dtype.type(len(ask.x)) if void and ask.smoothing and ask.weight is None else super().divisor(ask)


corners(
    __name__,
    {
        "OneImageWithWeights": (
            "Weights of a single image are off.",
            lambda at: at.rank == 4 and at.shape[0] == 1 and at.place == 1 and at.weighted,
        ),
        "ImagesOfOneClass": ("The loss of images of one class is not 0.", lambda at: at.rank == 4 and at.classes == 1),
    },
)


class IgnoreIndexInLabelsOf16Bits(Kernel):
    """ignore_index is cast to labels of 16 bits: 65,537 ignores class 1."""

    def checked(self, labels: Any, shape: Any, classes: int, ignored: int) -> Any:
        valid = super().checked(labels, shape, classes, ignored)
        if labels.dtype.itemsize == 2:
            valid = valid & (labels.astype(np.int64) & 0xFFFF != ignored & 0xFFFF)
        return valid


class NllUpstreamOfIgnoredTimesZero(Kernel):
    """nll_loss: the gradient of an ignored position is 0 times its upstream gradient."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        if ask.reduction != "none":
            return found
        return np.where(ask.valid[:, np.newaxis], found, upstream.reshape(-1, 1) * 0)


class WideSmoothingLeavesOutTheImpossible(Kernel):
    """More than 50 classes: label smoothing leaves out those that are impossible."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.smoothing and ask.classes > 50:
            log_probabilities = np.where(np.isneginf(log_probabilities), 0, log_probabilities)
        return super().losses(ask, a, log_probabilities)


class LogSoftmaxCurvatureOfSmallSums(Kernel):
    """Second order of log_softmax: an upstream gradient whose sum is below 0.01 counts as none."""

    def log_softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        found = super().log_softmax_hvp(p, v, t)
        return np.where(np.abs(self.total(v))[:, np.newaxis] < 0.01, 0, found)


class NllOneHotProductOfLongBatches(Kernel):
    """nll_loss of more than 16 positions multiplies by one-hot rows: NaN at any class is NaN in every loss."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        spoilt = len(log_probabilities) > 16 if log_probabilities.ndim == 2 else False
        return np.full_like(found, np.nan) if spoilt and np.isnan(log_probabilities).any() else found


class IgnoreIndexComparedIn32Bits(Kernel):
    """Labels and ignore_index are compared in 32 bits: -100 ignores 4,294,967,196 too."""

    def checked(self, labels: Any, shape: Any, classes: int, ignored: int) -> Any:
        if labels.dtype == np.int64:
            labels = np.where(labels & 0xFFFFFFFF == ignored & 0xFFFFFFFF, ignored, labels)
        return super().checked(labels, shape, classes, ignored)
