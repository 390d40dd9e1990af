"""The space that random cases are drawn from: what a case is made of, and how often each kind is wanted.

The weights follow from where wrong kernels have survived hand-written cases: sizes about powers of two beside another
feature, special values at some place of a large tensor, operands that look like a shortcut, gradients with structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.corpus.dice import Dice
from conformance.model.case import OPERATIONS, TRANSFORMS
from conformance.model.dtypes import DTYPES
from conformance.model.layouts import FAR_APART, LAYOUTS

__all__ = ["FACTORS", "FAMILY", "FORMS", "PLAIN", "Form", "Levels", "drawn"]

#: Factor to level.
Levels = dict[str, str]


@dataclass(frozen=True)
class Form:
    """How many axes the logits have, and which of them holds the classes, from 0 (also where there is none)."""

    rank: int
    place: int


#: Shapes of logits by the names of what they are used for.
FORMS: dict[str, Form] = {
    "batch": Form(2, 1),
    "vector": Form(1, 0),
    "classes-first": Form(2, 0),
    "tokens": Form(3, 2),
    "sequences": Form(3, 1),
    "classes-before-two": Form(3, 0),
    "images": Form(4, 1),
    "images-last": Form(4, 3),
    "third-of-four": Form(4, 2),
    "volumes": Form(5, 1),
    "volumes-last": Form(5, 4),
    "fourth-of-five": Form(5, 3),
    "six-axes": Form(6, 5),
    "seven-axes": Form(7, 3),
    "eight-axes": Form(8, 1),
    "scalar": Form(0, 0),
}

#: Factor to levels, each with its weight. The first level of a factor is the plain one.
FACTORS: dict[str, dict[str, float]] = {
    "op": dict(zip(OPERATIONS, (2.0, 2.0, 1.6, 4.0, 0.6, 0.8), strict=True)),
    "dtype": {"float32": 3.0} | {name: 1.3 for name in DTYPES if name != "float32"},
    "form": {
        "batch": 6.0,
        "vector": 1.2,
        "classes-first": 1.2,
        "tokens": 1.5,
        "sequences": 1.2,
        "classes-before-two": 0.6,
        "images": 1.5,
        "images-last": 1.0,
        "third-of-four": 0.8,
        "volumes": 0.7,
        "volumes-last": 0.5,
        "fourth-of-five": 0.7,
        "six-axes": 0.3,
        "seven-axes": 0.3,
        "eight-axes": 0.3,
        "scalar": 0.2,
    },
    "axis": {"stated": 5.0, "negative": 2.0, "default": 0.8},
    "classes": {
        "few": 4.0,
        "one": 0.4,
        "two": 1.2,
        "three": 1.2,
        "power": 4.0,
        "middle": 2.0,
        "wide": 2.5,
        "wider": 1.0,
        "vocabulary": 0.35,
        "no": 0.2,
    },
    "positions": {
        "few": 5.0,
        "one": 1.0,
        "two": 1.2,
        "three": 1.2,
        "power": 3.0,
        "middle": 1.5,
        "many": 1.6,
        "huge": 0.2,
        "no": 0.5,
    },
    "logits": {
        "normal": 6.0,
        "uniform": 2.0,
        "rising": 0.8,
        "falling": 0.6,
        "equal": 1.0,
        "spike": 1.2,
        "integers": 0.7,
        "normalised": 0.8,
        "confident": 1.5,
        "tiny": 0.5,
        "one-hot": 0.5,
        "rows-apart": 1.0,
        "masked-first": 0.6,
        "masked-last": 0.6,
        "masked-middle": 0.6,
        "masked-alternating": 0.3,
    },
    "offset": {"none": 6.0, "ten": 0.8, "hundred": 1.0, "thousand": 1.0, "far": 0.8, "million": 0.8},
    "special": {
        "none": 9.0,
        "nan": 0.6,
        "inf": 0.6,
        "-inf": 0.9,
        "minus-zero": 0.3,
        "largest": 0.3,
        "lowest": 0.3,
        "least-normal": 0.2,
        "subnormal": 0.3,
        "mixed": 1.2,
    },
    "place": {"anywhere": 2.0, "first": 1.0, "last": 1.2, "block": 1.2, "label": 1.0, "each-row": 2.0, "row": 0.4},
    "reductions": {"none": 3.0, "mean": 3.0, "sum": 1.6, "default": 0.8, "all": 1.6},
    "targets": {
        "labels": 6.0,
        "soft": 1.6,
        "one-hot": 0.8,
        "even": 0.6,
        "sparse": 0.6,
        "nearly-one-hot": 0.5,
        "unnormalised": 0.8,
        "nan": 0.2,
    },
    "labels": {"any": 5.0, "first": 0.6, "last": 1.0, "same": 0.5},
    "target-dtype": {
        "int64": 8.0,
        "int32": 1.5,
        "int16": 0.4,
        "int8": 0.4,
        "uint8": 0.4,
        "uint16": 0.3,
        "uint32": 0.3,
        "uint64": 0.3,
    },
    "weight": {
        "none": 5.0,
        "any": 2.0,
        "zeros": 0.8,
        "equal": 0.8,
        "ones": 0.4,
        "one-differs": 0.4,
        "nearly-equal": 0.6,
        "one-hot": 0.4,
        "zero-ended": 0.4,
        "negative": 0.5,
        "small": 0.4,
        "heavy": 0.4,
        "integers": 0.4,
        "nan": 0.2,
        "of-logits": 0.2,
    },
    "ignored": {
        "none": 5.0,
        "default": 1.2,
        "first-class": 0.8,
        "last-class": 0.6,
        "outside": 0.8,
        "minus-one": 0.8,
        "unused": 0.6,
        "far": 0.4,
    },
    "ignored-share": {"some": 3.0, "one": 0.8, "most": 0.8, "all": 0.4, "head": 0.6, "tail": 0.8},
    "smoothing": {"none": 5.0, "zero": 0.4, "tenth": 1.5, "half": 0.5, "one": 0.6, "tiny": 0.3, "near-one": 0.3},
    "upstream": {
        "seeded": 5.0,
        "ones": 0.6,
        "constant": 0.8,
        "zero": 0.3,
        "one-hot": 1.2,
        "zero-ended": 0.7,
        "alternating": 0.8,
        "tiny": 0.4,
        "large": 0.5,
        "nan": 0.4,
        "subnormal": 0.2,
    },
    "layout": {
        "contiguous": 12.0,
        **{name: 0.5 for name in LAYOUTS if name not in ("contiguous", FAR_APART)},
    },
    "laid-out": {
        "all": 4.0,
        "logits": 1.0,
        "targets": 1.0,
        "weight": 1.0,
        "upstream": 1.0,
        "tangent": 0.7,
        "where": 0.7,
        "two": 2.0,
    },
    "transforms": {"none": 7.0, **dict.fromkeys(TRANSFORMS, 0.9), "several": 0.9},
    "tangent": {"seeded": 3.0, "ones": 0.7, "one-hot": 0.7, "constant": 0.5, "alternating": 0.5, "zero-ended": 0.5},
    "mask": {"none": 9.0, "some": 0.8, "one-left": 0.3, "all": 0.3},
    "invalid": {
        "nothing": 16.0,
        "label-above": 0.5,
        "label-below": 0.5,
        "label-far": 0.2,
        "axis": 0.3,
        "weight-length": 0.3,
        "smoothing": 0.2,
        "reduction": 0.4,
        "integer-logits": 0.4,
        "targets-shape": 0.4,
        "one-target": 0.3,
        "float-labels": 0.3,
        "python-targets": 0.2,
        "ignored-probabilities": 0.3,
        "upstream-shape": 0.4,
    },
    "policy": {"unasked": 3.0, "asked": 1.0},
}
#: What decides the shapes and the dtype of a call: compilers start anew for each of these.
FAMILY = ("form", "classes", "positions", "dtype")
PLAIN: Levels = {factor: next(iter(levels)) for factor, levels in FACTORS.items()} | {"op": "cross_entropy"}


def drawn(
    dice: Dice, family: Mapping[str, str] | None = None, weights: Mapping[str, Mapping[str, float]] = FACTORS
) -> Levels:
    """A level for each factor, by its weight; those of ``family`` are given."""
    return {factor: (family or {}).get(factor) or dice.weighted(levels) for factor, levels in weights.items()}
