"""Conducts a run: sends the plan to every backend, judges what comes back, and puts it on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from conformance.judge.finding import Finding, Subject, outcome
from conformance.judge.identity import Side, flat_value, judge_identity, judge_sums
from conformance.judge.judge import Judge
from conformance.judge.requirements import as_unsupported, lacking
from conformance.judge.transforms import judge_transform
from conformance.model.errors import UsageError
from conformance.model.records import BackendRecord, Outcome, SourceRecord, UnitKey
from conformance.numerics.formats import Float64Array
from conformance.profiles.profile import Defect
from conformance.profiles.register import Evidence, apply_register, entries_for
from conformance.run.plan import KEY, Chunk, Group, Plan
from conformance.worker.exchange import Description, Observation, Request
from conformance.worker.executor import Ended, Observed, Session, Started, Work, drive

__all__ = ["Conductor", "Listener", "Participant", "judge_chunk"]


@dataclass(frozen=True)
class Participant:
    """A backend that takes part: its name in the results, its session, and what the judge makes of its description."""

    spec: str
    session: Session
    subject: Callable[[Description], Subject]


class Listener:
    """Hears of a run's progress; every method may be left as it is."""

    def started(self, spec: str, record: BackendRecord) -> None:
        """A backend is up."""

    def judged(self, spec: str, outcomes: list[Outcome], cases: int) -> None:
        """Outcomes of some cases are in."""

    def ended(self, spec: str, error: UsageError | None) -> None:
        """A backend is through, or could not start."""


@dataclass(eq=False)
class _Progress:
    """Where one backend stands in the plan."""

    judge: Judge
    register: tuple[Defect, ...]
    evidence: Evidence
    chunk: int = 0
    answers: list[Observation] = field(default_factory=list)


@dataclass(eq=False)
class Conductor:
    """Runs ``participants`` over ``plan``; ``record`` takes the outcomes of a few units as one block.

    ``done`` are units of a resumed run that need not be recorded again; ``whole`` says that nothing was selected away.
    """

    plan: Plan
    participants: Sequence[Participant]
    record: Callable[[list[Outcome]], None]
    describe: Callable[[BackendRecord], None]
    listener: Listener = field(default_factory=Listener)
    jobs: int = 1
    done: frozenset[UnitKey] = frozenset()
    whole: bool = False
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """To the end; the caller writes the footer."""
        work = [Work(p.session, self._requests(p.spec)) for p in self.participants]
        progress: dict[str, _Progress] = {}
        # A session goes by what the user wrote (path/to/mine.py), a participant by its name in the results (mine).
        by_session = {p.session.spec: p for p in self.participants}
        for event in drive(work, self.jobs):
            participant = by_session[event.spec]
            spec = participant.spec
            if isinstance(event, Started):
                progress[spec] = self._start(participant, event.description)
            elif isinstance(event, Observed):
                self._observe(spec, progress[spec], event.observations)
            elif isinstance(event, Ended):
                self._end(spec, event, progress.get(spec))

    def _requests(self, spec: str) -> Iterator[Request]:
        for number in range(len(self.plan)):
            if not self._is_done(spec, number):
                yield from self.plan.chunk(number).requests

    def _is_done(self, spec: str, number: int) -> bool:
        if not self.done:
            return False
        units = self.plan.chunk(number).units
        return bool(units) and all((spec, *unit.problem.key) in self.done for unit in units)

    def _start(self, participant: Participant, description: Description) -> _Progress:
        subject = participant.subject(description)
        record = BackendRecord(
            name=subject.name,
            id=subject.id,
            profile=description.profile,
            versions=description.versions,
            settings=description.settings,
            sources={
                name: SourceRecord(file=each.file, line=each.line, text=each.text)
                for name, each in description.sources.items()
            },
            policies=subject.profile.declarations(subject.id.device, subject.id.mode),
        )
        self.describe(record)
        self.listener.started(participant.spec, record)
        self.counts[participant.spec] = Counter()
        register = entries_for(subject)
        state = _Progress(Judge(subject), register, Evidence(register))
        self._advance(participant.spec, state)
        return state

    def _observe(self, spec: str, state: _Progress, observations: list[Observation]) -> None:
        for observation in observations:
            number = observation.key // KEY
            if number != state.chunk:
                raise AssertionError(f"an answer to chunk {number} while at {state.chunk}")
            state.answers.append(observation)
            if len(state.answers) == len(self.plan.chunk(number).requests):
                self._finish_chunk(spec, state)

    def _finish_chunk(self, spec: str, state: _Progress) -> None:
        chunk = self.plan.chunk(state.chunk)
        self._put(spec, state, chunk, judge_chunk(chunk, state.judge, state.answers))
        state.chunk += 1
        state.answers = []
        self._advance(spec, state)

    def _advance(self, spec: str, state: _Progress) -> None:
        """Pass over chunks that ask nothing: those done before, and those of which every case is left out."""
        while state.chunk < len(self.plan):
            if self._is_done(spec, state.chunk):
                self.listener.judged(spec, [], self.plan.cases(state.chunk))
            elif not self.plan.chunk(state.chunk).requests:
                self._put(spec, state, self.plan.chunk(state.chunk), [])
            else:
                return
            state.chunk += 1

    def _put(self, spec: str, state: _Progress, chunk: Chunk, findings: list[list[Finding]]) -> None:
        subject = state.judge.subject
        everything: list[Outcome] = []
        fresh: list[Outcome] = []
        for unit_findings in findings:
            if not unit_findings:
                continue
            problem = unit_findings[0].problem
            theme = chunk.themes[problem.case.id]
            outcomes = apply_register(state.register, [outcome(each, subject, theme) for each in unit_findings])
            for each in outcomes:
                state.evidence.add(each)
            if (subject.name, *problem.key) not in self.done:
                fresh += outcomes
            everything += outcomes
        if fresh:
            self.record(fresh)
        everything += self._skipped(chunk, subject)
        self.counts[spec].update(each.verdict for each in everything)
        self.listener.judged(spec, everything, self.plan.cases(chunk.number))

    def _skipped(self, chunk: Chunk, subject: Subject) -> list[Outcome]:
        outcomes = []
        for skip in chunk.skips:
            if (subject.name, skip.entry.case.id, skip.dtype, "contiguous") in self.done:
                continue
            record = Outcome(
                case=skip.entry.case.id,
                theme=skip.entry.theme,
                backend=subject.name,
                dtype=skip.dtype,
                layout="contiguous",
                op=skip.entry.case.op,
                check="value",
                verdict="not run",
                reason="left-out",
                detail=skip.reason,
            )
            self.record([record])
            outcomes.append(record)
        return outcomes

    def _end(self, spec: str, event: Ended, state: _Progress | None) -> None:
        if state is not None and event.error is None and self.whole:
            gone = state.evidence.stale()
            for each in gone:
                self.record([each])
            self.counts[spec].update(each.verdict for each in gone)
            if gone:
                self.listener.judged(spec, gone, 0)
        if event.error is not None:
            self.failed[spec] = str(event.error)
            self.describe(BackendRecord(name=spec, error=str(event.error)))
        self.listener.ended(spec, event.error)


def judge_chunk(chunk: Chunk, judge: Judge, answers: Sequence[Observation]) -> list[list[Finding]]:
    """The findings of each unit of a chunk, in the chunk's order."""
    by_problem: dict[int, list[Finding]] = {id(unit.problem): [] for unit in chunk.units}
    for unit, reduction, place in chunk.raising:
        found = judge.raising(unit, reduction, answers[place])
        by_problem[id(unit.problem)] += found
        by_problem[id(unit.problem)] += judge.observer.observe(unit.problem, reduction, answers[place], found)
    values: dict[tuple[int, int, str], Finding] = {}
    for group in chunk.groups:
        for reduction, places in group.places.items():
            seen = [answers[place] for place in places]
            blockwise = judge.block(group.prepared, group.units, reduction, seen)
            for index, (unit, findings) in enumerate(zip(group.units, blockwise, strict=True)):
                by_problem[id(unit.problem)] += findings
                by_problem[id(unit.problem)] += judge.observer.observe(unit.problem, reduction, seen[index], findings)
                for finding in findings:
                    if finding.check == "value":
                        values[(id(group), index, reduction)] = finding
        _add_sums(group, judge, answers, by_problem)
    _add_identities(chunk, judge, answers, values, by_problem)
    for asked, place in chunk.transforms:
        others = by_problem[id(asked.unit.problem)]
        others += judge_transform(judge, asked, answers[place], others)
    for unit in chunk.units:
        findings = by_problem[id(unit.problem)]
        feature = lacking(unit.problem.case, judge.subject.profile)
        if findings and feature is not None:
            by_problem[id(unit.problem)] = as_unsupported(findings, feature)
    return list(by_problem.values())


def _add_sums(group: Group, judge: Judge, answers: Sequence[Observation], by_problem: dict[int, list[Finding]]) -> None:
    operation = group.units[0].problem.operation
    if operation not in ("softmax", "cross_entropy") or "none" not in group.places:
        return
    letter = judge.subject.profile.declared_class(operation, group.prepared.dtype)
    for index, (unit, place) in enumerate(zip(group.units, group.places["none"], strict=True)):
        findings = by_problem[id(unit.problem)]
        if any(found.verdict == "deviation" and found.reduction == "none" for found in findings):
            continue  # another class axis, a loss that a policy set, or targets that were taken to sum to 1
        finding = judge_sums(unit.resolution.problem, answers[place], Side(group.prepared, index), letter)
        if finding is not None:
            findings.append(finding)


def _add_identities(
    chunk: Chunk,
    judge: Judge,
    answers: Sequence[Observation],
    values: dict[tuple[int, int, str], Finding],
    by_problem: dict[int, list[Finding]],
) -> None:
    flats: dict[tuple[int, int, str], Float64Array | None] = {}
    for identity in chunk.identities:
        group, index, reduction = identity.group, identity.index, identity.derived.reduction
        if reduction not in group.places:
            continue
        key = (id(group), index, reduction)
        unit = group.units[index]
        if key not in flats:
            flats[key] = flat_value(unit.resolution.problem, answers[group.places[reduction][index]])
        sides = (Side(group.prepared, index), identity.other)
        letter = judge.subject.profile.declared_class(unit.problem.operation, group.prepared.dtype)
        finding = judge_identity(
            identity.derived, unit.problem, values.get(key), flats[key], answers[identity.place], sides, letter
        )
        if finding is not None:
            by_problem[id(unit.problem)].append(finding)
