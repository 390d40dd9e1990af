"""What went wrong in a process is asked again in a second one, in other company and another order.

What goes wrong there too is the unit's own. What does not is owed to something that a call before it has left behind,
of whatever kind: that call is searched for among those that the process had answered, and is to blame. Of what goes
wrong again and again, a part is asked: the second process costs little beside the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from conformance.judge.finding import Finding, outcome
from conformance.model.errors import BackendUnavailable
from conformance.model.outcome import Outcome
from conformance.profiles.subject import Subject
from conformance.run.chunk import Chunk
from conformance.run.culprit import Culprit, Groups, Judged, Lost, earlier_units, find_culprit, unharmed
from conformance.run.plan import Portion
from conformance.run.units import DEATHS, ChunkUnit, Wrong, ask, dead, otherwise, same, units_of, wrong_of
from conformance.worker.exchange import Observation
from conformance.worker.session import Session

__all__ = ["ChunkOutcomes", "Recheck", "add_ends"]

ENOUGH = 8  # units of an operation that go wrong again in the same check: from then on, one in each chunk is asked
EXTRA = 4  # processes beside the second one, since a call has spoilt that or a unit goes wrong in another way there
RENEWALS = 8  # of the first process, since something may be left behind there
SEARCHES = 3  # for calls that have spoilt others, in a chunk; twice as many in all

Judge = Callable[[Sequence[Observation]], list[list[Outcome]]]


@dataclass(eq=False)
class ChunkOutcomes:
    """The outcomes of a chunk by unit, and the observations that they follow from; ``others`` are of former chunks.

    ``spoilt``: something is left behind in the process that was asked first, or may be.
    """

    observations: list[Observation]
    units: list[list[Outcome]]
    others: list[Outcome] = field(default_factory=list)
    spoilt: bool = False


@dataclass(frozen=True, eq=False)
class _Doubt:
    """Calls of a unit that went wrong, and in what: operation and check, or the kind of death of the one call."""

    unit: ChunkUnit
    kinds: frozenset[tuple[str, str]]

    @property
    def died(self) -> bool:
        return any(kind in DEATHS for _, kind in self.kinds)


class Recheck:
    """Rechecks the chunks of one backend, one after the other, in the sessions that ``fresh`` opens.

    ``asked`` gives the units of a chunk that are made in a process which others share.
    """

    def __init__(self, fresh: Callable[[], Session], asked: Callable[[Chunk], list[ChunkUnit]] = units_of) -> None:
        self._fresh = fresh
        self._asked = asked
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
        self, found: ChunkOutcomes, chunk: Chunk, judge: Judge, subject: Subject, before: Sequence[Portion]
    ) -> None:
        """Put what went wrong in a chunk on record where it belongs: ``found`` is changed to what is found so.

        ``before`` are the portions that the process had been asked about, the oldest first.
        """
        seen = found.observations
        wrong = [wrong_of(outcomes) for outcomes in found.units]
        if not any(wrong) or not self._available:
            return
        units = self._asked(chunk)
        doubts = [doubt for each in units for doubt in _doubts(each, seen, wrong[each.number])]
        if not doubts:
            return
        alive = [each for each in units if not any(dead(seen[place]) for place in each.asked)]
        try:
            self._settle(found, doubts, wrong, judge, subject, [lambda: alive, *earlier_units(before, self._asked)])
        except BackendUnavailable:  # it does not start again: what was found stands
            self._available = False

    def _settle(
        self,
        found: ChunkOutcomes,
        doubts: Sequence[_Doubt],
        wrong: Sequence[Wrong],
        judge: Judge,
        subject: Subject,
        asked: Groups,
    ) -> None:
        def judged(seen: dict[int, Observation]) -> list[list[Outcome]]:
            return judge([seen.get(place, before) for place, before in enumerate(found.observations)])

        sound = _sound(asked[0](), found.units, doubts)
        again: dict[int, Observation] = {}
        settled = found.units
        some = self._some(doubts)
        for part in (some, [each for each in reversed(doubts) if each not in some]):
            part = [each for each in part if ("", "timeout") not in each.kinds or not self._own["", "timeout"]]
            again |= self._again(part, sound)
            changed = [each for each in part if not same(found.observations, again, each.unit.asked)]
            if changed:
                settled = judged(again)
            for each in changed:
                if self._extra and wrong_of(settled[each.unit.number]) not in (frozenset(), wrong[each.unit.number]):
                    self._extra -= 1
                    with self._opened() as session:  # others were asked before it
                        again |= ask(session, each.unit)
                    settled = judged(again)
            gone = {number for each in changed if wrong[number := each.unit.number] - wrong_of(settled[number])}
            for each in part:
                if each.unit.number not in gone:
                    self._own.update(each.kinds)
            if not gone:
                break
        lost = []
        for unit in {each.unit.number: each.unit for each in doubts}.values():
            now = wrong_of(settled[unit.number])
            gone_of_it = [one for one in found.units[unit.number] if wrong_of([one]) - now]
            if gone_of_it:  # otherwise all of it is its own, whatever else there was this time
                places = tuple(place for _, place in unit.calls if place in again)
                fresh = {place: again[place] for place in places}
                lost.append(Lost(replace(unit, asked=places), gone_of_it, fresh))
                found.units[unit.number] = settled[unit.number]
                for place in places:
                    found.observations[place] = again[place]
        # A warning that a framework gives once in each process is not damage.
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

    def _again(self, doubts: Sequence[_Doubt], sound: ChunkUnit | None) -> dict[int, Observation]:
        """What comes of the calls in the second process.

        The last ones go first: who does damage has then been asked after those that it was done to. Before and behind
        them a call of ``sound``, or else of the first unit, shows whether the process is what it was; where it is not,
        they are made unit by unit, and after one that spoils the process, the next unit has another.
        """
        together = [each.unit for each in doubts if not each.died]
        alone = [each.unit for each in doubts if each.died]
        again: dict[int, Observation] = {}
        if together:
            control = sound or replace(together[0], asked=together[0].asked[:1])
            before = ask(self._second(), control)
            requests = [each.chunk.requests[place] for each in together for place in each.asked]
            again = {each.key: each for each in self._second().run(requests)}
            if self._extra and otherwise(self._second(), control, before) is not None:
                again = {}
                self.close()
                for each in together:
                    again |= ask(self._second(), each)
                    if self._extra and otherwise(self._second(), control, before) is not None:
                        self._extra -= 1
                        self.close()
        for each in alone:
            again |= ask(self._second(), each)
        return again

    def _second(self) -> Session:
        if self._session is None:
            self._session = self._opened()
        return self._session

    # -- what is owed to another call ---------------------------------------------------------------------------------

    def _blame(
        self,
        lost: list[Lost],
        found: ChunkOutcomes,
        judged: Judged,
        subject: Subject,
        asked: Groups,
    ) -> None:
        """Put what was lost on record: of the call that it is owed to, or as not reproduced."""
        searches = SEARCHES
        while lost:
            victim, *rest = lost
            culprit = None
            if searches and self._searches:
                searches, self._searches = searches - 1, self._searches - 1
                culprit = find_culprit(victim, judged, asked, self._opened)
            if culprit is None:
                found.units[victim.unit.number].append(outcome(_unreproduced(victim), subject))
                lost = rest
                continue
            unit = culprit.unit
            of_it = outcome(_damage(culprit), subject)
            (found.units[unit.number] if unit.chunk is victim.unit.chunk else found.others).append(of_it)
            with self._opened() as session:
                lost = [each for each in rest if each.unit.number != unit.number and unharmed(session, unit, each)]


def add_ends(
    found: ChunkOutcomes, chunk: Chunk, seen: Sequence[Observation], revised: Sequence[Observation], judge: Judge
) -> None:
    """Put on record how the process has ended, by which what was ``seen`` is ``revised``; it is not asked again."""
    places = set()
    for now in revised:
        place, former = now.key, seen[now.key]
        if (now.failure, now.died) != (former.failure, former.died):
            places.add(place)
            settled = found.observations[place]
            changed = msgspec.structs.replace(settled, died=now.died)
            found.observations[place] = changed if now.failure == former.failure else now
    outcomes = judge(found.observations)
    for unit in units_of(chunk):
        if places.intersection(unit.asked):
            known = [each for each in found.units[unit.number] if each.check == "process"]
            reductions = {each.reduction for each in known}
            added = [e for e in outcomes[unit.number] if e.check != "process" or e.reduction not in reductions]
            found.units[unit.number] = [*added, *known]


def _damage(culprit: Culprit) -> Finding:
    """The finding of a call that leaves something behind by which another goes wrong."""
    problem, shown = culprit.unit.problem, culprit.shown
    detail = f"{shown.case} ({shown.dtype}, {shown.layout})"
    return Finding(problem, "process", culprit.reduction, "fail", "left-damage", detail, error=shown.error)


def _unreproduced(victim: Lost) -> Finding:
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


def _doubts(unit: ChunkUnit, seen: Sequence[Observation], wrong: Wrong) -> Iterator[_Doubt]:
    """What is asked of the unit again: each call that has died and was not the first of its process, and the others."""
    deadly = [place for place in unit.asked if dead(seen[place])]
    others = tuple(place for place in unit.asked if place not in deadly)
    kinds = frozenset((unit.problem.operation, check) for check, *_, verdict, _ in wrong if verdict not in DEATHS)
    if kinds and others:
        yield _Doubt(replace(unit, asked=others), kinds)
    for place in deadly if wrong else ():
        if (why := seen[place].failure) is not None and not seen[place].first:
            yield _Doubt(replace(unit, asked=(place,)), frozenset({("", why.kind)}))


def _sound(
    units: Iterable[ChunkUnit], outcomes: Sequence[Sequence[Outcome]], doubts: Sequence[_Doubt]
) -> ChunkUnit | None:
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
