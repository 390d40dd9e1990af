"""Which levels go together: of those that do not, the plain one is taken, so that each names what the case has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from conformance.cases.checks import NORMALISERS
from conformance.corpus.space import FORMS, PLAIN, Form, Levels
from conformance.model.layouts import BETWEEN
from conformance.worker.layouts import fits

__all__ = ["operand_shapes", "settled"]

#: Layouts that only numbers which are alike can have.
OF_EQUALS = ("broadcast", "overlapping", "expanded")
#: Examples of a map, which a library without one does in a loop.
MOST_MAPPED = 1025
_HIGHEST = {"int8": 127, "uint8": 255, "int16": 32767, "uint16": 65535}
_FLOAT16_OFFSETS = {"million": "far"}
#: Weights that are written out one by one.
MOST_WEIGHTS = 2048
#: Levels of transforms that have a direction.
DIRECTED = ("forward-mode", "second-order", "several")
#: What can be wrong with labels, with losses, and not with tensors without an element.
_OF_LABELS = ("label-above", "label-below", "label-far", "targets-shape", "float-labels", "python-targets")
_OF_LOSSES = (*_OF_LABELS, "weight-length", "smoothing", "reduction", "one-target", "ignored-probabilities")
_OF_SOMETHING = ("targets-shape", "one-target", "float-labels", "python-targets", "upstream-shape", "integer-logits")


def settled(levels: Mapping[str, str], extents: tuple[int, ...]) -> Levels:
    """The levels with plain ones in place of those that do not go with the others: each names what the case has."""
    found = dict(levels)
    form = FORMS[found["form"]]
    classes, size = classes_of(extents, form.place), math.prod(extents)

    def plain(*factors: str) -> None:
        found.update({factor: PLAIN[factor] for factor in factors})

    if found["axis"] == "default" and (form.place != min(1, form.rank - 1) or found["invalid"] == "axis"):
        plain("axis")
    if not size:
        plain("special", "logits", "ignored-share", "labels", "mask", "layout", "upstream", "tangent", "transforms")
        if found["invalid"].startswith("label") or found["invalid"] in _OF_SOMETHING:
            plain("invalid")
    if not classes:
        plain("smoothing")
    _settle_invalid(found, plain, form, extents)
    if found["op"] in NORMALISERS:
        plain("targets", "weight", "ignored", "smoothing", "reductions")
    if found["op"] != "cross_entropy":
        plain("targets", "smoothing")
    if found["dtype"] == "float16":
        found["offset"] = _FLOAT16_OFFSETS.get(found["offset"], found["offset"])
    if not form.rank:  # of a number alone the policies say no more
        plain("transforms", *(["logits"] if found["logits"] == "rows-apart" else []))
        found["op"] = "nll_loss" if found["op"] == "nll_loss_of_log_softmax" else found["op"]
    if found["logits"].startswith("masked") and (form.place != form.rank - 1 or classes < 4):
        plain("logits")
    if found["logits"] in ("integers", "one-hot") or found["special"] in ("least-normal", "subnormal"):
        plain("offset")
    if found["op"] == "nll_loss_of_log_softmax" and found["special"] in ("largest", "lowest"):
        plain("special")  # between the two functions a log-probability overflows
    if found["mask"] != "none":
        if found["op"] not in (*NORMALISERS, "cross_entropy") or size > 4096 or not form.rank:
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
    if found["target-dtype"] != "int64" and (found["invalid"].startswith("label") or found["ignored"] == "far"):
        plain("target-dtype")
    _settle_transforms(found, plain, form, extents)
    _settle_upstream(found, plain)
    if found["weight"] == "nan" and found["targets"] != "labels":  # NaN beside a probability of 0 is an open question
        plain("weight")
    _settle_layout(found, plain, extents)
    if found["weight"] == "of-logits" and not _has_a_plain_row(found, form, classes if size else 0):
        found["weight"] = "any"
    return found


def classes_of(extents: tuple[int, ...], place: int) -> int:
    """How many classes logits of a shape have: a number alone has one."""
    return extents[place] if extents else 1


def _has_a_plain_row(found: Levels, form: Form, classes: int) -> bool:
    """Whether the first row of the logits may be weights, too."""
    if form.place != form.rank - 1 or not 0 < classes <= MOST_WEIGHTS or found["logits"].startswith("masked"):
        return False
    return found["special"] == "none" and found["offset"] == "none"


def _settle_upstream(found: Levels, plain: Callable[..., None]) -> None:
    """A gradient of NaN, where it is multiplied by nothing that is 0: what comes of that is an open question."""
    if found["upstream"] != "nan":
        return
    wrong = found["special"] != "none" or found["mask"] != "none" or found["logits"].startswith("masked")
    wrong |= found["op"] in ("nll_loss", "nll_loss_of_log_softmax") or found["ignored"] != "none"
    wrong |= found["weight"] not in ("none", "any", "equal", "ones", "small", "integers")
    if wrong or found["invalid"] != "nothing":
        plain("upstream")
    else:
        plain("transforms", "tangent")


def operand_shapes(found: Mapping[str, str], extents: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The shape of each operand that a case of these levels has."""
    place = FORMS[found["form"]].place
    positions = extents[:place] + extents[place + 1 :]
    is_loss = found["op"] not in NORMALISERS
    shapes = {"logits": extents}
    if is_loss:
        shapes["targets"] = positions if found["targets"] == "labels" else extents
    if found["mask"] != "none":
        shapes["where"] = extents
    if found["weight"] != "none":
        shapes["weight"] = (classes_of(extents, place),)
    shapes["upstream"] = extents if not is_loss else positions if found["reductions"] in ("none", "all") else ()
    if found["transforms"] in DIRECTED:
        shapes["tangent"] = extents
    return shapes


def _settle_layout(found: Levels, plain: Callable[..., None], extents: tuple[int, ...]) -> None:
    """A layout that makes a difference to the operands that are to have it."""
    name = found["layout"]
    shapes = operand_shapes(found, extents)
    if name in OF_EQUALS and found["special"] == "none" and found["invalid"] == "nothing":
        found["laid-out"] = "all"
        found["logits"] = "equal"
    elif name in OF_EQUALS or (name == "byte-swapped" and found["dtype"] == "bfloat16"):  # which has one order
        plain("layout")
    elif name in BETWEEN:
        _settle_between(found, plain, shapes)
        return
    laid_out = found["laid-out"]
    if laid_out == "two" and not any(math.prod(shape) > 1 for each, shape in shapes.items() if each != "logits"):
        found["laid-out"] = laid_out = "logits"
    elif laid_out not in ("two", *shapes):
        found["laid-out"] = laid_out = "all"
    if found["layout"] == "contiguous" or not fits(found["layout"], np.zeros(shapes.get(laid_out, extents), np.int8)):
        plain("layout", "laid-out")


def _settle_between(found: Levels, plain: Callable[..., None], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """An operand in the logits' own memory: another of their shape and dtype, or weights that are one of their rows."""
    form = FORMS[found["form"]]
    if found["layout"] == "within-logits":
        if found["weight"] == "none" or not _has_a_plain_row(found, form, shapes["weight"][0]):
            plain("layout", "laid-out")
        else:
            found["weight"], found["laid-out"] = "of-logits", "weight"
        return
    labels = found["targets"] == "labels"
    alike = [each for each, shape in shapes.items() if shape == shapes["logits"] and each not in ("logits", "where")]
    alike = [each for each in alike if each != "targets" or not labels]
    if not alike or not form.rank or found["invalid"] != "nothing":
        plain("layout", "laid-out")
    elif found["laid-out"] not in alike:
        found["laid-out"] = alike[0]


def _settle_invalid(found: Levels, plain: Callable[..., None], form: Form, extents: tuple[int, ...]) -> None:
    kind = found["invalid"]
    if kind == "nothing":
        return
    positions = extents[: form.place] + extents[form.place + 1 :]
    missing = not form.rank  # of a number alone nothing is known to be wrong
    missing |= kind in _OF_LOSSES and found["op"] in NORMALISERS
    missing |= kind in ("smoothing", "ignored-probabilities") and found["op"] != "cross_entropy"
    missing |= kind == "targets-shape" and not positions
    missing |= kind == "one-target" and max(positions, default=1) < 2
    if missing:
        plain("invalid")
        return
    plain("transforms", "special", "mask", "upstream", "layout")
    if kind in _OF_LABELS:
        plain("targets", "labels", "ignored", "target-dtype")
    if kind == "one-target" and found["op"] != "cross_entropy":
        plain("targets")
    if kind == "ignored-probabilities" and found["targets"] == "labels":
        found["targets"] = "soft"
    if kind == "integer-logits":
        plain("offset")
        found["logits"] = "integers"
    if kind == "weight-length":
        found["weight"] = "any"
    if kind in ("reduction", "upstream-shape"):
        plain("reductions")
    if kind == "upstream-shape":
        plain("axis")


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
    if found["transforms"] == "several":
        found["transforms"] = "several" if found["op"] != "nll_loss" else "forward-mode"
    if found["transforms"] == "target-gradient" and found["upstream"] in ("zero", "one-hot", "zero-ended"):
        plain("upstream")  # the gradient of an impossible class is infinite, and 0 of it is for nobody to say
    if found["transforms"] not in DIRECTED:
        plain("tangent")
