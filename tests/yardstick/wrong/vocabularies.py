"""Kernels chosen by the number of classes, each wrong in the range of widths, or beside the one feature, it is for."""

from __future__ import annotations

from tests.yardstick.corners import corners

corners(
    __name__,
    {
        "VocabularyWithWeights": (
            "Weighted losses of more than 2,048 classes are off.",
            lambda at: at.weighted and at.classes > 2048,
        ),
        "VocabularyIgnored": (
            "Ignored positions beside more than 2,048 classes are off: padded batches of a language model.",
            lambda at: at.ignored and at.classes > 2048,
        ),
        "VocabularyIgnoredInBfloat16": (
            "bfloat16: ignored positions beside more than 1,024 classes are off, as pretraining has them at each step.",
            lambda at: at.dtype == "bfloat16" and at.ignored and at.classes > 1024,
        ),
        "VocabularyOfManyRows": (
            "More than eight positions of more than 4,096 classes take a kernel that is off.",
            lambda at: at.positions > 8 and at.classes > 4096,
        ),
        "VocabularyOfTokens": (
            "Batch, tokens, classes: more than 256 classes of logits of rank 3 are off.",
            lambda at: at.rank == 3 and at.classes > 256,
        ),
        "VocabularySummed": (
            "The sum of losses of more than 2,048 classes is off, the mean is not.",
            lambda at: at.reduction == "sum" and at.classes > 2048,
        ),
        "VocabularySoftmaxGradient": (
            "The gradient of softmax of more than 65,536 classes is off.",
            lambda at: at.op == "softmax" and at.classes > 65536,
            ("gradient",),
        ),
        "VocabularyLogSoftmaxInFloat64": (
            "log_softmax of more than 2,048 classes is off in float64, whose blocks hold half as many.",
            lambda at: at.op == "log_softmax" and at.classes > 2048 and at.dtype == "float64",
        ),
        "VocabularyInFloat64": (
            "cross_entropy of more than 4,096 classes is off in float64.",
            lambda at: at.op == "cross_entropy" and at.classes > 4096 and at.dtype == "float64",
        ),
        "VocabularyOf50000Unreduced": (
            "Losses without reduction are off between 32,769 and 65,000 classes, where GPT-2's vocabulary lies.",
            lambda at: at.reduction == "none" and 32768 < at.classes < 65000,
        ),
        "VocabularyBeyond131072Gradient": (
            "More than 131,072 classes: the gradient is off, as for the largest vocabularies.",
            lambda at: at.classes > 131072,
            ("gradient",),
        ),
        "VocabularyOf100000": (
            "Between 66,000 and 128,000 classes results are off, where 100,256 tokens lie.",
            lambda at: 66000 < at.classes < 128000,
        ),
        "HalfABlockOf4096": (
            "Between 2,050 and 4,096 classes the block is partly filled, and results are off.",
            lambda at: 2049 < at.classes <= 4096,
        ),
        "FewBlocksOf4096": (
            "Between 4,098 and 30,000 classes a loop of few turns is off.",
            lambda at: 4097 < at.classes < 30000,
        ),
        "VocabularyFirst": (
            "(C, N) of more than 2,048 classes is off: the logits of a position lie far apart.",
            lambda at: at.place == 0 and at.rank == 2 and at.classes > 2048,
        ),
        "OddDoublesBelow1024": (
            "float64 log_softmax of an odd number of classes between a half and a whole block is off (pytorch#143644).",
            lambda at: (
                at.op == "log_softmax"
                and at.dtype == "float64"
                and at.classes % 2 == 1
                and at.classes % 32 != 31
                and 513 < at.classes < 1024
            ),
        ),
        "VocabularyUnbatched": (
            "One unbatched position of more than 1,024 classes is off: there is no row to give to a block.",
            lambda at: at.rank == 1 and at.classes > 1024,
        ),
        "VocabularyOfProbabilitiesGradient": (
            "The gradient of probability targets of more than 4,096 classes is off in the half types.",
            lambda at: at.kind == "probability" and at.classes > 4096 and at.dtype in ("bfloat16", "float16"),
            ("gradient",),
        ),
    },
)
