"""Which value of a policy describes what was seen: derived from the result itself, whatever is declared.

Every value that the policy may take predicts something: an error, or results within the bounds. Those whose
prediction came true are the observed ones; where all come true the problem says nothing of the policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from conformance.judge.finding import Finding
from conformance.judge.freedom import SOUND, Freedom, freedom
from conformance.judge.observers import OBSERVERS, by_prediction
from conformance.judge.sight import Sight, Truths
from conformance.model.problem import Problem
from conformance.model.verdicts import Verdict
from conformance.worker.exchange import Observation

__all__ = ["Observer"]


@dataclass(eq=False)
class Observer:
    """Observes the policies of one backend."""

    truths: Truths

    def observe(self, problem: Problem, reduction: str, seen: Observation, found: Sequence[Finding]) -> list[Finding]:
        """A finding for every policy that the case observes and this reduction tells of.

        ``found`` is what the other checks found of the same call.
        """
        findings = []
        for name in problem.case.policies:
            here = freedom(name, problem, self.truths.policies)
            if here is None:
                continue
            finding = self._observe(Sight(here, problem, reduction, seen, found, self.truths))
            if finding is not None:
                findings.append(finding)
        return findings

    def _observe(self, sight: Sight) -> Finding | None:
        here, failure = sight.here, sight.seen.failure
        finding = Finding(
            sight.problem, "policy", sight.reduction, "pass", policy=here.label, expected=self._declared(here)
        )
        if failure is not None and failure.kind == "unsupported":
            return msgspec.structs.replace(finding, verdict="unsupported", message=failure.message, observed=[])
        if failure is not None and failure.kind != "raised":
            return None
        values = OBSERVERS.get(here.policy, by_prediction)(sight)
        if values is None:
            return None
        verdict, message = self._verdict(here, values, sight.found)
        return msgspec.structs.replace(finding, verdict=verdict, message=message, observed=list(values) or ["other"])

    def _declared(self, here: Freedom) -> str | None:
        """The declared value, ``unsupported``, or None where the profile is silent."""
        declared = self.truths.subject.profile.policies.get(here.policy)
        value = None if declared is None else declared.of(self.truths.subject.device, self.truths.subject.mode)
        if value is None or value == "unsupported":
            return value
        if here.aspect and isinstance(value, dict) and here.policy != "target-dtypes":
            return None if not {here.aspect, "all"} & value.keys() else here.chosen(self.truths.policies)
        return here.chosen(self.truths.policies)

    def _verdict(self, here: Freedom, values: Sequence[str], found: Sequence[Finding]) -> tuple[Verdict, str]:
        declared = self._declared(here)
        said = " or ".join(values)
        if not values:
            if any(each.verdict == "fail" for each in found):
                return "not run", "the result is wrong: no value of this policy describes it"
            return "fail", "no value of this policy describes the result"
        if declared is None:
            if here.normative in values or here.policy in SOUND:
                return "pass", f"observed: {said}; nothing is declared"
            return "fail", f"observed {said} where nothing is declared, so that {here.normative} is expected"
        if declared == "undefined":
            return "deviation", f"observed: {said}; declared undefined"
        if declared not in values:
            return "fail", f"observed {said}, declared {declared}: the declaration is wrong"
        return ("pass" if here.normative in values else "deviation"), f"observed as declared: {declared}"
