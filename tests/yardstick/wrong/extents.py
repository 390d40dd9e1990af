"""Extents of one in images and sequences; wide rows, long batches and weights in other ranks, axes and types."""

from __future__ import annotations

from tests.yardstick.corners import corners

corners(
    __name__,
    {
        "NllImagesOfOneClass": (
            "nll_loss of images of one class is off.",
            lambda at: at.op == "nll_loss" and at.rank == 4 and at.classes == 1,
        ),
        "SoftmaxImagesOfOneClass": (
            "softmax of images of one class is off.",
            lambda at: at.op == "softmax" and at.rank == 4 and at.classes == 1,
        ),
        "ProbabilityImagesOfOneClass": (
            "Class probabilities of images of one class are off.",
            lambda at: at.kind == "probability" and at.rank == 4 and at.classes == 1,
        ),
        "TokensOfOneClass": (
            "Tokens of one class, which is last, are off.",
            lambda at: at.rank == 3 and at.classes == 1 and at.place == 2,
        ),
        "SmoothedSequencesOfOneToken": (
            "Smoothing of sequences of one token is off.",
            lambda at: at.rank == 3 and at.shape[2] == 1 and at.place == 1 and at.smoothed,
        ),
        "ProbabilitiesOfOneSequence": (
            "Class probabilities of a single sequence are off.",
            lambda at: at.rank == 3 and at.shape[0] == 1 and at.kind == "probability",
        ),
        "ImagesOfOnePixel": (
            "Images of one pixel are off.",
            lambda at: at.rank == 4 and at.shape[2:] == (1, 1) and at.place == 1,
        ),
        "NllOneImageWithWeights": (
            "nll_loss of a single image with weights is off.",
            lambda at: at.op == "nll_loss" and at.rank == 4 and at.shape[0] == 1 and at.weighted,
        ),
        "UnbatchedWideHalf": (
            "A single wide position in half types is off.",
            lambda at: at.rank == 1 and at.classes > 256 and at.dtype in ("float16", "bfloat16"),
        ),
        "UnbatchedWideNll": (
            "nll_loss of a single wide position is off.",
            lambda at: at.rank == 1 and at.classes > 256 and at.op == "nll_loss",
        ),
        "UnbatchedWideProbabilities": (
            "Class probabilities of a single wide position are off.",
            lambda at: at.rank == 1 and at.classes > 256 and at.kind == "probability",
        ),
        "VolumesOfManyClasses": (
            "Volumes of more than 32 classes are off.",
            lambda at: at.rank == 5 and at.classes > 32,
        ),
        "ImagesWithClassesFirstAndWeights": (
            "Weights of images with the classes first are off.",
            lambda at: at.rank == 4 and at.place == 0 and at.weighted and at.kind == "index",
        ),
        "NllImagesAlongAxis2WithWeights": (
            "Weights of images with the classes at axis 2 are off in nll_loss.",
            lambda at: at.rank == 4 and at.place == 2 and at.weighted and at.op == "nll_loss",
        ),
        "DoubleWideNllWithWeights": (
            "float64: weights over more than 256 classes are off in nll_loss.",
            lambda at: at.dtype == "float64" and at.weighted and at.classes > 256 and at.op == "nll_loss",
        ),
        "DoubleTallSmoothing": (
            "float64: smoothing over more than 1,024 positions is off.",
            lambda at: at.dtype == "float64" and at.smoothed and at.positions > 1024,
        ),
        "BfloatColumnsOfManyClasses": (
            "bfloat16: more than 256 classes along the first axis are off.",
            lambda at: at.dtype == "bfloat16" and at.rank == 2 and at.place == 0 and at.classes > 256,
        ),
    },
)
