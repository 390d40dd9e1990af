"""Calls that may harm the process in which they are made are made in one that answers nothing else.

These are the calls with labels out of range, or with targets of a wrong shape or type, by which a framework that does
not look at them may read and write where it may not, and those whose result the backend's profile leaves open. Behind
them a canary shows whether the process is what it was; where it is not, the calls since it was are made again, each
with a canary behind it, and the one that spoils the process is known. Those of the cases that the register names for
memory errors have a process of their own, too: there it is known beforehand that they may spoil it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from conformance.judge.judge import Judge
from conformance.judge.unit import Unit
from conformance.profiles.register import MemoryErrors
from conformance.run.chunk import Chunk
from conformance.run.units import ChunkUnit, dead, units_of
from conformance.worker.canary import Canary
from conformance.worker.exchange import Failure, Observation, Request
from conformance.worker.session import Session

__all__ = ["Apart", "Calls", "alone", "calls_of", "needs_care", "watched"]

TRIES = 16  # of a call that was not refused, to see whether it ends the process now and then
ENOUGH = 8  # calls that never did in so many tries: the others are not tried so often
NOT_ASKED = Failure("not run", "LeftOpen", "the profile leaves the result open")

NONE = MemoryErrors({})
#: What makes targets invalid besides their labels.
_OF_TARGETS = frozenset({"target-shape", "target-dtype"})


def needs_care(unit: Unit, judge: Judge, errors: MemoryErrors = NONE) -> bool:
    """Whether the calls of a unit are made apart: its targets are invalid, or the result is left open.

    So are those of a known memory error.
    """
    return _known(unit, errors) or _doubtful(unit, judge)


def _known(unit: Unit, errors: MemoryErrors) -> bool:
    problem = unit.problem
    return errors.includes(problem.case.id, problem.dtype, problem.operation)


def _open(unit: Unit, judge: Judge, errors: MemoryErrors) -> bool:
    """Whether the profile leaves open what comes of a unit, or the register does."""
    problem = unit.problem
    if errors.leaves_open(problem.case.id, problem.dtype, problem.operation):
        return True
    return judge.of(problem).openness.includes(problem)


def _doubtful(unit: Unit, judge: Judge) -> bool:
    problem = unit.problem
    if judge.of(problem).openness.includes(problem):
        return True
    if not unit.resolution.must_raise or problem.target_kind != "indices":
        return False
    if unit.resolution.invalid in _OF_TARGETS:
        return True
    targets = np.asarray(problem.targets)
    return targets.dtype.kind in "iu" and problem.labels_out_of_range() is not None


@dataclass(frozen=True, eq=False)
class Calls:
    """The places of a chunk's calls: the ``usual`` ones; those of units that need care, which are all in ``units``.

    Of these the results of some are ``left_open``, those of the others ``due``, or ``harmful``, unit by unit: of valid
    calls of which a memory error is known.
    """

    usual: Sequence[int]
    due: Sequence[int]
    left_open: Sequence[int]
    units: frozenset[int] = frozenset()
    harmful: Sequence[Sequence[int]] = ()


def calls_of(chunk: Chunk, judge: Judge, errors: MemoryErrors = NONE) -> Calls:
    """Which of a chunk's calls are made where."""
    careful = {number for number, unit in enumerate(chunk.units) if needs_care(unit, judge, errors)}
    if not careful:
        return Calls(range(len(chunk.requests)), (), ())
    special = [unit for unit in units_of(chunk) if unit.number in careful]
    groups = (places for group in chunk.groups for places in group.places.values())
    plain = {place for _, _, place in chunk.raising}.union(*groups)
    due: list[int] = []
    left_open: list[int] = []
    harmful: list[Sequence[int]] = []
    for each in special:
        unit = chunk.units[each.number]
        if _open(unit, judge, errors):
            left_open += plain.intersection(each.asked)
        elif _doubtful(unit, judge):
            due += each.asked
        else:
            harmful.append(each.asked)
    asked = {place for unit in special for place in unit.asked}
    usual = [place for place in range(len(chunk.requests)) if place not in asked]
    return Calls(usual, sorted(due), sorted(left_open), frozenset(careful), harmful)


def watched(session: Session, canary: Canary, units: Sequence[ChunkUnit]) -> Iterator[Observation]:
    """What comes of units in a process that is sound before each: of one that spoils it, call by call."""
    for unit in units:
        yield from _watched(session, canary, [unit.chunk.requests[place] for place in unit.asked])


def _watched(session: Session, canary: Canary, requests: Sequence[Request]) -> list[Observation]:
    seen = session.run(requests)
    sound = canary.sound(session)
    if sound and (len(requests) == 1 or not any(map(_ended, seen))):
        return seen
    if len(requests) == 1:
        if not seen[0].first:  # others were asked before it: is it to blame?
            session.run(requests)
            if canary.sound(session):
                canary.in_vain()
                return seen
        return [msgspec.structs.replace(seen[0], spoils=True)]
    if sound:
        session.renew()
    found = [each for request in requests for each in _watched(session, canary, [request])]
    if not any(each.spoils or _ended(each) for each in found):
        canary.in_vain()
    return found


def alone(session: Session, canary: Canary, units: Sequence[Sequence[Request]]) -> list[Observation]:
    """What comes of calls that are known to harm their process, of each in one that none of the others has harmed.

    Those of a unit share one for as long as nothing shows. What a call does to the process is what is known of it.
    """
    found = []
    for unit in units:
        session.renew()
        for each in unit:
            (seen,) = session.run([each])
            if (_ended(seen) or not canary.sound(session)) and not seen.first:
                session.renew()
                (seen,) = session.run([each])
                session.renew()
            found.append(seen)
    return found


def _ended(seen: Observation) -> bool:
    return dead(seen) or seen.died is not None


class Apart:
    """Makes such calls of one backend in ``session``, which is asked nothing else. Close it in the end."""

    def __init__(self, session: Session, canary: Canary) -> None:
        self.session = session
        self._canary = canary
        self._harmed = False  # the backend has shown that calls harm its process: each is watched
        self._opened = False  # the process has been asked something that is left open
        self._alive = 0  # calls that did not end it in many tries

    def run(self, due: Sequence[Request], left_open: Sequence[Request]) -> list[Observation]:
        """What comes of calls, ``due`` in a process that was never asked one that is left open."""
        if due and self._opened:
            self.session.renew()
            self._opened = False
        found = self._due(due) if due else []
        for each in left_open:
            self._opened = True
            once = msgspec.structs.replace(each, repeat=False)
            found += _watched(self.session, self._canary, [once])
        return found

    def _due(self, requests: Sequence[Request]) -> list[Observation]:
        """What comes of the calls; what went wrong before they were made again is on record, or explained by one."""
        found: list[Observation] = []
        for each in [] if self._harmed else requests:
            found += self.session.run([each])
            if _ended(found[-1]):
                break
        else:
            if not self._harmed and self._canary.sound(self.session):
                return found
        self.session.renew()
        again = [seen for each in requests for seen in _watched(self.session, self._canary, [each])]
        if self._harmed or any(each.spoils or _ended(each) for each in again):
            self._harmed = True
            return again
        if not _ended(found[-1]):  # no call spoils a process by itself: what came first stands
            self._canary.in_vain()
            return found
        self._harmed, place = True, len(found) - 1
        again[place] = msgspec.structs.replace(again[place], died=found[place].failure or found[place].died)
        return again

    def again(self, request: Request) -> Observation | None:
        """How a call that was not refused ends the process, where it does so now and then."""
        if self._alive >= ENOUGH:
            return None
        for _ in range(TRIES):
            (seen,) = self.session.run([request])
            if _ended(seen):
                return seen
            if not self._canary.sound(self.session):
                return None
        self._alive += 1
        return None

    @property
    def deadly(self) -> bool:
        """Whether calls have ended the process."""
        return self.session.restarts > 0

    def close(self) -> None:
        """End the process."""
        self.session.close()
