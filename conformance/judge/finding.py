"""One finding of the judge, before it is put on record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from conformance.bounds.classes import Letter
from conformance.model.checks import Check
from conformance.model.problem import Problem
from conformance.model.records import DefectRef, ErrorFact, Outcome, Reason
from conformance.model.verdicts import Verdict
from conformance.profiles.subject import Subject
from conformance.worker.exchange import Failure

__all__ = ["Finding", "error_fact", "outcome"]


class Finding(msgspec.Struct, frozen=True, eq=False):
    """The verdict of one check of one problem in one reduction."""

    problem: Problem
    check: str
    reduction: str
    verdict: Verdict
    reason: Reason = ""
    detail: str = ""
    letter: Letter | None = None
    declared: Letter | None = None
    ulp: float | None = None
    ratio: float | None = None
    bound: float | None = None
    observed: Any = None
    expected: Any = None
    worst_input: Any = None
    position: int | None = None
    quantity: str = ""
    error: ErrorFact | None = None
    excused_by: tuple[str, ...] = ()
    defect: DefectRef | None = None
    seconds: float = 0.0
    policy: str = ""

    def deviating(self, reason: Reason, policies: Iterable[str], detail: str = "") -> Finding:
        """The same as a deviation that the declared ``policies`` describe."""
        return msgspec.structs.replace(
            self, verdict="deviation", reason=reason, excused_by=tuple(policies), detail=detail
        )


def error_fact(failure: Failure) -> ErrorFact:
    """A failure as a fact. What the adapter says to be unsupported needs no type."""
    return ErrorFact("" if failure.type == "Unsupported" else failure.type, failure.message, failure.where)


def outcome(finding: Finding, subject: Subject, theme: str) -> Outcome:
    """The record of a finding."""
    problem = finding.problem
    return Outcome(
        case=problem.case.id,
        theme=theme,
        backend=subject.name,
        dtype=problem.dtype,
        layout=problem.layout,
        op=problem.operation,
        reduction=finding.reduction,
        check=cast(Check, finding.check),
        verdict=finding.verdict,
        class_=finding.letter,
        declared=finding.declared,
        ulp=finding.ulp,
        ratio=finding.ratio,
        bound=finding.bound,
        observed=finding.observed,
        expected=finding.expected,
        worst_input=finding.worst_input,
        position=finding.position,
        quantity=finding.quantity,
        error=finding.error,
        excused_by=finding.excused_by,
        defect=finding.defect,
        reason=finding.reason,
        detail=finding.detail,
        seconds=finding.seconds,
        policy=finding.policy,
    )
