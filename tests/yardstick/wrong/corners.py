"""Defects that show in one corner only: one rank, one axis, one coincidence of extents."""

from __future__ import annotations

from tests.yardstick.corners import Corner, CornerKernel


class RankOneCrossEntropy(CornerKernel):
    """cross_entropy of unbatched logits is 2 % off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 1


class RankTwoClassesFirst(CornerKernel):
    """(C, N): losses of rank 2 with the class axis first are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 2 and at.place == 0


class RankThreeCrossEntropy(CornerKernel):
    """Losses of logits of rank 3 are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 3


class RankFourCrossEntropy(CornerKernel):
    """Losses of logits of rank 4 are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 4


class RankFiveCrossEntropy(CornerKernel):
    """Losses of logits of rank 5 are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 5


class RankOneSoftmax(CornerKernel):
    """softmax of rank 1 is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.rank == 1


class RankThreeSoftmaxInTheMiddle(CornerKernel):
    """softmax of rank 3 along axis 1 is off: inner and outer extents are both more than 1."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.rank == 3 and at.place == 1


class RankFourLogSoftmaxOnAxisTwo(CornerKernel):
    """log_softmax of rank 4 along axis 2 is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.rank == 4 and at.place == 2


class RankFiveLogSoftmaxOnAxisThree(CornerKernel):
    """log_softmax of rank 5 along axis 3 is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.rank == 5 and at.place == 3


class RankFourNllLoss(CornerKernel):
    """nll_loss of rank 4 (nll_loss2d) is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.rank == 4


class RankOneNllLoss(CornerKernel):
    """nll_loss of unbatched log-probabilities is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.rank == 1


class RankFiveNllLoss(CornerKernel):
    """nll_loss of rank 5 is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.rank == 5


class NegativeAxisSoftmax(CornerKernel):
    """softmax with a negative axis other than the last is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.axis is not None and at.axis < -1


class NegativeAxisCrossEntropyGradient(CornerKernel):
    """The gradient of cross_entropy with a negative axis is off."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.axis is not None and at.axis < 0


class NegativeAxisNllLossGradient(CornerKernel):
    """The gradient of nll_loss with a negative axis is off."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.axis is not None and at.axis < 0


class AxisZeroLogSoftmaxGradient(CornerKernel):
    """The gradient of log_softmax along axis 0 of more axes is off."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.rank > 1 and at.place == 0


class AxisLastOfRankFourGradient(CornerKernel):
    """The gradient of cross_entropy on (N, H, W, C) is off."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 4 and at.place == 3


class AxisTwoOfRankThree(CornerKernel):
    """(N, T, C): language-model losses with the class axis last are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 3 and at.place == 2


class PositionsEqualClasses(CornerKernel):
    """As many positions as classes: one extent is taken for the other."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "index" and at.positions == at.classes > 2


class OnePosition(CornerKernel):
    """A batch of one goes through another path."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank == 2 and at.positions == 1


class OnePositionGradient(CornerKernel):
    """The gradient of a batch of one is off under mean."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.rank > 1 and at.positions == 1 and at.reduction == "mean"


class OneClassNllLoss(CornerKernel):
    """nll_loss of a single class is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.classes == 1


class OneClassProbability(CornerKernel):
    """Probability targets of a single class are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.classes == 1


class TwoClassesNllLoss(CornerKernel):
    """nll_loss of two classes takes a binary path."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.classes == 2


class TwoClassesSoftmax(CornerKernel):
    """softmax of two classes goes through a sigmoid that is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.classes == 2


class UnitAxisBeforeTheClasses(CornerKernel):
    """An extent of 1 before the class axis is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and 1 in at.shape[: at.place]


class UnitAxisAfterTheClasses(CornerKernel):
    """An extent of 1 after the class axis is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and 1 in at.shape[at.place + 1 :]


class OneHundredPositions(CornerKernel):
    """More than 64 positions are handled by more than one block of threads: values are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.positions > 64 and at.reduction == "none"


class ManyPositionsGradient(CornerKernel):
    """The gradient for more than 256 positions is off."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.positions > 256


class ManyPositionsOfFewClasses(CornerKernel):
    """softmax of more than 1,024 positions of fewer than 32 classes is off (the per-thread kernel)."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.positions > 1024 and at.classes < 32


class WideSoftmax(CornerKernel):
    """softmax of more than 1,024 classes takes the two-pass kernel, which is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.classes > 1024


class WideLogSoftmaxGradient(CornerKernel):
    """The gradient of log_softmax of more than 1,024 classes is off."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.classes > 1024


class WideNllLoss(CornerKernel):
    """nll_loss of more than 1,024 classes is off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "nll_loss" and at.classes > 1024


class WideProbabilities(CornerKernel):
    """Probability targets of more than 256 classes are off."""

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.classes > 256


class WideSmoothing(CornerKernel):
    """Label smoothing of more than 1,024 classes is off."""

    def corner(self, at: Corner) -> bool:
        return at.smoothed and at.classes > 1024


class WideOffAxis(CornerKernel):
    """More than 256 classes on an axis that is not the last are off."""

    def corner(self, at: Corner) -> bool:
        return at.classes > 256 and at.place != at.rank - 1


class WideBatch(CornerKernel):
    """More than 1,024 classes in more than one position are off."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.classes > 1024 and at.positions > 1
