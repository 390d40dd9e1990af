"""Which declared policies excuse a result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np

from conformance.cases.resolve import Resolution, resolve
from conformance.judge.finding import Finding
from conformance.judge.policies.probe import Truths
from conformance.judge.prepared import Prepared
from conformance.judge.unit import Unit
from conformance.model.case import Invalid
from conformance.model.policies import BY_FIELD, NORMATIVE, Policies
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.numerics.formats import widen
from conformance.oracle.block import Block

__all__ = ["Excuses"]


def changed(policies: Policies, declared: Policies, names: Iterable[str]) -> Policies:
    """``policies`` with the fields ``names`` as ``declared`` has them."""
    return msgspec.structs.replace(policies, **{name: getattr(declared, name) for name in names})


def may_excuse(name: str, declared: Policies, unit: Unit, arrays: Sequence[Array]) -> bool:
    """Whether the policy of the field ``name`` can make any difference to what these results are held against.

    One policy may raise the question that another answers: without a default ignored label, -100 is out of range. So
    it is asked both whether it changes anything by itself, and whether it does beside all the others.
    """
    affects = BY_FIELD[name].affects
    if affects == "transform" or not BY_FIELD[name].is_about(unit.problem.operation):
        return False
    if affects == "intermediates":
        return not all(np.isfinite(widen(array)).all() for array in arrays if array.dtype.kind in "fV")
    if affects == "answer":
        return True
    other = resolve(unit.problem, changed(NORMATIVE, declared, [name]))
    if not _same_question(unit.resolution, other):
        return True
    without = resolve(unit.problem, changed(declared, NORMATIVE, [name]))
    return not _same_question(without, resolve(unit.problem, declared))


def _same_question(one: Resolution, other: Resolution) -> bool:
    if other.undefined or other.must_raise or other.marked is not None:
        return False
    a, b = one.problem, other.problem
    if (a.class_axis, a.ignore_index, a.value_dtype) != (b.class_axis, b.ignore_index, b.value_dtype):
        return False
    return a.targets is b.targets or np.array_equal(np.asarray(a.targets), np.asarray(b.targets))


@dataclass(frozen=True, eq=False)
class Excuses:
    """Which of a backend's declared policies make its results right."""

    truths: Truths

    @property
    def policies(self) -> Policies:
        """What the backend declares."""
        return self.truths.policies

    @cached_property
    def declared(self) -> tuple[str, ...]:
        """The fields of the policies that differ from the normative ones."""
        fields = Policies.__struct_fields__
        return tuple(name for name in fields if getattr(self.policies, name) != getattr(NORMATIVE, name))

    def accepts(self, invalid: Invalid) -> bool:
        """Whether input that is invalid in this way is declared to be taken."""
        return BY_FIELD["accepted_inputs"].chosen(self.policies.accepted_inputs, invalid) == "accepted"

    def permitting(self, problem: Problem) -> list[str]:
        """The declared policies by each of which alone no error is due; all, where only several do together."""
        alone = [
            name
            for name in self.declared
            if not resolve(problem, changed(NORMATIVE, self.policies, [name]), stated_error=False).must_raise
        ]
        return [BY_FIELD[name].name for name in alone or self.declared]

    def refusing(self, problem: Problem, reduction: str) -> list[str]:
        """The declared policies by each of which alone the call raises; all, where only several do together."""
        alone = [
            name for name in self.declared if _raises(problem, reduction, changed(NORMATIVE, self.policies, [name]))
        ]
        return [BY_FIELD[name].name for name in alone or self.declared]

    def raises(self, problem: Problem, reduction: str) -> bool:
        """Whether the call raises by the declared policies."""
        return _raises(problem, reduction, self.policies)

    def deviation(
        self, unit: Unit, reduction: str, quantity: Quantity, arrays: Sequence[Array], finding: Finding
    ) -> Finding:
        """The finding as a deviation, where the declared policies describe exactly these results.

        ``arrays`` are of the quantity, each in the shape and dtype that came back.
        """
        able = [name for name in self.declared if may_excuse(name, self.policies, unit, arrays)]
        for name in able:
            if reason := self._excusing([name], unit, reduction, quantity, arrays):
                return finding.deviating(reason, [BY_FIELD[name].name])
        # A policy that makes no difference alone may make one together with another that does.
        names = list(self.declared)
        reason = self._excusing(names, unit, reduction, quantity, arrays) if able and len(names) > 1 else None
        if reason is None:
            return finding
        for name in self.declared:  # without those that are not needed
            fewer = [each for each in names if each != name]
            if self._excusing(fewer, unit, reduction, quantity, arrays) == reason:
                names = fewer
        return finding.deviating(reason, [BY_FIELD[name].name for name in names])

    def _excusing(
        self, names: Sequence[str], unit: Unit, reduction: str, quantity: Quantity, arrays: Sequence[Array]
    ) -> Literal["left-open", "declared"] | None:
        """Whether these declared policies alone leave the results open, or describe them exactly."""
        policies = changed(NORMATIVE, self.policies, names)
        resolution = resolve(unit.problem, policies)
        if resolution.undefined:
            return "left-open"
        if resolution.must_raise:
            return None
        prepared = unit.under(policies, resolution)
        standard = self.truths.standard(prepared, quantity, prepared.named(reduction))
        return "declared" if all(map(standard.admits, arrays)) else None


def _raises(problem: Problem, reduction: str, policies: Policies) -> bool:
    """Whether the call raises under ``policies``: its input is invalid, or its mean has no value."""
    resolution = resolve(problem, policies)
    if resolution.must_raise or resolution.undefined:
        return bool(resolution.must_raise)
    return Prepared(Block((resolution.problem,)), policies).mean_raises(reduction)
