"""Which value of a policy describes what was seen: derived from the result itself, whatever is declared.

Every value that the policy may take predicts something: an error, or results within the bounds. Those whose
prediction came true are the observed ones; where all come true the problem says nothing of the policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from conformance.judge.finding import Finding, error_fact
from conformance.judge.freedom import SOUND, Freedom, freedom
from conformance.judge.observers import OBSERVERS, by_prediction
from conformance.judge.sight import Sight, Truths
from conformance.model.outcome import Reason
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
            return msgspec.structs.replace(
                finding, verdict="unsupported", reason="unsupported", error=error_fact(failure), observed=[]
            )
        if failure is not None and failure.kind != "raised":
            return None
        values = OBSERVERS.get(here.policy, by_prediction)(sight)
        if values is None:
            return None
        verdict, reason = self._verdict(here, values, sight.found)
        detail = here.normative if reason == "policy-not-normative" else ""
        excused = (here.policy,) if verdict == "deviation" else ()
        seen = list(values) or ["other"]
        return msgspec.structs.replace(
            finding, verdict=verdict, reason=reason, detail=detail, observed=seen, excused_by=excused
        )

    def _declared(self, here: Freedom) -> str | None:
        """The declared value, ``unsupported``, or None where the profile is silent."""
        declared = self.truths.subject.profile.policies.get(here.policy)
        value = None if declared is None else declared.of(self.truths.subject.id.device, self.truths.subject.id.mode)
        if value is None or value == "unsupported":
            return value
        if here.aspect and isinstance(value, dict) and here.policy != "target-dtypes":
            return None if not {here.aspect, "all"} & value.keys() else here.chosen(self.truths.policies)
        return here.chosen(self.truths.policies)

    def _verdict(self, here: Freedom, values: Sequence[str], found: Sequence[Finding]) -> tuple[Verdict, Reason]:
        declared = self._declared(here)
        if not values:
            if any(each.verdict == "fail" for each in found):
                return "not run", "policy-spoilt"
            return "fail", "policy-unknown"
        if declared is None:
            if here.normative in values or here.policy in SOUND:
                return "pass", "policy-undeclared"
            return "fail", "policy-not-normative"
        if declared == "undefined":
            return "deviation", "policy-undefined"
        if declared not in values:
            return "fail", "policy-differs"
        return ("pass" if here.normative in values else "deviation"), "policy-as-declared"
