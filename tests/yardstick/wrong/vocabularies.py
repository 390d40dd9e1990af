"""Kernels chosen by the number of classes, each wrong in the range of widths, or beside the one feature, it is for."""

from __future__ import annotations

from tests.yardstick.corners import Corner, CornerKernel


class VocabularyWithWeights(CornerKernel):
    """Weighted losses of more than 2,048 classes are off."""

    def corner(self, at: Corner) -> bool:
        return at.weighted and at.classes > 2048


class VocabularyIgnored(CornerKernel):
    """Ignored positions beside more than 2,048 classes are off: padded batches of a language model."""

    def corner(self, at: Corner) -> bool:
        return at.ignored and at.classes > 2048


class VocabularyIgnoredInBfloat16(CornerKernel):
    """bfloat16: ignored positions beside more than 1,024 classes are off, as pretraining has them at each step."""

    def corner(self, at: Corner) -> bool:
        return at.dtype == "bfloat16" and at.ignored and at.classes > 1024


class VocabularyOfManyRows(CornerKernel):
    """More than eight positions of more than 4,096 classes take a kernel that is off."""

    def corner(self, at: Corner) -> bool:
        return at.positions > 8 and at.classes > 4096


class VocabularyOfTokens(CornerKernel):
    """Batch, tokens, classes: more than 256 classes of logits of rank 3 are off."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 3 and at.classes > 256


class VocabularySummed(CornerKernel):
    """The sum of losses of more than 2,048 classes is off, the mean is not."""

    def corner(self, at: Corner) -> bool:
        return at.reduction == "sum" and at.classes > 2048


class VocabularySoftmaxGradient(CornerKernel):
    """The gradient of softmax of more than 65,536 classes is off."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.op == "softmax" and at.classes > 65536


class VocabularyLogSoftmaxInFloat64(CornerKernel):
    """log_softmax of more than 2,048 classes is off in float64, whose blocks hold half as many."""

    def corner(self, at: Corner) -> bool:
        return at.op == "log_softmax" and at.classes > 2048 and at.dtype == "float64"


class VocabularyInFloat64(CornerKernel):
    """cross_entropy of more than 4,096 classes is off in float64."""

    def corner(self, at: Corner) -> bool:
        return at.op == "cross_entropy" and at.classes > 4096 and at.dtype == "float64"


class VocabularyOf50000Unreduced(CornerKernel):
    """Losses without reduction are off between 32,769 and 65,000 classes, where GPT-2's vocabulary lies."""

    def corner(self, at: Corner) -> bool:
        return at.reduction == "none" and 32768 < at.classes < 65000


class VocabularyBeyond131072Gradient(CornerKernel):
    """More than 131,072 classes: the gradient is off, as for the largest vocabularies."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.classes > 131072


class VocabularyOf100000(CornerKernel):
    """Between 66,000 and 128,000 classes results are off, where 100,256 tokens lie."""

    def corner(self, at: Corner) -> bool:
        return 66000 < at.classes < 128000


class HalfABlockOf4096(CornerKernel):
    """Between 2,050 and 4,096 classes the block is partly filled, and results are off."""

    def corner(self, at: Corner) -> bool:
        return 2049 < at.classes <= 4096


class FewBlocksOf4096(CornerKernel):
    """Between 4,098 and 30,000 classes a loop of few turns is off."""

    def corner(self, at: Corner) -> bool:
        return 4097 < at.classes < 30000


class VocabularyFirst(CornerKernel):
    """(C, N) of more than 2,048 classes is off: the logits of a position lie far apart."""

    def corner(self, at: Corner) -> bool:
        return at.place == 0 and at.rank == 2 and at.classes > 2048


class OddDoublesBelow1024(CornerKernel):
    """float64 log_softmax of an odd number of classes between a half and a whole block is off (pytorch#143644)."""

    def corner(self, at: Corner) -> bool:
        odd = at.classes % 2 == 1 and at.classes % 32 != 31
        return at.op == "log_softmax" and at.dtype == "float64" and odd and 513 < at.classes < 1024


class VocabularyUnbatched(CornerKernel):
    """One unbatched position of more than 1,024 classes is off: there is no row to give to a block."""

    def corner(self, at: Corner) -> bool:
        return at.rank == 1 and at.classes > 1024


class VocabularyOfProbabilitiesGradient(CornerKernel):
    """The gradient of probability targets of more than 4,096 classes is off in the half types."""

    of = ("gradient",)

    def corner(self, at: Corner) -> bool:
        return at.kind == "probability" and at.classes > 4096 and at.dtype in ("bfloat16", "float16")
