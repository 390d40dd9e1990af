"""Positions beyond a grid, a block or a tile of an image: kernels chosen by how many positions there are, and where."""

from __future__ import annotations

from tests.yardstick.corners import corners

corners(
    __name__,
    {
        "ImageSoftmax": (
            "softmax of more than 1,024 pixels is off: the loop over the inner extent steps by the wrong grid.",
            lambda at: at.op == "softmax" and at.behind > 1024,
        ),
        "ImageLogSoftmax": (
            "log_softmax of more than a warp of 32 pixels is off.",
            lambda at: at.op == "log_softmax" and at.behind > 32,
        ),
        "ImageCrossEntropy": (
            "cross_entropy of images of 1,024 pixels and more is off.",
            lambda at: at.op == "cross_entropy" and at.behind >= 1024,
        ),
        "ImageNllLoss": (
            "nll_loss of maps of more than 64 pixels (nll_loss2d) is off.",
            lambda at: at.op == "nll_loss" and at.behind > 64,
        ),
        "ImageInBfloat16": (
            "bfloat16: losses of images of more than 256 pixels are off.",
            lambda at: at.dtype == "bfloat16" and at.op == "cross_entropy" and at.behind > 256,
        ),
        "SoftmaxBeyondTheGrid": (
            "softmax of more than 65,535 positions is off: a grid's second axis ends there.",
            lambda at: at.op == "softmax" and at.positions > 65535,
        ),
        "LogSoftmaxOfManyRows": (
            "log_softmax of more than 4,096 positions is off.",
            lambda at: at.op == "log_softmax" and at.positions > 4096,
        ),
        "ManyRowsWithIgnored": (
            "Ignored ones among more than 4,096 positions are off: valid rows are compacted by more than one block.",
            lambda at: at.op == "cross_entropy" and at.ignored and at.positions > 4096,
        ),
        "ManyRowsSmoothed": (
            "Label smoothing of more than 1,024 positions is off.",
            lambda at: at.op == "cross_entropy" and at.smoothed and at.positions > 1024,
        ),
        "ManyRowsOfProbabilities": (
            "Probability targets of more than 256 positions are off.",
            lambda at: at.kind == "probability" and at.positions > 256,
        ),
        "ManyRowsWithWeights": (
            "Weights beside more than 1,024 positions are off where none is ignored or smoothed.",
            lambda at: (
                at.op == "cross_entropy"
                and at.kind == "index"
                and at.weighted
                and not at.ignored
                and not at.smoothed
                and at.positions > 1024
            ),
        ),
    },
)
