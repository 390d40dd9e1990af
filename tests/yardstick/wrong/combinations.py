"""Defects that show only where features meet."""

from __future__ import annotations

from tests.yardstick.corners import Corner, CornerKernel


class WeightsWithSmoothing(CornerKernel):
    """Weights beside label smoothing are off."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.smoothed and at.kind == "index"


class WeightsWithSmoothingGradient(CornerKernel):
    """The gradient of weights beside label smoothing is off under mean."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.smoothed and at.reduction == "mean"


class IgnoredWithSmoothing(CornerKernel):
    """Ignored positions beside label smoothing are off."""

    def corner(self, at: Corner) -> bool:
        return at.ignored and at.smoothed


class IgnoredWithSmoothingGradient(CornerKernel):
    """The gradient of ignored positions beside label smoothing is off without reduction."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.ignored and at.smoothed and at.reduction == "none"


class WeightsIgnoredAndMean(CornerKernel):
    """Weights, ignored positions and the mean together are off."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.ignored and at.reduction == "mean"


class WeightsIgnoredAndSum(CornerKernel):
    """Weights, ignored positions and the sum together are off."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.ignored and at.reduction == "sum"


class ProbabilitiesWeightsAndMean(CornerKernel):
    """Probability targets, weights and the mean together are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.weighted and at.reduction == "mean"


class ProbabilitiesWeightsAndSmoothing(CornerKernel):
    """Probability targets, weights and smoothing together are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.weighted and at.smoothed


class ProbabilitiesSmoothingOffAxis(CornerKernel):
    """Probability targets with smoothing and the class axis not at 1 are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.smoothed and at.place != 1


class ProbabilitiesWeightsOffAxis(CornerKernel):
    """Probability targets with weights and the class axis not at 1 are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.weighted and at.place != 1


class ProbabilitiesOfRankFour(CornerKernel):
    """Probability targets of segmentation shapes are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.rank == 4


class ProbabilitiesUnbatched(CornerKernel):
    """Probability targets of one unbatched position are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.rank == 1


class DefaultReductionWithWeights(CornerKernel):
    """A reduction that is left out, beside weights, is off."""

    def corner(self, at: Corner) -> bool:
        return at.reduction is None and at.weighted


class DefaultReductionOfNllLoss(CornerKernel):
    """nll_loss with the reduction left out is off."""

    def corner(self, at: Corner) -> bool:
        return at.reduction is None and at.op == "nll_loss"


class DefaultReductionOfProbabilities(CornerKernel):
    """Probability targets with the reduction left out are off."""

    def corner(self, at: Corner) -> bool:
        return at.reduction is None and at.kind == "probability"


class DefaultReductionWithIgnored(CornerKernel):
    """A reduction that is left out, beside ignored positions, is off."""

    def corner(self, at: Corner) -> bool:
        return at.reduction is None and at.ignored


class WeightsIgnoredAndSmoothing(CornerKernel):
    """All three, weights, ignored positions and smoothing, are off together."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.ignored and at.smoothed


class AllFeaturesOffAxis(CornerKernel):
    """Weights, ignored positions and smoothing are off where the class axis is last of three."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.ignored and at.smoothed and at.rank > 2 and at.place == at.rank - 1


class AllFeaturesUnderSum(CornerKernel):
    """Weights, ignored positions and smoothing are off under sum."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.ignored and at.smoothed and at.reduction == "sum"


class AllFeaturesInFloat16(CornerKernel):
    """Weights, ignored positions and smoothing are off in float16."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.ignored and at.smoothed and at.dtype == "float16"


class AllFeaturesInFloat64(CornerKernel):
    """Weights, ignored positions and smoothing are off in float64."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.ignored and at.smoothed and at.dtype == "float64"


class SegmentationWithWeights(CornerKernel):
    """Weights of segmentation shapes are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 4 and at.weighted and at.kind == "index"


class SegmentationIgnored(CornerKernel):
    """Ignored positions of segmentation shapes are off under mean."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 4 and at.ignored and at.reduction == "mean"


class SegmentationSmoothed(CornerKernel):
    """Label smoothing of segmentation shapes is off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 4 and at.smoothed


class SegmentationWeightsAndSmoothing(CornerKernel):
    """Weights beside smoothing of segmentation shapes are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 4 and at.smoothed and at.weighted


class UnbatchedWithWeights(CornerKernel):
    """Weights of one unbatched position are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 1 and at.weighted


class UnbatchedIgnored(CornerKernel):
    """An unbatched position that is ignored is off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 1 and at.ignored and at.reduction in ("none", "sum")


class UnbatchedSmoothedWithWeights(CornerKernel):
    """Weights beside smoothing of one unbatched position are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 1 and at.smoothed and at.weighted


class NllLossWeightsAndIgnored(CornerKernel):
    """nll_loss: weights beside ignored positions are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.weighted and at.ignored


class NllLossSegmentationWithWeights(CornerKernel):
    """nll_loss: weights of segmentation shapes are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.weighted and at.rank == 4


class NllLossIgnoredOffAxis(CornerKernel):
    """nll_loss: ignored positions with the class axis last of three are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.ignored and at.rank > 2 and at.place == at.rank - 1


class WideWithWeights(CornerKernel):
    """Weights of more than 128 classes are off."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.classes > 128


class WideIgnored(CornerKernel):
    """Ignored positions of more than 128 classes are off."""

    def corner(self, at: Corner) -> bool:
        return at.ignored and at.classes > 128


class WideIgnoredAndSmoothed(CornerKernel):
    """Ignored positions beside smoothing are off for more than 128 classes."""

    def corner(self, at: Corner) -> bool:
        return at.ignored and at.smoothed and at.classes > 128


class HalfTypesWithWeights(CornerKernel):
    """Weights are off in bfloat16."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.dtype == "bfloat16"


class HalfTypesOffAxis(CornerKernel):
    """The class axis first of two is off in bfloat16."""

    def corner(self, at: Corner) -> bool:
        return at.dtype == "bfloat16" and at.rank == 2 and at.place == 0


class DoublesOffAxis(CornerKernel):
    """The class axis last of three is off in float64."""

    def corner(self, at: Corner) -> bool:
        return at.dtype == "float64" and at.rank == 3 and at.place == 2


class MeanGradientOfProbabilitiesInHalf(CornerKernel):
    """The gradient of the mean of probability targets is off in float16."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.dtype == "float16" and at.reduction == "mean"
