"""Data that does not fit a model, in words: which key, what is expected there, and the nearest known word."""

from __future__ import annotations

import difflib
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from conformance.cases.yaml12 import NodePath, place_of, read
from conformance.model.case import GENERATOR_KEYS, Generator, generator_keys
from conformance.model.errors import CaseError, CaseErrors, Place

__all__ = ["MOST", "Complaint", "complaints_of", "in_order", "read_as", "suggestion"]

S = TypeVar("S", bound=msgspec.Struct)

#: Complaints about one file: whoever meets as many corrects those first.
MOST = 200
_LONGEST = 40
_LONGEST_WORD = 120
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
_INFINITIES = (float("inf"), float("-inf"))
#: The types of YAML data that each kind of annotation takes, and what people call it.
_TAKES: dict[type[inspect.Type], tuple[tuple[type, ...], str]] = {
    inspect.StrType: ((str,), "text"),
    inspect.LiteralType: ((str,), "a word"),
    inspect.FloatType: ((int, float), "a number"),
    inspect.IntType: ((int,), "an integer"),
    inspect.BoolType: ((bool,), "true or false"),
    inspect.NoneType: ((type(None),), ""),
    inspect.ListType: ((list,), "a list"),
    inspect.VarTupleType: ((list,), "a list"),
    inspect.TupleType: ((list,), "a list"),
    inspect.DictType: ((dict,), "a mapping"),
    inspect.StructType: ((dict,), "a mapping"),
}


class Complaint(NamedTuple):
    """What is wrong at ``path`` within some data, and what to write instead."""

    path: NodePath
    problem: str
    hint: str

    def at(self, file: Path, *base: str | int) -> CaseError:
        """The same as an error in ``file``, where the data stands at ``base``."""
        return CaseError(self.problem, place=place_of(file, (*base, *self.path)), hint=self.hint)


def in_order(findings: Iterable[CaseError], files: Sequence[Path]) -> list[CaseError]:
    """The findings in the order of ``files`` and of their lines; those elsewhere come last."""
    rank = {str(file): number for number, file in enumerate(files)}

    def key(found: CaseError) -> tuple[int, int]:
        place = found.place or Place("")
        return rank.get(str(place.file), len(rank)), place.line or 0

    return sorted(findings, key=key)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``did you mean 'axis'?`` with a trailing space, or nothing where no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1) if len(word) <= _LONGEST_WORD else []
    return f"did you mean '{near[0]}'? " if near else ""


def read_as(file: Path, model: type[S]) -> S:
    """A YAML file as ``model``; raises CaseErrors with everything that does not fit it, CaseError for no YAML."""
    data = read(file)
    try:
        return msgspec.convert(data, model, strict=True)
    except msgspec.ValidationError:
        raise CaseErrors([complaint.at(file) for complaint in complaints_of(data, model)]) from None


def complaints_of(data: Any, model: type[msgspec.Struct]) -> list[Complaint]:
    """Why ``data`` cannot become ``model``: every unknown and missing key, and every wrong value, up to ``MOST``."""
    found = list(islice(_of_value(data, _type_of(model), ()), MOST))
    if not found:
        try:
            msgspec.convert(data, model, strict=True)
        except msgspec.ValidationError as error:
            found = [Complaint((), str(error).replace("`", ""), "write what is expected")]
    return found


@cache
def _type_of(model: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(model)


def _of_value(value: Any, expected: inspect.Type, path: NodePath) -> Iterator[Complaint]:
    expected = _bare(expected)
    members = [_bare(each) for each in expected.types] if isinstance(expected, inspect.UnionType) else [expected]
    member = next((each for each in members if _takes(each, value)), None)
    if member is None:
        problem = f"expected {_words(members)}, got {_shown(value)}"
        yield Complaint(path, problem, f"write {_words(members, exactly=True)}")
    elif isinstance(member, inspect.StructType):
        yield from _of_keys(value, member, path)
    elif isinstance(member, inspect.DictType):
        for key, item in value.items():
            yield from _of_value(key, member.key_type, (*path, key))
            yield from _of_value(item, member.value_type, (*path, key))
    elif isinstance(member, inspect.TupleType):
        if len(value) != len(member.item_types):
            yield Complaint(path, f"a list of {len(value)}", f"write a list of {len(member.item_types)}")
        for index, (item, kind) in enumerate(zip(value, member.item_types, strict=False)):
            yield from _of_value(item, kind, (*path, index))
    elif isinstance(member, inspect.ListType | inspect.VarTupleType):
        yield from _of_length(value, member, path)
        if not isinstance(member.item_type, inspect.AnyType):
            for index, item in enumerate(value):
                yield from _of_value(item, member.item_type, (*path, index))
    elif isinstance(member, inspect.LiteralType):
        if value not in member.values:
            hint = f"{suggestion(value, map(str, member.values))}{_words([member], exactly=True)}"
            yield Complaint(path, f"unknown word {_shown(value)}", hint)
    elif isinstance(member, inspect.StrType):
        yield from _of_length(value, member, path)
        if member.pattern is not None and re.search(member.pattern, value) is None:
            hint = "lower-case words of letters and digits, joined by '-' or '.'"
            yield Complaint(path, f"{_shown(value)} is not an identifier", hint)
    elif isinstance(member, inspect.IntType | inspect.FloatType):
        yield from _of_number(value, member, path)


def _bare(expected: inspect.Type) -> inspect.Type:
    """The type without what its annotation says for a schema alone."""
    return expected.type if isinstance(expected, inspect.Metadata) else expected


def _takes(expected: inspect.Type, value: Any) -> bool:
    return isinstance(expected, inspect.AnyType) or type(value) in _TAKES[type(expected)][0]


def _of_keys(data: dict[str, Any], struct: inspect.StructType, path: NodePath) -> Iterator[Complaint]:
    known = [field.name for field in struct.fields]
    for key in data:
        if key not in known and struct.forbid_unknown_fields:
            hint = f"{suggestion(key, known)}known keys: {', '.join(known)}"
            distribution = data.get("distribution")
            if struct.cls is Generator and isinstance(distribution, str) and distribution in GENERATOR_KEYS:
                hint = suggestion(key, GENERATOR_KEYS[distribution]) + generator_keys(distribution)
            yield Complaint((*path, key), f"unknown key '{key}'", hint)
    for field in struct.fields:
        if field.name in data:
            yield from _of_value(data[field.name], field.type, (*path, field.name))
        elif field.required:
            yield Complaint(path, f"key '{field.name}' is missing", f"write `{field.name}: ...`")


def _of_length(
    value: str | list[Any], expected: inspect.StrType | inspect.ListType | inspect.VarTupleType, path: NodePath
) -> Iterator[Complaint]:
    what = "characters" if isinstance(value, str) else "entries"
    if expected.min_length is not None and len(value) < expected.min_length:
        yield Complaint(path, f"{len(value)} {what}", f"write {expected.min_length} or more")
    if expected.max_length is not None and len(value) > expected.max_length:
        yield Complaint(path, f"{len(value)} {what}", f"write {expected.max_length} or fewer")


def _of_number(value: float, expected: inspect.IntType | inspect.FloatType, path: NodePath) -> Iterator[Complaint]:
    limits = ((">=", expected.ge), (">", expected.gt), ("<=", expected.le), ("<", expected.lt))
    for sign, limit in limits:
        if limit is not None and not _HOLDS[sign](value, limit):
            problem = f"expected {_words([expected])} {sign} {limit}, got {_shown(value)}"
            yield Complaint(path, problem, f"write a number {sign} {limit}")
            return
    if isinstance(expected, inspect.FloatType) and abs(value) > sys.float_info.max and value not in _INFINITIES:
        yield Complaint(path, f"an integer of {len(str(value))} digits", "write a number within the range of float64")


def _words(members: Iterable[inspect.Type], *, exactly: bool = False) -> str:
    """What people call the types: ``an integer, or one of default``; ``exactly``: which keys or words."""
    words = []
    for member in members:
        word = _TAKES[type(member)][1]
        if exactly and isinstance(member, inspect.StructType):
            word = f"a mapping of {', '.join(field.name for field in member.fields)}"
        elif exactly and isinstance(member, inspect.LiteralType):
            word = f"one of {', '.join(map(str, member.values))}"
        words.append(word)
    if "a number" in words and "an integer" in words:
        words.remove("an integer")
    return ", or ".join(dict.fromkeys(word for word in words if word))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
