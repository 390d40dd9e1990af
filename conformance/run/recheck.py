"""What went wrong in a process that had answered other calls is asked once more in one that has answered none.

What goes wrong there too is the unit's own. What does not is owed to something that a call before it has left behind,
of whatever kind: that call is searched for among those that the process had answered, and is to blame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from conformance.judge.finding import Finding, outcome
from conformance.model.errors import BackendUnavailable
from conformance.model.outcome import Outcome
from conformance.model.problem import Problem
from conformance.profiles.subject import Subject
from conformance.run.judging import calls
from conformance.run.plan import Chunk, Portion
from conformance.worker.exchange import Array, Observation
from conformance.worker.session import Session

__all__ = ["BEFORE", "Recheck", "Rechecked"]

DOUBTFUL = frozenset({"fail", "crash", "timeout", "error"})
DEATHS = frozenset({"crash", "timeout"})
FRESH = 4  # rechecks that each have a process of their own; from then on one serves until their number has doubled
SEARCHES = 3  # for calls that have spoilt others, in a chunk; twice as many in all
TRIES = 3  # of confirming what a search has come upon
BEFORE = (4, 12)  # how many former chunks are searched through, one group after the other

Judge = Callable[[Sequence[Observation]], list[list[Outcome]]]
Observed = Sequence[Observation] | dict[int, Observation]  # by place
#: What is wrong with a unit: check, policy, reduction, quantity, verdict and reason of each such outcome.
Wrong = frozenset[tuple[str, ...]]


@dataclass(eq=False)
class Rechecked:
    """The outcomes of a chunk by unit, and the observations that they follow from; ``others`` are of former chunks.

    ``spoilt``: something is left behind in the process that was asked first, or may be.
    """

    observations: list[Observation]
    units: list[list[Outcome]]
    others: list[Outcome] = field(default_factory=list)
    spoilt: bool = False


@dataclass(frozen=True, eq=False)
class _Unit:
    """A unit of a chunk: its problem, its reductions and places there, and of these the ones that are asked again."""

    chunk: Chunk
    number: int
    problem: Problem
    calls: tuple[tuple[str, int], ...]
    asked: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Lost:
    """What went wrong with a unit, and does not in a process that has answered nothing else, where it was ``fresh``."""

    unit: _Unit
    outcomes: list[Outcome]
    fresh: dict[int, Observation]


class Recheck:
    """Rechecks the chunks of one backend, one after the other, in the sessions that ``fresh`` opens."""

    def __init__(self, fresh: Callable[[], Session]) -> None:
        self._fresh = fresh
        self._session: Session | None = None
        self._rounds = 0
        self._searches = 2 * SEARCHES
        self._available = True

    def close(self) -> None:
        """End the process that is kept, if any."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def settle(
        self, chunk: Chunk, seen: Sequence[Observation], judge: Judge, subject: Subject, before: Sequence[Portion]
    ) -> Rechecked:
        """The outcomes of a chunk, with what went wrong put on record where it belongs.

        ``before`` are the portions that the process had been asked about, the oldest first.
        """
        found = Rechecked(list(seen), judge(seen))
        wrong = [_wrong(outcomes) for outcomes in found.units]
        if not any(wrong) or not self._available:
            return found
        units = _units(chunk)
        doubtful = [unit for unit in (_doubtful(each, seen, wrong[each.number]) for each in units) if unit is not None]
        if not doubtful:
            return found
        self._rounds += 1
        if self._rounds <= FRESH or self._rounds & (self._rounds - 1) == 0:
            self.close()
        try:
            self._settle(found, doubtful, wrong, judge, subject, [lambda: units, *_former(before)])
        except BackendUnavailable:  # it does not start again: what was found stands
            self._available = False
        return found

    def _settle(
        self,
        found: Rechecked,
        doubtful: Sequence[_Unit],
        wrong: Sequence[Wrong],
        judge: Judge,
        subject: Subject,
        asked: Sequence[Callable[[], list[_Unit]]],
    ) -> None:
        again, first = self._again(doubtful, _sound(asked[0](), found.units, doubtful), found.observations)
        changed = [each for each in doubtful if not _same(found.observations, again, each.asked)]
        if not changed:
            return

        def judged(seen: dict[int, Observation]) -> list[list[Outcome]]:
            return judge([seen.get(place, before) for place, before in enumerate(found.observations)])

        settled = judged(again)
        for each in changed:
            if _wrong(settled[each.number]) not in (frozenset(), wrong[each.number]) and each is not first:
                with self._opened() as session:  # others were asked before it
                    again |= _ask(session, each)
                settled = judged(again)
        lost = []
        for each in changed:
            now = _wrong(settled[each.number])
            gone = [one for one in found.units[each.number] if _wrong([one]) - now]
            if gone:  # otherwise all of it is its own, whatever else there was this time
                lost.append(_Lost(each, gone, {place: again[place] for place in each.asked}))
                found.units[each.number] = settled[each.number]
                for place in each.asked:
                    found.observations[place] = again[place]
        # A warning that a framework gives once in each process is no damage.
        lost = [each for each in lost if any(one.check != "warning" for one in each.outcomes)]
        found.spoilt |= bool(lost)
        self._blame(lost, found, judged, subject, asked)

    # -- processes that have answered nothing else ------------------------------------------------------------------

    def _opened(self) -> Session:
        session = self._fresh()
        try:
            session.describe()
        except BaseException:
            session.close()
            raise
        return session

    def _again(
        self, doubtful: Sequence[_Unit], sound: _Unit | None, seen: Sequence[Observation]
    ) -> tuple[dict[int, Observation], _Unit | None]:
        """What comes of the units in one process, and the first of them if nothing was asked there before.

        The last one goes first: who does damage has then been asked after those that it was done to. After a unit that
        goes wrong as before, a call that was answered here already, or else one of ``sound``, shows whether the process
        is what it was; where it is not, the next unit has another.
        """
        first = doubtful[-1] if self._session is None else None
        again: dict[int, Observation] = {}
        control: tuple[_Unit, Observed] | None = None if sound is None else (sound, seen)
        others = FRESH
        for each in reversed(doubtful):
            if self._session is None:
                self._session = self._opened()
            again |= _ask(self._session, each)
            if not _same(seen, again, each.asked):
                control = each, dict(again)
            elif control is not None and others:
                unit, before = control
                if not _same(before, _ask(self._session, unit), unit.asked):
                    others -= 1
                    self.close()
        return again, first

    # -- what is owed to another call ---------------------------------------------------------------------------------

    def _blame(
        self,
        lost: list[_Lost],
        found: Rechecked,
        judged: Callable[[dict[int, Observation]], list[list[Outcome]]],
        subject: Subject,
        asked: Sequence[Callable[[], list[_Unit]]],
    ) -> None:
        """Put what was lost on record: of the call that it is owed to, or as not reproduced."""
        searches = SEARCHES
        while lost:
            victim, *rest = lost
            culprit = None
            if searches and self._searches:
                searches, self._searches = searches - 1, self._searches - 1
                culprit = self._culprit(victim, judged, asked)
            if culprit is None:
                found.units[victim.unit.number].append(outcome(_unreproduced(victim), subject))
                lost = rest
                continue
            unit, reduction, shown = culprit
            of_it = outcome(_damage(unit.problem, reduction, shown), subject)
            (found.units[unit.number] if unit.chunk is victim.unit.chunk else found.others).append(of_it)
            with self._opened() as session:
                lost = [each for each in rest if each.unit.number != unit.number and _spared(session, unit, each)]

    def _culprit(
        self,
        victim: _Lost,
        judged: Callable[[dict[int, Observation]], list[list[Outcome]]],
        asked: Sequence[Callable[[], list[_Unit]]],
    ) -> tuple[_Unit, str, Outcome] | None:
        """The call behind which the victim goes wrong, its reduction, and what is wrong then."""
        tries = TRIES
        for units in asked:
            with self._opened() as session:
                for each in units():
                    if each.problem.key == victim.unit.problem.key or _spared(session, each, victim):
                        continue
                    if (culprit := self._confirmed(each, victim, judged)) is not None:
                        return culprit
                    tries -= 1
                    if not tries:
                        return None
        return None

    def _confirmed(
        self, unit: _Unit, victim: _Lost, judged: Callable[[dict[int, Observation]], list[list[Outcome]]]
    ) -> tuple[_Unit, str, Outcome] | None:
        """The same from a process of their own: so often as here, the victim alone must go well."""
        tries, culprit = 0, None
        with self._opened() as session:
            for reduction, place in unit.calls:
                session.run([unit.chunk.requests[place]])
                tries += 2
                seen = _ask(session, victim.unit)
                if _same(victim.fresh, seen, victim.unit.asked):
                    continue
                fresh, behind = (judged(each)[victim.unit.number] for each in (victim.fresh, seen))
                if shown := [each for each in behind if _wrong([each]) - _wrong(fresh)]:
                    culprit = (
                        replace(unit, asked=(place,)),
                        reduction,
                        next((each for each in shown if each.error), shown[0]),
                    )
                    break
        if culprit is None:
            return None
        with self._opened() as session:
            for _ in range(tries + 1):
                if not _same(victim.fresh, _ask(session, victim.unit), victim.unit.asked):
                    return None
        return culprit


def _damage(problem: Problem, reduction: str, shown: Outcome) -> Finding:
    """The finding of a call that leaves something behind by which another goes wrong, as is shown."""
    detail = f"{shown.case} ({shown.dtype}, {shown.layout})"
    return Finding(problem, "process", reduction, "fail", "left-damage", detail, error=shown.error)


def _unreproduced(victim: _Lost) -> Finding:
    """The finding of a unit that went wrong once."""
    first = victim.outcomes[0]
    died = first.verdict in DEATHS
    return Finding(
        victim.unit.problem,
        "process",
        first.reduction,
        "unreproduced",
        "unreproduced" if died else "not-again",
        "" if died else first.check,
        error=first.error,
        observed=None if died else first.observed,
        expected=None if died else first.expected,
    )


def _spared(session: Session, culprit: _Unit, victim: _Lost) -> bool:
    """Whether both live on, and the victim gives the same behind the culprit as by itself."""
    behind = _ask(session, culprit)
    lived = not any(each.died or (each.failure and each.failure.kind in DEATHS) for each in behind.values())
    return _same(victim.fresh, _ask(session, victim.unit), victim.unit.asked) and lived


def _ask(session: Session, unit: _Unit) -> dict[int, Observation]:
    """What comes of a unit's calls, by their places."""
    requests = [unit.chunk.requests[place] for place in unit.asked]
    return {seen.key: seen for seen in session.run(requests)}


def _units(chunk: Chunk) -> list[_Unit]:
    """The units of a chunk, to be asked as a whole."""
    numbers = {id(unit.problem): number for number, unit in enumerate(chunk.units)}
    found: list[list[tuple[str, int]]] = [[] for _ in chunk.units]
    for problem, reduction, place in calls(chunk):
        found[numbers[id(problem)]].append((reduction, place))
    return [
        _Unit(chunk, number, unit.problem, tuple(of_it), tuple(place for _, place in of_it))
        for number, (unit, of_it) in enumerate(zip(chunk.units, found, strict=True))
    ]


def _former(before: Sequence[Portion]) -> Iterator[Callable[[], list[_Unit]]]:
    """The units of former chunks, the last ones first, in groups; made when they are asked for."""
    last = len(before)
    for count in BEFORE:
        group = before[max(0, last - count) : last]
        last -= len(group)
        if group:
            yield lambda group=group: [unit for portion in group for unit in _units(portion.build())]  # type: ignore[misc]


def _doubtful(unit: _Unit, seen: Sequence[Observation], wrong: Wrong) -> _Unit | None:
    """The unit as it is asked again; None where nothing is wrong, or not for what else its process has answered.

    Where it is nothing but deaths, which may take long, these calls alone are made again.
    """
    if not wrong:
        return None
    dead = [place for place in unit.asked if (why := seen[place].failure) is not None and why.kind in DEATHS]
    if any(verdict not in DEATHS for *_, verdict, _ in wrong) or not dead:
        return unit
    if all(seen[place].first for place in dead):
        return None
    return replace(unit, asked=tuple(dead))


def _sound(units: Iterable[_Unit], outcomes: Sequence[Sequence[Outcome]], doubtful: Sequence[_Unit]) -> _Unit | None:
    """A small sound unit, asked for one call, which was made after those of the doubtful ones, and so spoilt none."""
    last = max(place for unit in doubtful for place in unit.asked)
    sound = []
    for unit in units:
        plain = [place for place in unit.asked if unit.chunk.requests[place].repeat]
        if plain and plain[0] > last and {each.verdict for each in outcomes[unit.number]} == {"pass"}:
            sound.append((unit.problem.logits.size, unit.number, replace(unit, asked=(plain[0],))))
    return min(sound)[2] if sound else None


def _wrong(outcomes: Iterable[Outcome]) -> Wrong:
    return frozenset(
        (each.check, each.policy, each.reduction, each.quantity, each.verdict, each.reason)
        for each in outcomes
        if each.verdict in DOUBTFUL and each.check != "process"
    )


def _same(
    one: Sequence[Observation] | dict[int, Observation], other: dict[int, Observation], places: Iterable[int]
) -> bool:
    """Whether calls gave the same bits, or failed in the same way; what was not reached says nothing."""
    return all(_alike(one[place], other[place]) for place in places)


def _alike(one: Observation, other: Observation) -> bool:
    if other.failure is not None and other.failure.kind == "not run":
        return True
    return _facts(one) == _facts(other)


def _facts(seen: Observation) -> tuple[object, ...]:
    failures = [None if each is None else (each.kind, each.type) for each in (seen.failure, seen.gradient_failure)]
    arrays = map(_bits, (seen.value, seen.gradient, seen.value_with_gradient, seen.derivative))
    return (*failures, *arrays, seen.died is None, seen.modified, seen.repeatable, seen.warnings)


def _bits(array: Array | None) -> tuple[object, ...] | None:
    return None if array is None else (array.dtype, array.shape, array.tobytes())
