"""What a call does besides its result: inputs that it changes, a second answer that differs, a warning."""

from __future__ import annotations

from conformance.judge.finding import Finding
from conformance.model.policies import Policies, for_operation
from conformance.model.problem import Problem
from conformance.worker.exchange import Observation

__all__ = ["state_checks", "warning_check"]


def state_checks(problem: Problem, reduction: str, seen: Observation) -> list[Finding]:
    """Whether inputs stayed as they were, and a second call gave the same bits."""
    unmodified = Finding(problem, "unmodified", reduction, "pass")
    if seen.shared:
        unmodified = Finding(problem, "unmodified", reduction, "fail", "shared", observed=seen.shared)
    elif seen.modified:
        unmodified = Finding(problem, "unmodified", reduction, "fail", "modified", ", ".join(seen.modified))
    if seen.repeatable is None:
        return [unmodified]
    if seen.repeatable:
        return [unmodified, Finding(problem, "repeatable", reduction, "pass")]
    return [unmodified, Finding(problem, "repeatable", reduction, "fail", "not-repeatable")]


def warning_check(problem: Problem, reduction: str, seen: Observation, policies: Policies) -> list[Finding]:
    """Whether a warning came that the case, or the declared implicit-axis policy, asks for."""
    expect = problem.case.expect
    wanted = expect.warning if expect is not None and expect.warning is not None else None
    if problem.axis is None:
        axes = policies.default_axis
        axis = for_operation(axes, problem.operation, for_operation(axes, "log_softmax", 1))
        # The warning belongs to the implicit-axis policy: a backend that does not declare it need not give one.
        wanted = (wanted or "implicit") if axis == "implicit" else None
    if wanted is None:
        return []
    matching = [text for text in seen.warnings if wanted.lower() in text.lower()]
    if matching:
        return [Finding(problem, "warning", reduction, "pass", "warned", matching[0][:300])]
    other = seen.warnings[0][:200] if seen.warnings else None
    return [Finding(problem, "warning", reduction, "fail", "no-warning", wanted, observed=other)]
