"""Defects that show in one corner only: one rank, one axis, one coincidence of extents."""

from __future__ import annotations

from tests.yardstick.corners import corners

corners(
    __name__,
    {
        "RankOneCrossEntropy": (
            "cross_entropy of unbatched logits is 2 % off.",
            lambda at: at.op == "cross_entropy" and at.rank == 1,
        ),
        "RankTwoClassesFirst": (
            "(C, N): losses of rank 2 with the class axis first are off.",
            lambda at: at.op == "cross_entropy" and at.rank == 2 and at.place == 0,
        ),
        "RankThreeCrossEntropy": (
            "Losses of logits of rank 3 are off.",
            lambda at: at.op == "cross_entropy" and at.rank == 3,
        ),
        "RankFourCrossEntropy": (
            "Losses of logits of rank 4 are off.",
            lambda at: at.op == "cross_entropy" and at.rank == 4,
        ),
        "RankFiveCrossEntropy": (
            "Losses of logits of rank 5 are off.",
            lambda at: at.op == "cross_entropy" and at.rank == 5,
        ),
        "RankOneSoftmax": ("softmax of rank 1 is off.", lambda at: at.op == "softmax" and at.rank == 1),
        "RankThreeSoftmaxInTheMiddle": (
            "softmax of rank 3 along axis 1 is off: inner and outer extents are both more than 1.",
            lambda at: at.op == "softmax" and at.rank == 3 and at.place == 1,
        ),
        "RankFourLogSoftmaxOnAxisTwo": (
            "log_softmax of rank 4 along axis 2 is off.",
            lambda at: at.op == "log_softmax" and at.rank == 4 and at.place == 2,
        ),
        "RankFiveLogSoftmaxOnAxisThree": (
            "log_softmax of rank 5 along axis 3 is off.",
            lambda at: at.op == "log_softmax" and at.rank == 5 and at.place == 3,
        ),
        "RankFourNllLoss": ("nll_loss of rank 4 (nll_loss2d) is off.", lambda at: at.op == "nll_loss" and at.rank == 4),
        "RankOneNllLoss": (
            "nll_loss of unbatched log-probabilities is off.",
            lambda at: at.op == "nll_loss" and at.rank == 1,
        ),
        "RankFiveNllLoss": ("nll_loss of rank 5 is off.", lambda at: at.op == "nll_loss" and at.rank == 5),
        "NegativeAxisSoftmax": (
            "softmax with a negative axis other than the last is off.",
            lambda at: at.op == "softmax" and at.axis is not None and at.axis < -1,
        ),
        "NegativeAxisCrossEntropyGradient": (
            "The gradient of cross_entropy with a negative axis is off.",
            lambda at: at.op == "cross_entropy" and at.axis is not None and at.axis < 0,
            ("gradient",),
        ),
        "NegativeAxisNllLossGradient": (
            "The gradient of nll_loss with a negative axis is off.",
            lambda at: at.op == "nll_loss" and at.axis is not None and at.axis < 0,
            ("gradient",),
        ),
        "AxisZeroLogSoftmaxGradient": (
            "The gradient of log_softmax along axis 0 of more axes is off.",
            lambda at: at.op == "log_softmax" and at.rank > 1 and at.place == 0,
            ("gradient",),
        ),
        "AxisLastOfRankFourGradient": (
            "The gradient of cross_entropy on (N, H, W, C) is off.",
            lambda at: at.op == "cross_entropy" and at.rank == 4 and at.place == 3,
            ("gradient",),
        ),
        "AxisTwoOfRankThree": (
            "(N, T, C): language-model losses with the class axis last are off.",
            lambda at: at.op == "cross_entropy" and at.rank == 3 and at.place == 2,
        ),
        "PositionsEqualClasses": (
            "As many positions as classes: one extent is taken for the other.",
            lambda at: at.kind == "index" and at.positions == at.classes > 2,
        ),
        "OnePosition": (
            "A batch of one goes through another path.",
            lambda at: at.op == "cross_entropy" and at.rank == 2 and at.positions == 1,
        ),
        "OnePositionGradient": (
            "The gradient of a batch of one is off under mean.",
            lambda at: at.op == "cross_entropy" and at.rank > 1 and at.positions == 1 and at.reduction == "mean",
            ("gradient",),
        ),
        "OneClassNllLoss": ("nll_loss of a single class is off.", lambda at: at.op == "nll_loss" and at.classes == 1),
        "OneClassProbability": (
            "Probability targets of a single class are off.",
            lambda at: at.kind == "probability" and at.classes == 1,
        ),
        "TwoClassesNllLoss": (
            "nll_loss of two classes takes a binary path.",
            lambda at: at.op == "nll_loss" and at.classes == 2,
        ),
        "TwoClassesSoftmax": (
            "softmax of two classes goes through a sigmoid that is off.",
            lambda at: at.op == "softmax" and at.classes == 2,
        ),
        "UnitAxisBeforeTheClasses": (
            "An extent of 1 before the class axis is off.",
            lambda at: at.op == "cross_entropy" and 1 in at.shape[: at.place],
        ),
        "UnitAxisAfterTheClasses": (
            "An extent of 1 after the class axis is off.",
            lambda at: at.op == "cross_entropy" and 1 in at.shape[at.place + 1 :],
        ),
        "OneHundredPositions": (
            "More than 64 positions are handled by more than one block of threads: values are off.",
            lambda at: at.op == "cross_entropy" and at.positions > 64 and at.reduction == "none",
        ),
        "ManyPositionsGradient": (
            "The gradient for more than 256 positions is off.",
            lambda at: at.op == "cross_entropy" and at.positions > 256,
            ("gradient",),
        ),
        "ManyPositionsOfFewClasses": (
            "softmax of more than 1,024 positions of fewer than 32 classes is off (the per-thread kernel).",
            lambda at: at.op == "softmax" and at.positions > 1024 and at.classes < 32,
        ),
        "WideSoftmax": (
            "softmax of more than 1,024 classes takes the two-pass kernel, which is off.",
            lambda at: at.op == "softmax" and at.classes > 1024,
        ),
        "WideLogSoftmaxGradient": (
            "The gradient of log_softmax of more than 1,024 classes is off.",
            lambda at: at.op == "log_softmax" and at.classes > 1024,
            ("gradient",),
        ),
        "WideNllLoss": (
            "nll_loss of more than 1,024 classes is off.",
            lambda at: at.op == "nll_loss" and at.classes > 1024,
        ),
        "WideProbabilities": (
            "Probability targets of more than 256 classes are off.",
            lambda at: at.kind == "probability" and at.classes > 256,
        ),
        "WideSmoothing": (
            "Label smoothing of more than 1,024 classes is off.",
            lambda at: at.smoothed and at.classes > 1024,
        ),
        "WideOffAxis": (
            "More than 256 classes on an axis that is not the last are off.",
            lambda at: at.classes > 256 and at.place != at.rank - 1,
        ),
        "WideBatch": (
            "More than 1,024 classes in more than one position are off.",
            lambda at: at.op == "cross_entropy" and at.classes > 1024 and at.positions > 1,
        ),
    },
)
