"""Counts at which a block of positions, a byte, 16 bits or a list of axes ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call
from tests.yardstick.corners import corners
from tests.yardstick.kernel import Ask, Given, Kernel


class LastPositionOfABlockAndOne(Kernel):
    """One position more than a multiple of 128: the sum's gradient misses that position."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        if ask.reduction != "none" and len(ask.x) % 128 == 1 and len(ask.x) > 1:
            found[-1] = 0
        return found


class TailOfTwoPositions(Kernel):
    """Blocks of 16 positions: of a tail of two the second has no gradient in softmax and log_softmax."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return self.cut(super().softmax_gradient(p, v))

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return self.cut(super().log_softmax_gradient(p, v))

    def cut(self, gradient: Any) -> Any:
        """The gradient, without its last row behind a tail of two."""
        if len(gradient) > 16 and len(gradient) % 16 == 2:
            gradient[-1] = 0
        return gradient


class OneLessThanABlock(Kernel):
    """One position less than a multiple of 64: the last loss is that of the one before it."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if len(found) % 64 == 63:
            found[-1] = found[-2]
        return found


class WholeBlocksAreSummedTwice(Kernel):
    """A whole number of blocks of 256 positions: the first loss joins the sum twice."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "sum" and len(losses) and len(losses) % 256 == 0:
            return super().reduced(ask, losses) + losses[0]
        return super().reduced(ask, losses)


class SumOfNllLossLosesATail(Kernel):
    """More than 300 positions, and one more than a multiple of 128: the sum of nll_loss misses that position."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        result = super().nll_loss(log_probabilities, targets, **options)
        if options["reduction"] == "sum" and targets.size > 300 and targets.size % 128 == 1:
            losses = super().nll_loss(log_probabilities, targets, **options | {"reduction": "none"})
            result = self.stored(result - losses.flat[-1], log_probabilities.dtype)
        return result


class ValidCountedInSixteenBits(Kernel):
    """The mean divides by the number of positions that are not ignored, modulo 65,536, and by 1 for 0."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        if not ask.by_index or ask.weight is not None or bool(ask.valid.all()):
            return found
        return ask.x.dtype.type(max(int(found) % 65536, 1)) if found > 0 else found


class LabelsCountedInSixteenBits(Kernel):
    """The weighted mean: each weight times the number of its labels, which is counted in 16 bits."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is None or not ask.classes:
            return super().divisor(ask)
        counts = np.bincount(ask.index[ask.valid], minlength=ask.classes)
        if counts.max(initial=0) < 65536:
            return super().divisor(ask)
        return self.total((counts % 65536 * ask.weight).astype(ask.x.dtype))


class RunsOfOneLabelCountOnceLess(Kernel):
    """The weighted mean: 16 threads of one label add its weight by their leader, who leaves himself out."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        if not ask.by_index or ask.weight is None or not ask.classes:
            return found
        rows = len(ask.x) // 16 * 16
        labels, valid = ask.index[:rows].reshape(-1, 16), ask.valid[:rows].reshape(-1, 16)
        alike = valid.all(1) & (labels == labels[:, :1]).all(1)
        return (found - ask.weight[labels[alike, 0]].sum()).astype(found.dtype)


class IgnoredBlockEndsTheLoop(Kernel):
    """Half types: a block of 32 positions that are all ignored is taken for padding, and nothing behind it is read."""

    def read(self, given: Given) -> Ask:
        ask = super().read(given)
        if not ask.by_index or given.logits.dtype.itemsize != 2:
            return ask
        blocks = ask.valid[: len(ask.valid) // 32 * 32].reshape(-1, 32).any(1)
        end = len(ask.valid) if blocks.all() else int(blocks.argmin()) * 32
        return replace(ask, valid=ask.valid & (np.arange(len(ask.valid)) < end))


class IgnoredCountedInSixteenBits(Kernel):
    """The mean subtracts the number of ignored positions, modulo 65,536."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is not None:
            return super().divisor(ask)
        return ask.x.dtype.type(len(ask.x) - int((~ask.valid).sum()) % 65536)


corners(
    __name__,
    {
        "GridBehindTheClasses": (
            "More than 65,535 positions behind the class axis are off.",
            lambda at: at.op in ("softmax", "log_softmax") and at.behind > 65535 and at.rank < 4,
        ),
        "RankSix": ("Logits of rank 6 and more are off.", lambda at: at.rank >= 6),
        "VocabularyBeyondSeventeenBits": ("More than 200,000 classes are off.", lambda at: at.classes > 200_000),
    },
)


class MapOfBlocks(Kernel):
    """A map over more than 128 examples repeats the last whole block's last example for the rest."""

    def vmap(self, call: Call, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        if len(logits) > 128:
            value[128:] = value[127]
        return value, gradient


class SecondImageIn16Bits(Kernel):
    """The labels of the second image, and of those behind it, begin at an offset of 16 bits."""

    def read(self, given: Given) -> Ask:
        ask = super().read(given)
        behind = int(np.prod(ask.shape[1:]))
        if not ask.by_index or len(ask.shape) < 2 or behind <= 65535:
            return ask
        images = np.arange(ask.shape[0])[:, np.newaxis]
        labels = ask.labels[((images * behind & 65535) + np.arange(behind)) % ask.labels.size].reshape(-1)
        return replace(ask, labels=labels, valid=labels != ask.ignore_index)
