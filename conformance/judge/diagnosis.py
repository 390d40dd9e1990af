"""What a wrong result is besides: a deviation by the declared policies, right in a narrower dtype, or wrong twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from conformance.cases.resolve import resolve
from conformance.judge.comparison import ProblemComparison
from conformance.judge.due import due_dtype
from conformance.judge.finding import Finding
from conformance.judge.identity import Side, judge_sums
from conformance.judge.narrower import judges_all
from conformance.judge.policies.excuses import Excuses
from conformance.judge.prepared import Prepared
from conformance.judge.standard import Standard
from conformance.judge.unit import CLASS_IN_NARROWER, Unit
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.numerics.formats import FORMATS
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
            due = (due_dtype(standard.problem, quantity), due_dtype(unit.resolution.problem, quantity))
            return judges_all(prepared, wide, quantity, reduction) and all(
                each.dtype in due and standard.holds(each) for each in arrays
            )

        return msgspec.structs.replace(wrong, right_in=unit.right_in(self.policies_of, right))

    def with_numbers(
        self, unit: Unit, reduction: str, quantity: Quantity, arrays: Sequence[Array], wrong: Finding
    ) -> Finding:
        """What is of a wrong dtype with what its numbers are besides: their class, and the largest error over bound.

        They are held to the bounds of the dtype that came back where it is narrower than the due one, holds the inputs,
        and promises something of them; else to those of the one that is due. Of the truths by the declared policies and
        by the normative ones the nearer counts, as either is right.
        """
        if arrays[0].dtype.name not in FORMATS or resolve(unit.problem, self.excuses.policies).undefined:
            return wrong
        narrow, due = [], []
        for policies, of in ((self.excuses.policies, self.policies_of), (NORMATIVE, lambda _: NORMATIVE)):
            resolution = resolve(unit.problem, policies)
            if resolution.must_raise:
                continue
            wide = unit.under(policies, resolution)
            due.append(self.excuses.truths.standard(wide, quantity, wide.named(reduction)))
            narrow += [
                Standard(each, quantity, each.named(reduction), CLASS_IN_NARROWER)
                for each in unit.narrower(of)
                if each.dtype == arrays[0].dtype.name and judges_all(each, wide, quantity, reduction)
            ]
        for standards in (narrow, due):
            reached = [(each, found) for each in standards if (found := _worst(each, arrays)) is not None]
            if reached:
                standard, best = min(reached, key=lambda pair: (not pair[1].conforms, pair[1].ratio))
                return msgspec.structs.replace(
                    wrong,
                    detail=standard.prepared.dtype_of(quantity),
                    letter=best.letter,
                    declared=standard.letter,
                    ratio=best.ratio,
                )
        return wrong

    def of_sums(self, unit: Unit, seen: Observation, wrong: Finding) -> Finding:
        """What the classes' results wrongly sum to, with the narrower dtype in which they might."""
        quantity: Quantity = "value" if unit.problem.operation == "softmax" else "gradient"

        def right(prepared: Prepared) -> bool:
            again = judge_sums(prepared.block.problems[0], seen, Side(prepared, 0), CLASS_IN_NARROWER)
            bounds = prepared.tolerance(quantity, "none", CLASS_IN_NARROWER)
            return again is not None and again.verdict == "pass" and bool(np.isfinite(bounds).all())

        return msgspec.structs.replace(wrong, right_in=unit.right_in(self.policies_of, right))


def _worst(standard: Standard, arrays: Sequence[Array]) -> ProblemComparison | None:
    """What the worst of the results reaches; None where one cannot be compared, or the class promises nothing."""
    reached = [standard.compare(each) for each in arrays]
    known = [each for each in reached if each is not None and not each.vacuous]
    return max(known, key=lambda each: (not each.conforms, each.ratio)) if len(known) == len(arrays) else None
