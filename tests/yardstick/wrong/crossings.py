"""Kernels chosen by two conditions at once, a type or a rank and a size: each is right where only one of them holds."""

from __future__ import annotations

from tests.yardstick.corners import corners

corners(
    __name__,
    {
        "SegmentationOfManyClasses": (
            "Losses of images with more than 32 classes are off, as the 150 of ADE20K are.",
            lambda at: at.op == "cross_entropy" and at.rank == 4 and at.classes > 32,
        ),
        "NllLossSegmentationOfManyClasses": (
            "nll_loss of images with more than 32 classes is off.",
            lambda at: at.op == "nll_loss" and at.rank == 4 and at.classes > 32,
        ),
        "AttentionOfManyKeys": (
            "softmax of rank 4 along the last axis is off beyond 32 keys (batch, heads, queries, keys).",
            lambda at: at.op == "softmax" and at.rank == 4 and at.place == 3 and at.classes > 32,
        ),
        "AttentionInFloat16": (
            "softmax of rank 4 along the last axis is off in float16.",
            lambda at: at.op == "softmax" and at.rank == 4 and at.place == 3 and at.dtype == "float16",
        ),
        "LogSoftmaxOfTokens": (
            "log_softmax of rank 3 along the last axis is off beyond 256 classes (beam search).",
            lambda at: at.op == "log_softmax" and at.rank == 3 and at.place == 2 and at.classes > 256,
        ),
        "NllLossOfTokens": (
            "nll_loss of rank 3 is off beyond 256 classes.",
            lambda at: at.op == "nll_loss" and at.rank == 3 and at.classes > 256,
        ),
        "ManyRowsOfSoftmaxInFloat16": (
            "float16: softmax of more than 2,048 positions is off.",
            lambda at: at.op == "softmax" and at.dtype == "float16" and at.positions > 2048,
        ),
        "ManyRowsOfLogSoftmaxInBfloat16": (
            "bfloat16: log_softmax of more than 1,024 positions is off.",
            lambda at: at.op == "log_softmax" and at.dtype == "bfloat16" and at.positions > 1024,
        ),
        "ManyRowsInFloat64": (
            "float64: cross_entropy without reduction is off for more than 256 positions.",
            lambda at: (
                at.op == "cross_entropy" and at.dtype == "float64" and at.positions > 256 and at.reduction == "none"
            ),
        ),
        "ManyRowsOfSoftmaxInFloat64": (
            "float64: softmax of more than 256 positions is off.",
            lambda at: at.op == "softmax" and at.dtype == "float64" and at.positions > 256,
        ),
        "ManyRowsIgnoredInFloat16": (
            "float16: ignored ones among more than 256 positions are off.",
            lambda at: at.op == "cross_entropy" and at.dtype == "float16" and at.ignored and at.positions > 256,
        ),
        "ManyRowsOfManyClasses": (
            "More than 128 positions of more than 256 classes take a tiled kernel that is off, as any real batch does.",
            lambda at: at.op == "cross_entropy" and at.positions > 128 and at.classes > 256,
        ),
        "ManyRowsOfManyClassesSoftmax": (
            "softmax of more than 128 positions of more than 256 classes is off.",
            lambda at: at.op == "softmax" and at.positions > 128 and at.classes > 256,
        ),
        "ManyRowsOfManyClassesNllLoss": (
            "nll_loss of more than 64 positions of more than 64 classes is off.",
            lambda at: at.op == "nll_loss" and at.positions > 64 and at.classes > 64,
        ),
        "DefaultReductionOfManyClasses": (
            "A reduction that is left out is off for more than 256 classes.",
            lambda at: at.kind == "index" and at.reduction is None and at.classes > 256,
        ),
        "DefaultReductionOfManyRows": (
            "A reduction that is left out is off for more than 128 positions.",
            lambda at: at.kind == "index" and at.reduction is None and at.positions > 128,
        ),
        "DefaultAxisOfManyClasses": (
            "An axis that is left out is off for more than 256 classes.",
            lambda at: at.axis is None and at.classes > 256,
        ),
        "NegativeAxisOfManyClasses": (
            "softmax and log_softmax along axis -1 are off for more than 256 classes.",
            lambda at: "softmax" in at.op and at.axis == -1 and at.classes > 256,
        ),
        "OnePositionOfAVocabulary": (
            "A batch of one position of more than 4,096 classes is off, as each step of decoding has it.",
            lambda at: at.rank > 1 and at.positions == 1 and at.classes > 4096,
        ),
        "OnePositionOfAVocabularySoftmax": (
            "softmax of one position of more than 4,096 classes is off.",
            lambda at: at.op == "softmax" and at.positions == 1 and at.classes > 4096,
        ),
        "WeightedVocabularyInFloat64": (
            "float64: weights beside more than 2,048 classes are off.",
            lambda at: at.weighted and at.dtype == "float64" and at.classes > 2048,
        ),
        "SmoothedVocabularyInFloat16": (
            "float16: label smoothing of more than 4,096 classes is off.",
            lambda at: at.smoothed and at.dtype == "float16" and at.classes > 4096,
        ),
        "WeightedProbabilitiesOfManyRows": (
            "Weights beside probability targets are off for more than 1,024 positions.",
            lambda at: at.kind == "probability" and at.weighted and at.positions > 1024,
        ),
        "ImageOfOddExtents": (
            "nll_loss of images of an odd number of pixels beyond 64 is off in the half types.",
            lambda at: at.op == "nll_loss" and at.behind > 64 and at.dtype in ("float16", "bfloat16"),
        ),
    },
)
