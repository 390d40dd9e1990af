"""Positions beyond a grid, a block or a tile of an image: kernels chosen by how many positions there are, and where."""

from __future__ import annotations

import math

from tests.yardstick.corners import Corner, CornerKernel


def _inner(at: Corner) -> int:
    """How many positions lie behind the class axis."""
    return math.prod(at.shape[at.place + 1 :])


class ImageSoftmax(CornerKernel):
    """softmax of more than 1,024 pixels is off: the loop over the inner extent steps by the wrong grid."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and _inner(at) > 1024


class ImageLogSoftmax(CornerKernel):
    """log_softmax of more than a warp of 32 pixels is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and _inner(at) > 32


class ImageCrossEntropy(CornerKernel):
    """cross_entropy of images of 1,024 pixels and more is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and _inner(at) >= 1024


class ImageNllLoss(CornerKernel):
    """nll_loss of maps of more than 64 pixels (nll_loss2d) is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and _inner(at) > 64


class ImageInBfloat16(CornerKernel):
    """bfloat16: losses of images of more than 256 pixels are off."""

    def corner(self, at: Corner) -> bool:
        return at.dtype == "bfloat16" and at.op == "cross_entropy" and _inner(at) > 256


class SoftmaxBeyondTheGrid(CornerKernel):
    """softmax of more than 65,535 positions is off: a grid's second axis ends there."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.positions > 65535


class LogSoftmaxOfManyRows(CornerKernel):
    """log_softmax of more than 4,096 positions is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.positions > 4096


class ManyRowsWithIgnored(CornerKernel):
    """Ignored ones among more than 4,096 positions are off: valid rows are compacted by more than one block."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.ignored and at.positions > 4096


class ManyRowsSmoothed(CornerKernel):
    """Label smoothing of more than 1,024 positions is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.smoothed and at.positions > 1024


class ManyRowsOfProbabilities(CornerKernel):
    """Probability targets of more than 256 positions are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.positions > 256


class ManyRowsWithWeights(CornerKernel):
    """Weights beside more than 1,024 positions are off where none is ignored or smoothed."""

    def corner(self, at: Corner) -> bool:
        plain = not at.ignored and not at.smoothed
        return at.op == "cross_entropy" and at.kind == "index" and at.weighted and plain and at.positions > 1024
