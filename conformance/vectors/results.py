"""Reads what a kernel gave for vectors: a line of JSON each, which may be a stranger's, and is believed in nothing."""

from __future__ import annotations

import codecs
import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from conformance.model.errors import Place, UsageError, problem_and_key
from conformance.model.quantities import QUANTITIES, Quantity
from conformance.numerics.formats import Float64Array
from conformance.vectors.document import Line

__all__ = ["Numbers", "read_results"]

#: Bytes of a line, and of all lines.
LONGEST_LINE = 64 << 20
LONGEST = 2 << 30
_DEEPEST = 8
_EXAMPLE = 'write {"id": "CASE/float32/mean", "value": 0.5, "gradient": [-0.5, 0.5]}'
_NUMBER = re.compile(
    r"[+-]?(nan(\([0-9a-z_]*\))?|inf|infinity|0x[0-9a-f]*\.?[0-9a-f]*(p[+-]?[0-9]+)?|[0-9]*\.?[0-9]*(e[+-]?[0-9]+)?)",
    re.I,
)
_decoder = msgspec.json.Decoder(Line)

#: A result as it was written: its numbers, and whether they were nested, so that the shape is stated.
Numbers = tuple[Float64Array, bool]


class VectorResult(msgspec.Struct, frozen=True):
    """What was given for a vector, by the names of the results, and why the others, or all, were not."""

    found: dict[Quantity, Numbers]
    error: str | None
    unsupported: str | None


def read_results(path: Path, ids: Mapping[str, Collection[str]]) -> dict[str, VectorResult]:
    """The results of each vector, by id; ``ids`` maps those that there are to the results that each asks for.

    Values and gradients that a vector does not ask for are left out.

    Raises UsageError, with file, line and key, for what is not a line of results.
    """
    found: dict[str, VectorResult] = {}
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        place = Place(path, number)
        read = _line(line, place)
        if read.id not in ids:
            near = difflib.get_close_matches(read.id, ids, n=1) if len(ids) < 50_000 else []
            guess = f"did you mean {near[0]!r}? " if near else ""
            hint = f"{guess}ids are those of the vectors"
            raise UsageError(f"no vector {read.id!r}", place=Place(path, number, "id"), hint=hint)
        if read.id in found:
            problem = f"{read.id!r} stands on line {lines[read.id]} already"
            raise UsageError(problem, place=Place(path, number, "id"), hint="give each vector one line")
        result = _result(read, path, number, ids[read.id])
        for name in result.found:
            if name not in ids[read.id] and name not in ("value", "gradient"):
                hint = f"leave it out: the vector asks for {' and '.join(ids[read.id])}"
                raise UsageError("not asked for", place=Place(path, number, name), hint=hint)
        found[read.id], lines[read.id] = result, number
    return found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers."""
    try:
        if not path.is_file():
            raise UsageError("not a file", place=Place(path), hint=f"name a file of lines of JSON: {_EXAMPLE}")
        if path.stat().st_size > LONGEST:
            raise UsageError(
                f"larger than {LONGEST >> 30} GiB", place=Place(path), hint="judge fewer vectors at a time"
            )
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    hint = "give each vector a line of its own"
                    raise UsageError(f"longer than {LONGEST_LINE >> 20} MiB", place=Place(path, number), hint=hint)
                if line.strip():
                    yield number, line
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise UsageError(problem, place=Place(path), hint="check the path and its permissions") from None


def _line(line: bytes, place: Place) -> Line:
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, OverflowError) as error:
        problem, key = problem_and_key(error)
        hint = 'write NaN and infinities as strings: "NaN"' if re.search(rb"\bnan\b|\binf", line, re.I) else _EXAMPLE
        if line.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in line:
            hint = "write the file in UTF-8, without a byte order mark"
        raise UsageError(problem, place=Place(place.file, place.line, key), hint=hint) from None


def _result(line: Line, path: Path, number: int, asks: Collection[str]) -> VectorResult:
    found: dict[Quantity, Numbers] = {}
    for name in QUANTITIES:
        given = getattr(line, name)
        if given is not None:
            found[name] = _numbers(given, Place(path, number, name))
    place, hint = Place(path, number), "write results, or error, or unsupported; beside results, for those that lack"
    if not found and line.error is None and line.unsupported is None:
        raise UsageError("neither results nor an error", place=place, hint=hint)
    if line.error is not None and (line.unsupported is not None or found.keys() >= {*asks}):
        raise UsageError("an error beside all results, or beside unsupported", place=place, hint=hint)
    return VectorResult(found, line.error, line.unsupported)


def _numbers(given: Any, place: Place) -> Numbers:
    shape = _shape(given, place)
    flat: list[float] = []
    _flatten(given, shape, flat, place, ())
    return np.array(flat, dtype=np.float64).reshape(shape), len(shape) > 1


def _shape(given: Any, place: Place) -> tuple[int, ...]:
    """The extents, as the first list of each level has them."""
    shape: list[int] = []
    while isinstance(given, list):
        shape.append(len(given))
        if len(shape) > _DEEPEST:
            raise UsageError(f"more than {_DEEPEST} levels of lists", place=place, hint="write one list of all numbers")
        given = given[0] if given else None
    return tuple(shape)


def _flatten(given: Any, shape: tuple[int, ...], flat: list[float], place: Place, at: tuple[int, ...]) -> None:
    if not shape:
        flat.append(_number(given, place, at))
        return
    if not isinstance(given, list) or len(given) != shape[0]:
        found = f"a list of {len(given)}" if isinstance(given, list) else "not a list"
        problem = f"{found} where the first is a list of {shape[0]}"
        raise UsageError(problem, place=_at(place, at), hint="give rows one length, or write one list of all numbers")
    for index, each in enumerate(given):
        _flatten(each, shape[1:], flat, place, (*at, index))


def _number(given: Any, place: Place, at: tuple[int, ...]) -> float:
    hint = 'write a number, or "NaN", "Infinity", "-Infinity", "-0.0", or one in hexadecimal: "0x1.8p+0"'
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise UsageError(f"not a number: {_quoted(given)}", place=_at(place, at), hint=hint)
    if not isinstance(given, str):
        try:
            return float(given)
        except OverflowError:
            return math.inf if given > 0 else -math.inf
    if len(given) > 400 or not _NUMBER.fullmatch(given):
        raise UsageError(f"not a number: {_quoted(given)}", place=_at(place, at), hint=hint)
    try:
        word = given.partition("(")[0]  # C may print of which kind a NaN is, as in nan(ind)
        return float.fromhex(word) if "x" in word.lower() else float(word)
    except OverflowError:
        return math.copysign(math.inf, -1.0 if given.startswith("-") else 1.0)
    except ValueError:
        raise UsageError(f"not a number: {_quoted(given)}", place=_at(place, at), hint=hint) from None


def _quoted(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _at(place: Place, at: tuple[int, ...]) -> Place:
    return Place(place.file, place.line, f"{place.key}{''.join(f'[{index}]' for index in at)}")
