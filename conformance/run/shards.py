"""Shards: a selection of cases in parts that cost the same, for as many machines.

Every machine works out all parts from the same cases and the same costs, so that none of them need speak to another.
"""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.load import Entry
from conformance.model.errors import UsageError
from conformance.model.records import MOST_SHARDS, Shard
from conformance.places import CASES

__all__ = ["Partition", "case_digests", "parse_shard", "partition"]


@dataclass(frozen=True)
class Partition:
    """All parts of a selection, and the expected seconds of each."""

    parts: tuple[tuple[Entry, ...], ...]
    seconds: tuple[float, ...]

    @property
    def digest(self) -> str:
        """The same for the same cases in the same parts: by it shards know each other."""
        return _digest("\n\n".join(map(_text, self.parts)))


def case_digests(entries: Sequence[Entry], files: Iterable[Path] = ()) -> dict[str, str]:
    """The digest of what ``entries`` hold of each file, by its :func:`name_of`; empty for others of ``files``."""
    found: dict[Path, list[Entry]] = {file: [] for file in files}
    for entry in entries:
        found.setdefault(entry.file, []).append(entry)
    return {name_of(file): _digest(_text(held)) if held else "" for file, held in found.items()}


def name_of(file: Path) -> str:
    """A file of cases as the caller has named it, or below the suite's own."""
    return str(file.relative_to(CASES.parent) if file.is_relative_to(CASES) else file)


def _text(entries: Sequence[Entry]) -> str:
    """All that a case says; not as JSON, which has no infinity."""
    return "\n".join(f"{entry.theme} {entry.case!r}" for entry in entries)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def parse_shard(text: str) -> Shard:
    """``I/N`` with 1 ≤ I ≤ N; raises UsageError."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if match and 1 <= int(match[1]) <= int(match[2]) <= MOST_SHARDS:
        return Shard(int(match[1]), int(match[2]))
    hint = f"write I/N with I from 1 to N, such as 1/4, and N of at most {MOST_SHARDS}"
    raise UsageError(f"--shard '{text}' is not a part of a whole", hint=hint)


def partition(entries: Sequence[Entry], costs: Sequence[float], count: int) -> Partition:
    """``entries`` in ``count`` parts that have none in common, each in the order given; ``costs`` are their seconds.

    The dearest case comes first, each to the part that has cost least so far: no part is dearer than the average by
    more than one case (Graham, *Bounds on multiprocessing timing anomalies*, SIAM J. Appl. Math. 17, 1969).
    """
    places: list[list[int]] = [[] for _ in range(count)]
    parts = [(0.0, 0, number) for number in range(count)]  # seconds, cases, and which: the least of these is next
    for place in sorted(range(len(entries)), key=lambda place: (-costs[place], entries[place].case.id)):
        seconds, cases, number = parts[0]
        places[number].append(place)
        heapq.heapreplace(parts, (seconds + costs[place], cases + 1, number))
    taken = {number: seconds for seconds, _, number in parts}
    return Partition(
        tuple(tuple(entries[place] for place in sorted(part)) for part in places),
        tuple(taken[number] for number in range(count)),
    )
