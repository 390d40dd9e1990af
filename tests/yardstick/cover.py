"""The quick selection: few cases and dtypes that together kill every wrong backend, by a greedy weighted set cover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.cases.expand import expand
from conformance.cases.load import Entry
from tests.yardstick.matrix import AllKills

__all__ = ["choose", "render"]

Pair = tuple[str, str]
#: Every wrong backend is killed by so many cases, where there are as many: what is chosen finds out others as well.
DEPTH = 2
#: What a call of a new shape costs more than one of a known shape: frameworks compile it.
NEW_SHAPE = 4.0
#: Logits that cost as much as one call.
LOGITS = 100_000

HEADER = """\
# The cases that `conformance run --quick` takes, each in these dtypes: a cover of all wrong backends of the tests.
# Written by `python -m tests.yardstick matrix`.
quick:
"""


@dataclass(frozen=True)
class _Candidate:
    """A case in a dtype: what it kills, how many calls it makes, how many logits, and which shapes it brings."""

    pair: Pair
    kills: frozenset[str]
    calls: int
    logits: int
    shapes: frozenset[tuple[object, ...]]

    def cost(self, known: set[tuple[object, ...]]) -> float:
        return self.calls + NEW_SHAPE * len(self.shapes - known) + self.logits / LOGITS


def choose(kills: AllKills, entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Case ids with their dtypes, those that kill most first; none that the default tier leaves out for anybody."""
    usual = {entry.case.id: entry for entry in entries if entry.case.tier != "full"}
    killers = {name: {kill.case for kill in each} & usual.keys() for name, each in kills.items()}
    wanted = {name: min(DEPTH, len(cases)) for name, cases in killers.items() if cases}
    chosen = _without_idle(_greedy(list(_candidates(kills, usual)), dict(wanted)), wanted)
    selection: dict[str, list[str]] = {}
    for each in sorted(chosen, key=lambda each: (-len(each.kills), each.pair)):
        selection.setdefault(each.pair[0], []).append(each.pair[1])
    return selection


def _candidates(kills: AllKills, entries: Mapping[str, Entry]) -> Iterator[_Candidate]:
    killed: dict[Pair, set[str]] = {}
    for name, each in kills.items():
        for kill in each:
            if kill.case in entries:
                killed.setdefault((kill.case, kill.dtype), set()).add(name)
    for pair, names in sorted(killed.items()):
        problems = expand(entries[pair[0]], dtypes=[pair[1]]).problems
        calls = sum(len(problem.reductions) for problem in problems)
        logits = sum(problem.logits.size for problem in problems)
        shapes = {
            (
                p.operation,
                p.logits.shape,
                p.dtype,
                np.shape(p.targets),
                getattr(p.targets, "dtype", None),
                p.weight is None,
                p.axis,
                p.ignore_index,
                p.label_smoothing,
            )
            for p in problems
        }
        yield _Candidate(pair, frozenset(names), calls, logits, frozenset(shapes))


def _greedy(candidates: Sequence[_Candidate], missing: dict[str, int]) -> list[_Candidate]:
    """At each step the candidate with the most new kills for its cost, until nothing is missing."""
    chosen: list[_Candidate] = []
    by: dict[str, set[str]] = {name: set() for name in missing}
    known: set[tuple[object, ...]] = set()
    while any(missing.values()):
        best = max(candidates, key=lambda each: _gain(each, missing, by) / each.cost(known))
        for name in best.kills:
            if missing.get(name) and best.pair[0] not in by[name]:
                by[name].add(best.pair[0])
                missing[name] -= 1
        known |= best.shapes
        chosen.append(best)
    return chosen


def _gain(candidate: _Candidate, missing: Mapping[str, int], by: Mapping[str, set[str]]) -> int:
    case = candidate.pair[0]
    return sum(1 for name in candidate.kills if missing.get(name) and case not in by[name])


def _without_idle(chosen: list[_Candidate], wanted: Mapping[str, int]) -> list[_Candidate]:
    """Without those that later choices made needless, the dearest first."""
    kept = list(chosen)
    for each in sorted(chosen, key=lambda each: -each.cost(set())):
        rest = [other for other in kept if other is not each]
        if all(_depth(rest, name) >= wanted[name] for name in each.kills if name in wanted):
            kept = rest
    return kept


def _depth(chosen: Iterable[_Candidate], name: str) -> int:
    return len({each.pair[0] for each in chosen if name in each.kills})


def render(selection: Mapping[str, Sequence[str]]) -> str:
    """The file, in YAML."""
    return HEADER + "".join(f"  {case}: [{', '.join(dtypes)}]\n" for case, dtypes in selection.items())
