"""How right the timed results are: the suite's own oracle, bounds and classes, on the very tensors that were timed.

The value is compared with the truth over all positions. A large gradient is judged at sampled positions: each row of
it depends on the others only by the mean's denominator, which is that of the whole.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from conformance.bench.inputs import Inputs, read_arrays
from conformance.bench.outputs import sampled_positions
from conformance.bench.record import ResultAccuracy
from conformance.bench.workload import Workload
from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.judge.comparison import compare
from conformance.judge.prepared import Prepared
from conformance.model.case import Case
from conformance.model.classes import CLASS_LETTERS, Letter, letters
from conformance.model.problem import Array, Problem
from conformance.model.quantities import QUANTITIES, Quantity
from conformance.numerics.formats import FORMATS, numpy_dtype, widen
from conformance.oracle.block import Block, to_rows
from conformance.profiles.load import profile_named

__all__ = ["WorkloadTruth", "declared_class"]

#: Logits beyond which the value, which needs all of them in float64 several times over, is not judged.
MOST_JUDGED = 1 << 26


def declared_class(profile: str, workload: Workload) -> Letter:
    """The class that a backend with ``profile`` is held to on ``workload``."""
    return profile_named(profile).declared_class("cross_entropy", workload.dtype)


class WorkloadTruth:
    """Truth and bounds of one workload, computed when they are first asked for, and shared by all backends."""

    def __init__(self, workload: Workload, inputs: Inputs, seed: int) -> None:
        self.workload = workload
        self._inputs = inputs
        self._positions = sampled_positions(workload, seed)

    def judge(self, outputs: Path, declared: Letter) -> ResultAccuracy:
        """The record of the worse of value and gradient.

        Raises LookupError where the value is of more logits than are judged.
        """
        arrays = read_arrays(outputs)
        if self.workload.elements > MOST_JUDGED:
            arrays.pop("value", None)
        found = [self._judged(name, arrays[name], declared) for name in QUANTITIES if name in arrays]
        if not found:
            raise LookupError(f"the value of more than {MOST_JUDGED} logits is not judged")
        return max(found, key=_badness)

    def _judged(self, quantity: Quantity, observed: Array, declared: Letter) -> ResultAccuracy:
        reduction = self.workload.reduction
        positions = self.workload.positions if quantity == "value" else len(self._positions)
        record = partial(ResultAccuracy, quantity=quantity, positions=positions, declared=declared)
        prepared = self._whole if quantity == "value" else self._sample
        exact = prepared.exact(quantity, reduction)
        wanted = numpy_dtype(self.workload.dtype)
        shape = self._shape(quantity)
        if observed.dtype != wanted or observed.shape != shape:
            message = f"the {quantity} is {observed.dtype} of shape {observed.shape}, not {wanted} of shape {shape}"
            return record(class_="F", verdict="fail", message=message)
        comparison = compare(
            widen(observed).reshape(-1),
            exact,
            lambda letter: prepared.tolerance(quantity, reduction, letter),
            prepared.segments(quantity, reduction),
            dtype=self.workload.dtype,
            declared=declared,
        )
        return record(
            class_=comparison.letters[0],
            ulp=_finite(comparison.ulp[0]),
            ratio=_finite(comparison.ratio[0]),
            verdict="not run" if comparison.vacuous[0] else "pass" if comparison.conforms[0] else "fail",
            limits=_limits(prepared, quantity, reduction, declared, int(comparison.worst[0])),
        )

    def _shape(self, quantity: Quantity) -> tuple[int, ...]:
        if quantity == "gradient":
            return (len(self._positions), self.workload.classes)
        axis, shape = self.workload.class_axis, self.workload.shape
        return shape[:axis] + shape[axis + 1 :] if self.workload.reduction == "none" else ()

    @cached_property
    def _problem(self) -> Problem:
        inputs, workload = self._inputs, self.workload
        case = Case(id=workload.id, why=workload.why, op="cross_entropy")
        return Problem(
            case=case,
            theme="benchmarks",
            dtype=workload.dtype,
            layout="contiguous",
            operation="cross_entropy",
            logits=inputs.logits,
            targets=inputs.targets,
            target_kind=workload.targets,
            weight=inputs.weight,
            axis=workload.axis,
            class_axis=workload.class_axis,
            ignore_index=inputs.ignore_index,
            label_smoothing=workload.label_smoothing,
            reductions=(workload.reduction,),
            upstream={workload.reduction: inputs.upstream},
        )

    @cached_property
    def _whole(self) -> Prepared:
        return Prepared(Block((self._problem,)))

    @cached_property
    def _sample(self) -> Prepared:
        """The sampled positions as a problem of their own, with the denominator of the whole and its error."""
        problem, axis, rows = self._problem, self.workload.class_axis, self._positions
        by_class = self.workload.targets == "probabilities"
        targets = to_rows(problem.targets, axis)[rows] if by_class else problem.targets.reshape(-1)[rows]
        upstream = (
            self._inputs.upstream.reshape(-1)[rows] if self.workload.reduction == "none" else self._inputs.upstream
        )
        sample = replace(
            problem,
            logits=to_rows(problem.logits, axis)[rows],
            targets=targets,
            axis=1,
            class_axis=1,
            upstream={self.workload.reduction: upstream},
        )
        prepared = Prepared(Block((sample,)))
        if self.workload.reduction == "mean" and len(rows) < self.workload.positions:
            prepared.truth.fast.__dict__["denominator"] = self._whole.truth.fast.denominator
            for letter in CLASS_LETTERS[:-1] if FORMATS[self.workload.dtype].is_half else CLASS_LETTERS[:3]:
                bounds = Tolerance(prepared.truth, arithmetic(letter, self.workload.dtype))
                whole = Tolerance(self._whole.truth, arithmetic(letter, self.workload.dtype))
                bounds.__dict__["denominator"] = whole.denominator
                prepared.adopt(letter, bounds)
        return prepared


def _limits(
    prepared: Prepared, quantity: Quantity, reduction: str, declared: Letter, worst: int
) -> dict[str, float] | None:
    """The tolerance of each class over the declared one's, at the element with the flat index ``worst``."""
    if worst < 0:
        return None
    limit = float(prepared.tolerance(quantity, reduction, declared)[worst])
    if not (np.isfinite(limit) and limit > 0):
        return None
    found = {
        letter: float(prepared.tolerance(quantity, reduction, letter)[worst]) / limit
        for letter in letters(prepared.dtype)
    }
    return {letter: limit for letter, limit in found.items() if np.isfinite(limit)}


def _badness(record: ResultAccuracy) -> tuple[bool, int, float]:
    assert record.class_ is not None
    ratio = np.inf if record.error is None else record.error
    return (record.verdict == "fail", "".join(CLASS_LETTERS).index(record.class_), ratio)


def _finite(value: float) -> float | None:
    """JSON has no infinity: a result that is infinitely off shows in its class."""
    return float(value) if np.isfinite(value) else None
