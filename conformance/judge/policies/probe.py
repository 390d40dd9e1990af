"""One policy before one result: what an observer of policies is given, and what it may ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from conformance.cases.resolve import Resolution, promoted, resolve
from conformance.judge.finding import Finding
from conformance.judge.prepared import Prepared
from conformance.judge.standard import Standard
from conformance.judge.unit import Unit
from conformance.model.classes import Letter
from conformance.model.policies import Choice, Policies
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.oracle.block import Block
from conformance.profiles.subject import Subject
from conformance.worker.exchange import Observation

__all__ = ["Probe", "Truths"]


@dataclass(frozen=True)
class Truths:
    """The truth of problems under any policies; ``policies`` are those that the backend declares."""

    subject: Subject
    policies: Policies

    def standard(self, prepared: Prepared, quantity: Quantity, reduction: str) -> Standard:
        """What the backend's result is held to by the truth of a single problem: the class that it declares."""
        return Standard(prepared, quantity, reduction, self.letter(prepared, quantity))

    def letter(self, prepared: Prepared, quantity: Quantity) -> Letter:
        """The accuracy class that the backend declares for a quantity of a call."""
        return self.subject.profile.declared_class(prepared.block.operation, prepared.dtype_of(quantity))

    def of(self, unit: Unit, policies: Policies) -> tuple[Resolution, Prepared | None]:
        """The problem under ``policies``, and its truth where it has one."""
        if unit.problem.where is not None:  # a class that takes no part is left out, and not multiplied by 0
            policies = msgspec.structs.replace(policies, zero_coefficient_at_minus_infinity="zero")
        resolution = resolve(unit.problem, policies, stated_error=False)
        if resolution.must_raise or resolution.undefined:
            return resolution, None
        return resolution, unit.under(policies, resolution)

    def admit(self, problem: Problem, policies: Policies, reduction: str, value: Array | None) -> bool:
        """Whether ``policies`` give the problem a value, and ``value`` is it, in shape and dtype, too.

        Integer logits are floating ones then, of the dtype that came back.
        """
        resolution = resolve(problem, policies, stated_error=False)
        if value is None or resolution.must_raise or resolution.undefined:
            return False
        fitting = promoted(resolution.problem, value)
        prepared = Prepared(Block((fitting,)), policies, resolutions=(resolution,))
        return self.standard(prepared, "value", reduction).admits(value)


@dataclass(frozen=True)
class Probe:
    """What was seen of a call whose result a policy decides; ``found`` is what the other checks found of it."""

    choice: Choice
    unit: Unit
    reduction: str
    seen: Observation
    found: Sequence[Finding]
    truths: Truths

    @property
    def problem(self) -> Problem:
        """What was asked."""
        return self.unit.problem

    @property
    def raised(self) -> bool:
        """Whether the call raised."""
        return self.seen.failure is not None

    def letter(self, prepared: Prepared, quantity: Quantity) -> Letter:
        """The accuracy class that the backend declares for a quantity of the call."""
        return self.truths.letter(prepared, quantity)

    def truth(self, value: Any) -> tuple[Resolution, Prepared | None]:
        """The problem where the policy has this value."""
        return self.truths.of(self.unit, self.policies(value))

    def policies(self, value: Any) -> Policies:
        """The declared policies, but this value."""
        return self.choice.with_value(self.truths.policies, value)

    def describes(self, value: Any) -> bool | None:
        """Whether the policy's value describes what was seen; None where it leaves the result open."""
        return self.fits(self.policies(value))

    def fits(self, policies: Policies) -> bool | None:
        """Whether ``policies`` describe what was seen; None where they leave the result open."""
        resolution, prepared = self.truths.of(self.unit, policies)
        if resolution.undefined:
            return None
        if prepared is None or prepared.mean_raises(self.reduction):
            return self.raised
        if self.raised:
            return False
        named, seen = prepared.named(self.reduction), self.seen

        def within(quantity: Quantity, array: Array) -> bool:
            return self.truths.standard(prepared, quantity, named).admits(array)

        values = [array for array in (seen.value, seen.value_with_gradient) if array is not None]
        if not all(within("value", each) for each in values):  # and the upstream gradient need not have its shape
            return False
        if self.reduction == "default" and named != self.truths.policies.default_reduction:
            return True  # the gradient is that of the declared one's value
        return seen.gradient is None or within("gradient", seen.gradient)

    def flattened(self) -> Probe:
        """The same with the problem and what was seen laid out as one axis, which is that of the classes."""
        upstream = {name: array.reshape(-1) for name, array in self.problem.upstream.items()}
        where = None if self.problem.where is None else self.problem.where.reshape(-1)
        logits = self.problem.logits.reshape(-1)
        flat = replace(self.problem, logits=logits, where=where, upstream=upstream, axis=0, class_axis=0)
        arrays = {
            name: None if (array := getattr(self.seen, name)) is None else array.reshape(-1)
            for name in ("value", "gradient", "value_with_gradient")
        }
        return replace(self, unit=Unit(flat, self.unit.resolution), seen=msgspec.structs.replace(self.seen, **arrays))
