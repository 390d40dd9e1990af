"""Judges the transforms (derivatives in a direction or by the targets, vectorised map) against truths of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from conformance.judge.finding import Finding
from conformance.judge.judge import Judge
from conformance.judge.prepared import Prepared
from conformance.judge.unit import Unit
from conformance.model.case import TransformName
from conformance.model.policies import BY_CHECK, for_operation
from conformance.model.quantities import Quantity
from conformance.model.verdicts import severity
from conformance.worker.exchange import Observation

__all__ = ["TRANSFORM_QUANTITIES", "Transformed", "judge_transform"]

#: What each transform gives, the main result first; two threads, the plain call's where the case names no other.
TRANSFORM_QUANTITIES: dict[TransformName, tuple[Quantity, ...]] = {
    "forward-mode": ("jvp", "value"),
    "second-order": ("hvp",),
    "vectorised-map": ("gradient", "value"),
    "target-gradient": ("target_gradient",),
    "second-backward": ("gradient",),
    "concurrent": ("gradient", "value"),
    "refilled": ("gradient", "value"),
}


@dataclass(frozen=True, eq=False)
class Transformed:
    """A transform of a unit's call in one reduction.

    ``prepared`` holds the unit's problem alone, or those of its ``examples``: of a map over losses that are reduced,
    each example has a sum or a mean of its own.
    """

    unit: Unit
    transform: TransformName
    reduction: str
    prepared: Prepared
    examples: tuple[Unit, ...] = ()

    @property
    def made(self) -> TransformName:
        """What is made, by two threads where the transform is ``concurrent``."""
        in_threads = self.unit.problem.case.in_threads if self.transform == "concurrent" else None
        return in_threads or self.transform


def judge_transform(judge: Judge, asked: Transformed, seen: Observation, others: Sequence[Finding]) -> list[Finding]:
    """One finding; ``others`` are those of the plain calls.

    What comes beside a derivative is judged only where the plain call gave it right: its fault has a finding already.
    Where the plain call failed altogether, or is not offered, the transform says nothing, but that it is not offered.
    """
    plain = {f.check: f for f in others if f.reduction == asked.reduction and f.check in ("value", "gradient")}
    value = plain.get("value")
    if value is not None and value.verdict in ("crash", "timeout", "not run", "error"):
        return []
    problem, name, reduction = asked.unit.problem, asked.transform, asked.reduction
    policy = _policy(judge, asked)
    if seen.failure is not None:
        finding = judge.refused(problem, name, reduction, seen.failure, seen.seconds)
        if seen.failure.kind == "raised" and policy == "refused":
            finding = finding.deviating("raised", _excuse(asked.made))
        return [finding]
    if seen.shared:
        return [Finding(problem, name, reduction, "fail", "shared", observed=seen.shared, seconds=seen.seconds)]
    if seen.modified:
        names = ", ".join(seen.modified)
        return [Finding(problem, name, reduction, "fail", "modified", names, seconds=seen.seconds)]
    found: list[Finding] = []
    for quantity in TRANSFORM_QUANTITIES[asked.made]:
        base = plain.get(quantity)
        if quantity in ("value", "gradient") and (base is None or base.verdict not in ("pass", "deviation")):
            continue
        if asked.examples:
            judged = _of_examples(judge, asked, seen, quantity)
        else:
            (judged,) = judge.quantity(asked.prepared, [asked.unit], reduction, [seen], quantity)
        found += (msgspec.structs.replace(each, problem=problem, check=name, quantity=quantity) for each in judged)
    if not found:
        return []
    finding = next((each for each in found if each.verdict == "fail"), found[0])
    if finding.verdict == "fail" and policy == "wrong":
        return [finding.deviating("declared-wrong", _excuse(asked.made))]
    if finding.verdict == "pass" and seen.repeatable is False:
        finding = msgspec.structs.replace(finding, verdict="fail", reason="not-repeatable")
    return [finding]


def _of_examples(judge: Judge, asked: Transformed, seen: Observation, quantity: Quantity) -> list[Finding]:
    """What is found of the examples of a map over reduced losses: the worst verdict, and of alike ones the nearest."""
    array, shape = seen.gradient, asked.unit.problem.logits.shape
    if quantity == "value":
        array, shape = seen.value, (len(asked.examples),)
    if array is None:
        return []
    if array.shape != shape:
        observed, expected = str(array.shape), str(shape)
        problem = asked.unit.problem
        return [
            Finding(problem, quantity, asked.reduction, "fail", "wrong-shape", observed=observed, expected=expected)
        ]
    parts = [np.asarray(each) for each in array]
    answers = [msgspec.structs.replace(seen, value=part, gradient=part, value_with_gradient=None) for part in parts]
    judged = judge.quantity(asked.prepared, asked.examples, asked.reduction, answers, quantity)
    found = [
        each if each.position is None else msgspec.structs.replace(each, position=each.position + start)
        for start, of_example in zip(asked.prepared.block.starts.tolist(), judged, strict=True)
        for each in of_example
    ]
    return sorted(found, key=lambda each: (severity(each.verdict), -(each.ratio or 0.0)))[:1]


def _policy(judge: Judge, asked: Transformed) -> str:
    """What is declared of the transform."""
    policy = BY_CHECK.get(asked.made)
    if policy is None:
        return "supported"
    return for_operation(getattr(judge.policies, policy.field), asked.unit.problem.operation, "supported")


def _excuse(transform: TransformName) -> list[str]:
    """The policy that says whether a transform is offered."""
    return [BY_CHECK[transform].name]
