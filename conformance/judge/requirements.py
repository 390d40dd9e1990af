"""What a case requires of a backend: without it there is nothing to judge."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.judge.finding import Finding
from conformance.model.problem import Problem
from conformance.profiles.profile import Profile

__all__ = ["as_unsupported", "lacking"]


def lacking(problem: Problem, profile: Profile) -> str | None:
    """The first feature that the problem requires and the profile declares ``unsupported``.

    Besides those that its case names, class probabilities: a library without them may well take them for something.
    """
    stated = ("probability-targets",) if problem.target_kind == "probabilities" else ()
    for name in (*problem.case.requires, *stated):
        if profile.features.get(name.replace("-", "_")) == "unsupported":
            return name
    return None


def as_unsupported(findings: Sequence[Finding], feature: str) -> list[Finding]:
    """One finding for each reduction: the framework lacks what the case is about."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.reduction, finding)
    return [
        Finding(each.problem, "value", reduction, "unsupported", "required", feature, seconds=each.seconds)
        for reduction, each in first.items()
    ]
