"""Which levels go together: of those that do not, the plain one is taken, so that each names what the case has."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from conformance.cases.checks import NORMALISERS, SMOOTHED
from conformance.corpus.space import FORMS, PLAIN, Levels
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
    settling = _Settling(levels, extents)
    settling.extents_and_operation()
    settling.logits()
    settling.labels()
    settling.transforms()
    settling.upstream()
    settling.layout()
    return settling.found


def classes_of(extents: tuple[int, ...], place: int) -> int:
    """How many classes logits of a shape have: a number alone has one."""
    return extents[place] if extents else 1


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


class _Settling:
    """The levels ``found``, which each step leaves with those that go with what the steps before it have settled."""

    def __init__(self, levels: Mapping[str, str], extents: tuple[int, ...]) -> None:
        self.found, self.extents = dict(levels), extents
        self.form = FORMS[self.found["form"]]
        self.classes, self.size = classes_of(extents, self.form.place), math.prod(extents)
        self.positions = extents[: self.form.place] + extents[self.form.place + 1 :]

    def plain(self, *factors: str) -> None:
        """Take the plain level of each of these."""
        self.found.update({factor: PLAIN[factor] for factor in factors})

    def extents_and_operation(self) -> None:
        """What tensors of these extents, and the operation, leave possible."""
        found, form = self.found, self.form
        if found["axis"] == "default" and (form.place != min(1, form.rank - 1) or found["invalid"] == "axis"):
            self.plain("axis")
        if not self.size:
            self.plain("special", "logits", "ignored-share", "labels", "mask", "layout")
            self.plain("upstream", "tangent", "transforms")
            if found["invalid"].startswith("label") or found["invalid"] in _OF_SOMETHING:
                self.plain("invalid")
        if not self.classes:
            self.plain("smoothing")
        if found["invalid"] != "nothing":
            self._invalid(found["invalid"])
        if found["op"] in NORMALISERS:
            self.plain("targets", "weight", "ignored", "smoothing", "reductions")
        if found["op"] not in SMOOTHED:
            self.plain("targets", "smoothing")
        if not form.rank:  # of a number alone the policies say no more
            self.plain("transforms", *(["logits"] if found["logits"] == "rows-apart" else []))
            found["op"] = "nll_loss" if found["op"] == "nll_loss_of_log_softmax" else found["op"]

    def _invalid(self, kind: str) -> None:
        """Nothing else that is special beside what is wrong."""
        found = self.found
        missing = not self.form.rank  # of a number alone nothing is known to be wrong
        missing |= kind in _OF_LOSSES and found["op"] in NORMALISERS
        missing |= kind in ("smoothing", "ignored-probabilities") and found["op"] not in SMOOTHED
        missing |= kind == "targets-shape" and not self.positions
        missing |= kind == "one-target" and max(self.positions, default=1) < 2
        if missing:
            self.plain("invalid")
            return
        self.plain("transforms", "special", "mask", "upstream", "layout")
        if kind in _OF_LABELS:
            self.plain("targets", "labels", "ignored", "target-dtype")
        if kind == "one-target" and found["op"] not in SMOOTHED:
            self.plain("targets")
        if kind == "ignored-probabilities" and found["targets"] == "labels":
            found["targets"] = "soft"
        if kind == "integer-logits":
            self.plain("offset")
            found["logits"] = "integers"
        if kind == "weight-length":
            found["weight"] = "any"
        if kind in ("reduction", "upstream-shape"):
            self.plain("reductions")
        if kind == "upstream-shape":
            self.plain("axis")

    def logits(self) -> None:
        """The logits, with what is planted in them and which classes take part."""
        found, form = self.found, self.form
        if found["dtype"] == "float16":
            found["offset"] = _FLOAT16_OFFSETS.get(found["offset"], found["offset"])
        if found["op"] == "log_loss":
            self._predictions()
        if self._is_masked() and (form.place != form.rank - 1 or self.classes < 4):
            self.plain("logits")
        if found["logits"] in ("integers", "one-hot") or found["special"] in ("least-normal", "subnormal"):
            self.plain("offset")
        if found["op"] == "nll_loss_of_log_softmax" and found["special"] in ("largest", "lowest"):
            self.plain("special")  # between the two functions a log-probability overflows
        if found["mask"] != "none":
            if found["op"] not in (*NORMALISERS, "cross_entropy") or self.size > 4096 or not form.rank:
                self.plain("mask")
            else:
                self.plain("special", "smoothing", "transforms", *(["logits"] if self._is_masked() else []))
        if found["special"] == "none" and found["logits"] != "spike":
            self.plain("place")

    def _predictions(self) -> None:
        """Probabilities lie between 0 and 1; of what is planted beside them a second derivative may be anything.

        So may be the gradient by the targets: smoothing of 1 takes an infinite logarithm nought times.
        """
        self.plain("offset")
        if self._is_masked() or self.found["logits"] == "rows-apart":
            self.plain("logits")
        if self.found["transforms"] in (*DIRECTED, "target-gradient"):
            self.plain("special")

    def _is_masked(self) -> bool:
        return self.found["logits"].startswith("masked")

    def labels(self) -> None:
        """Labels that there are, of a type that holds them."""
        found = self.found
        if found["targets"] != "labels" or found["op"] in NORMALISERS:
            self.plain("labels", "target-dtype", "ignored")
        if found["ignored"] in ("none", "unused"):
            self.plain("ignored-share")
        dtype = found["target-dtype"]
        highest = _HIGHEST.get(dtype)
        wrong = highest is not None and (self.classes > highest + 1 or found["ignored"] == "outside")
        negative = ("default", "minus-one", *(() if self.classes else ("last-class",)))
        wrong |= dtype.startswith("u") and found["ignored"] in negative
        wrong |= dtype != "int64" and (found["invalid"].startswith("label") or found["ignored"] == "far")
        if wrong:
            self.plain("target-dtype")

    def transforms(self) -> None:
        """A transform that there is of the operation, and its direction."""
        found, kind = self.found, self.found["transforms"]
        wrong = found["axis"] == "default"
        wrong |= kind == "second-order" and found["op"] == "nll_loss"
        wrong |= kind == "target-gradient" and (found["targets"] == "labels" or found["op"] not in SMOOTHED)
        if kind == "vectorised-map":
            wrong |= self.form.rank < 2 or self.form.place == 0 or self.extents[0] > MOST_MAPPED
            if found["op"] not in NORMALISERS and found["reductions"] == "default":
                found["reductions"] = "none"
        if wrong:
            self.plain("transforms")
        if found["transforms"] == "several" and found["op"] == "nll_loss":
            found["transforms"] = "forward-mode"
        if found["transforms"] == "target-gradient" and found["upstream"] in ("zero", "one-hot", "zero-ended"):
            self.plain("upstream")  # the gradient of an impossible class is infinite, and 0 of it is for nobody to say
        if found["transforms"] not in DIRECTED:
            self.plain("tangent")

    def upstream(self) -> None:
        """A gradient, or a weight, of NaN where it is multiplied by nothing that is 0: that is an open question."""
        found = self.found
        if found["upstream"] == "nan":
            wrong = found["special"] != "none" or found["mask"] != "none" or self._is_masked()
            wrong |= found["op"] in ("nll_loss", "nll_loss_of_log_softmax", "log_loss") or found["ignored"] != "none"
            wrong |= found["weight"] not in ("none", "any", "equal", "ones", "small", "integers")
            wrong |= found["invalid"] != "nothing"
            self.plain(*(["upstream"] if wrong else ["transforms", "tangent"]))
        if found["weight"] == "nan" and found["targets"] != "labels":
            self.plain("weight")

    def layout(self) -> None:
        """A layout that makes a difference to the operands that are to have it."""
        found, name = self.found, self.found["layout"]
        shapes = operand_shapes(found, self.extents)
        if name in BETWEEN:
            self._between(shapes)
        else:
            if name in OF_EQUALS and found["special"] == "none" and found["invalid"] == "nothing":
                found["laid-out"] = "all"
                found["logits"] = "equal"
            elif name in OF_EQUALS or (name == "byte-swapped" and found["dtype"] == "bfloat16"):  # which has one order
                self.plain("layout")
            laid_out = found["laid-out"]
            if laid_out == "two" and not any(math.prod(each) > 1 for of, each in shapes.items() if of != "logits"):
                found["laid-out"] = laid_out = "logits"
            elif laid_out not in ("two", *shapes):
                found["laid-out"] = laid_out = "all"
            numbers = np.zeros(shapes.get(laid_out, self.extents), np.int8)
            if found["layout"] == "contiguous" or not fits(found["layout"], numbers):
                self.plain("layout", "laid-out")
        if found["weight"] == "of-logits" and not self._has_a_plain_row(self.classes if self.size else 0):
            found["weight"] = "any"

    def _between(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """An operand in the logits' memory: another of their shape and dtype, or weights that are one of their rows."""
        found = self.found
        if found["layout"] == "within-logits":
            if found["weight"] == "none" or not self._has_a_plain_row(shapes["weight"][0]):
                self.plain("layout", "laid-out")
            else:
                found["weight"], found["laid-out"] = "of-logits", "weight"
            return
        others = ("targets",) if found["targets"] == "labels" else ()
        alike = [
            each
            for each, shape in shapes.items()
            if shape == shapes["logits"] and each not in ("logits", "where", *others)
        ]
        if not alike or not self.form.rank or found["invalid"] != "nothing":
            self.plain("layout", "laid-out")
        elif found["laid-out"] not in alike:
            found["laid-out"] = alike[0]

    def _has_a_plain_row(self, classes: int) -> bool:
        """Whether the first row of the logits may be weights, too."""
        if self.form.place != self.form.rank - 1 or not 0 < classes <= MOST_WEIGHTS or self._is_masked():
            return False
        return self.found["special"] == "none" and self.found["offset"] == "none"
