"""Literal numbers of a case file: regular nested lists, and hexadecimal floats written as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from conformance.cases.complaints import Complaint
from conformance.cases.yaml12 import NodePath
from conformance.model.case import Generator

__all__ = [
    "HEX_FLOAT",
    "MOST_RANK",
    "NUMBER_FIELDS",
    "LiteralProblem",
    "count_of",
    "has_64_bits",
    "leaves",
    "read_hex_floats",
    "shape_of",
]

MOST_RANK = 8
HEX_FLOAT = r"^[-+]?0[xX](?:[0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)(?:[pP][-+]?[0-9]{1,5})?$(?!\n)"
#: The keys of a case that hold numbers: only there is text such as ``0x1.8p+1`` a number.
NUMBER_FIELDS = (
    *("logits", "log_probabilities", "probabilities"),
    *("targets", "weight", "upstream", "tangent", "label_smoothing"),
)
_HEX_FLOAT = re.compile(HEX_FLOAT)


class LiteralProblem(Exception):
    """A literal that is not a tensor; the path of ``complaint`` leads from the literal to the offender."""

    def __init__(self, path: NodePath, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.complaint = Complaint(path, problem, hint)


def read_hex_floats(data: Any) -> Iterator[Complaint]:
    """Replace, in place, every hexadecimal float below a numeric key of a case file's data by its value.

    Complains of those beyond the range of float64.
    """
    cases = data.get("cases") if isinstance(data, dict) else None
    for index, case in enumerate(cases if isinstance(cases, list) else []):
        for key in NUMBER_FIELDS if isinstance(case, dict) else ():
            try:
                if key in case:
                    case[key] = _without_hex(case[key], ("cases", index, key))
            except LiteralProblem as error:
                yield error.complaint


def _without_hex(value: Any, path: NodePath) -> Any:
    if isinstance(value, list):
        return [_without_hex(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, dict):
        scalars = {key: _without_hex(value[key], (*path, key)) for key in ("scale", "offset") if key in value}
        return {**value, **scalars}
    if isinstance(value, str) and _HEX_FLOAT.fullmatch(value):
        return _from_hex(value, path)
    return value


def _from_hex(text: str, path: NodePath) -> float:
    hint = "write .inf or 0 if that is meant"
    try:
        value = float.fromhex(text)
    except OverflowError:
        raise LiteralProblem(path, f"{text} is beyond the range of float64", hint) from None
    if value == 0 and re.search("[1-9a-f]", text.lower().split("x")[1].split("p")[0]):
        raise LiteralProblem(path, f"{text} is below the range of float64", hint)
    return value


def count_of(given: Any) -> int:
    """How many numbers a tensor has as a case writes it: a generator, or nested lists."""
    if isinstance(given, Generator):
        return math.prod(given.shape or ())
    return sum(map(count_of, given)) if isinstance(given, list) else 1


def shape_of(value: Any, path: NodePath = ()) -> tuple[int, ...]:
    """The shape of a number or of regular nested lists of numbers, () for a number.

    Raises LiteralProblem for anything else: a ragged list, text, a truth value, null, an integer beyond 64 bits, a
    rank above 5.
    """
    if type(value) is not list:
        _check_number(value, path)
        return ()
    if len(path) >= MOST_RANK:
        raise LiteralProblem(path, f"nested deeper than rank {MOST_RANK}", "remove a level of brackets")
    kinds = set(map(type, value))
    if kinds <= {float}:
        return (len(value),)
    if kinds == {list}:
        shapes = [shape_of(item, (*path, index)) for index, item in enumerate(value)]
        for index, shape in enumerate(shapes):
            if shape != shapes[0]:
                problem = f"a list of shape {shape} next to one of shape {shapes[0]}"
                raise LiteralProblem((*path, index), problem, "all lists of one level have the same length and depth")
        return (len(value), *shapes[0])
    for index, item in enumerate(value):
        if type(item) is list:
            raise LiteralProblem((*path, index), "a list next to numbers", "all entries of a list have the same depth")
        _check_number(item, (*path, index))
    return (len(value),)


def _check_number(value: Any, path: NodePath) -> None:
    kind = type(value)
    if kind is float:
        return
    if kind is int:
        if not -(2**63) <= value < 2**64:
            raise LiteralProblem(path, "an integer beyond 64 bits", "write it as a float, such as 1e20")
        return
    if kind is bool:
        hint = "write 1 or 0; for a boolean tensor add `target_dtype: bool`"
        raise LiteralProblem(path, f"{str(value).lower()} is not a number", hint)
    if kind is str:
        hint = 'write a number such as 1.5, 1e4, -.inf, .nan or "0x1.8p+1"'
        raise LiteralProblem(path, f"the text '{value[:40]}' is not a number", hint)
    raise LiteralProblem(path, f"{'null' if value is None else kind.__name__} is not a number", "write a number")


def leaves(value: Any) -> list[Any]:
    """All entries of nested lists in order; of a number, that number."""
    if type(value) is not list:
        return [value]
    if value and type(value[0]) is list:
        return [leaf for item in value for leaf in leaves(item)]
    return list(value)


def has_64_bits(value: Any) -> bool:
    """Whether every integer in a Python object has 64 bits."""
    if isinstance(value, list):
        return all(map(has_64_bits, value))
    if isinstance(value, dict):
        return all(map(has_64_bits, value.values()))
    return type(value) is not int or -(2**63) <= value < 2**64
