"""Which value of a policy describes what was seen: derived from the result itself, whatever is declared.

Every value that the policy may take predicts something: an error, or results within the bounds. Those whose
prediction came true are the observed ones; where all come true the problem says nothing of the policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from conformance.judge.finding import Finding, error_fact
from conformance.judge.policies.observers import OBSERVERS, by_prediction
from conformance.judge.policies.probe import Probe, Truths
from conformance.judge.unit import Unit
from conformance.model.outcome import Reason
from conformance.model.policies import Choice, choice_in
from conformance.model.problem import Problem
from conformance.model.verdicts import Verdict
from conformance.worker.exchange import Observation

__all__ = ["Observer"]


@dataclass(eq=False)
class Observer:
    """Observes the policies of one backend."""

    truths: Truths

    def observe(self, unit: Unit, reduction: str, seen: Observation, found: Sequence[Finding]) -> list[Finding]:
        """A finding for every policy that the case observes and this reduction says something of.

        ``found`` is what the other checks found of the same call.
        """
        findings = []
        for name in unit.problem.case.policies:
            choice = choice_in(name, unit.problem, self.truths.policies)
            if choice is None:
                continue
            finding = self._observe(Probe(choice, unit, reduction, seen, found, self.truths))
            if finding is not None:
                findings.append(finding)
        return findings

    def _observe(self, probe: Probe) -> Finding | None:
        choice, failure = probe.choice, probe.seen.failure
        finding = Finding(
            probe.problem,
            "policy",
            probe.reduction,
            "pass",
            policy=choice.policy.name,
            aspect=choice.aspect,
            expected=self._declared(choice, probe.problem),
        )
        if failure is not None and failure.kind == "unsupported":
            return msgspec.structs.replace(
                finding, verdict="unsupported", reason="unsupported", error=error_fact(failure), observed=[]
            )
        if failure is not None and failure.kind != "raised":
            return None
        values = OBSERVERS.get(choice.policy.name, by_prediction)(probe)
        if values is None or (not values and _promise_nothing(probe.found)):
            return None
        verdict, reason = self._verdict(probe, values)
        detail = choice.normative if reason == "policy-not-normative" else ""
        excused = (choice.policy.name,) if verdict == "deviation" else ()
        seen = list(values) or ["other"]
        return msgspec.structs.replace(
            finding, verdict=verdict, reason=reason, detail=detail, observed=seen, excused_by=excused
        )

    def _declared(self, choice: Choice, problem: Problem) -> str | None:
        """The declared value, ``unsupported``, or None where the profile is silent."""
        subject = self.truths.subject
        declared = subject.profile.policies.get(choice.policy.name)
        kind = {"operation": problem.operation, "dtype": problem.dtype}
        value = None if declared is None else declared.of(*subject.id.words, version=subject.id.version, **kind)
        if value is None or value == "unsupported":
            return value
        if isinstance(value, dict) and not choice.policy.speaks_of(value, choice.aspect):
            return None
        return choice.chosen(self.truths.policies)

    def _verdict(self, probe: Probe, values: Sequence[str]) -> tuple[Verdict, Reason]:
        choice, declared = probe.choice, self._declared(probe.choice, probe.problem)
        if not values:
            if any(each.verdict == "fail" for each in probe.found):
                return "not run", "policy-spoilt"
            return "fail", "policy-unknown"
        if declared is None:
            if choice.normative in values or choice.policy.sound:
                return "pass", "policy-undeclared"
            return "fail", "policy-not-normative"
        if declared == "undefined":
            return "deviation", "policy-undefined"
        if declared not in values:
            return "fail", "policy-differs"
        return ("pass" if choice.normative in values else "deviation"), "policy-as-declared"


def _promise_nothing(found: Sequence[Finding]) -> bool:
    """Whether a bound of the same call is vacuous, so that no value of a policy can be held against the result."""
    return any(each.reason == "vacuous-bound" for each in found)
