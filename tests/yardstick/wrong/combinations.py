"""Defects that show only where features meet."""

from __future__ import annotations

from tests.yardstick.corners import corners

corners(
    __name__,
    {
        "WeightsWithSmoothing": (
            "Weights beside label smoothing are off.",
            lambda at: at.weighted and at.smoothed and at.kind == "index",
        ),
        "WeightsWithSmoothingGradient": (
            "The gradient of weights beside label smoothing is off under mean.",
            lambda at: at.weighted and at.smoothed and at.reduction == "mean",
            ("gradient",),
        ),
        "IgnoredWithSmoothing": (
            "Ignored positions beside label smoothing are off.",
            lambda at: at.ignored and at.smoothed,
        ),
        "IgnoredWithSmoothingGradient": (
            "The gradient of ignored positions beside label smoothing is off without reduction.",
            lambda at: at.ignored and at.smoothed and at.reduction == "none",
            ("gradient",),
        ),
        "WeightsIgnoredAndMean": (
            "Weights, ignored positions and the mean together are off.",
            lambda at: at.weighted and at.ignored and at.reduction == "mean",
        ),
        "WeightsIgnoredAndSum": (
            "Weights, ignored positions and the sum together are off.",
            lambda at: at.weighted and at.ignored and at.reduction == "sum",
        ),
        "ProbabilitiesWeightsAndMean": (
            "Probability targets, weights and the mean together are off.",
            lambda at: at.kind == "probability" and at.weighted and at.reduction == "mean",
        ),
        "ProbabilitiesWeightsAndSmoothing": (
            "Probability targets, weights and smoothing together are off.",
            lambda at: at.kind == "probability" and at.weighted and at.smoothed,
        ),
        "ProbabilitiesSmoothingOffAxis": (
            "Probability targets with smoothing and the class axis not at 1 are off.",
            lambda at: at.kind == "probability" and at.smoothed and at.place != 1,
        ),
        "ProbabilitiesWeightsOffAxis": (
            "Probability targets with weights and the class axis not at 1 are off.",
            lambda at: at.kind == "probability" and at.weighted and at.place != 1,
        ),
        "ProbabilitiesOfRankFour": (
            "Probability targets of segmentation shapes are off.",
            lambda at: at.kind == "probability" and at.rank == 4,
        ),
        "ProbabilitiesUnbatched": (
            "Probability targets of one unbatched position are off.",
            lambda at: at.kind == "probability" and at.rank == 1,
        ),
        "DefaultReductionWithWeights": (
            "A reduction that is left out, beside weights, is off.",
            lambda at: at.reduction is None and at.weighted,
        ),
        "DefaultReductionOfNllLoss": (
            "nll_loss with the reduction left out is off.",
            lambda at: at.reduction is None and at.op == "nll_loss",
        ),
        "DefaultReductionOfProbabilities": (
            "Probability targets with the reduction left out are off.",
            lambda at: at.reduction is None and at.kind == "probability",
        ),
        "DefaultReductionWithIgnored": (
            "A reduction that is left out, beside ignored positions, is off.",
            lambda at: at.reduction is None and at.ignored,
        ),
        "WeightsIgnoredAndSmoothing": (
            "All three, weights, ignored positions and smoothing, are off together.",
            lambda at: at.weighted and at.ignored and at.smoothed,
        ),
        "AllFeaturesOffAxis": (
            "Weights, ignored positions and smoothing are off where the class axis is last of three.",
            lambda at: at.weighted and at.ignored and at.smoothed and at.rank > 2 and at.place == at.rank - 1,
        ),
        "AllFeaturesUnderSum": (
            "Weights, ignored positions and smoothing are off under sum.",
            lambda at: at.weighted and at.ignored and at.smoothed and at.reduction == "sum",
        ),
        "AllFeaturesInFloat16": (
            "Weights, ignored positions and smoothing are off in float16.",
            lambda at: at.weighted and at.ignored and at.smoothed and at.dtype == "float16",
        ),
        "AllFeaturesInFloat64": (
            "Weights, ignored positions and smoothing are off in float64.",
            lambda at: at.weighted and at.ignored and at.smoothed and at.dtype == "float64",
        ),
        "SegmentationWithWeights": (
            "Weights of segmentation shapes are off.",
            lambda at: at.rank == 4 and at.weighted and at.kind == "index",
        ),
        "SegmentationIgnored": (
            "Ignored positions of segmentation shapes are off under mean.",
            lambda at: at.rank == 4 and at.ignored and at.reduction == "mean",
        ),
        "SegmentationSmoothed": (
            "Label smoothing of segmentation shapes is off.",
            lambda at: at.rank == 4 and at.smoothed,
        ),
        "SegmentationWeightsAndSmoothing": (
            "Weights beside smoothing of segmentation shapes are off.",
            lambda at: at.rank == 4 and at.smoothed and at.weighted,
        ),
        "UnbatchedWithWeights": ("Weights of one unbatched position are off.", lambda at: at.rank == 1 and at.weighted),
        "UnbatchedIgnored": (
            "An unbatched position that is ignored is off.",
            lambda at: at.rank == 1 and at.ignored and at.reduction in ("none", "sum"),
        ),
        "UnbatchedSmoothedWithWeights": (
            "Weights beside smoothing of one unbatched position are off.",
            lambda at: at.rank == 1 and at.smoothed and at.weighted,
        ),
        "NllLossWeightsAndIgnored": (
            "nll_loss: weights beside ignored positions are off.",
            lambda at: at.op == "nll_loss" and at.weighted and at.ignored,
        ),
        "NllLossSegmentationWithWeights": (
            "nll_loss: weights of segmentation shapes are off.",
            lambda at: at.op == "nll_loss" and at.weighted and at.rank == 4,
        ),
        "NllLossIgnoredOffAxis": (
            "nll_loss: ignored positions with the class axis last of three are off.",
            lambda at: at.op == "nll_loss" and at.ignored and at.rank > 2 and at.place == at.rank - 1,
        ),
        "WideWithWeights": ("Weights of more than 128 classes are off.", lambda at: at.weighted and at.classes > 128),
        "WideIgnored": (
            "Ignored positions of more than 128 classes are off.",
            lambda at: at.ignored and at.classes > 128,
        ),
        "WideIgnoredAndSmoothed": (
            "Ignored positions beside smoothing are off for more than 128 classes.",
            lambda at: at.ignored and at.smoothed and at.classes > 128,
        ),
        "HalfTypesWithWeights": ("Weights are off in bfloat16.", lambda at: at.weighted and at.dtype == "bfloat16"),
        "HalfTypesOffAxis": (
            "The class axis first of two is off in bfloat16.",
            lambda at: at.dtype == "bfloat16" and at.rank == 2 and at.place == 0,
        ),
        "DoublesOffAxis": (
            "The class axis last of three is off in float64.",
            lambda at: at.dtype == "float64" and at.rank == 3 and at.place == 2,
        ),
        "MeanGradientOfProbabilitiesInHalf": (
            "The gradient of the mean of probability targets is off in float16.",
            lambda at: at.kind == "probability" and at.dtype == "float16" and at.reduction == "mean",
            ("gradient",),
        ),
    },
)
