"""What a case requires of a backend: without it there is nothing to judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from conformance.judge.finding import Finding
from conformance.model.case import OperationName
from conformance.model.dtypes import DTYPES, DtypeName
from conformance.model.problem import Problem
from conformance.profiles.profile import Profile

__all__ = ["as_unsupported", "lacking", "of_another_dtype", "other_dtype", "without_gradient"]


def lacking(problem: Problem, profile: Profile) -> str | None:
    """The first feature that the problem requires and the profile declares ``unsupported``.

    Besides those that its case names, class probabilities: a library without them may well take them for something.
    """
    stated = ("probability-targets",) if problem.target_kind == "probabilities" else ()
    for name in (*problem.case.requires, *stated):
        if profile.features.get(name.replace("-", "_")) == "unsupported":
            return name
    return None


def other_dtype(problem: Problem, declared: Mapping[OperationName, Sequence[DtypeName]]) -> DtypeName | None:
    """The dtype of the problem's logits, or of its probabilities, where the operation is not declared to take it.

    An operation of which nothing is ``declared`` takes all.
    """
    taken = declared.get(problem.operation, DTYPES)
    beside = problem.probability_dtype
    return next((dtype for dtype in (problem.dtype, beside) if dtype is not None and dtype not in taken), None)


def of_another_dtype(problem: Problem, dtype: DtypeName, taken: Sequence[DtypeName]) -> list[Finding]:
    """One finding for each reduction: the backend is not asked for what it declares not to take."""
    blank = Finding(problem, "value", "", "unsupported", "dtype-not-declared", dtype, expected=", ".join(taken))
    return [msgspec.structs.replace(blank, reduction=reduction) for reduction in problem.reductions]


def without_gradient(problem: Problem, reductions: Iterable[str]) -> list[Finding]:
    """What is not asked of a backend without gradients: the gradient, where there is a value, and what begins with one.

    ``reductions`` are those in which the call gave a value.
    """
    blank = Finding(problem, "gradient", "", "unsupported", "required", "gradient")
    found = [msgspec.structs.replace(blank, reduction=reduction) for reduction in reductions]
    return found + [
        msgspec.structs.replace(each, check=transform)
        for transform in problem.case.transforms
        if transform != "forward-mode"
        for each in found
    ]


def as_unsupported(findings: Sequence[Finding], feature: str) -> list[Finding]:
    """One finding for each reduction: the framework lacks what the case is about."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.reduction, finding)
    return [
        Finding(each.problem, "value", reduction, "unsupported", "required", feature, seconds=each.seconds)
        for reduction, each in first.items()
    ]
