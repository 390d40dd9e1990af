"""One finding of the judge, before it is put on record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from conformance.model.case import Invalid
from conformance.model.classes import Letter
from conformance.model.dtypes import DtypeName
from conformance.model.outcome import DefectRef, ErrorFact, Outcome, Reason
from conformance.model.problem import Problem
from conformance.model.quantities import Quantity
from conformance.model.verdicts import Verdict
from conformance.profiles.subject import Subject
from conformance.worker.exchange import Failure

__all__ = ["Finding", "error_fact", "outcome", "verdict_of"]

#: Verdicts of calls that gave no result, but for a framework's refusal.
_VERDICTS: dict[str, Verdict] = {
    "unsupported": "unsupported",
    "adapter": "error",
    "crash": "crash",
    "timeout": "timeout",
    "not run": "not run",
}


class Finding(msgspec.Struct, frozen=True, eq=False, gc=False):
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
    quantity: Quantity | Literal[""] = ""
    error: ErrorFact | None = None
    excused_by: tuple[str, ...] = ()
    defect: DefectRef | None = None
    seconds: float = 0.0
    policy: str = ""
    aspect: str = ""
    invalid: Invalid | None = None
    spoils: bool = False
    right_in: DtypeName | Literal[""] = ""

    def deviating(self, reason: Reason, policies: Iterable[str], detail: str = "") -> Finding:
        """The same as a deviation that the declared ``policies`` describe."""
        return msgspec.structs.replace(
            self, verdict="deviation", reason=reason, excused_by=tuple(policies), detail=detail
        )


def error_fact(failure: Failure) -> ErrorFact:
    """A failure as a fact. What the adapter says to be unsupported needs no type."""
    return ErrorFact("" if failure.type == "Unsupported" else failure.type, failure.message, failure.where)


def verdict_of(failure: Failure) -> Verdict:
    """What becomes of a check whose call gave no result; a refusal where a result is due is a fail."""
    return _VERDICTS.get(failure.kind, "fail")


def outcome(finding: Finding, subject: Subject) -> Outcome:
    """The record of a finding."""
    problem = finding.problem
    return Outcome(
        case=problem.case.id,
        theme=problem.theme,
        backend=subject.name,
        dtype=problem.dtype,
        layout=problem.layout,
        op=problem.operation,
        reduction=finding.reduction,
        check=finding.check,  # type: ignore[arg-type]
        policy=finding.policy,
        aspect=finding.aspect,
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
        defect=finding.defect,
        excused_by=finding.excused_by,
        invalid=finding.invalid,
        error=finding.error,
        reason=finding.reason,
        detail=finding.detail,
        seconds=finding.seconds,
        spoils="later calls" if finding.spoils else "",
        right_in=finding.right_in,
    )
