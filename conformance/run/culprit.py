"""The search for the call that has spoilt others, among those that the process had been asked before.

Each is tried before the one that went wrong, in a process that is like the first; what is come upon is confirmed in
processes of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from conformance.model.outcome import Outcome
from conformance.run.chunk import Chunk, chunk_of
from conformance.run.plan import Portion
from conformance.run.units import BESIDE, ChunkUnit, ask, dead, otherwise, same, wrong_of
from conformance.worker.exchange import Observation
from conformance.worker.session import Session

__all__ = ["BEFORE", "Culprit", "Lost", "earlier_units", "find_culprit", "unharmed"]

TRIES = 3  # of confirming what a search has come upon
BEFORE = (4, 12)  # how many former chunks are searched through, one group after the other

#: The outcomes of the victim's chunk, where some observations are others.
Judged = Callable[[dict[int, Observation]], list[list[Outcome]]]
#: The units that were asked before, in groups; made when they are asked for.
Groups = Sequence[Callable[[], list[ChunkUnit]]]


@dataclass(frozen=True, eq=False)
class Lost:
    """What went wrong with a unit, and does not in another process, where the observations were ``fresh``."""

    unit: ChunkUnit
    outcomes: list[Outcome]
    fresh: dict[int, Observation]


@dataclass(frozen=True, eq=False)
class Culprit:
    """A unit's call of one reduction, and what is wrong with the victim behind it."""

    unit: ChunkUnit
    reduction: str
    shown: Outcome


def find_culprit(victim: Lost, judged: Judged, groups: Groups, opened: Callable[[], Session]) -> Culprit | None:
    """The call of the ``groups`` behind which the victim goes wrong; ``opened`` gives fresh processes."""
    tries = TRIES
    for group in groups:
        with opened() as session:
            for each in group():
                if each.problem.key == victim.unit.problem.key:
                    continue
                died = any(map(dead, ask(session, each).values()))  # and has left nothing behind
                if not died and otherwise(session, victim.unit, victim.fresh) is None:
                    continue
                if not died and (culprit := _confirmed(each, victim, judged, opened)) is not None:
                    return culprit
                tries -= 1
                if not tries:
                    return None
    return None


def _confirmed(unit: ChunkUnit, victim: Lost, judged: Judged, opened: Callable[[], Session]) -> Culprit | None:
    """The same from a process of their own: so often as here, the victim alone must go well."""
    tries, culprit = 0, None
    with opened() as session:
        for reduction, place in unit.calls:
            session.run([unit.chunk.requests[place]])
            seen = otherwise(session, victim.unit, victim.fresh)
            tries += BESIDE if session.accompanied else 2
            if seen is None:
                continue
            fresh, behind = (judged(each)[victim.unit.number] for each in (victim.fresh, seen))
            if shown := [each for each in behind if wrong_of([each]) - wrong_of(fresh)]:
                first = next((each for each in shown if each.error), shown[0])
                culprit = Culprit(replace(unit, asked=(place,)), reduction, first)
                break
    if culprit is None:
        return None
    with opened() as session:
        for _ in range(tries + 1):
            if not same(victim.fresh, ask(session, victim.unit), victim.unit.asked):
                return None
    return culprit


def earlier_units(
    before: Sequence[Portion], asked: Callable[[Chunk], list[ChunkUnit]]
) -> Iterator[Callable[[], list[ChunkUnit]]]:
    """The units of former chunks that were ``asked``, the last ones first, in groups; made when they are needed."""
    last = len(before)
    for count in BEFORE:
        group = before[max(0, last - count) : last]
        last -= len(group)
        if group:
            yield lambda group=group: [unit for portion in group for unit in asked(chunk_of(portion))]  # type: ignore[misc]


def unharmed(session: Session, culprit: ChunkUnit, victim: Lost) -> bool:
    """Whether the victim gives the same behind the culprit as elsewhere."""
    ask(session, culprit)
    return otherwise(session, victim.unit, victim.fresh) is None
