"""Reads a results file in one pass, and believes nothing of it: it may be a stranger's, cut off, or damaged.

Many lines at a time are decoded into rows that have the types of an outcome and nothing else of it; only where that
fails are they taken one by one, to name the line and what is wrong with it.
"""

from __future__ import annotations

import contextlib
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec

from conformance.disk import disk_errors
from conformance.model.backend import BackendRecord
from conformance.model.errors import Place, UsageError
from conformance.model.execution import ExecutionEvidence, total
from conformance.model.outcome import Count, Outcome, UnitKey, names_values, stands_apart
from conformance.model.records import SCHEMA, BlockRecord, Costs, Footer, Header, Record, WorkerRecord, decode_record
from conformance.results.upgrade import FORMER, decode_former, specs_of

__all__ = ["Scan", "decoder_of", "lines_of"]

#: Bytes that are read and decoded at a time: larger ones are new pages of memory each time, and take twice as long.
PIECE = 1 << 18
#: Bytes of a line: the source of an adapter's module stands on one.
LONGEST_LINE = 16 << 20
_BLOCK = b'{"record":"block"'


_Atom = float | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | bool | str | None
_Flat = _Atom | list[_Atom] | dict[str, _Atom]
_Value = _Atom | list[_Flat] | dict[str, _Flat]


def _row() -> type[msgspec.Struct]:
    """The fields of an outcome; those of any type as the suite writes them, two deep at the most."""
    fields: list[Any] = []
    for each in msgspec.structs.fields(Outcome):
        kind = _Value if each.type is Any else each.type
        fields.append((each.name, kind, msgspec.field(default=each.default, name=each.encode_name)))
    return msgspec.defstruct("_Row", fields, tag_field="record", tag="outcome", kw_only=True, frozen=True, gc=False)


_Row: Any = _row()
_rows = msgspec.json.Decoder(Header | BackendRecord | WorkerRecord | Costs | BlockRecord | Footer | _Row)
_OUTCOMES = {_Row, Outcome}
_verdict, _check, _reason = attrgetter("verdict"), attrgetter("check"), attrgetter("reason")
_unit = attrgetter("backend", "case", "dtype", "layout")


class Scan:
    """One pass over the file at ``path``, made at once; with ``each``, line by line, so that no key may stand twice.

    ``counts`` are the verdicts of its outcomes, ``units`` what they are parts of (backend, case, dtype, layout);
    ``repeated`` are the numbers of lines whose unit stands further up already, which count for nothing. ``cut`` says
    that the last line has no end. ``sealed`` and ``lines`` say how many bytes and lines end with the last block; where
    there is a footer, with the last one before it, and ``end`` is the byte at which it begins.

    Raises UsageError that names the line at fault, HarnessError where the disk refuses.
    """

    def __init__(self, path: Path, *, each: bool = False) -> None:
        self.path = path
        self._each = each
        self.header: Header | None = None
        self.backends: dict[str, BackendRecord] = {}
        self.workers: dict[str, WorkerRecord] = {}
        self.costs: dict[str, dict[str, float]] = {}
        self.deaths: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.modes: dict[str, ExecutionEvidence] = {}
        self.footer: Footer | None = None
        self.counts: Counter[str] = Counter()
        self.units: set[UnitKey] = set()
        self.repeated: set[int] = set()
        self.cut = False
        self.sealed = self.lines = self.end = 0
        self._decode = decoder_of(path)
        self._last: UnitKey | None = None
        self._open: set[UnitKey] = set()  # the units of a block, which may stand there in any order
        self._again = False
        self._number = 0  # of lines so far
        self._first = 0  # how many of them end with the last block
        self._checksum = 0  # of those behind it
        self._read()
        self._check_blocks()
        self._check_counts()

    def _check_blocks(self) -> None:
        """A run that was cut off may lack its last block alone, and that of the header comes first."""
        if self.header is not None and self.header.blocks and not self._first and self._number > 1:
            raise self._without_block(2)

    def _without_block(self, number: int) -> UsageError:
        which = f"the lines before line {number} have no checksum, and were written with one"
        return UsageError(which, place=Place(self.path, number), hint="restore the file, or run again")

    def _check_counts(self) -> None:
        if self.sealed and self.footer is not None and self.footer.counts != self.counts:
            found = f"{self.counts.total()} outcomes, and its footer counts {sum(self.footer.counts.values())}"
            raise UsageError(f"the file holds {found}", place=Place(self.path), hint=_way_on(""))

    def _read(self) -> None:
        position = 0
        for piece in _pieces(self.path):
            begin = 0
            while begin < len(piece):
                end = piece.find(_BLOCK, begin)
                while end > 0 and piece[end - 1] != 10:  # within a line
                    end = piece.find(_BLOCK, end + 1)
                end = len(piece) if end < 0 else end
                self._take(piece[begin:end], position + begin)
                begin = end
                if end < len(piece):
                    begin = piece.find(b"\n", end) + 1 or len(piece)
                    if piece.endswith(b"\n", end, begin):
                        self._take_block(piece[end:begin], position + begin)
                    else:
                        self.cut = True
            position += len(piece)

    def _take(self, lines: bytes, begin: int) -> None:
        """Some lines of which none is a block, from the byte ``begin`` on; the last of the file may have no end."""
        if not lines.endswith(b"\n"):
            whole, end, rest = lines.rpartition(b"\n")
            lines, self.cut = whole + end, bool(rest)
        if not lines:
            return
        rows = self._rows(lines)
        self._checksum = zlib.crc32(lines, self._checksum)
        outcomes = rows
        if {*map(type, rows)} - _OUTCOMES:
            outcomes = [row for row in rows if type(row) in _OUTCOMES]
            for place, row in enumerate(rows):
                if isinstance(row, Footer):
                    number = self._number + place + 1
                    if self.header is not None and self.header.blocks and number != self._first + 1:
                        raise self._without_block(number)
                    self.end = begin + sum(len(line) + 1 for line in lines.split(b"\n", place)[:place])
                if type(row) not in _OUTCOMES:
                    self._take_other(row)
        self._count(outcomes, rows)
        self._number += len(rows)

    def _count(self, outcomes: list[Any], rows: list[Any]) -> None:
        """Count the outcomes among the rows of some lines, but for those of units that stand further up already."""
        self.counts.update(map(_verdict, outcomes))
        judged = outcomes
        if "register" in map(_check, outcomes) or "left-damage" in map(_reason, outcomes):
            judged = [row for row in outcomes if not stands_apart(row)]
        again: list[Any] = []
        begin = 0
        for unit, run in groupby(map(_unit, judged)):
            end = begin + len([*run])
            if unit != self._last:
                held: Any = tuple(map(sys.intern, unit))  # every line brings strings of its own
                self._last, self._again = held, held in self.units and held not in self._open
                self.units.add(held)
                if self._first:
                    self._open.add(held)
            if self._again:
                again += judged[begin:end]
            begin = end
        if again:
            self.counts -= Counter(map(_verdict, again))
            places = {id(row): place for place, row in enumerate(rows, self._number + 1)}
            self.repeated |= {places[id(row)] for row in again}

    def _take_other(self, record: Any) -> None:
        if isinstance(record, BackendRecord):
            self.backends[record.name] = record
        elif isinstance(record, WorkerRecord):
            self.workers[record.name] = record
        elif isinstance(record, Costs):
            self.costs.setdefault(record.backend, {}).update(record.seconds)
            self.deaths[record.backend] += record.deaths
            self.restarts[record.backend] += record.restarts
            if (mode := total((self.modes.get(record.backend), record.mode))) is not None:
                self.modes[record.backend] = mode
        elif isinstance(record, Footer):
            self.footer = record
        elif isinstance(record, Header) and self.header is None:
            self.header = record
            self.backends |= {each.name: each for each in record.backends}

    def _take_block(self, line: bytes, end: int) -> None:
        """A block, which ends at the byte ``end``."""
        self._number += 1
        (block,) = self._one_by_one(line, self._number)
        lines = self._number - 1 - self._first
        if not isinstance(block, BlockRecord) or (block.lines, block.crc32) != (lines, self._checksum):
            which = f"lines {self._first + 1} to {self._number}"
            raise UsageError(
                f"{which} are not as they were written: their checksum differs",
                place=Place(self.path, self._first + 1),
                hint=_way_on(f"{which} and ") if self._first else _NO_HEADER,
            )
        self._first, self._checksum = self._number, 0
        self._last = None
        self._open.clear()
        if self.footer is None:
            self.sealed, self.lines = end, self._number

    def _rows(self, lines: bytes) -> list[Any]:
        """What stands on some lines: an object for each."""
        if self._decode is decode_record and not self._each:
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                rows: list[Any] = _rows.decode_lines(lines)
                policies = [row for row in rows if type(row) is _Row and row.check == "policy"]
                if len(rows) == lines.count(b"\n") and all(map(names_values, policies)):
                    return rows
        return self._one_by_one(lines, self._number + 1)

    def _one_by_one(self, lines: bytes, first: int) -> list[Any]:
        """The same for lines of which one may be damaged, or that are of a former schema."""
        found = []
        for number, line in enumerate(lines.split(b"\n")[:-1], first):
            try:
                found.append(self._decode(line))
                name = _repeated_key(line) if self._each else ""
            except RecursionError:
                raise self._damaged(number, "lists or mappings are nested too deep") from None
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise self._damaged(number, str(error)) from None
            if name:
                raise self._damaged(number, f"key '{name}' stands there twice")
        return found

    def _damaged(self, number: int, why: str) -> UsageError:
        which = f"lines {self._first + 1} up to the next block" if self._first else "this line"
        hint = _NO_HEADER if number == 1 else _way_on(f"{which} and ")
        return UsageError(f"this line is damaged: {why}", place=Place(self.path, number), hint=hint)


_NO_HEADER = "restore the file, or run again: without its header nothing of it is of use"


def _way_on(lines: str) -> str:
    """What can be done about ``lines`` that are damaged, or about some that are missing."""
    return (
        f"restore the file; or delete {lines}the footer, with the block behind it, and let "
        "`conformance run --resume FOLDER` do again what is missing then"
    )


class _Kind(msgspec.Struct):
    schema: Count = SCHEMA


_kind = msgspec.json.Decoder(_Kind)


def decoder_of(path: Path) -> Callable[[bytes], Record]:
    """What reads the lines of a results file, by the schema that its header names; UsageError for one of the future."""
    first, schema = next(lines_of(path), b""), SCHEMA
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        schema = _kind.decode(first).schema
    if schema in FORMER:
        return partial(decode_former, schema, specs=specs_of(first))
    if schema != SCHEMA:
        raise UsageError(
            f"results of schema {schema}, and this version reads schemas {min(FORMER)} to {SCHEMA}",
            place=Place(path, 1, "schema"),
            hint="use the version of the suite that wrote it, or run again into another folder",
        )
    return decode_record


def lines_of(path: Path, begin: int = 0, end: int = 0) -> Iterator[bytes]:
    """The lines from the byte ``begin`` to ``end``, if not 0, each with its end; the last one may have none."""
    for piece in _pieces(path, begin):
        *lines, rest = piece.split(b"\n")
        for line in lines:
            if begin == end != 0:
                return
            yield line + b"\n"
            begin += len(line) + 1
        if rest:
            yield rest


def _pieces(path: Path, begin: int = 0) -> Iterator[bytes]:
    """The file in pieces that end with a line, but for the last one."""
    held = b""
    with disk_errors(path, "read"), path.open("rb") as file:
        file.seek(begin)
        while read := file.read(PIECE):
            whole, end, rest = read.rpartition(b"\n")
            if end:
                yield held + whole + end
                held = rest
            else:
                held += read
            if len(held) > LONGEST_LINE:
                raise UsageError(
                    f"a line is longer than {LONGEST_LINE >> 20} MiB",
                    place=Place(path),
                    hint="not a results file, or a damaged one: run again",
                )
    if held:
        yield held


def _repeated_key(line: bytes) -> str:
    """The first key that stands twice in one mapping of a line; empty where none does."""
    twice: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return dict(pairs)

    json.loads(line, object_pairs_hook=keep)
    return twice[0] if twice else ""
