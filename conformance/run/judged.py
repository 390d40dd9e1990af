"""The one way from a backend and cases to judged outcomes, for runs, explanations, scripts and tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from conformance.judge.finding import outcome
from conformance.judge.judge import Judge
from conformance.model.backend import BackendId, BackendRecord, OwnProfile
from conformance.model.case import OPERATIONS
from conformance.model.errors import BackendUnavailable
from conformance.model.outcome import Outcome
from conformance.profiles.load import load_profile, profile_named
from conformance.profiles.profile import Profile
from conformance.profiles.register import MemoryErrors, apply_register, entries_for
from conformance.profiles.subject import Subject
from conformance.run.apart import NOT_ASKED, Apart, Calls, alone, calls_of, needs_care, watched
from conformance.run.chunk import Chunk, Skip, chunk_of
from conformance.run.culprit import BEFORE
from conformance.run.findings import judge_chunk
from conformance.run.plan import Plan, Portion, RunBudget
from conformance.run.recheck import ChunkOutcomes, Recheck, add_ends
from conformance.run.units import ChunkUnit, dead, units_of, wrong_of
from conformance.worker.canary import Canary
from conformance.worker.exchange import Description, Observation, Request
from conformance.worker.find import find_backends
from conformance.worker.limits import Limits
from conformance.worker.session import InlineSession, Session

if TYPE_CHECKING:
    from conformance.backends.contract import Backend
    from conformance.cases.load import Entry

__all__ = ["Answers", "Judged", "OpenBackend", "judged", "open_backend", "subject_of"]


@dataclass(frozen=True, eq=False)
class Judged:
    """A chunk with all that came of it.

    ``units`` holds the outcomes of each case, dtype and layout; ``left_out`` those that say of a case and dtype why it
    was not asked. ``others`` are of calls of former chunks: what they left behind has shown in this one.
    """

    chunk: Chunk
    observations: Sequence[Observation]
    units: list[list[Outcome]]
    left_out: list[Outcome]
    others: list[Outcome]

    @property
    def own(self) -> list[Outcome]:
        """The outcomes of the chunk's cases, unit by unit."""
        return [*(each for unit in self.units for each in unit), *self.left_out]

    @property
    def outcomes(self) -> list[Outcome]:
        """All outcomes."""
        return [*self.own, *self.others]


class Answers(Protocol):
    """A session whose calls were made elsewhere, before."""

    def describe(self) -> Description:
        """The backend."""
        ...

    def run(self, requests: Sequence[Request]) -> list[Observation]:
        """An observation for each request."""
        ...

    def close(self) -> None:
        """Nothing will be asked any more."""
        ...


class OpenBackend:
    """A backend that can be asked, and what it is judged as.

    ``subject`` is worked out from the backend's description unless it is given, with the profile in the file
    ``profile`` where the backend brings one along. ``fresh`` opens another session of it, in which what goes wrong is
    asked again; without it, what goes wrong counts at once. Close it, or use it in a ``with``.
    """

    def __init__(
        self,
        session: Session | InlineSession | Answers,
        name: str,
        subject: Subject | None = None,
        profile: Path | None = None,
        fresh: Callable[[], Session] | None = None,
    ) -> None:
        self._session = session
        self._fresh = fresh
        self._recheck = None if fresh is None else Recheck(self._another, self._usual)
        self._apart: Apart | None = None
        self._canary = Canary()
        self._description: Description | None = None
        self._compiles = False
        self._sessions = [session] if isinstance(session, Session) else []  # all that were opened, for what they count
        self._asked: list[Portion] = []  # of the session's present process, and how many that had before it
        self._starts = 0
        self._profile = profile
        self._name = name
        self._subject = subject

    def __enter__(self) -> OpenBackend:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def description(self) -> Description:
        """What the backend says of itself. Raises BackendUnavailable where it cannot be started."""
        if self._description is None:
            session = self._session
            self._description = session.describe()
            self._compiles = isinstance(session, Session | InlineSession) and session.compiles
        return self._description

    @property
    def subject(self) -> Subject:
        """What it is judged as. Raises BackendUnavailable."""
        if self._subject is None:
            self._subject = subject_of(self._name, self.description, self._profile)
        return self._subject

    @property
    def record(self) -> BackendRecord:
        """What a run's file says of it. Raises BackendUnavailable."""
        subject, description, own = self.subject, self.description, self._profile
        return BackendRecord(
            name=subject.name,
            id=subject.id,
            profile=description.profile,
            versions=description.versions,
            settings=description.settings,
            sources=description.sources,
            classes=[*description.classes],
            policies=subject.profile.declarations(*subject.id.words, version=subject.id.version),
            own_profile=OwnProfile(file=own.name, declares=msgspec.to_builtins(subject.profile)) if own else None,
        )

    @property
    def compiles(self) -> bool:
        """Whether it compiles anew for each shape and dtype. Raises BackendUnavailable."""
        self.description  # noqa: B018  # which says so
        return self._compiles

    @property
    def deaths(self) -> int:
        """How often a process of it ended, or had to be ended, so far: also one in which what went wrong was asked."""
        return sum(each.restarts for each in self._sessions)

    @property
    def restarts(self) -> int:
        """How often one of them was started again so far: after a death, or for calls that are to meet a fresh one."""
        return sum(max(0, each.starts - 1) for each in self._sessions)

    def _another(self) -> Session:
        """A session in which what went wrong is asked again."""
        assert self._fresh is not None
        self._sessions.append(self._fresh())
        return self._sessions[-1]

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.subject)

    @cached_property
    def _memory_errors(self) -> MemoryErrors:
        return MemoryErrors.of(self.subject)

    def asked(self, portion: Portion) -> Portion:
        """A portion as this backend is asked it. Raises BackendUnavailable."""
        compiles = portion.tier != "full" and self.compiles
        subject = self.subject
        return portion.asked_of(
            compiles=compiles,
            default_reduction=self._judge.policies.default_reduction,
            default_reductions=self._judge.default_reductions,
            accepted=subject.profile.dtypes_of(*subject.id.words, version=subject.id.version),
            gradients=subject.profile.features.get("gradient") != "unsupported",
            lacks=self.description.lacks,
        )

    def judge(self, portion: Portion) -> Judged:
        """Ask the cases of a portion, and judge the answers. Raises BackendUnavailable where it cannot be started."""
        return self.judge_chunk(chunk_of(self.asked(portion)))

    def judge_chunk(self, chunk: Chunk) -> Judged:
        """The same of a chunk, as it is, which may have been made for several backends."""
        if isinstance(self._session, Session) and self._fresh is not None:
            found = self._settled(chunk)
        else:
            found = self._judged(chunk, self._session.run(chunk.requests))
        left_out = [_left_out(skip, self.subject) for skip in chunk.skips]
        return Judged(chunk, found.observations, [unit for unit in found.units if unit], left_out, found.others)

    def _settled(self, chunk: Chunk) -> ChunkOutcomes:
        """The outcomes of a chunk, each owed to its own call; calls that may do harm are made apart."""
        calls = calls_of(chunk, self._judge, self._memory_errors)
        seen = [Observation(place, failure=NOT_ASKED) for place in range(len(chunk.requests))]
        self._ask(chunk, calls, seen)
        found = self._judged(chunk, seen)
        if calls.due:
            self._try_again(found, chunk, calls)
        if calls.usual:
            self._recheck_usual(found, chunk, calls)
        return found

    def _ask(self, chunk: Chunk, calls: Calls, seen: list[Observation]) -> None:
        """Put what comes of the calls in its places."""
        session = self._session
        assert isinstance(session, Session)
        answers = session.run([chunk.requests[place] for place in calls.usual]) if calls.usual else []
        if calls.harmful:
            with self._another() as another:
                harmful = [[chunk.requests[place] for place in unit] for unit in calls.harmful]
                answers += alone(another, self._canary, harmful)
        if calls.due or calls.left_open:
            if self._apart is None and calls.usual:
                self._apart = Apart(self._another(), self._canary)
            elif self._apart is None:  # the process that there is; another one, once there is something else to ask
                self._apart = Apart(session, self._canary)
                self._session, self._starts, self._asked = self._another(), 0, []
            parts = ([chunk.requests[place] for place in places] for places in (calls.due, calls.left_open))
            answers += self._apart.run(*parts)
        for each in answers:
            seen[each.key] = each

    def _try_again(self, found: ChunkOutcomes, chunk: Chunk, calls: Calls) -> None:
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
            found.units = self._outcomes(chunk, found.observations)

    def _recheck_usual(self, found: ChunkOutcomes, chunk: Chunk, calls: Calls) -> None:
        """Settle to which call of those that share a process it is owed what went wrong there."""
        session = self._session
        assert isinstance(session, Session) and self._recheck is not None
        before = self._before(chunk.portion, session.starts)
        usual = [unit for unit in units_of(chunk) if unit.number not in calls.units]
        seen = [*found.observations]
        if not session.hung:
            wrong = any(wrong_of(found.units[unit.number]) for unit in usual)
            if wrong and self._explained(found, chunk, usual):
                return
            self._recheck.settle(found, chunk, partial(self._outcomes, chunk), self.subject, before)
        if (revised := session.revised()) is not None:  # it has ended while that was judged, or asked again
            add_ends(found, chunk, seen, revised, partial(self._outcomes, chunk))
        if found.spoilt:
            session.renew()

    def _explained(self, found: ChunkOutcomes, chunk: Chunk, usual: list[ChunkUnit]) -> bool:
        """Whether a call shows by itself that it spoils its process: only then do answers of others replace theirs."""
        assert isinstance(self._session, Session)
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
        found.units = self._outcomes(chunk, found.observations)
        return True

    def _usual(self, chunk: Chunk) -> list[ChunkUnit]:
        """The units whose calls are made in a process that others share."""
        judge, errors = self._judge, self._memory_errors
        return [unit for unit in units_of(chunk) if not needs_care(chunk.units[unit.number], judge, errors)]

    def _judged(self, chunk: Chunk, observations: list[Observation]) -> ChunkOutcomes:
        return ChunkOutcomes(observations, self._outcomes(chunk, observations))

    def _before(self, portion: Portion, starts: int) -> list[Portion]:
        """What the process that was started last had been asked before it was asked ``portion``."""
        if starts != self._starts:
            self._starts, self._asked = starts, []
        before = self._asked
        self._asked = [*before, portion][-sum(BEFORE) :]
        return before

    def _outcomes(self, chunk: Chunk, observations: Sequence[Observation]) -> list[list[Outcome]]:
        """The outcomes of each of the chunk's units, with the register applied."""
        subject = self.subject
        register = entries_for(subject)
        units: list[list[Outcome]] = []
        for findings in judge_chunk(chunk, self._judge, observations):
            unit = [outcome(each, subject) for each in findings]
            foreign = not unit or unit[0].op in subject.overridden
            units.append(unit if foreign else apply_register(register, unit))
        return units

    def close(self) -> None:
        """End its processes."""
        for each in (self._recheck, self._apart, self._session):
            if each is not None:
                each.close()


def open_backend(
    backend: Any,
    *,
    threads: int = 1,
    limits: Limits | None = None,
    scratch: Path | None = None,
    subject: Subject | None = None,
) -> OpenBackend:
    """A backend ready to be asked: what a spec names, or discovery has found, in a process of its own; or an instance.

    An instance is asked in this very process, where nothing guards against one that hangs or crashes. Raises
    BackendUnavailable for a spec that names nothing; imports no framework.
    """
    if isinstance(backend, str):
        (backend,) = find_backends((backend,))
    spec: str | None = getattr(backend, "spec", None)
    if spec is not None:  # found, and not yet imported
        fresh = partial(Session, spec, threads=threads, limits=limits, scratch=scratch)
        return OpenBackend(fresh(), backend.name, subject, backend.own_profile, fresh)
    name = type(backend).__name__
    return OpenBackend(InlineSession(backend, name), name, subject)


def judged(
    backend: str | Backend | Any,
    cases: Sequence[Entry],
    *,
    dtypes: Collection[str] | None = None,
    identities: bool = True,
    budget: RunBudget | None = None,
    threads: int = 1,
    limits: Limits | None = None,
    subject: Subject | None = None,
) -> Iterator[list[Outcome]]:
    """The outcomes of each unit: ask ``backend`` (a spec, what discovery found, or an instance) about ``cases``.

    Lazy by chunk: whoever has seen enough stops. ``dtypes`` narrows those of the cases; ``identities`` also makes the
    transformed calls; cases beyond ``budget`` are left out, with an outcome that says so. Raises BackendUnavailable.
    """
    plan = Plan(cases, dtypes, identities, budget)
    with open_backend(backend, threads=threads, limits=limits, subject=subject) as opened:
        for portion in plan.portions:
            found = opened.judge(portion)
            yield from found.units
            yield from ([each] for each in found.left_out)


def subject_of(name: str, description: Description, own: Path | None = None) -> Subject:
    """The judge's view of a backend; its profile is in the file ``own``, or else its adapter's, which a class inherits.

    Only its own register applies to operations that are not the suite's code. Raises UsageError for a wrong profile.
    """
    sources = {op: f"{source.file}:{source.line}" for op, source in description.sources.items()}
    identity = BackendId(
        name=name,
        framework=description.framework,
        version=next(iter(description.versions.values()), ""),
        device=description.device,
        execution=description.execution,
        composition=description.composition,
        precision=description.precision,
        memory=description.memory,
        ranks=description.ranks,
    )
    foreign: frozenset[str] = frozenset()
    if own is not None:
        profile = _with_register(load_profile(own), description)
    else:
        profile, foreign = profile_named(description.profile), frozenset(description.foreign)
    features = profile.features | dict.fromkeys({*description.lacks} - {*OPERATIONS}, "unsupported")
    return Subject(name, identity, msgspec.structs.replace(profile, features=features), sources, foreign)


def _with_register(profile: Profile, description: Description) -> Profile:
    """A profile with the register of the adapter's that it extends, for the operations whose code is the suite's."""
    if not profile.extends or profile.extends != description.profile:
        return profile
    inherited = [
        msgspec.structs.replace(entry, ops=ops)
        for entry in profile_named(profile.extends).known
        if (ops := [op for op in entry.ops or OPERATIONS if op not in description.foreign])
    ]
    return msgspec.structs.replace(profile, known=[*profile.known, *inherited])


def _left_out(skip: Skip, subject: Subject) -> Outcome:
    """The outcome of what was not asked: since it costs too much, or the backend has no such operation."""
    return Outcome(
        case=skip.entry.case.id,
        theme=skip.entry.theme,
        backend=subject.name,
        dtype=skip.dtype,
        layout="contiguous",
        op=skip.entry.case.op,
        check="value",
        verdict="unsupported" if skip.lacks else "not run",
        reason="required" if skip.lacks else "left-out",
        detail=skip.lacks or skip.reason,
    )
