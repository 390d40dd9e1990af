"""Features at sizes: the factors that are combined, and the case that a row stands for.

A kernel has other code for a half type, for many positions, for wide rows, for labels of bytes, for memory that is not
dense, and each may lack what the usual code has. Every pair of these occurs here, in one dtype and with one reduction a
case, on few shapes, as compilers start anew for each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.corpus.features import FORMS, Shape, probabilities
from conformance.model.dtypes import DTYPES
from conformance.worker.layouts import fits

__all__ = ["DIVISORS", "FACTORS", "FIRST", "LAYOUTS", "RANKS", "SHAPES", "allowed", "case_of", "unfolded"]


def _axis_in_words(axis: int | None) -> str:
    return "no-axis" if axis is None else f"axis-minus-{-axis}" if axis < 0 else f"axis-{axis}"


SHAPES = {
    "few": Shape((4, 5), None, "a few positions"),
    "tall": Shape((515, 4), None, "515 positions"),
    "tiles": Shape((67, 70), None, "67 positions of 70 classes"),
    "square": Shape((131, 133), None, "131 positions of 133 classes"),
    "wide": Shape((3, 1500), None, "1500 classes"),
    "tokens": Shape((3, 45, 37), 2, "135 tokens, classes last"),
    "columns": Shape((70, 67), 0, "67 positions of 70 classes, classes first"),
    "image": Shape((2, 37, 9, 11), None, "two images of 9 by 11"),
    "even": Shape((37, 37), None, "as many positions as classes"),
    "long": Shape((2051, 3), None, "2051 positions"),
    "vocabulary": Shape((3, 9001), None, "9001 classes"),
    "large": Shape((300, 331), None, "300 positions of 331 classes"),
}
_EXTENTS = {3: (3, 3, 3), 4: (3, 3, 3, 3), 5: (2, 3, 2, 3, 2), 6: (2, 1, 3, 2, 2, 2)}
_AXES = {
    3: (None, 0, 2, -1, -2, -3),
    4: (None, 0, 2, 3, -1, -2, -3, -4),
    5: (None, 2, 4, -2, -3, -4),
    6: (2, 4, -1, -2, -4),
}
#: Small shapes of more than two axes, with each way to state the class axis; equal extents, which give nothing away.
RANKS = {
    f"rank-{rank}.{_axis_in_words(axis)}": Shape(extents, axis, f"{rank} axes, {_axis_in_words(axis)}")
    for rank, extents in _EXTENTS.items()
    for axis in _AXES[rank]
}
SHAPES |= RANKS
SHAPES |= {
    "rank-7": Shape((2, 3, 1, 2, 1, 2, 2), None, "seven axes"),
    "rank-8": Shape((2, 1, 2, 2, 1, 3, 2, 2), 5, "eight axes, axis-5"),
    "pixels": Shape((2, 3, 5, 5), None, "two images of 5 by 5"),
}
_FORMS = FORMS | {"softmax": ("softmax", "softmax"), "log-softmax": ("log_softmax", "log_softmax")}
_NORMALISERS = ("softmax", "log-softmax")
_BY_LABEL = ("labels", "nll", "composed")
_IGNORED = {"default": -100, "first-class": 0, "last-class": None, "outside": 255, "minus-one": -1}
_SMOOTHING = {"tenth": 0.1, "thousandth": 0.001, "uniform": 1.0}
_LOGITS: dict[str, dict[str, Any]] = {
    "normal": {"distribution": "normal", "scale": 2},
    "shifted": {"distribution": "uniform", "scale": 4, "offset": 1000},
    "negative": {"distribution": "uniform", "scale": 4, "offset": -300},
    "equal": {"distribution": "constant", "offset": 3},
    "apart": {"distribution": "uniform", "scale": 4, "apart": 100},
}
_HIGHEST = {"uint8": 255, "int8": 127}
#: Layouts of all operands of a call, those first that change most; the narrower arrays take as many as they can.
LAYOUTS = ("contiguous", "transposed", "sliced", "padded", "offset")

#: Factor to levels, by the names that make up a case's id; the first of each is left out there.
FACTORS: dict[str, tuple[str, ...]] = {
    "form": tuple(_FORMS),
    "shape": ("few", "tall", "tiles", "square", "wide", "tokens", "columns", "image"),
    "dtype": ("float32", *(name for name in DTYPES if name != "float32")),
    "reduction": ("none", "sum", "mean", "default"),
    "weights": ("unweighted", "weighted", "equal", "one-differs", "zero-weight"),
    "ignored": ("kept", *_IGNORED),
    "smoothing": ("sharp", *_SMOOTHING),
    "upstream": ("seeded", "ones", "constant", "one-hot", "zero-ended"),
    "layout": (
        *LAYOUTS,
        "reversed",
        "logits=alternate-rows",
        "targets=sliced",
        "weight=reversed",
        "upstream=padded",
    ),
    "label": ("int64", "int32", "uint8", "int8", "int16"),
    "logits": tuple(_LOGITS),
    "transform": ("once", "forward-mode", "second-order", "vectorised-map", "second-backward", "target-gradient"),
}
#: Levels of reduction, weights and ignored label, which make up a divisor together.
DIVISORS = (
    "none unweighted kept",
    "none weighted kept",
    "none weighted last-class",
    "sum zero-weight default",
    "mean unweighted kept",
    "mean unweighted default",
    "mean weighted kept",
    "mean zero-weight last-class",
    "default unweighted last-class",
)
#: The usual level of each factor.
FIRST = {factor: levels[0] for factor, levels in FACTORS.items()}


def unfolded(row: Mapping[str, str]) -> dict[str, str]:
    """The row where a factor may be several, as their names say; those that are not of sizes are left out."""
    found = {
        name: level
        for names, levels in row.items()
        for name, level in zip(names.split(" "), levels.split(" "), strict=True)
    }
    return {name: level for name, level in found.items() if name in FACTORS}


def allowed(row: Mapping[str, str]) -> bool:
    """Whether the levels go together."""
    found = {factor: row.get(factor, first) for factor, first in FIRST.items()}

    def plain(*factors: str) -> bool:
        return all(found[factor] == FIRST[factor] for factor in factors)

    form, layout, shape = row.get("form"), found["layout"], row.get("shape")
    if form in _NORMALISERS and not plain("reduction", "weights", "ignored", "smoothing", "label"):
        return False
    if form not in (None, *_BY_LABEL) and not plain("ignored", "label"):
        return False
    if form in ("nll", "composed") and not plain("smoothing"):
        return False
    if not plain("reduction") and found["upstream"] in ("one-hot", "zero-ended"):
        return False
    if shape == "columns" and found["transform"] == "vectorised-map":  # over axis 0
        return False
    return (
        _labels_fit(row, found)
        and _transforms_fit(form, found)
        and not (form in _NORMALISERS and layout.startswith(("targets", "weight")))
        and not (layout.startswith("weight") and row.get("weights", "weighted") == "unweighted")
        and not (layout.startswith("upstream") and not plain("reduction"))
        and ("=" in layout or plain("layout") or shape is None or fits(layout, np.zeros(SHAPES[shape].extents)))
    )


def _labels_fit(row: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether the type of the labels holds the ignored one."""
    label, ignored = found["label"], found["ignored"]
    if label == "uint8" and ignored in ("default", "minus-one"):
        return False
    if label == "int8" and ignored == "outside":
        return False
    highest = _HIGHEST.get(label)
    last = SHAPES[row["shape"]].classes - 1 if "shape" in row else 0
    return not (ignored == "last-class" and highest is not None and last > highest)


def _transforms_fit(form: str | None, found: Mapping[str, str]) -> bool:
    transform = found["transform"]
    if transform != "once" and found["label"] != "int64":  # which not every library takes
        return False
    if transform == "second-order" and form == "nll":
        return False
    if transform == "target-gradient" and (
        form not in (None, "one-hot", "soft", "unnormalised") or found["ignored"] != "kept"
    ):
        return False
    if transform == "vectorised-map" and found["reduction"] != "none":
        return False
    return not (transform == "second-backward" and found["upstream"] != "seeded")


def case_of(
    row: Mapping[str, str], seed: int, *, shows: str = "the code for the one may lack the other"
) -> dict[str, Any]:
    """The case of a whole row, as the mapping that a case file holds; ``seed`` is that of its tensors.

    ``shows`` says what the levels that differ from the first, which begin its ``why``, may show together.
    """
    shape = SHAPES[row["shape"]]
    operation, words = _FORMS[row["form"]]
    levels = {factor: level.replace("=", "-") for factor, level in row.items() if level != FIRST[factor]}
    others = [level for factor, level in levels.items() if factor not in ("form", "shape")]
    main = "log_probabilities" if operation == "nll_loss" else "logits"
    logits = dict(_LOGITS[row["logits"]])
    if row["dtype"] == "float16" and "offset" in logits:
        logits["offset"] = min(logits["offset"], 300)
    case: dict[str, Any] = {
        "id": ".".join(["sized", *levels.values()]),
        "why": f"{', '.join([words, shape.words, *others])}: {shows}",
        "flags": ["combination"],
        "op": operation,
        main: {**logits, "shape": list(shape.extents)} | ({} if row["logits"] == "equal" else {"seed": seed}),
    }
    if shape.axis is not None:
        case["axis"] = shape.axis
    is_loss = row["form"] not in _NORMALISERS
    if is_loss:
        case |= _targets(row, shape, seed + 1)
        case |= _weights(row["weights"], shape.classes, seed + 2)
        case["reductions"] = [row["reduction"]]
    if row["smoothing"] != "sharp":
        case["label_smoothing"] = _SMOOTHING[row["smoothing"]]
    extents = shape.positions if is_loss else shape.extents
    upstream = _upstream(row["upstream"], extents if row["reduction"] == "none" else (), seed + 3)
    if upstream is not None:
        case["upstream"] = upstream
    if row["layout"] != "contiguous":
        case["layouts"] = [row["layout"]]
    if row["transform"] != "once":
        case["transforms"] = [row["transform"]]
    return case | {"dtypes": [row["dtype"]]}


def _targets(row: Mapping[str, str], shape: Shape, seed: int) -> dict[str, Any]:
    """Probabilities, or labels with ignored ones at the last place and one before."""
    if (generator := probabilities(row["form"], seed)) is not None:
        return {"targets": generator}
    classes = min(shape.classes, _HIGHEST.get(row["label"], shape.classes) + 1)
    labels: dict[str, Any] = {"distribution": "labels", "shape": list(shape.positions), "classes": classes}
    labels["seed"] = seed
    found: dict[str, Any] = {"targets": labels}
    if row["ignored"] != "kept":
        stated = _IGNORED[row["ignored"]]
        index = shape.classes - 1 if stated is None else stated
        count = math.prod(shape.positions)
        labels["planted"] = [[place, index] for place in (count // 3, count - 1)]
        found |= {"requires": ["ignore-index"]} if row["ignored"] == "default" else {"ignore_index": index}
    if row["label"] != "int64":
        found["target_dtype"] = row["label"]
    return found


def _weights(level: str, classes: int, seed: int) -> dict[str, Any]:
    if level == "unweighted":
        return {}
    weight: dict[str, Any] = {"distribution": "uniform", "shape": [classes], "scale": 0.75, "offset": 1.25}
    if level == "equal":
        weight = {"distribution": "constant", "offset": 2}
    elif level == "one-differs":
        weight = {"distribution": "constant", "shape": [classes], "offset": 1, "planted": [[classes // 2, 3]]}
    else:
        weight["seed"] = seed
    if level == "zero-weight":
        weight["planted"] = [[classes // 3, 0]]
    return {"weight": weight}


def _upstream(level: str, extents: tuple[int, ...], seed: int) -> Any:
    """The upstream gradient; None for the one that is there where a case states none."""
    if level == "seeded":
        return None
    number = 1 if level == "ones" else 0.75
    if not extents:
        return number
    if level in ("ones", "constant"):
        return {"distribution": "constant", "shape": list(extents), "offset": number}
    last = math.prod(extents) - 1
    if level == "one-hot":
        return {"distribution": "constant", "shape": list(extents), "planted": [[last * 2 // 3, 1]]}
    return {"distribution": "uniform", "shape": list(extents), "seed": seed, "planted": [[0, 0], [last, 0]]}
