"""What is wrong only behind another call: the cases that show it when they are asked one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from conformance.cases.load import Entry
from tests.yardstick.registry import Kind, title
from tests.yardstick.trial import Kill, Pair, Trial, is_ordinary

__all__ = ["completed"]

#: Cases before the one that fails, among which those are that it fails behind.
BEFORE = 30
#: Cases that are looked at of one wrong backend.
MOST = 40


def completed(
    selection: Mapping[str, Sequence[str]],
    survivors: Iterable[Kind],
    kills: Mapping[str, Sequence[Kill]],
    entries: Sequence[Entry],
) -> dict[str, list[str]]:
    """The ``selection`` with cases that kill its ``survivors``, in the order in which they do, at its end."""
    found = {case: [*dtypes] for case, dtypes in selection.items()}
    for kind in survivors:
        for case, dtype in _sequence(kind, kills[title(kind)], entries):
            dtypes = found.pop(case, [])
            found[case] = dtypes if dtype in dtypes else [*dtypes, dtype]
    return found


def _sequence(kind: Kind, kills: Sequence[Kill], entries: Sequence[Entry]) -> list[Pair]:
    """Few cases of one dtype that kill the backend; none where no case does behind those before it."""
    for number, dtype in [*_places(kills, entries)][:MOST]:
        before = entries[max(0, number - BEFORE) : number + 1]
        cases = [entry for entry in before if dtype in entry.case.dtypes and is_ordinary(entry)]
        if not _kill(kind, cases, dtype):
            continue
        for each in cases[:-1]:
            fewer = [other for other in cases if other is not each]
            if _kill(kind, fewer, dtype):
                cases = fewer
        return [(entry.case.id, dtype) for entry in cases]
    return []


def _places(kills: Sequence[Kill], entries: Sequence[Entry]) -> Iterator[tuple[int, str]]:
    """Where the cases stand that kill, each with a dtype."""
    places = {entry.case.id: number for number, entry in enumerate(entries) if is_ordinary(entry)}
    return ((places[case], dtype) for case, dtype in dict.fromkeys((k.case, k.dtype) for k in kills) if case in places)


def _kill(kind: Kind, cases: Sequence[Entry], dtype: str) -> bool:
    return any(True for _ in Trial(cases, (dtype,), identities=False).kills([kind]))
