"""Put the oracle's values into case files that have none, leaving every other byte as it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from conformance.cases.checks import MOST_EXPECTED, NORMALISERS, elements_of
from conformance.cases.expand import reference_problem
from conformance.cases.load import Entry, load_suite
from conformance.cases.stated import ExpectedText
from conformance.cases.yaml12 import parse, read_text
from conformance.disk import replacing
from conformance.model.errors import CaseError, Place

__all__ = ["Filled", "fill", "insert_expected", "lacking_values"]

#: Arrays above this many numbers are left to the oracle at run time: nobody reads them in a case file.
_MOST_NUMBERS = 64
_LONGEST_LINE = 120
_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)

Value = str | list[Any]


@dataclass(frozen=True)
class Filled:
    """A file that was (or would be) written, and the ids of the cases that now have expected values."""

    file: Path
    ids: tuple[str, ...]


def fill(paths: Sequence[Path], expected_text: ExpectedText, *, write: bool = True) -> list[Filled]:
    """Add ``expected`` to every case of ``paths`` that has none and whose definition gives one.

    Without ``write`` nothing is written: the result says what would be. Left alone are cases that expect an error,
    those of more than 2**20 elements, and arrays of more than 64 numbers. Raises CaseError for files that cannot be
    used, before any is written, and HarnessError for one that cannot be written.
    """
    wanted: dict[Path, dict[int, dict[str, Value]]] = {}
    ids: dict[Path, dict[int, str]] = {}
    for entry in load_suite(paths).entries:
        if entry.case.expected is None and (values := lacking_values(entry, expected_text)):
            wanted.setdefault(entry.file, {})[entry.index] = values
            ids.setdefault(entry.file, {})[entry.index] = entry.case.id
    texts: dict[Path, tuple[str, str]] = {}
    for file, of_file in wanted.items():
        before = read_text(file)
        now = _ids(before, file)
        if any(now.get(index) != name for index, name in ids[file].items()):
            raise _changed(file)
        texts[file] = before, insert_expected(before, of_file, file)
    for file, (before, after) in texts.items() if write else ():
        _replace(file, before, after)
    return [Filled(file, tuple(ids[file].values())) for file in texts]


def _ids(text: str, file: Path) -> dict[int, str]:
    try:
        return {index: case["id"] for index, case in enumerate(parse(text, file)["cases"])}
    except (LookupError, TypeError):
        return {}


def _changed(file: Path) -> CaseError:
    return CaseError("changed while it was read", place=Place(file), hint="fill it when nothing else writes it")


def lacking_values(entry: Entry, expected_text: ExpectedText) -> dict[str, Value]:
    """The values of a case, by the keys of ``expected``, that could stand there and do not."""
    case = entry.case
    if (case.expect is not None and case.expect.error is not None) or elements_of(case) > MOST_EXPECTED:
        return {}
    problem = reference_problem(entry)
    if problem is None or problem.class_axis is None:
        return {}
    values: dict[str, Value] = {}
    for reduction in problem.reductions:
        # The upstream gradient has the value's shape.
        if reduction == "default" or problem.upstream[reduction].size > _MOST_NUMBERS:
            continue
        key = "value" if case.op in NORMALISERS else reduction
        value = None if key in (case.expected or {}) else expected_text(problem, key)
        if value is not None:
            values[key] = value
    return values


def insert_expected(text: str, values: dict[int, dict[str, Value]], file: Path | str = "<text>") -> str:
    """``text`` with ``expected`` added to the cases of the given indices, in the style each is written in.

    Raises CaseError where that cannot be done without changing anything else.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    insertions = []
    for index, spot in enumerate(_spots(text)):
        if index in values:
            insertions.append(spot.insertion(text, values[index], newline))
    filled = text
    for position, addition in sorted(insertions, reverse=True):
        filled = filled[:position] + addition + filled[position:]
    wanted = parse(text, file)
    for index, expected in values.items():
        wanted["cases"][index]["expected"] = _named(expected)
    try:
        same = repr(parse(filled, file)) == repr(wanted)
    except CaseError:
        same = False
    if not same:
        problem = "expected values cannot be added without changing something else"
        hint = "write the cases as plain mappings, one key a line, without an empty `expected`"
        raise CaseError(problem, place=Place(file), hint=hint)
    return filled


@dataclass
class _Spot:
    """One case in the text: the column of its keys, and the position, in characters, where what it holds ends."""

    flow: bool
    column: int
    end: int = 0
    ends_in_block_scalar: bool = False

    def insertion(self, text: str, expected: dict[str, Value], newline: str) -> tuple[int, str]:
        """Where to insert, and what."""
        one_line = f"expected: {_flow(_named(expected))}"
        if self.flow:
            return self.end, f", {one_line}"
        indent = " " * self.column
        lines = [indent + one_line]
        if len(lines[0]) > _LONGEST_LINE:
            lines = [f"{indent}expected:"]
            lines += [f"{indent}  {key}: {_flow(_named(value))}" for key, value in expected.items()]
        # A block scalar ends where the next line's text begins; all else ends within its own line.
        line_end = text.rfind("\n", 0, self.end) if self.ends_in_block_scalar else text.find("\n", self.end)
        if line_end < 0 or (self.ends_in_block_scalar and self.end == len(text) and not text.endswith("\n")):
            return len(text), newline + newline.join(lines)
        return line_end + 1, newline.join(lines) + newline


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value)


def _named(value: Any) -> Any:
    """The same value, with infinities and NaN as YAML names them."""
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item) for item in value]
    text = str(value)
    word = text.lower().lstrip("+-.")
    if word not in ("inf", "nan"):
        return text
    return f"-.{word}" if text.startswith("-") and word == "inf" else f".{word}"


def _spots(text: str) -> Iterator[_Spot]:
    """The cases of a file in order, from the parser's positions."""
    level = 0
    keys: list[str] = []
    spot: _Spot | None = None
    events: Any = yaml.parse(text, Loader=_LOADER)
    for event in events:
        kind = type(event).__name__
        if kind == "ScalarEvent" and level == 1:
            keys.append(event.value)
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            level += 1
            if level == 3 and keys[-1:] == ["cases"] and kind == "MappingStartEvent":
                spot = _Spot(bool(event.flow_style), event.start_mark.column)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            level -= 1
            if level == 2 and spot is not None:
                yield spot
                spot = None
        # The end of a block collection lies at the next token, beyond comments: only what has text of its own counts.
        if spot is not None and event.end_mark.index > event.start_mark.index:
            spot.end = event.end_mark.index
            spot.ends_in_block_scalar = getattr(event, "style", None) in ("|", ">")


def _replace(file: Path, before: str, after: str) -> None:
    """Write by way of a second file, so that an interruption leaves either the old or the new one."""
    file = Path(os.path.realpath(file))  # a link stays one
    if read_text(file) != before:
        raise _changed(file)
    mark = b"\xef\xbb\xbf" if file.read_bytes().startswith(b"\xef\xbb\xbf") else b""
    with replacing(file) as beside:
        beside.write_bytes(mark + after.encode("utf-8"))
        beside.chmod(stat.S_IMODE(file.stat().st_mode))
