"""The features that are combined, and the case that a row of the covering array stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.cases.tensors import materialise
from conformance.model.case import Generator

__all__ = ["FACTORS", "FORMS", "Shape", "allowed", "case_of", "probabilities"]


@dataclass(frozen=True)
class Shape:
    """Extents, the class axis as a case states it (``None``: not at all), and what its cases say of them."""

    extents: tuple[int, ...]
    axis: int | None
    words: str

    @property
    def class_axis(self) -> int:
        """The class axis, from 0."""
        rank = len(self.extents)
        return min(1, rank - 1) if self.axis is None else self.axis % rank

    @property
    def classes(self) -> int:
        """C."""
        return self.extents[self.class_axis]

    @property
    def positions(self) -> tuple[int, ...]:
        """The extents without the class axis."""
        return self.extents[: self.class_axis] + self.extents[self.class_axis + 1 :]


_SHAPES = {
    "unbatched": Shape((5,), None, "one position without a batch axis"),
    "single": Shape((1, 5), None, "a batch of one"),
    "batch": Shape((4, 5), None, "a batch"),
    "square": Shape((5, 5), None, "as many positions as classes"),
    "wide": Shape((4, 19), None, "classes beyond two vectors of eight"),
    "classes-first": Shape((5, 4), 0, "the class axis first"),
    "classes-last": Shape((2, 3, 5), -1, "the class axis last"),
    "segmentation": Shape((2, 5, 2, 3), None, "a batch of images"),
}
#: A form of a loss to its operation and its words.
FORMS = {
    "labels": ("cross_entropy", "class labels"),
    "one-hot": ("cross_entropy", "one-hot class probabilities"),
    "soft": ("cross_entropy", "class probabilities"),
    "unnormalised": ("cross_entropy", "class probabilities that do not sum to 1"),
    "nll": ("nll_loss", "nll_loss"),
    "composed": ("nll_loss_of_log_softmax", "nll_loss of log_softmax"),
}
_WEIGHTS = {"unweighted": "no weights", "weighted": "weights", "zero-weight": "a weight of zero"}
_IGNORED = {
    "kept": (None, False, "no position ignored"),
    "default": (-100, False, "the default ignored label"),
    "class": (1, True, "class 1 ignored"),
    "outside": (255, True, "label 255 ignored"),
    "minus-one": (-1, True, "label -1 ignored"),
}
_SMOOTHING = {"sharp": 0.0, "smoothed": 0.1, "uniform": 1.0}
_LOGITS = {
    "small": ({"distribution": "uniform", "scale": 3}, "ordinary logits"),
    "shifted": ({"distribution": "uniform", "scale": 3, "offset": 1000}, "logits near 1000"),
    "confident": ({"distribution": "uniform", "scale": 40}, "confident positions"),
}
_LAYOUTS = {"plain": "contiguous", "strided": "transposed", "sliced": "sliced"}

#: Factor to levels, by the names that make up a case's id.
FACTORS: dict[str, tuple[str, ...]] = {
    "form": tuple(FORMS),
    "shape": tuple(_SHAPES),
    "weights": tuple(_WEIGHTS),
    "ignored": tuple(_IGNORED),
    "smoothing": tuple(_SMOOTHING),
    "logits": tuple(_LOGITS),
    "memory": tuple(_LAYOUTS),
}
_PLAIN = {"unweighted", "kept", "sharp", "small", "plain"}


def allowed(row: Mapping[str, str]) -> bool:
    """Whether the levels go together: probabilities have no ignored label, and only cross_entropy smooths."""
    form = row.get("form", "labels")
    if form in ("one-hot", "soft", "unnormalised") and row.get("ignored", "kept") != "kept":
        return False
    return not (form in ("nll", "composed") and row.get("smoothing", "sharp") != "sharp")


def case_of(row: Mapping[str, str], seed: int) -> dict[str, Any]:
    """The case of a whole row, as the mapping that a case file holds; ``seed`` is that of its tensors."""
    shape = _SHAPES[row["shape"]]
    operation, form = FORMS[row["form"]]
    index, stated, ignored = _IGNORED[row["ignored"]]
    logits, range_of_logits = _LOGITS[row["logits"]]
    smoothing = _SMOOTHING[row["smoothing"]]
    words = [form, shape.words, _WEIGHTS[row["weights"]], ignored, f"smoothing {smoothing}", range_of_logits]
    levels = [level for level in row.values() if level not in _PLAIN]
    main = "log_probabilities" if operation == "nll_loss" else "logits"
    generated: dict[str, Any] = {"distribution": logits["distribution"], "shape": list(shape.extents), **logits}
    case: dict[str, Any] = {
        "id": ".".join(["combined", *levels]),
        "why": f"{', '.join(words)}: each alone may be right, and the combination wrong",
        "flags": ["combination"],
        "op": operation,
        main: {**generated, "seed": seed},
        "targets": probabilities(row["form"], seed + 1) or _labels(shape, index, seed + 1),
    }
    if shape.axis is not None:
        case["axis"] = shape.axis
    if row["weights"] != "unweighted":
        case["weight"] = _weights(shape.classes, zero=row["weights"] == "zero-weight", seed=seed + 2)
    if stated:
        case["ignore_index"] = index
    elif index is not None:
        case["requires"] = ["ignore-index"]
    if smoothing:
        case["label_smoothing"] = smoothing
    if row["memory"] != "plain":
        case["layouts"] = [_LAYOUTS[row["memory"]]]
    return case | {"reductions": ["none", ("mean", "mean", "sum")[seed // 10 % 3]]}


def probabilities(form: str, seed: int) -> dict[str, Any] | None:
    """A generator of the probabilities of a form; None for labels."""
    generators: dict[str, dict[str, Any]] = {
        "one-hot": {"distribution": "one-hot"},
        "soft": {"distribution": "simplex"},
        "unnormalised": {"distribution": "uniform", "scale": 0.75, "offset": 1},
    }
    return {**generators[form], "seed": seed} if form in generators else None


def _labels(shape: Shape, ignored: int | None, seed: int) -> Any:
    """Labels written out, the ignored one among them and never alone."""
    drawn = materialise(Generator(distribution="labels", seed=seed), shape=shape.positions, classes=shape.classes)
    labels = drawn.astype(np.int64)
    flat = labels.reshape(-1)
    if ignored is not None and flat.size > 1:
        flat[seed % flat.size :: 3] = ignored
        if (flat == ignored).all():
            flat[0] = 0
        flat[(seed + 1) % flat.size] = 0 if ignored != 0 else 2
    return labels.tolist()


def _weights(classes: int, *, zero: bool, seed: int) -> list[float]:
    """Eighths from 1/4 to 3, exact in every dtype; class 2 weighs nothing where one class is to weigh zero."""
    drawn = materialise(Generator(distribution="labels", seed=seed), shape=(classes,), classes=23)
    weights = (drawn + 2) / 8
    if zero:
        weights[2] = 0.0
    return [float(weight) for weight in weights]
