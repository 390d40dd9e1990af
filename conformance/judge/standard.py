"""What one result is held to."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.judge.comparison import ProblemComparison
from conformance.judge.due import due_dtype, due_shape
from conformance.judge.prepared import Prepared, in_row_order
from conformance.model.classes import Letter
from conformance.model.policies import for_operation
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.numerics.formats import FORMATS

__all__ = ["Standard"]


@dataclass(frozen=True, eq=False)
class Standard:
    """The truth of a single problem, in one quantity and reduction, and an accuracy class."""

    prepared: Prepared
    quantity: Quantity
    reduction: str
    letter: Letter

    @property
    def problem(self) -> Problem:
        """The problem as its policies resolve it."""
        return self.prepared.block.problems[0]

    def admits(self, array: Array) -> bool:
        """Whether ``array`` has the due dtype and shape, and is within the class."""
        return array.dtype == due_dtype(self.problem, self.quantity) and self.holds(array)

    def holds(self, array: Array) -> bool:
        """Whether ``array``, of any dtype, has the due shape, and is within the class, which promises something."""
        reached = self.compare(array)
        return reached is not None and reached.conforms and not reached.vacuous

    def compare(self, array: Array) -> ProblemComparison | None:
        """What ``array``, of any dtype, reaches; None where it has no numbers, or not in the due shape."""
        problem, prepared, quantity = self.problem, self.prepared, self.quantity
        if array.shape != due_shape(problem, self.reduction, quantity) or array.dtype.name not in FORMATS:
            return None
        flat = in_row_order(problem, array, quantity)
        overflow = prepared.policies.intermediate_overflow
        anywhere = for_operation(overflow, prepared.dtype_of(quantity), "value") == "inf"
        (reached,) = prepared.compare(quantity, self.reduction, flat, self.letter, overflow=anywhere).problems()
        return reached
