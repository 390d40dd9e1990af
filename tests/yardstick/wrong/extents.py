"""Extents of one in images and sequences; wide rows, long batches and weights in other ranks, axes and types."""

from __future__ import annotations

from tests.yardstick.corners import Corner, CornerKernel


class NllImagesOfOneClass(CornerKernel):
    """nll_loss of images of one class is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.rank == 4 and at.classes == 1


class SoftmaxImagesOfOneClass(CornerKernel):
    """softmax of images of one class is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.rank == 4 and at.classes == 1


class ProbabilityImagesOfOneClass(CornerKernel):
    """Class probabilities of images of one class are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.rank == 4 and at.classes == 1


class TokensOfOneClass(CornerKernel):
    """Tokens of one class, which is last, are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 3 and at.classes == 1 and at.place == 2


class SmoothedSequencesOfOneToken(CornerKernel):
    """Smoothing of sequences of one token is off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 3 and at.shape[2] == 1 and at.place == 1 and at.smoothed


class ProbabilitiesOfOneSequence(CornerKernel):
    """Class probabilities of a single sequence are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 3 and at.shape[0] == 1 and at.kind == "probability"


class ImagesOfOnePixel(CornerKernel):
    """Images of one pixel are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 4 and at.shape[2:] == (1, 1) and at.place == 1


class NllOneImageWithWeights(CornerKernel):
    """nll_loss of a single image with weights is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.rank == 4 and at.shape[0] == 1 and at.weighted


class UnbatchedWideHalf(CornerKernel):
    """A single wide position in half types is off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 1 and at.classes > 256 and at.dtype in ("float16", "bfloat16")


class UnbatchedWideNll(CornerKernel):
    """nll_loss of a single wide position is off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 1 and at.classes > 256 and at.op == "nll_loss"


class UnbatchedWideProbabilities(CornerKernel):
    """Class probabilities of a single wide position are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 1 and at.classes > 256 and at.kind == "probability"


class VolumesOfManyClasses(CornerKernel):
    """Volumes of more than 32 classes are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 5 and at.classes > 32


class ImagesWithClassesFirstAndWeights(CornerKernel):
    """Weights of images with the classes first are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 4 and at.place == 0 and at.weighted and at.kind == "index"


class NllImagesAlongAxis2WithWeights(CornerKernel):
    """Weights of images with the classes at axis 2 are off in nll_loss."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 4 and at.place == 2 and at.weighted and at.op == "nll_loss"


class DoubleWideNllWithWeights(CornerKernel):
    """float64: weights over more than 256 classes are off in nll_loss."""

    def corner(self, at: Corner) -> bool:
        return at.dtype == "float64" and at.weighted and at.classes > 256 and at.op == "nll_loss"


class DoubleTallSmoothing(CornerKernel):
    """float64: smoothing over more than 1,024 positions is off."""

    def corner(self, at: Corner) -> bool:
        return at.dtype == "float64" and at.smoothed and at.positions > 1024


class BfloatColumnsOfManyClasses(CornerKernel):
    """bfloat16: more than 256 classes along the first axis are off."""

    def corner(self, at: Corner) -> bool:
        return at.dtype == "bfloat16" and at.rank == 2 and at.place == 0 and at.classes > 256
