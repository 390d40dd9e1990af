"""Where each case's outcomes lie in a results file, so that runs of any size are read case by case.

The index holds two numbers for each stretch of consecutive lines of one case; the outcomes themselves are read when
they are asked for. A hundred runs take a few megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from conformance.model.errors import HarnessError, Place, UsageError
from conformance.model.records import Outcome
from conformance.results.store import decoder_of, is_outcome

__all__ = ["Spans", "index_outcomes"]


class _Head(msgspec.Struct, frozen=True):
    """What the index needs of a line; the rest is passed over without being made into objects."""

    case: str
    backend: str


_head = msgspec.json.Decoder(_Head)


@dataclass(eq=False)
class Spans:
    """The index of one file: case to stretches ``(start byte, length, line number)``, and which backends have any."""

    path: Path
    cases: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    backends: dict[str, None] = field(default_factory=dict)

    def read(self, case: str) -> Iterator[Outcome]:
        """The outcomes of a case in file order. Raises UsageError that names a damaged line."""
        spans = self.cases.get(case)
        if not spans:
            return
        decode = decoder_of(self.path)
        with _opened(self.path) as file:
            for start, length, line in spans:
                file.seek(start)
                for offset, text in enumerate(file.read(length).splitlines()):
                    record = _decoded(self.path, line + offset, text, decode)
                    if isinstance(record, Outcome):
                        yield record


def index_outcomes(path: Path) -> Spans:
    """Index the outcomes of a results file in one pass; a last line that is cut off is left out.

    Raises UsageError that names a damaged line, HarnessError where the file cannot be read.
    """
    spans = Spans(path)
    position, last = 0, None
    begin = length = first = 0
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            head = _head_of(path, number, line) if line.endswith(b"\n") and is_outcome(line) else None
            case = None if head is None else head.case
            if case != last:
                if last is not None:
                    spans.cases.setdefault(last, []).append((begin, length, first))
                last, begin, length, first = case, position, 0, number
            length += len(line)
            position += len(line)
            if head is not None:
                spans.backends[head.backend] = None
    if last is not None:
        spans.cases.setdefault(last, []).append((begin, length, first))
    return spans


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror or error}") from error


def _head_of(path: Path, number: int, line: bytes) -> _Head:
    try:
        return _head.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, number, error) from None


def _decoded(path: Path, number: int, line: bytes, decode: Callable[[bytes], object]) -> object:
    try:
        return decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, number, error) from None


def _damaged(path: Path, number: int, error: Exception) -> UsageError:
    return UsageError(
        f"this line is damaged: {error}",
        place=Place(path, number),
        hint="restore the file, or delete the line: its outcomes are then missing from the report",
    )
