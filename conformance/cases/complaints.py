"""Data that does not fit the model, in words: which key, what is known there, and the nearest known word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, cast, get_args, get_origin, get_type_hints

import msgspec

from conformance.cases.checks import GENERATOR_KEYS, Complaint, generator_keys, suggestion
from conformance.cases.yaml12 import NodePath
from conformance.model.case import Generator

__all__ = ["complaints_of"]

_ABOUT_KEYS = re.compile("unknown field|missing required field")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_LIMIT = re.compile(r"([<>]=?) -?[0-9.]+$")
_WORDING = (
    ("`", ""),
    ("Expected object", "expected mapping"),
    ("Expected", "expected"),
    ("array", "list"),
    ("Invalid enum value", "unknown word"),
)
_LONGEST_LIST = 40


def complaints_of(data: Any, model: type[msgspec.Struct]) -> Iterator[Complaint]:
    """Why ``data`` cannot become ``model``: all unknown and missing keys, and the first wrong value of each key."""
    if not isinstance(data, dict):
        yield Complaint((), f"expected a mapping, got {_kind(data)}", f"write keys: {', '.join(_keys(model))}")
        return
    found = list(_key_complaints(data, model, ()))
    yield from found
    known = {complaint.path for complaint in found}
    for name, annotation in _annotations(model).items():
        if name not in data:
            continue
        try:
            msgspec.convert(data[name], annotation, strict=True)
        except msgspec.ValidationError as error:
            complaint = _from_message(str(error), data[name], annotation, (name,))
            # An unknown or missing key further down is reported already.
            if not (_ABOUT_KEYS.search(str(error)) and any(path[:1] == (name,) for path in known)):
                yield complaint


def _key_complaints(data: dict[str, Any], model: type[msgspec.Struct], path: NodePath) -> Iterator[Complaint]:
    known = _keys(model)
    for key in data:
        if key not in known:
            yield Complaint((*path, key), f"unknown key '{key}'", _known_keys(key, data, model))
    for field in msgspec.structs.fields(model):
        if field.required and field.name not in data:
            yield Complaint(path, f"key '{field.name}' is missing", f"write `{field.name}: ...`")
    for name, annotation in _annotations(model).items():
        for nested, below in _nested(annotation, data.get(name), (*path, name)):
            yield from _key_complaints(nested[0], nested[1], below)


def _known_keys(key: str, data: dict[str, Any], model: type[msgspec.Struct]) -> str:
    """The hint for an unknown key; of a generator, only the keys that its distribution takes."""
    distribution = data.get("distribution")
    if model is Generator and isinstance(distribution, str) and distribution in GENERATOR_KEYS:
        return suggestion(key, GENERATOR_KEYS[distribution]) + generator_keys(distribution)
    known = _keys(model)
    return f"{suggestion(key, known)}known keys: {', '.join(known)}"


def _nested(annotation: Any, value: Any, path: NodePath) -> Iterator[tuple[tuple[dict[str, Any], Any], NodePath]]:
    """The mappings at or below ``value`` that must be structs, each with its struct and path."""
    for kind in _members(annotation):
        if isinstance(value, dict) and _is_struct(kind):
            yield (value, kind), path
        elif isinstance(value, dict) and get_origin(kind) is dict and _is_struct(get_args(kind)[1]):
            for key, item in value.items():
                if isinstance(item, dict):
                    yield (item, get_args(kind)[1]), (*path, key)


def _from_message(message: str, data: Any, annotation: Any, base: NodePath) -> Complaint:
    problem, _, where = message.partition(" - at `")
    # A wildcard stands for a key that the message does not name: the path ends before it.
    steps = _STEP.findall(where.split("[...]")[0].split("`")[0] if where.startswith("$") else "")
    path: NodePath = tuple(int(index) if index else name for name, index in steps)
    value, annotation = _follow(data, annotation, path)
    for old, new in _WORDING:
        problem = problem.replace(old, new)
    if "matching regex" in problem:
        hint = "lower-case words of letters and digits, joined by '-' or '.'"
        return Complaint(base + path, f"{_kind(value)} is not an identifier", hint)
    if limit := _LIMIT.search(problem):
        what = "as many characters or fewer" if "length" in problem and limit[1] == "<=" else f"a number {limit[0]}"
        hint = f"write {what}"
        return Complaint(base + path, f"{problem}: {_kind(value)}", hint)
    allowed = [item for kind in _members(annotation) if get_origin(kind) is Literal for item in get_args(kind)]
    hint = "write " + " or ".join(_words(annotation)) if _words(annotation) else "write what is expected"
    if allowed:
        choices = f"{suggestion(str(value), allowed)}one of {', '.join(allowed)}"
        hint = f"{hint}, or {choices}" if _words(annotation) else choices
    return Complaint(base + path, problem if allowed and not _words(annotation) else f"{problem}: {_kind(value)}", hint)


def _words(annotation: Any) -> list[str]:
    """What people call the types of an annotation."""
    words = {"str": "text", "float": "a number", "int": "an integer", "list": "a list", "dict": "a mapping"}
    kinds = [get_origin(kind) or kind for kind in _members(annotation)]
    names = [kind.__name__ for kind in kinds if isinstance(kind, type) and kind is not type(None)]
    return [words.get(name, f"a mapping ({name})" if name[0].isupper() else "a list") for name in names]


def _follow(data: Any, annotation: Any, path: NodePath) -> tuple[Any, Any]:
    """The value at ``path`` and the annotation that it must satisfy (Any where that is unknown)."""
    for step in path:
        data = data[cast(Any, step)] if isinstance(data, (dict, list)) else data
        members = _members(annotation)
        if isinstance(step, int):
            annotation = next((get_args(kind)[0] for kind in members if get_origin(kind) in (tuple, list)), Any)
        else:
            struct = next((kind for kind in members if _is_struct(kind)), None)
            annotation = _annotations(struct).get(step, Any) if struct else Any
    return data, annotation


def _members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation itself."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (None, Literal, tuple, list, dict):
        return (annotation,)
    return get_args(annotation)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


@cache
def _annotations(model: Any) -> dict[str, Any]:
    return get_type_hints(model, include_extras=True)


def _keys(model: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(model)]


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONGEST_LIST else text[: _LONGEST_LIST - 3] + "..."
