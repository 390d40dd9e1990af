"""Kernels chosen by two conditions at once, a type or a rank and a size: each is right where only one of them holds."""

from __future__ import annotations

import math

from tests.yardstick.corners import Corner, CornerKernel


class SegmentationOfManyClasses(CornerKernel):
    """Losses of images with more than 32 classes are off, as 150 classes of scenes are."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 4 and at.classes > 32


class NllLossSegmentationOfManyClasses(CornerKernel):
    """nll_loss of images with more than 32 classes is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.rank == 4 and at.classes > 32


class AttentionOfManyKeys(CornerKernel):
    """softmax of rank 4 along the last axis is off beyond 32 keys (batch, heads, queries, keys)."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.rank == 4 and at.place == 3 and at.classes > 32


class AttentionInFloat16(CornerKernel):
    """softmax of rank 4 along the last axis is off in float16."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.rank == 4 and at.place == 3 and at.dtype == "float16"


class LogSoftmaxOfTokens(CornerKernel):
    """log_softmax of rank 3 along the last axis is off beyond 256 classes (beam search)."""

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.rank == 3 and at.place == 2 and at.classes > 256


class NllLossOfTokens(CornerKernel):
    """nll_loss of rank 3 is off beyond 256 classes."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.rank == 3 and at.classes > 256


class ManyRowsOfSoftmaxInFloat16(CornerKernel):
    """float16: softmax of more than 2,048 positions is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.dtype == "float16" and at.positions > 2048


class ManyRowsOfLogSoftmaxInBfloat16(CornerKernel):
    """bfloat16: log_softmax of more than 1,024 positions is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.dtype == "bfloat16" and at.positions > 1024


class ManyRowsInFloat64(CornerKernel):
    """float64: cross_entropy without reduction is off for more than 256 positions."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.dtype == "float64" and at.positions > 256 and at.reduction == "none"


class ManyRowsOfSoftmaxInFloat64(CornerKernel):
    """float64: softmax of more than 256 positions is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.dtype == "float64" and at.positions > 256


class ManyRowsIgnoredInFloat16(CornerKernel):
    """float16: ignored ones among more than 256 positions are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.dtype == "float16" and at.ignored and at.positions > 256


class ManyRowsOfManyClasses(CornerKernel):
    """More than 128 positions of more than 256 classes take a tiled kernel that is off, as any real batch does."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.positions > 128 and at.classes > 256


class ManyRowsOfManyClassesSoftmax(CornerKernel):
    """softmax of more than 128 positions of more than 256 classes is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.positions > 128 and at.classes > 256


class ManyRowsOfManyClassesNllLoss(CornerKernel):
    """nll_loss of more than 64 positions of more than 64 classes is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.positions > 64 and at.classes > 64


class DefaultReductionOfManyClasses(CornerKernel):
    """A reduction that is left out is off for more than 256 classes."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "index" and at.reduction is None and at.classes > 256


class DefaultReductionOfManyRows(CornerKernel):
    """A reduction that is left out is off for more than 128 positions."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "index" and at.reduction is None and at.positions > 128


class DefaultAxisOfManyClasses(CornerKernel):
    """An axis that is left out is off for more than 256 classes."""

    def corner(self, at: Corner) -> bool:
        return at.axis is None and at.classes > 256


class NegativeAxisOfManyClasses(CornerKernel):
    """softmax and log_softmax along axis -1 are off for more than 256 classes."""

    def corner(self, at: Corner) -> bool:
        return "softmax" in at.op and at.axis == -1 and at.classes > 256


class OnePositionOfAVocabulary(CornerKernel):
    """A batch of one position of more than 4,096 classes is off, as each step of decoding has it."""

    def corner(self, at: Corner) -> bool:
        return at.rank > 1 and at.positions == 1 and at.classes > 4096


class OnePositionOfAVocabularySoftmax(CornerKernel):
    """softmax of one position of more than 4,096 classes is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.positions == 1 and at.classes > 4096


class WeightedVocabularyInFloat64(CornerKernel):
    """float64: weights beside more than 2,048 classes are off."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.dtype == "float64" and at.classes > 2048


class SmoothedVocabularyInFloat16(CornerKernel):
    """float16: label smoothing of more than 4,096 classes is off."""

    def corner(self, at: Corner) -> bool:
        return at.smoothed and at.dtype == "float16" and at.classes > 4096


class WeightedProbabilitiesOfManyRows(CornerKernel):
    """Weights beside probability targets are off for more than 1,024 positions."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.weighted and at.positions > 1024


class ImageOfOddExtents(CornerKernel):
    """nll_loss of images of an odd number of pixels beyond 64 is off in the half types."""

    def corner(self, at: Corner) -> bool:
        inner = math.prod(at.shape[at.place + 1 :])
        return at.op == "nll_loss" and inner > 64 and at.dtype in ("float16", "bfloat16")
