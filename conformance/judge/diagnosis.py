"""What a wrong result is besides: a deviation by the declared policies, or right in a narrower dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from conformance.cases.resolve import resolve
from conformance.judge.due import due_dtype
from conformance.judge.finding import Finding
from conformance.judge.identity import Side, judge_sums
from conformance.judge.narrower import judges_all
from conformance.judge.policies.excuses import Excuses
from conformance.judge.prepared import Prepared
from conformance.judge.standard import Standard
from conformance.judge.unit import CLASS_IN_NARROWER, Unit
from conformance.model.policies import Policies
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.worker.exchange import Observation

__all__ = ["Diagnosis"]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What becomes of the fails of one backend; ``policies_of`` is what it declares of a problem."""

    excuses: Excuses
    policies_of: Callable[[Problem], Policies]

    def as_declared(
        self, unit: Unit, reduction: str, quantity: Quantity, arrays: Sequence[Array], wrong: Finding
    ) -> Finding:
        """What is wrong as a deviation by the declared policies, or else with the narrower dtype that it is right in.

        ``arrays`` are of the quantity, each in the shape and dtype that came back.
        """
        finding = self.excuses.deviation(unit, reduction, quantity, arrays, wrong)
        if finding.verdict != "fail":
            return finding
        return self.in_narrower_dtype(unit, reduction, quantity, arrays, finding)

    def in_narrower_dtype(
        self, unit: Unit, reduction: str, quantity: Quantity, arrays: Sequence[Array], wrong: Finding
    ) -> Finding:
        """What is wrong with the narrower dtype that it is right in."""
        policies = self.excuses.policies
        wide = unit.under(policies, resolve(unit.problem, policies))

        def right(prepared: Prepared) -> bool:
            standard = Standard(prepared, quantity, prepared.named(reduction), CLASS_IN_NARROWER)
            due = (due_dtype(standard.problem, quantity), due_dtype(unit.problem, quantity))
            return judges_all(prepared, wide, quantity, reduction) and all(
                each.dtype in due and standard.holds(each) for each in arrays
            )

        return msgspec.structs.replace(wrong, right_in=unit.right_in(self.policies_of, right))

    def of_sums(self, unit: Unit, seen: Observation, wrong: Finding) -> Finding:
        """What the classes' results wrongly sum to, with the narrower dtype in which they might."""
        quantity: Quantity = "value" if unit.problem.operation == "softmax" else "gradient"

        def right(prepared: Prepared) -> bool:
            again = judge_sums(prepared.block.problems[0], seen, Side(prepared, 0), CLASS_IN_NARROWER)
            bounds = prepared.tolerance(quantity, "none", CLASS_IN_NARROWER)
            return again is not None and again.verdict == "pass" and bool(np.isfinite(bounds).all())

        return msgspec.structs.replace(wrong, right_in=unit.right_in(self.policies_of, right))
