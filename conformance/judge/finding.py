"""One finding of the judge, before it is put on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from conformance.bounds.classes import Letter
from conformance.model.problem import Problem
from conformance.model.records import Outcome
from conformance.model.verdicts import Verdict
from conformance.profiles.profile import UNDECLARED, Profile

__all__ = ["Finding", "Subject", "outcome"]


@dataclass(frozen=True)
class Subject:
    """The backend that is judged, as it describes itself, and what its profile declares."""

    name: str
    version: str = ""
    device: str = ""
    mode: str = ""
    profile: Profile = UNDECLARED
    #: Operation to ``file:line`` of the adapter's code.
    sources: dict[str, str] | None = None
    #: Operations that a user's adapter replaces: the register of the profile does not speak of them.
    overridden: frozenset[str] = frozenset()


class Finding(msgspec.Struct, frozen=True, eq=False):
    """The verdict of one check of one problem in one reduction."""

    problem: Problem
    check: str
    reduction: str
    verdict: Verdict
    message: str = ""
    letter: Letter | None = None
    ulp: float | None = None
    ratio: float | None = None
    observed: Any = None
    expected: Any = None
    worst_input: Any = None
    seconds: float = 0.0
    policy: str = ""

    def deviating(self, why: str) -> Finding:
        """The same as a deviation that a declared policy describes."""
        return msgspec.structs.replace(self, verdict="deviation", message=why)


def outcome(finding: Finding, subject: Subject, theme: str) -> Outcome:
    """The record of a finding."""
    problem = finding.problem
    return Outcome(
        case=problem.case.id,
        theme=theme,
        backend=subject.name,
        version=subject.version,
        device=subject.device,
        dtype=problem.dtype,
        mode=subject.mode,
        layout=problem.layout,
        op=problem.operation,
        reduction=finding.reduction,
        check=finding.check,
        verdict=finding.verdict,
        class_=finding.letter,
        ulp=finding.ulp,
        ratio=finding.ratio,
        observed=finding.observed,
        expected=finding.expected,
        worst_input=finding.worst_input,
        message=finding.message,
        seconds=finding.seconds,
        source=(subject.sources or {}).get(problem.operation),
        policy=finding.policy,
    )
