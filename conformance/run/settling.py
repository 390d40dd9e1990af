"""Asks a backend in processes of its own until each outcome is owed to its own call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from conformance.model.errors import BackendUnavailable
from conformance.run.apart import NOT_ASKED, Apart, Calls, alone, calls_of, needs_care, watched
from conformance.run.chunk import Chunk
from conformance.run.culprit import BEFORE
from conformance.run.plan import Portion
from conformance.run.recheck import ChunkOutcomes, Recheck, add_ends
from conformance.run.rules import Rules
from conformance.run.units import ChunkUnit, dead, units_of, wrong_of
from conformance.worker.canary import Canary
from conformance.worker.exchange import Observation
from conformance.worker.session import Session

__all__ = ["Settling"]


class Settling:
    """The processes of one backend: ``session``, which most calls share, and those that ``fresh`` opens beside it.

    ``sessions`` are all that were opened. Close it in the end.
    """

    def __init__(self, session: Session, fresh: Callable[[], Session]) -> None:
        self._session = session
        self._fresh = fresh
        self.sessions = [session]
        self._recheck: Recheck | None = None
        self._apart: Apart | None = None
        self._canary = Canary()
        self._asked: list[Portion] = []  # of the session's present process, and how many that had before it
        self._starts = 0

    def _another(self) -> Session:
        """A session in which what went wrong is asked again."""
        self.sessions.append(self._fresh())
        return self.sessions[-1]

    def settled(self, chunk: Chunk, rules: Rules) -> ChunkOutcomes:
        """The outcomes of a chunk, each owed to its own call; calls that may do harm are made apart."""
        calls = calls_of(chunk, rules.judge, rules.memory_errors)
        seen = [Observation(place, failure=NOT_ASKED) for place in range(len(chunk.requests))]
        self._ask(chunk, calls, seen)
        found = ChunkOutcomes(seen, rules.outcomes(chunk, seen))
        if calls.due:
            self._try_again(found, chunk, calls, rules)
        if calls.usual:
            self._recheck_usual(found, chunk, calls, rules)
        return found

    def _ask(self, chunk: Chunk, calls: Calls, seen: list[Observation]) -> None:
        """Put what comes of the calls in its places."""
        answers = self._session.run([chunk.requests[place] for place in calls.usual]) if calls.usual else []
        if calls.harmful:
            with self._another() as another:
                harmful = [[chunk.requests[place] for place in unit] for unit in calls.harmful]
                answers += alone(another, self._canary, harmful)
        if calls.due or calls.left_open:
            if self._apart is None and calls.usual:
                self._apart = Apart(self._another(), self._canary)
            elif self._apart is None:  # the process that there is; another one, once there is something else to ask
                self._apart = Apart(self._session, self._canary)
                self._session, self._starts, self._asked = self._another(), 0, []
            parts = ([chunk.requests[place] for place in places] for places in (calls.due, calls.left_open))
            answers += self._apart.run(*parts)
        for each in answers:
            seen[each.key] = each

    def _try_again(self, found: ChunkOutcomes, chunk: Chunk, calls: Calls, rules: Rules) -> None:
        """Make calls that were to be refused again where they may end the process now and then."""
        assert self._apart is not None
        ended = False
        for unit in units_of(chunk):
            if unit.number in calls.units and (self._apart.deadly or wrong_of(found.units[unit.number])):
                for place in set(unit.asked).intersection(calls.due):
                    if not dead(found.observations[place]) and not found.observations[place].spoils:
                        now = self._apart.again(chunk.requests[place])
                        if now is not None:
                            found.observations[place], ended = now, True
        if ended:
            found.units = rules.outcomes(chunk, found.observations)

    def _recheck_usual(self, found: ChunkOutcomes, chunk: Chunk, calls: Calls, rules: Rules) -> None:
        """Settle to which call of those that share a process it is owed what went wrong there."""
        session, before = self._session, self._before(chunk.portion, self._session.starts)
        usual = [unit for unit in units_of(chunk) if unit.number not in calls.units]
        seen = [*found.observations]
        if not session.hung:
            wrong = any(wrong_of(found.units[unit.number]) for unit in usual)
            if wrong and self._explained(found, chunk, usual, rules):
                return
            if self._recheck is None:
                self._recheck = Recheck(self._another, partial(_usual, rules=rules))
            self._recheck.settle(found, chunk, partial(rules.outcomes, chunk), rules.subject, before)
        if (revised := session.revised()) is not None:  # it has ended while that was judged, or asked again
            add_ends(found, chunk, seen, revised, partial(rules.outcomes, chunk))
        if found.spoilt:
            session.renew()

    def _explained(self, found: ChunkOutcomes, chunk: Chunk, usual: list[ChunkUnit], rules: Rules) -> bool:
        """Whether a call shows by itself that it spoils its process: only then do answers of others replace theirs."""
        if self._canary.sound(self._session):
            return False
        try:
            with self._another() as session:
                seen = [*watched(session, self._canary, usual)]
        except BackendUnavailable:
            return False
        if not any(each.spoils for each in seen):
            self._canary.in_vain()
            return False
        for each in seen:
            found.observations[each.key] = each
        found.units = rules.outcomes(chunk, found.observations)
        return True

    def _before(self, portion: Portion, starts: int) -> list[Portion]:
        """What the process that was started last had been asked before it was asked ``portion``."""
        if starts != self._starts:
            self._starts, self._asked = starts, []
        before = self._asked
        self._asked = [*before, portion][-sum(BEFORE) :]
        return before

    def close(self) -> None:
        """End its processes."""
        for each in (self._recheck, self._apart, self._session):
            if each is not None:
                each.close()


def _usual(chunk: Chunk, rules: Rules) -> list[ChunkUnit]:
    """The units whose calls are made in a process that others share."""
    judge, errors = rules.judge, rules.memory_errors
    return [unit for unit in units_of(chunk) if not needs_care(chunk.units[unit.number], judge, errors)]
