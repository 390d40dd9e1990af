"""The space that random cases are drawn from: what a case is made of, and how often each kind is wanted.

The weights follow from where wrong kernels have survived hand-written cases: sizes about powers of two beside another
feature, special values at some place of a large tensor, operands that look like a shortcut, gradients with structure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from conformance.cases.checks import NORMALISERS
from conformance.corpus.dice import Dice
from conformance.model.case import OPERATIONS, TRANSFORMS
from conformance.model.dtypes import DTYPES
from conformance.model.layouts import BETWEEN, LAYOUTS
from conformance.worker.layouts import fits

__all__ = ["FACTORS", "FAMILY", "FORMS", "PLAIN", "Form", "Levels", "drawn", "extents_of", "settled"]

#: Factor to level.
Levels = dict[str, str]
#: Logits of one case; of float64, which takes the oracle twenty times as long, most cases have fewer.
MOST, MOST_OF_FLOAT64, USUAL_OF_FLOAT64 = 3 << 16, 1 << 14, 1 << 11


@dataclass(frozen=True)
class Form:
    """How many axes the logits have, and which of them holds the classes, from 0."""

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
    "eight-axes": Form(8, 1),
}
_LAYOUTS: dict[str, float] = {name: 0.5 for name in LAYOUTS if name not in ("contiguous", *BETWEEN)}
#: Layouts that only numbers which are alike can have.
_OF_EQUALS = ("broadcast", "overlapping", "expanded")

#: Factor to levels, each with its weight. The first level of a factor is the plain one.
FACTORS: dict[str, dict[str, float]] = {
    "op": dict(zip(OPERATIONS, (2.0, 2.0, 1.6, 4.0, 0.6), strict=True)),
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
        "eight-axes": 0.3,
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
    },
    "place": {"anywhere": 2.0, "first": 1.0, "last": 1.2, "block": 1.2, "label": 1.0},
    "reductions": {"none": 3.0, "mean": 3.0, "sum": 1.6, "default": 0.8, "all": 1.6},
    "targets": {"labels": 6.0, "soft": 1.6, "one-hot": 0.8, "even": 0.6, "sparse": 0.6, "unnormalised": 0.8},
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
        "one-hot": 0.4,
        "zero-ended": 0.4,
        "negative": 0.5,
        "small": 0.4,
        "heavy": 0.4,
        "integers": 0.4,
    },
    "ignored": {
        "none": 5.0,
        "default": 1.2,
        "first-class": 0.8,
        "last-class": 0.6,
        "outside": 0.8,
        "minus-one": 0.8,
        "unused": 0.6,
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
    },
    "layout": {"contiguous": 12.0, **_LAYOUTS},
    "laid-out": {"all": 4.0, "logits": 1.0, "targets": 1.0, "weight": 1.0, "upstream": 1.0},
    "transforms": {"none": 7.0, **dict.fromkeys(TRANSFORMS, 0.9)},
    "tangent": {"seeded": 3.0, "ones": 0.7, "one-hot": 0.7},
    "mask": {"none": 9.0, "some": 0.8, "one-left": 0.3},
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
    },
}
#: What decides the shapes and the dtype of a call: compilers start anew for each of these.
FAMILY = ("form", "classes", "positions", "dtype")
PLAIN: Levels = {factor: next(iter(levels)) for factor, levels in FACTORS.items()} | {"op": "cross_entropy"}
#: Examples of a map, which a library without one does in a loop.
MOST_MAPPED = 1025
#: Where the product is too large, the next smaller number of positions.
_SMALLER = {"huge": "many", "many": "middle", "middle": "power", "power": "few", "few": "three", "three": "one"}
_HIGHEST = {"int8": 127, "uint8": 255, "int16": 32767, "uint16": 65535}
_FLOAT16_OFFSETS = {"million": "far"}


def drawn(
    dice: Dice, family: Mapping[str, str] | None = None, weights: Mapping[str, Mapping[str, float]] = FACTORS
) -> Levels:
    """A level for each factor, by its weight; those of ``family`` are given."""
    return {factor: (family or {}).get(factor) or dice.weighted(levels) for factor, levels in weights.items()}


def extents_of(family: Levels, dice: Dice) -> tuple[tuple[int, ...], Levels]:
    """The logits' shape, and ``family`` with fewer positions where they would have been too many."""
    form, family = FORMS[family["form"]], dict(family)
    classes = _classes(family["classes"], dice)
    most = MOST
    if family["dtype"] == "float64":
        most = MOST_OF_FLOAT64 if dice.chance(0.15) else USUAL_OF_FLOAT64
    if form.rank == 1:
        family["positions"] = "one"
    positions = _positions(family["positions"], dice)
    if positions * classes > most and family["positions"] in ("huge", "many") and dice.chance(0.7):
        family["classes"] = dice.one_of(("two", "three") if family["positions"] == "huge" else ("few", "power"))
        classes = _classes(family["classes"], dice)
    while classes * positions > most and family["positions"] in _SMALLER:
        family["positions"] = _SMALLER[family["positions"]]
        positions = _positions(family["positions"], dice)
    rest = _split(positions, form.rank - 1, dice)
    return (*rest[: form.place], classes, *rest[form.place :]), family


def _around(power: int, dice: Dice) -> int:
    return (1 << power) + dice.between(-1, 1)


def _usual_count(level: str, dice: Dice) -> int | None:
    """A number of classes or positions; None for a level that means something else for each."""
    if level in _SMALL:
        return _SMALL[level]
    if level == "few":
        return dice.between(4, 9)
    if level == "power":
        return _around(dice.between(3, 7), dice)
    return dice.between(10, 300) if level == "middle" else None


_SMALL = {"no": 0, "one": 1, "two": 2, "three": 3}


def _classes(level: str, dice: Dice) -> int:
    usual = _usual_count(level, dice)
    if usual is not None:
        return usual
    if level == "wide":
        return dice.between(300, 2100) if dice.chance(0.4) else _around(dice.between(8, 10), dice)
    if level == "wider":
        return _around(dice.between(11, 13), dice)
    return dice.one_of((16383, 16385, 32000, 32769, 50257, 65535, 65536, 65537, 128256))


def _positions(level: str, dice: Dice) -> int:
    usual = _usual_count(level, dice)
    if usual is not None:
        return usual
    if level == "many":
        return _around(dice.between(8, 11), dice)
    return dice.one_of((4095, 4096, 4097, 65535, 65536, 65537))


def _split(count: int, axes: int, dice: Dice) -> tuple[int, ...]:
    """``count`` as a product of so many extents, in a random order; primes leave extents of 1, 0 any."""
    extents = [1] * axes
    if not count:  # one extent of 0, or several
        extents = [dice.between(0, 2) for _ in range(axes)]
        extents[dice.below(axes)] = 0
    rest, factor = count, 2
    while rest > 1 and axes:
        if factor * factor > rest:
            factor = rest
        if rest % factor:
            factor += 1
            continue
        extents[dice.below(axes)] *= factor
        rest //= factor
    return tuple(extents)


def settled(levels: Mapping[str, str], extents: tuple[int, ...]) -> Levels:
    """The levels with plain ones in place of those that do not go with the others: each names what the case has."""
    found = dict(levels)
    form = FORMS[found["form"]]
    classes, size = extents[form.place], math.prod(extents)

    def plain(*factors: str) -> None:
        found.update({factor: PLAIN[factor] for factor in factors})

    if found["axis"] == "default" and (form.place != min(1, form.rank - 1) or found["invalid"] == "axis"):
        plain("axis")
    if not size:
        plain("special", "logits", "ignored-share", "labels", "mask", "layout", "upstream", "tangent", "transforms")
        if found["invalid"].startswith("label") or found["invalid"] == "targets-shape":
            plain("invalid")
    _settle_invalid(found, plain, form)
    if found["op"] in NORMALISERS:
        plain("targets", "weight", "ignored", "smoothing", "reductions")
    if found["op"] != "cross_entropy":
        plain("targets", "smoothing")
    if found["dtype"] == "float16":
        found["offset"] = _FLOAT16_OFFSETS.get(found["offset"], found["offset"])
    if found["logits"].startswith("masked") and (form.place != form.rank - 1 or classes < 4):
        plain("logits")
    if found["logits"] in ("integers", "one-hot") or found["special"] in ("least-normal", "subnormal"):
        plain("offset")
    if found["mask"] != "none":
        if found["op"] not in (*NORMALISERS, "cross_entropy") or size > 4096:
            plain("mask")
        else:
            plain("special", "smoothing", "transforms")
            if found["logits"].startswith("masked"):
                plain("logits")
    if found["special"] == "none" and found["logits"] != "spike":
        plain("place")
    if found["targets"] != "labels" or found["op"] in NORMALISERS:
        plain("labels", "target-dtype", "ignored")
    if found["ignored"] in ("none", "unused"):
        plain("ignored-share")
    highest = _HIGHEST.get(found["target-dtype"])
    if highest is not None and (classes > highest + 1 or found["ignored"] == "outside"):
        plain("target-dtype")
    if found["target-dtype"].startswith("u") and found["ignored"] in ("default", "minus-one"):
        plain("target-dtype")
    if found["target-dtype"] != "int64" and found["invalid"].startswith("label"):
        plain("target-dtype")
    _settle_transforms(found, plain, form, extents)
    _settle_layout(found, plain, extents)
    return found


def _settle_layout(found: Levels, plain: Callable[..., None], extents: tuple[int, ...]) -> None:
    """A layout that makes a difference to the operands that are to have it."""
    name, place = found["layout"], FORMS[found["form"]].place
    if name in _OF_EQUALS and found["special"] == "none" and found["invalid"] == "nothing":
        found["laid-out"] = "all"
        found["logits"] = "equal"
    elif name in _OF_EQUALS or (name == "byte-swapped" and found["dtype"] == "bfloat16"):  # which has one order
        plain("layout")
    positions = extents[:place] + extents[place + 1 :]
    is_loss = found["op"] not in NORMALISERS
    by_label = found["targets"] == "labels"
    shapes = {"all": extents, "logits": extents}
    if is_loss:
        shapes["targets"] = positions if by_label else extents
    if found["weight"] != "none":
        shapes["weight"] = extents[place : place + 1]
    if found["upstream"] != "seeded":
        shapes["upstream"] = extents if not is_loss else positions if found["reductions"] in ("none", "all") else ()
    if found["laid-out"] not in shapes:
        plain("laid-out")
    if found["layout"] == "contiguous" or not fits(found["layout"], np.zeros(shapes[found["laid-out"]], np.int8)):
        plain("layout", "laid-out")


def _settle_invalid(found: Levels, plain: Callable[..., None], form: Form) -> None:
    kind = found["invalid"]
    if kind == "nothing":
        return
    is_loss = found["op"] not in NORMALISERS
    if (
        (
            kind in ("label-above", "label-below", "label-far", "weight-length", "reduction", "targets-shape")
            and not is_loss
        )
        or (kind == "smoothing" and found["op"] != "cross_entropy")
        or (kind == "targets-shape" and form.rank == 1)
    ):
        plain("invalid")
    if found["invalid"] == "nothing":
        return
    plain("transforms", "special", "mask", "upstream", "layout")
    if kind.startswith("label") or kind == "targets-shape":
        plain("targets", "labels", "ignored")
    if kind == "integer-logits":
        plain("offset")
        found["logits"] = "integers"
    if kind == "weight-length":
        found["weight"] = "any"
    if kind == "reduction":
        plain("reductions")


def _settle_transforms(found: Levels, plain: Callable[..., None], form: Form, extents: tuple[int, ...]) -> None:
    kind = found["transforms"]
    wrong = found["axis"] == "default"
    wrong |= kind == "second-order" and found["op"] == "nll_loss"
    wrong |= kind == "vectorised-map" and (form.rank < 2 or form.place == 0 or extents[0] > MOST_MAPPED)
    if kind == "vectorised-map" and found["op"] not in NORMALISERS and found["reductions"] != "all":
        found["reductions"] = "none"
    wrong |= kind == "target-gradient" and (found["targets"] == "labels" or found["op"] != "cross_entropy")
    if wrong:
        plain("transforms")
    if found["transforms"] == "target-gradient" and found["upstream"] in ("zero", "one-hot", "zero-ended"):
        plain("upstream")  # the gradient of an impossible class is infinite, and 0 of it is for nobody to say
    if found["transforms"] not in ("forward-mode", "second-order"):
        plain("tangent")
