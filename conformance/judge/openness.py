"""Problems whose result a backend's profile leaves open: whatever comes of the call is what was declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from conformance.cases.resolve import resolve
from conformance.judge.finding import Finding, error_fact
from conformance.judge.worst import worst_text
from conformance.model.policies import BY_FIELD, NORMATIVE, Policies, choice_in
from conformance.model.problem import Problem
from conformance.worker.exchange import Observation

__all__ = ["Openness"]

UNDEFINED = "undefined"


@dataclass(frozen=True, eq=False)
class Openness:
    """Which problems the declared ``policies`` leave open since one of them is ``undefined``."""

    policies: Policies

    @cached_property
    def _undefined(self) -> tuple[str, ...]:
        """The fields that are declared undefined, of everything or of something."""
        found = []
        for field in Policies.__struct_fields__:
            declared = getattr(self.policies, field)
            if UNDEFINED in (declared.values() if isinstance(declared, dict) else (declared,)):
                found.append(field)
        return tuple(found)

    @cached_property
    def _otherwise(self) -> Policies:
        """The same policies, but that nothing is undefined."""
        changes = {field: getattr(NORMATIVE, field) for field in self._undefined}
        return msgspec.structs.replace(self.policies, **changes)

    def _opening(self, problem: Problem) -> list[str]:
        """The names of those by which the result of a problem is open: each by itself, or else all together."""
        found = []
        for field in self._undefined:
            alone = msgspec.structs.replace(self._otherwise, **{field: getattr(self.policies, field)})
            if resolve(problem, alone, stated_error=False).undefined:
                found.append(field)
        return [BY_FIELD[field].name for field in found or self._undefined]

    def includes(self, problem: Problem) -> bool:
        """Whether the result of a problem is open by such a policy."""
        if not self._undefined or not resolve(problem, self.policies, stated_error=False).undefined:
            return False
        return not resolve(problem, self._otherwise, stated_error=False).undefined

    def findings(
        self, problem: Problem, check: str, reduction: str, seen: Observation, found: Sequence[Finding]
    ) -> list[Finding]:
        """What is found of a call of such a problem, in place of what was ``found`` by all checks of it.

        It is the same whatever comes, a refusal of an invalid call excepted. So it is of a framework that reads and
        writes where it may not, which on another day gives another number, or dies. Of policies that are not undefined
        nothing is found.
        """
        failure = seen.failure
        if failure is not None and failure.kind in ("unsupported", "adapter", "not run"):
            return [each for each in found if each.reduction == reduction]
        finding = Finding(problem, check, reduction, "deviation", "left-open", seconds=seen.seconds, spoils=seen.spoils)
        observed = {each.policy: each.observed for each in found if each.policy and each.reduction == reduction}
        finding = msgspec.structs.replace(
            finding,
            excused_by=tuple(self._opening(problem)),
            observed=None if seen.value is None else worst_text(seen.value),
            error=None if failure is None else error_fact(failure),
        )
        policies = []
        for name in problem.case.policies:
            choice = choice_in(name, problem, self.policies)
            if choice is not None and choice.chosen(self.policies) == UNDEFINED:
                policy = Finding(
                    problem,
                    "policy",
                    reduction,
                    "deviation",
                    "policy-undefined",
                    observed=observed.get(name) or [],
                    expected=choice.chosen(self.policies),
                    excused_by=(name,),
                    policy=name,
                    aspect=choice.aspect,
                )
                policies.append(policy)
        if failure is not None and failure.kind == "raised" and check == "error":
            finding = msgspec.structs.replace(finding, verdict="pass", reason="raised", excused_by=())
        return [finding, *policies]
