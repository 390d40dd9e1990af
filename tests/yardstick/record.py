"""Every kill on record and what was asked for it, so that a measurement of the kill matrix goes on from the last one.

A file of lines of JSON, compressed: the cases with their digests, then a line for each share of the work. It is
written anew when a measurement begins, without what no longer holds; a share that is finished is appended to it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from conformance.cases.load import Entry
from conformance.model.errors import UsageError
from conformance.reports.kills import FILE
from tests.yardstick import digests
from tests.yardstick.registry import Kind, title
from tests.yardstick.trial import DEPTHS, Kill

__all__ = ["RECORD", "Record"]

RECORD = FILE.with_name("every-kill.json.gz")


class _Share(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of wrong backends, all asked the cases with these numbers (``ranges``: first, and one past last).

    ``wrong`` is the digest of each by its title, ``kills`` are numbers of cases by title, dtype and check: what was
    found at this ``depth``.
    """

    depth: str
    wrong: dict[str, str]
    ranges: list[tuple[int, int]]
    kills: dict[str, dict[str, dict[str, list[int]]]]


class Record:
    """The kills of ``kinds`` by the cases of ``entries`` that stand in ``path`` and still hold.

    A kill holds as long as the case and the wrong backend are what they were. Of the engine that judged nothing is
    kept: after a change of how it judges, measure ``--anew``. Raises UsageError for a file of another kind.
    """

    def __init__(self, path: Path, kinds: Sequence[Kind], entries: Sequence[Entry]) -> None:
        self._path = path
        self._cases = {entry.case.id: digests.of_case(entry) for entry in entries}
        self._wrong = {title(kind): digests.of_kind(kind) for kind in kinds}
        self._asked: dict[tuple[str, str], set[str]] = {}
        self._kills: dict[tuple[str, str], dict[Kill, None]] = {}
        if path.is_file():
            self._read()

    @property
    def kills(self) -> dict[str, list[Kill]]:
        """Of each wrong backend, by title, at all depths."""
        return {name: self.kills_until(DEPTHS[-1], name) for name in self._wrong}

    def kills_until(self, depth: str, name: str) -> list[Kill]:
        """Of one wrong backend, at this depth and at those before it."""
        depths = DEPTHS[: DEPTHS.index(depth) + 1]
        return sorted({kill for each in depths for kill in self._kills.get((each, name), ())})

    def asked(self, depth: str, name: str) -> Collection[str]:
        """The ids of the cases that the wrong backend was asked."""
        return self._asked.get((depth, name), set())

    def add(self, depth: str, found: Mapping[str, Iterable[Kill]], cases: Collection[str]) -> None:
        """Put on record what was found of wrong backends that were all asked ``cases``."""
        for name, kills in found.items():
            self._asked.setdefault((depth, name), set()).update(cases)
            self._kills.setdefault((depth, name), {}).update(dict.fromkeys(kills))
        with self._path.open("ab") as file:
            file.write(_packed([self._share(depth, found, cases)]))

    def rewrite(self) -> None:
        """The file as of now: a line for all that were asked alike, and none for what no longer holds."""
        alike: dict[tuple[str, frozenset[str]], list[str]] = {}
        for (depth, name), ids in sorted(self._asked.items()):
            alike.setdefault((depth, frozenset(ids)), []).append(name)
        shares = []
        for (depth, cases), names in sorted(alike.items(), key=lambda item: (DEPTHS.index(item[0][0]), item[1])):
            shares.append(self._share(depth, {name: self._kills.get((depth, name), {}) for name in names}, cases))
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(_packed([list(self._cases.items()), *shares]))
        fresh.replace(self._path)

    def _share(self, depth: str, found: Mapping[str, Iterable[Kill]], cases: Collection[str]) -> _Share:
        number = {case: place for place, case in enumerate(self._cases)}
        kills: dict[str, dict[str, dict[str, list[int]]]] = {}
        for name, each in found.items():
            for kill in sorted(each, key=lambda kill: number[kill.case]):
                checks = kills.setdefault(name, {}).setdefault(kill.dtype, {})
                checks.setdefault(kill.check, []).append(number[kill.case])
        wrong = {name: self._wrong[name] for name in found}
        return _Share(depth=depth, wrong=wrong, ranges=_ranges(sorted(number[case] for case in cases)), kills=kills)

    def _read(self) -> None:
        lines = _unpacked(self._path)
        try:
            known = msgspec.json.decode(next(lines, b"[]"), type=list[tuple[str, str]])
            names = [case if self._cases.get(case) == digest else "" for case, digest in known]
            for line in lines:
                share = msgspec.json.decode(line, type=_Share)
                cases = {names[number] for first, end in share.ranges for number in range(first, end)} - {""}
                for name, digest in share.wrong.items():
                    if self._wrong.get(name) == digest and cases:
                        self._asked.setdefault((share.depth, name), set()).update(cases)
                        kills = _kills(share.kills.get(name, {}), names)
                        self._kills.setdefault((share.depth, name), {}).update(dict.fromkeys(kills))
        except (msgspec.DecodeError, IndexError) as error:
            raise UsageError(f"{self._path}: not a record of kills: {error}", hint="remove it") from None


def _kills(found: Mapping[str, Mapping[str, Sequence[int]]], names: Sequence[str]) -> Iterator[Kill]:
    for dtype, checks in found.items():
        for check, numbers in checks.items():
            yield from (Kill(names[number], dtype, check) for number in numbers if names[number])


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = found[-1][0], number + 1
        else:
            found.append((number, number + 1))
    return found


def _packed(documents: Iterable[object]) -> bytes:
    """A member of a gzip file; such a file may have several."""
    return gzip.compress(b"".join(msgspec.json.encode(each) + b"\n" for each in documents), mtime=0)


def _unpacked(path: Path) -> Iterator[bytes]:
    """The lines; one that was being written when the process ended is left out."""
    try:
        with gzip.open(path) as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except (EOFError, zlib.error):
        return
    except OSError as error:
        raise UsageError(f"{path}: not a record of kills: {error}", hint="remove it") from None
