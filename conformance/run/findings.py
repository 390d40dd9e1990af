"""From the answers to a chunk's requests to the findings of each of its units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from conformance.judge.finding import Finding, error_fact
from conformance.judge.identity import Side, flat_value, judge_identity
from conformance.judge.judge import Judge
from conformance.judge.requirements import as_unsupported, lacking, of_another_dtype, without_gradient
from conformance.judge.transforms import judge_transform
from conformance.model.case import TRANSFORMS
from conformance.model.problem import Problem
from conformance.numerics.formats import Float64Array
from conformance.run.chunk import Chunk, Group
from conformance.worker.exchange import Observation

__all__ = ["calls", "judge_chunk"]

#: What goes wrong after a call that spoils a process, where no case shows it.
CANARY = "a small valid call"


def judge_chunk(chunk: Chunk, judge: Judge, answers: Sequence[Observation]) -> list[list[Finding]]:
    """The findings of each unit of a chunk, in the chunk's order."""
    by_problem: dict[int, list[Finding]] = {id(unit.problem): [] for unit in chunk.units}
    for unit, reduction, place in chunk.raising:
        its = judge.of(unit.problem)
        found = its.raising(unit, reduction, answers[place])
        by_problem[id(unit.problem)] += found
        by_problem[id(unit.problem)] += its.observer.observe(unit, reduction, answers[place], found)
    values: dict[tuple[int, int, str], Finding] = {}
    for group in chunk.groups:
        for reduction, places in group.places.items():
            seen = [answers[place] for place in places]
            its = judge.of(group.units[0].problem)
            blockwise = its.block(group.prepared, group.units, reduction, seen)
            for index, (unit, findings) in enumerate(zip(group.units, blockwise, strict=True)):
                by_problem[id(unit.problem)] += findings
                by_problem[id(unit.problem)] += its.observer.observe(unit, reduction, seen[index], findings)
                for finding in findings if chunk.identities else ():
                    if finding.check == "value":
                        values[(id(group), index, reduction)] = finding
        _add_sums(group, judge, answers, by_problem)
        for index, unit in enumerate(group.units if not chunk.portion.gradients else ()):
            given = [name for name, places in group.places.items() if answers[places[index]].failure is None]
            by_problem[id(unit.problem)] += without_gradient(unit.problem, given)
    _add_identities(chunk, judge, answers, values, by_problem)
    for asked, place in chunk.transforms:
        others = by_problem[id(asked.unit.problem)]
        others += judge_transform(judge.of(asked.unit.problem), asked, answers[place], others)
    for unit in chunk.units:
        findings = by_problem[id(unit.problem)]
        feature = lacking(unit.problem, judge.subject.profile)
        if findings and feature is not None:
            by_problem[id(unit.problem)] = as_unsupported(findings, feature)
    for unit, dtype in chunk.unasked:
        taken = chunk.portion.accepted[unit.problem.operation]
        by_problem[id(unit.problem)] = of_another_dtype(unit.problem, dtype, taken)
    _require_mode(chunk, answers, by_problem)
    _leave_open(chunk, judge, answers, by_problem)
    harmful = any(each.died is not None or each.left or each.spoils for each in answers)
    for problem, reduction, place in calls(chunk) if harmful else ():
        answer, findings = answers[place], by_problem[id(problem)]
        if answer.died is None and not answer.left and not answer.spoils:
            continue
        if judge.of(problem).openness.includes(problem) and not answer.left:
            continue  # of which it is a part
        if not any(each.check == "process" and each.reduction == reduction for each in findings):
            findings.append(_of_the_process(problem, reduction, answer))
    return list(by_problem.values())


def _leave_open(
    chunk: Chunk, judge: Judge, answers: Sequence[Observation], by_problem: dict[int, list[Finding]]
) -> None:
    """Put in place of the findings of problems that the profile leaves open what is the same whatever comes."""
    opened = {
        id(unit.problem)
        for unit in chunk.units
        if judge.of(unit.problem).openness.includes(unit.problem)
        and lacking(unit.problem, judge.subject.profile) is None
    }
    if not opened:
        return
    found = {key: by_problem[key] for key in opened}
    by_problem.update((key, []) for key in opened)
    plain = [(unit.problem, "error", reduction, place) for unit, reduction, place in chunk.raising]
    for group in chunk.groups:
        for reduction, places in group.places.items():
            plain += [(u.problem, "value", reduction, place) for u, place in zip(group.units, places, strict=True)]
    for problem, check, reduction, place in plain:
        if id(problem) in opened:
            known = found[id(problem)]
            its = judge.of(problem).openness
            by_problem[id(problem)] += its.findings(problem, check, reduction, answers[place], known)


def calls(chunk: Chunk) -> Iterator[tuple[Problem, str, int]]:
    """The problem and the reduction that each call of a chunk is about, and its place."""
    for unit, reduction, place in chunk.raising:
        yield unit.problem, reduction, place
    for group in chunk.groups:
        for reduction, places in group.places.items():
            yield from ((unit.problem, reduction, place) for unit, place in zip(group.units, places, strict=True))
    for identity in chunk.identities:
        yield identity.group.units[identity.index].problem, identity.derived.reduction, identity.place
    for asked, place in chunk.transforms:
        yield asked.unit.problem, asked.reduction, place


def _require_mode(chunk: Chunk, answers: Sequence[Observation], by_problem: dict[int, list[Finding]]) -> None:
    """Make unsupported what passed in calls that ran uncompiled, though they were to be compiled.

    Nothing but a pass: the backend's own word on itself excuses no fail. A plain call's miss is one of all that was
    held against it; that of a transform, or of an identity's other call, is one of that check.
    """
    if all(each.mode is None for each in answers):
        return
    missed: set[tuple[int, str, str]] = set()

    def note(problem: Problem, reduction: str, check: str, place: int) -> None:
        mode = answers[place].mode
        if mode is not None and mode.uncompiled:
            missed.add((id(problem), reduction, check))

    for unit, reduction, place in chunk.raising:
        note(unit.problem, reduction, "", place)
    for group in chunk.groups:
        for reduction, places in group.places.items():
            for unit, place in zip(group.units, places, strict=True):
                note(unit.problem, reduction, "", place)
    for identity in chunk.identities:
        derived = identity.derived
        note(identity.group.units[identity.index].problem, derived.reduction, derived.name, identity.place)
    for asked, place in chunk.transforms:
        note(asked.unit.problem, asked.reduction, asked.transform, place)
    for key in {problem for problem, _, _ in missed}:
        findings = by_problem[key]
        for index, each in enumerate(findings):
            own = each.check if each.check in TRANSFORMS else ""
            met = {(key, each.reduction, own), (key, each.reduction, each.check)}
            if each.verdict == "pass" and met & missed:
                findings[index] = msgspec.structs.replace(each, verdict="unsupported", reason="mode-not-used")


def _of_the_process(problem: Problem, reduction: str, seen: Observation) -> Finding:
    """What a call did to the backend's process: left it changed, by which it may end later, or ended it in company."""
    error = None if seen.died is None else error_fact(seen.died)
    if seen.spoils:
        return Finding(problem, "process", reduction, "fail", "left-damage", CANARY, error=error, spoils=True)
    if not seen.left:
        return Finding(problem, "process", reduction, "unreproduced", "unreproduced", error=error)
    return Finding(problem, "process", reduction, "fail", "left-changed", "; ".join(seen.left), error=error)


def _add_sums(group: Group, judge: Judge, answers: Sequence[Observation], by_problem: dict[int, list[Finding]]) -> None:
    operation = group.units[0].problem.operation
    if operation not in ("softmax", "cross_entropy") or "none" not in group.places:
        return
    for index, (unit, place) in enumerate(zip(group.units, group.places["none"], strict=True)):
        findings = by_problem[id(unit.problem)]
        if any(found.verdict == "deviation" and found.reduction == "none" for found in findings):
            continue  # another class axis, a loss that a policy set, or targets that were taken to sum to 1
        finding = judge.of(unit.problem).sums(unit, answers[place], Side(group.prepared, index))
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
            identity.derived, unit, values.get(key), flats[key], answers[identity.place], sides, letter
        )
        if finding is not None:
            by_problem[id(unit.problem)].append(finding)
