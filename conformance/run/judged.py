"""The one way from a backend and cases to judged outcomes, for runs, explanations, scripts and tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from conformance.model.backend import BackendId, BackendRecord, OwnProfile
from conformance.model.case import OPERATIONS
from conformance.model.outcome import Outcome
from conformance.profiles.load import load_profile, profile_named
from conformance.profiles.profile import Defect, Profile
from conformance.profiles.register import is_of_part
from conformance.profiles.subject import Subject
from conformance.run.chunk import Chunk, Skip, chunk_of
from conformance.run.plan import Plan, Portion, RunBudget
from conformance.run.recheck import ChunkOutcomes
from conformance.run.rules import Rules
from conformance.run.settling import Settling
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
        self._settling = Settling(session, fresh) if isinstance(session, Session) and fresh is not None else None
        self._description: Description | None = None
        self._compiles = False
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

    @property
    def _sessions(self) -> Sequence[Session]:
        """All that were opened, for what they count."""
        if self._settling is not None:
            return self._settling.sessions
        return [self._session] if isinstance(self._session, Session) else []

    @cached_property
    def _rules(self) -> Rules:
        return Rules(self.subject)

    def asked(self, portion: Portion) -> Portion:
        """A portion as this backend is asked it. Raises BackendUnavailable."""
        compiles = portion.tier != "full" and self.compiles
        subject = self.subject
        return portion.asked_of(
            compiles=compiles,
            default_reduction=self._rules.judge.policies.default_reduction,
            default_reductions=self._rules.judge.default_reductions,
            accepted=subject.profile.dtypes_of(*subject.id.words, version=subject.id.version),
            gradients=subject.profile.features.get("gradient") != "unsupported",
            lacks=self.description.lacks,
        )

    def judge(self, portion: Portion) -> Judged:
        """Ask the cases of a portion, and judge the answers. Raises BackendUnavailable where it cannot be started."""
        return self.judge_chunk(chunk_of(self.asked(portion)))

    def judge_chunk(self, chunk: Chunk) -> Judged:
        """The same of a chunk, as it is, which may have been made for several backends."""
        if self._settling is not None:
            found = self._settling.settled(chunk, self._rules)
        else:
            observations = self._session.run(chunk.requests)
            found = ChunkOutcomes(observations, self._rules.outcomes(chunk, observations))
        left_out = [_left_out(skip, self.subject) for skip in chunk.skips]
        return Judged(chunk, found.observations, [unit for unit in found.units if unit], left_out, found.others)

    def close(self) -> None:
        """End its processes."""
        (self._settling or self._session).close()


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
        if (ops := [op for op in entry.ops or OPERATIONS if _is_theirs(entry, op, description.foreign)])
    ]
    return msgspec.structs.replace(profile, known=[*profile.known, *inherited])


def _is_theirs(entry: Defect, operation: str, foreign: Collection[str]) -> bool:
    return operation not in foreign or is_of_part(entry, operation, foreign)


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
