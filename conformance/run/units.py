"""The units of a chunk as they are asked again: what comes of their calls, and whether it is the same as before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.model.outcome import Outcome
from conformance.model.problem import Problem
from conformance.run.chunk import Chunk
from conformance.run.findings import calls
from conformance.worker.exchange import Array, Observation
from conformance.worker.session import Session

__all__ = [
    "BESIDE",
    "DEATHS",
    "ChunkUnit",
    "Observed",
    "Wrong",
    "ask",
    "dead",
    "otherwise",
    "same",
    "units_of",
    "wrong_of",
]

DOUBTFUL = frozenset({"fail", "crash", "timeout", "error"})
DEATHS = frozenset({"crash", "timeout"})

#: So often a unit is asked beside threads that calls have left behind, which do harm now and then.
BESIDE = 32

Observed = Sequence[Observation] | dict[int, Observation]  # by place
#: What is wrong with a unit: check, policy, reduction, quantity, verdict and reason of each such outcome.
Wrong = frozenset[tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class ChunkUnit:
    """A unit of a chunk: its problem, its reductions and places there, and of these the ones that are asked again."""

    chunk: Chunk
    number: int
    problem: Problem
    calls: tuple[tuple[str, int], ...]
    asked: tuple[int, ...]


def units_of(chunk: Chunk) -> list[ChunkUnit]:
    """The units of a chunk, to be asked as a whole."""
    numbers = {id(unit.problem): number for number, unit in enumerate(chunk.units)}
    found: list[list[tuple[str, int]]] = [[] for _ in chunk.units]
    for problem, reduction, place in calls(chunk):
        found[numbers[id(problem)]].append((reduction, place))
    return [
        ChunkUnit(chunk, number, unit.problem, tuple(of_it), tuple(place for _, place in of_it))
        for number, (unit, of_it) in enumerate(zip(chunk.units, found, strict=True))
    ]


def ask(session: Session, unit: ChunkUnit) -> dict[int, Observation]:
    """What comes of a unit's calls, by their places."""
    requests = [unit.chunk.requests[place] for place in unit.asked]
    return {seen.key: seen for seen in session.run(requests)}


def dead(seen: Observation) -> bool:
    """Whether the call has ended its process."""
    return seen.failure is not None and seen.failure.is_death


def wrong_of(outcomes: Iterable[Outcome]) -> Wrong:
    """What is wrong in outcomes of a unit."""
    return frozenset(
        (each.check, each.policy, each.aspect, each.reduction, each.quantity, each.verdict, each.reason)
        for each in outcomes
        if each.verdict in DOUBTFUL and each.check != "process"
    )


def same(one: Observed, other: dict[int, Observation], places: Iterable[int]) -> bool:
    """Whether calls gave the same bits, or failed in the same way; what was not reached says nothing.

    Of a unit that is not repeatable, here as there, bits say nothing either.
    """
    pairs = [(one[place], other[place]) for place in places]
    loose = any(each.repeatable is False and again.repeatable is False for each, again in pairs)
    return all(_alike(each, again, loose=loose) for each, again in pairs)


def otherwise(session: Session, unit: ChunkUnit, expected: Observed) -> dict[int, Observation] | None:
    """What a unit gives that is not the same as ``expected``; None where it is.

    It is asked over and over where something that calls have left behind may be at work beside it.
    """
    for _ in range(BESIDE):
        seen = ask(session, unit)
        if not same(expected, seen, unit.asked):
            return seen
        if not session.accompanied:
            break
    return None


def _alike(one: Observation, other: Observation, *, loose: bool = False) -> bool:
    if other.failure is not None and other.failure.kind == "not run":
        return True
    return _facts(one, loose) == _facts(other, loose)


def _facts(seen: Observation, loose: bool) -> tuple[object, ...]:
    failures = [None if each is None else (each.kind, each.type) for each in (seen.failure, seen.gradient_failure)]
    arrays = () if loose else map(_bits, (seen.value, seen.gradient, seen.value_with_gradient, seen.derivative))
    return (*failures, *arrays, seen.died is None, seen.modified, loose or seen.repeatable, seen.warnings)


def _bits(array: Array | None) -> tuple[object, ...] | None:
    return None if array is None else (array.dtype, array.shape, array.tobytes())
