"""The quick selection: few cases and dtypes that together kill every wrong backend, by a greedy weighted set cover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conformance.cases.expand import expand
from conformance.cases.load import Entry
from tests.yardstick.matrix import AllKills

__all__ = ["choose", "extended", "render"]

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
    candidates, wanted = _usual(kills, entries)
    chosen = _without_idle(_greedy(candidates, dict(wanted)), wanted)
    chosen.sort(key=lambda each: (-len(each.kills), each.pair))
    return _selection({}, chosen)


def extended(selection: Mapping[str, Sequence[str]], kills: AllKills, entries: Sequence[Entry]) -> dict[str, list[str]]:
    """A selection, and behind it what it lacks to kill these wrong backends, too."""
    candidates, wanted = _usual(kills, entries)
    kept = [each for each in candidates if each.pair[1] in selection.get(each.pair[0], ())]
    missing = {name: max(0, depth - _depth(kept, name)) for name, depth in wanted.items()}
    return _selection(selection, _greedy(candidates, missing, kept))


def _usual(kills: AllKills, entries: Sequence[Entry]) -> tuple[list[_Candidate], dict[str, int]]:
    """What may be chosen, of the default tier alone, and how many cases of it are to kill each wrong backend."""
    usual = {entry.case.id: entry for entry in entries if entry.case.tier != "full"}
    killers = {name: {kill.case for kill in each} & usual.keys() for name, each in kills.items()}
    return list(_candidates(kills, usual)), {name: min(DEPTH, len(cases)) for name, cases in killers.items() if cases}


def _selection(first: Mapping[str, Sequence[str]], chosen: Iterable[_Candidate]) -> dict[str, list[str]]:
    selection = {case: [*dtypes] for case, dtypes in first.items()}
    for each in chosen:
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


def _greedy(
    candidates: Sequence[_Candidate], missing: dict[str, int], kept: Sequence[_Candidate] = ()
) -> list[_Candidate]:
    """At each step the candidate with the most new kills for its cost, until nothing is missing beside what is kept."""
    chosen: list[_Candidate] = []
    by = {name: {each.pair[0] for each in kept if name in each.kills} for name in missing}
    known = {shape for each in kept for shape in each.shapes}
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
