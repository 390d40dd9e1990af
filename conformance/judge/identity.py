"""Judges the identities: two results of one backend against each other, within the bounds of both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from conformance.cases.resolve import resolve
from conformance.judge.finding import Finding, error_fact, verdict_of
from conformance.judge.identities import TransformedCall
from conformance.judge.prepared import Prepared, in_row_order
from conformance.judge.unit import CLASS_IN_NARROWER, Unit
from conformance.model.classes import Letter, letters
from conformance.model.policies import NORMATIVE
from conformance.model.problem import Problem
from conformance.model.quantities import Quantity
from conformance.model.verdicts import Verdict
from conformance.numerics.formats import FORMATS, Float64Array, widen
from conformance.oracle.block import Block, to_rows
from conformance.worker.exchange import Observation

__all__ = ["Side", "flat_value", "judge_identity", "judge_sums"]


@dataclass(frozen=True, eq=False)
class Side:
    """One side of an identity: where its bounds lie in a prepared block."""

    prepared: Prepared
    index: int

    def tolerance(self, reduction: str, letter: Letter) -> Float64Array:
        """The value's bounds, flat in row order."""
        segments = self.prepared.segments("value", reduction)
        start, count = int(segments.starts[self.index]), int(segments.counts[self.index])
        return self.prepared.tolerance("value", reduction, letter)[start : start + count]

    @property
    def stores_infinity(self) -> bool:
        """Whether a finite log-probability of this problem rounds beyond the format's range."""
        block, form = self.prepared.block, FORMATS[self.prepared.dtype]
        rows = slice(int(block.starts[self.index]), int(block.starts[self.index] + block.counts[self.index]))
        n = self.prepared.truth.fast.positions.n[rows]
        return bool((np.isfinite(block.x[rows]) & (n > form.largest)).any())


def flat_value(problem: Problem, observation: Observation) -> Float64Array | None:
    """The observed value in row order, flat; None where there is none of the right size."""
    value = observation.value
    if observation.failure is not None or value is None:
        return None
    fits = problem.takes_targets or value.shape == problem.logits.shape
    return in_row_order(problem, value) if fits else None


def judge_identity(
    derived: TransformedCall,
    unit: Unit,
    base: Finding | None,
    here: Float64Array | None,
    there: Observation,
    sides: tuple[Side, Side],
    letter: Letter,
) -> Finding | None:
    """``here`` is the original's value, flat in float64, ``there`` the transformed call; ``sides`` are their bounds.

    Nothing is said where the original's own value is wrong or missing: that is its own finding. Where it deviates by a
    declared policy, so may the identity.
    """
    original = unit.problem
    if here is None or base is None or base.verdict not in ("pass", "deviation"):
        return None
    failure = there.failure
    if failure is not None:
        if failure.kind == "unsupported":
            if derived.name != "composed":
                return None
            error = error_fact(failure)
            return Finding(original, derived.name, derived.reduction, "unsupported", "unsupported", error=error)
        return Finding(
            original,
            derived.name,
            derived.reduction,
            verdict_of(failure),
            "transformed-failed",
            error=error_fact(failure),
            seconds=there.seconds,
        )
    other = flat_value(derived.problem, there)
    if other is None or other.size <= derived.take.max(initial=-1) or here.size <= derived.source.max(initial=-1):
        return Finding(original, derived.name, derived.reduction, "fail", "transformed-shape")
    a, b = here[derived.source], other[derived.take]
    if derived.name == "composed" and sides[1].stores_infinity:
        b = np.where(
            np.isinf(b), a, b
        )  # a log-probability beyond the format's range is stored as -inf: no way round it
    finding = _compared(derived, original, base, a, b, _bound(derived, sides, letter), there.seconds)
    if finding.verdict == "pass":
        return finding
    # The class that both calls together would be in says what kind of defect it is.
    reached = (each for each in letters(original.dtype) if _ratio(a, b, _bound(derived, sides, each)).max() <= 1.0)
    finding = msgspec.structs.replace(finding, letter=next(reached, "F"))
    if finding.verdict != "fail":
        return finding

    def right(prepared: Prepared) -> bool:
        resolution = resolve(replace(derived.problem, dtype=prepared.dtype), prepared.policies)
        beside = Prepared(Block((resolution.problem,)), prepared.policies, resolutions=(resolution,))
        bound = _bound(derived, (Side(prepared, 0), Side(beside, 0)), CLASS_IN_NARROWER)
        return bool(np.isfinite(bound).all() and _ratio(a, b, bound).max() <= 1.0)

    return msgspec.structs.replace(finding, right_in=unit.right_in(lambda _: NORMATIVE, right))


def _bound(derived: TransformedCall, sides: tuple[Side, Side], letter: Letter) -> Float64Array:
    """Both sides' bounds together, at the elements that are compared."""
    bound = sides[0].tolerance(derived.reduction, letter)[derived.source]
    return bound + sides[1].tolerance(derived.reduction, letter)[derived.take]


def _ratio(a: Float64Array, b: Float64Array, bound: Float64Array) -> Float64Array:
    """Distance over bound, 0 where both are the same special value, infinite where they are not."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        equal = (a == b) | (np.isnan(a) & np.isnan(b))
        ratio = np.where(equal, 0.0, np.abs(a - b) / bound)
    return np.asarray(np.where(np.isnan(ratio), np.inf, ratio))


def _compared(
    derived: TransformedCall,
    original: Problem,
    base: Finding,
    a: Float64Array,
    b: Float64Array,
    bound: Float64Array,
    seconds: float,
) -> Finding:
    ratio = _ratio(a, b, bound)
    worst = int(ratio.argmax()) if ratio.size else -1
    largest = float(ratio[worst]) if ratio.size else 0.0
    verdict: Verdict = "pass" if largest <= 1.0 else "deviation" if base.verdict == "deviation" else "fail"
    return Finding(
        original,
        derived.name,
        derived.reduction,
        verdict,
        "" if verdict == "pass" else "transformed-differs",
        ratio=largest,
        bound=float(bound[worst]) if worst >= 0 else None,
        observed=float(b[worst]) if worst >= 0 else None,
        expected=float(a[worst]) if worst >= 0 else None,
        seconds=seconds,
    )


def judge_sums(problem: Problem, observation: Observation, side: Side, letter: Letter) -> Finding | None:
    """Σ p_c = 1 for softmax, Σ g_c = 0 for cross_entropy's gradient, per position, within the sum of the bounds."""
    axis = problem.class_axis or 0
    quantity: Quantity
    if (
        problem.operation == "softmax"
        and observation.value is not None
        and observation.value.shape == problem.logits.shape
    ):
        rows, wanted, name, quantity = widen(to_rows(observation.value, axis)), 1.0, "probability-sum", "value"
    elif problem.operation == "cross_entropy" and observation.gradient is not None:
        # A target that a mask hides has a loss that nothing moves, and a gradient that is not judged.
        if observation.gradient.shape != problem.logits.shape or problem.where is not None:
            return None
        rows, wanted, name, quantity = widen(to_rows(observation.gradient, axis)), 0.0, "gradient-sum", "gradient"
    else:
        return None
    if not rows.size or not np.isfinite(rows).all():
        return None
    segments = side.prepared.segments(quantity, "none")
    start = int(segments.starts[side.index])
    bound = side.prepared.tolerance(quantity, "none", letter)[start : start + rows.size].reshape(rows.shape)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        sums = rows.sum(axis=1)
        slack = bound.sum(axis=1) + rows.shape[1] * 2.0**-53 * np.abs(rows).sum(axis=1)
        ratio = np.where((sums == wanted) | np.isinf(slack), 0.0, np.abs(sums - wanted) / slack)
    worst = int(ratio.argmax())
    good = ratio[worst] <= 1.0
    return Finding(
        problem,
        name,
        "none",
        "pass" if good else "fail",
        "" if good else "wrong-sum",
        ratio=float(ratio[worst]),
        bound=float(slack[worst]),
        position=worst,
        observed=float(sums[worst]),
        expected=wanted,
    )
