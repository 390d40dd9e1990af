"""What went wrong in a process is asked again in a second one, in other company and another order.

What goes wrong there too is the unit's own. What does not is owed to something that a call before it has left behind,
of whatever kind: that call is searched for among those that the process had answered, and is to blame. Of what goes
wrong again and again, a part is asked: the second process costs little beside the first.
"""

from __future__ import annotations

from collections import Counter
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
ENOUGH = 8  # units of an operation that go wrong again in the same check: from then on, one in each chunk is asked
EXTRA = 4  # processes beside the second one, since a call has spoilt that or a unit goes wrong in another way there
RENEWALS = 8  # of the first process, since something may be left behind there
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
class _Doubt:
    """Calls of a unit that went wrong, and in what: operation and check, or the kind of death of the one call."""

    unit: _Unit
    kinds: frozenset[tuple[str, str]]

    @property
    def died(self) -> bool:
        return any(kind in DEATHS for _, kind in self.kinds)


@dataclass(frozen=True, eq=False)
class _Lost:
    """What went wrong with a unit, and does not in another process, where the observations were ``fresh``."""

    unit: _Unit
    outcomes: list[Outcome]
    fresh: dict[int, Observation]


class Recheck:
    """Rechecks the chunks of one backend, one after the other, in the sessions that ``fresh`` opens."""

    def __init__(self, fresh: Callable[[], Session]) -> None:
        self._fresh = fresh
        self._session: Session | None = None
        self._own: Counter[tuple[str, str]] = Counter()  # units that went wrong again, by kind
        self._extra = EXTRA
        self._renewals = RENEWALS
        self._searches = 2 * SEARCHES
        self._available = True

    def close(self) -> None:
        """End the second process, if there is one."""
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
        doubts = [doubt for each in units for doubt in _doubts(each, seen, wrong[each.number])]
        if not doubts:
            return found
        alive = [each for each in units if not any(_dead(seen[place]) for place in each.asked)]
        try:
            self._settle(found, doubts, wrong, judge, subject, [lambda: alive, *_former(before)])
        except BackendUnavailable:  # it does not start again: what was found stands
            self._available = False
        return found

    def _settle(
        self,
        found: Rechecked,
        doubts: Sequence[_Doubt],
        wrong: Sequence[Wrong],
        judge: Judge,
        subject: Subject,
        asked: Sequence[Callable[[], list[_Unit]]],
    ) -> None:
        def judged(seen: dict[int, Observation]) -> list[list[Outcome]]:
            return judge([seen.get(place, before) for place, before in enumerate(found.observations)])

        sound = _sound(asked[0](), found.units, doubts)
        again: dict[int, Observation] = {}
        settled = found.units
        some = self._some(doubts)
        for part in (some, [each for each in reversed(doubts) if each not in some]):
            part = [each for each in part if ("", "timeout") not in each.kinds or not self._own["", "timeout"]]
            again |= self._again(part, sound, found.observations)
            changed = [each for each in part if not _same(found.observations, again, each.unit.asked)]
            if changed:
                settled = judged(again)
            for each in changed:
                if self._extra and _wrong(settled[each.unit.number]) not in (frozenset(), wrong[each.unit.number]):
                    self._extra -= 1
                    with self._opened() as session:  # others were asked before it
                        again |= _ask(session, each.unit)
                    settled = judged(again)
            gone = {number for each in changed if wrong[number := each.unit.number] - _wrong(settled[number])}
            for each in part:
                if each.unit.number not in gone:
                    self._own.update(each.kinds)
            if not gone:
                break
        lost = []
        for unit in {each.unit.number: each.unit for each in doubts}.values():
            now = _wrong(settled[unit.number])
            gone_of_it = [one for one in found.units[unit.number] if _wrong([one]) - now]
            if gone_of_it:  # otherwise all of it is its own, whatever else there was this time
                places = tuple(place for _, place in unit.calls if place in again)
                fresh = {place: again[place] for place in places}
                lost.append(_Lost(replace(unit, asked=places), gone_of_it, fresh))
                found.units[unit.number] = settled[unit.number]
                for place in places:
                    found.observations[place] = again[place]
        # A warning that a framework gives once in each process is no damage.
        lost = [each for each in lost if any(one.check != "warning" for one in each.outcomes)]
        if lost and self._renewals:
            self._renewals -= 1
            found.spoilt = True
        self._blame(lost, found, judged, subject, asked)

    def _some(self, doubts: Sequence[_Doubt]) -> list[_Doubt]:
        """Those that are asked again, the last ones first: of each kind the last one, and more until it is enough."""
        some = []
        here: Counter[tuple[str, str]] = Counter()
        for each in reversed(doubts):
            enough = 1 if each.died else ENOUGH
            if any(not here[kind] or self._own[kind] + here[kind] < enough for kind in each.kinds):
                some.append(each)
                here.update(each.kinds)
        return some

    # -- other processes ----------------------------------------------------------------------------------------------

    def _opened(self) -> Session:
        session = self._fresh()
        try:
            session.describe()
        except BaseException:
            session.close()
            raise
        return session

    def _again(
        self, doubts: Sequence[_Doubt], sound: _Unit | None, seen: Sequence[Observation]
    ) -> dict[int, Observation]:
        """What comes of the calls in the second process.

        The last ones go first: who does damage has then been asked after those that it was done to. In the end a call
        of ``sound``, or else one of the first unit once more, shows whether the process is what it was; where it is
        not, they are made unit by unit, and after one that spoils the process, the next unit has another.
        """
        together = [each.unit for each in doubts if not each.died]
        alone = [each.unit for each in doubts if each.died]
        again: dict[int, Observation] = {}
        if together:
            control = sound or replace(together[0], asked=together[0].asked[:1])
            requests = [each.chunk.requests[place] for each in (*together, control) for place in each.asked]
            *answers, shown = self._second().run(requests)
            again = {each.key: each for each in answers}
            if self._extra and not _same(again if sound is None else seen, {control.asked[0]: shown}, control.asked):
                again = {}
                self.close()
                for each in together:
                    again |= _ask(self._second(), each)
                    before = seen if sound is not None else again
                    if self._extra and not _same(before, _ask(self._second(), control), control.asked):
                        self._extra -= 1
                        self.close()
        for each in alone:
            again |= _ask(self._second(), each)
        return again

    def _second(self) -> Session:
        if self._session is None:
            self._session = self._opened()
        return self._session

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
                    if each.problem.key == victim.unit.problem.key:
                        continue
                    died = any(map(_dead, _ask(session, each).values()))  # and has left nothing behind
                    if not died and _same(victim.fresh, _ask(session, victim.unit), victim.unit.asked):
                        continue
                    if not died and (culprit := self._confirmed(each, victim, judged)) is not None:
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
    """Whether the victim gives the same behind the culprit as elsewhere."""
    _ask(session, culprit)
    return _same(victim.fresh, _ask(session, victim.unit), victim.unit.asked)


def _dead(seen: Observation) -> bool:
    """Whether the call has ended its process."""
    return seen.failure is not None and seen.failure.kind in DEATHS


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


def _doubts(unit: _Unit, seen: Sequence[Observation], wrong: Wrong) -> Iterator[_Doubt]:
    """What is asked of the unit again: each call that has died and was not the first of its process, and the others."""
    dead = [place for place in unit.asked if _dead(seen[place])]
    others = tuple(place for place in unit.asked if place not in dead)
    kinds = frozenset((unit.problem.operation, check) for check, *_, verdict, _ in wrong if verdict not in DEATHS)
    if kinds and others:
        yield _Doubt(replace(unit, asked=others), kinds)
    for place in dead if wrong else ():
        if (why := seen[place].failure) is not None and not seen[place].first:
            yield _Doubt(replace(unit, asked=(place,)), frozenset({("", why.kind)}))


def _sound(units: Iterable[_Unit], outcomes: Sequence[Sequence[Outcome]], doubts: Sequence[_Doubt]) -> _Unit | None:
    """A small sound unit, asked for one call, which was made after those in doubt, and so has spoilt none.

    Nor does it do so to a later one: it is not the last sound one.
    """
    last = max(place for each in doubts for place in each.unit.asked)
    sound = []
    for unit in units:
        plain = [place for place in unit.asked if unit.chunk.requests[place].repeat]
        if plain and plain[0] > last and {each.verdict for each in outcomes[unit.number]} == {"pass"}:
            sound.append((plain[0], replace(unit, asked=(plain[0],))))
    sound = sorted(sound, key=lambda each: each[0])[:-1]
    return min(sound, key=lambda each: each[1].problem.logits.size)[1] if sound else None


def _wrong(outcomes: Iterable[Outcome]) -> Wrong:
    return frozenset(
        (each.check, each.policy, each.reduction, each.quantity, each.verdict, each.reason)
        for each in outcomes
        if each.verdict in DOUBTFUL and each.check != "process"
    )


def _same(one: Observed, other: dict[int, Observation], places: Iterable[int]) -> bool:
    """Whether calls gave the same bits, or failed in the same way; what was not reached says nothing.

    Of a unit that is not repeatable, here as there, bits say nothing either.
    """
    pairs = [(one[place], other[place]) for place in places]
    loose = any(each.repeatable is False and again.repeatable is False for each, again in pairs)
    return all(_alike(each, again, loose=loose) for each, again in pairs)


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
