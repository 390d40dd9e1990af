"""Special values in every operand: the factors that are combined, and the case that a row stands for.

One position of a small batch holds one special value. The definition is open where a number that is not finite meets a
factor of exactly 0, and where a factor is infinite, which a sum of two shares makes NaN and the formula infinite:
these combinations are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["FACTORS", "allowed", "case_of"]

_FINITE = ("minus-zero", "huge", "smallest-normal", "subnormal", "zero")
_WORDS = {
    "nan": "NaN",
    "plus-infinity": "+inf",
    "minus-infinity": "-inf",
    "minus-zero": "-0",
    "huge": "a number near the largest",
    "smallest-normal": "the smallest normal number",
    "subnormal": "a subnormal number",
    "zero": "0",
}
_ANY_DTYPE = {"nan": math.nan, "plus-infinity": math.inf, "minus-infinity": -math.inf, "minus-zero": -0.0, "zero": 0.0}
#: As hexadecimal floats, exact in the dtype: one near the largest, of which a few still add up, the smallest normal
#: and a subnormal number.
_OF_DTYPE = {
    "float64": ("0x1.8p+1000", "0x1p-1022", "0x1p-1060"),
    "float32": ("0x1.8p+120", "0x1p-126", "0x1p-140"),
    "bfloat16": ("0x1.8p+120", "0x1p-126", "0x1p-131"),
    "float16": ("0x1.8p+12", "0x1p-14", "0x1p-20"),
}
_PLACES = {
    "target": "at the target",
    "other": "at another class than the target",
    "ignored": "at an ignored position",
    "weight-0": "at a class of weight 0",
    "probability-0": "at a class of probability 0",
    "upstream-0": "at a position whose upstream gradient is 0",
}

#: Factor to levels, by the names that make up a case's id.
FACTORS: dict[str, tuple[str, ...]] = {
    "operand": ("logits", "probabilities", "weight", "upstream", "direction"),
    "special": tuple(_WORDS),
    "place": tuple(_PLACES),
    "smoothing": ("sharp", "smoothed"),
    "reduction": ("none", "sum", "mean"),
    "dtype": tuple(_OF_DTYPE),
}

_ROW, _LABEL, _OTHER = 2, 2, 4
_LOGITS: list[list[Any]] = [
    [0.5, -1.25, 2.0, 0.75, -3.0],
    [1.5, 0.25, -0.5, 2.5, -1.0],
    [-0.75, 1.0, 0.5, -2.0, 1.25],
    [3.0, -1, 0, 1, 2],
]
_PROBABILITIES: list[list[Any]] = [
    [0.125, 0.25, 0.25, 0.25, 0.125],
    [0, 0.5, 0.25, 0.25, 0],
    [0.25, 0.125, 0.5, 0, 0.125],
    [1, 0, 0, 0, 0],
]
_UPSTREAM: list[Any] = [0.75, -1.5, 1.25, -0.5]
_WEIGHT: list[Any] = [0.5, 2.0, 1.5, 1.25, 0.75]
_DIRECTION: list[list[Any]] = [
    [1.0, -0.5, 0.75, 1.5, -2.0],
    [-1.0, 2.0, 0.5, -0.75, 1.25],
    [0.5, 1.5, -1.0, 2.0, -0.5],
    [1.25, -2, 1, 0.5, -1],
]


def allowed(row: Mapping[str, str]) -> bool:
    """Whether the levels go together, and the definition says what comes of them."""
    operand, special, place = row.get("operand"), row.get("special"), row.get("place")
    finite = special is None or special in _FINITE
    if place == "upstream-0" and (row.get("reduction", "none") != "none" or operand == "upstream"):
        return False
    if operand == "probabilities" and place in ("ignored", "probability-0"):
        return False
    if operand == "weight" and place == "weight-0":
        return False
    if operand not in (None, "logits") and special in ("plus-infinity", "minus-infinity"):
        return False
    if operand == "upstream" and place == "other":
        return False
    if operand == "probabilities" and special == "huge":
        return False
    if operand == "direction" and not finite:
        return False
    return finite or operand in (None, "logits") or place in (None, "target", "other")


def case_of(row: Mapping[str, str]) -> dict[str, Any]:
    """The case of a whole row, as the mapping that a case file holds."""
    operand, special, place = row["operand"], row["special"], row["place"]
    number = _number(special, row["dtype"])
    by_probability = operand == "probabilities" or place == "probability-0"
    class_ = _OTHER if place in ("other", "probability-0") else _LABEL
    case: dict[str, Any] = {
        "id": ".".join(("special", *(level for level in row.values() if level not in ("sharp", "none")))),
        "why": f"{_WORDS[special]} in the {operand} {_PLACES[place]}: what it reaches, and what it does not",
        "flags": ["infinity" if special not in _FINITE else "subnormal" if special == "subnormal" else "combination"],
    }
    policies = _policies(row)
    if policies:
        case["policy"] = policies
    probabilities = [list(each) for each in _PROBABILITIES]
    if place == "probability-0":
        probabilities[_ROW] = [0.25, 0.125, 0.625, 0, 0]
    labels = [1, 3, _LABEL, 0]
    weight = list(_WEIGHT)
    if place == "ignored":
        labels[_ROW] = class_ = _OTHER
        case["ignore_index"] = _OTHER
    if place == "weight-0":
        weight[_LABEL] = 0.0
    upstream: Any = list(_UPSTREAM) if row["reduction"] == "none" else -1.5
    if place == "upstream-0":
        upstream[_ROW] = 0.0
    operands = {"logits": [list(each) for each in _LOGITS], "probabilities": probabilities}
    operands["direction"] = [list(each) for each in _DIRECTION]
    if operand in operands:
        operands[operand][_ROW][class_] = number
    elif operand == "weight":
        weight[class_] = number
    elif row["reduction"] == "none":
        upstream[_ROW] = number
    else:
        upstream = number
    case |= {"op": "cross_entropy", "logits": operands["logits"]}
    case["targets"] = probabilities if by_probability else labels
    if by_probability:
        case["targets_as"] = "probabilities"
    if operand == "weight" or place == "weight-0":
        case["weight"] = weight
    if row["smoothing"] == "smoothed":
        case["label_smoothing"] = 0.1
    if operand == "direction":
        case |= {"tangent": operands["direction"], "transforms": ["forward-mode"]}
    return case | {"upstream": upstream, "reductions": [row["reduction"]], "dtypes": [row["dtype"]]}


def _number(special: str, dtype: str) -> float | str:
    """The special value as a case file writes it."""
    if special in _ANY_DTYPE:
        return _ANY_DTYPE[special]
    return _OF_DTYPE[dtype][("huge", "smallest-normal", "subnormal").index(special)]


def _policies(row: Mapping[str, str]) -> list[str]:
    """The policies that a row observes."""
    found = []
    if row["operand"] == "logits" and row["place"] not in ("ignored",):
        if row["special"] == "plus-infinity":
            found.append("plus-infinity")
        if row["special"] == "minus-infinity" and row["place"] in ("weight-0", "probability-0"):
            found.append("zero-coefficient-at-minus-infinity")
    if row["operand"] == "probabilities" and row["special"] != "nan":  # NaN in their sum fits any result
        found.append("unnormalised-probabilities")
    return found
