"""Judges what a backend gave for a block of problems: one finding for every check."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from conformance.cases.resolve import resolve
from conformance.judge.comparison import ProblemComparison, farther
from conformance.judge.diagnosis import Diagnosis
from conformance.judge.due import due_dtype, due_shape
from conformance.judge.finding import Finding, error_fact, verdict_of
from conformance.judge.identity import Side, judge_sums
from conformance.judge.openness import Openness
from conformance.judge.policies.excuses import Excuses
from conformance.judge.policies.observer import Observer
from conformance.judge.policies.probe import Truths
from conformance.judge.prepared import Prepared, flattened, in_row_order
from conformance.judge.state import state_checks, warning_check
from conformance.judge.unit import Unit
from conformance.judge.worst import Worst, worst_elements, worst_text
from conformance.model.case import NO_REDUCTIONS, OPERATIONS, OperationName
from conformance.model.classes import Letter
from conformance.model.outcome import Reason
from conformance.model.policies import BY_FIELD, DefaultReduction, Policies
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.numerics.formats import Float64Array, widen
from conformance.profiles.subject import Subject
from conformance.worker.exchange import Failure, Observation

__all__ = ["Judge", "normative_truths"]

_REASONS: dict[str, Reason] = {"raised": "raised", "unsupported": "unsupported"}


def normative_truths() -> Truths:
    """The truth of problems for whoever judges no backend: nothing is declared, so that all is normative."""
    return Judge(Subject("none")).truths


class Judge:
    """Holds one backend's observations against the truth, its declared classes and its declared policies.

    ``policies`` is what the backend's profile declares for its device and mode; ``truths`` are those of problems under
    these or any others, and ``observer`` finds which values of the policies describe what was seen. Where declarations
    differ by operation or dtype, these are those of ``operation`` and ``dtype``, and :meth:`of` gives each problem its
    judge.
    """

    def __init__(self, subject: Subject, operation: str = "", dtype: str = "") -> None:
        self.subject = subject
        self._others: dict[tuple[str, str], Judge] = {}
        self.policies = subject.profile.resolved_policies(
            *subject.id.words, version=subject.id.version, operation=operation, dtype=dtype
        )
        self.truths = Truths(subject, self.policies)
        self.observer = Observer(self.truths)
        self.openness = Openness(self.policies)
        self._excuses = Excuses(self.truths)
        self._diagnosis = Diagnosis(self._excuses, self.policies_of)

    def of(self, problem: Problem) -> Judge:
        """The judge of a problem: this one, unless declarations differ by operation or dtype."""
        if not self.subject.profile.by_kind:
            return self
        key = (problem.operation, problem.dtype)
        if key not in self._others:
            self._others[key] = Judge(self.subject, *key)
        return self._others[key]

    @property
    def default_reductions(self) -> dict[OperationName, DefaultReduction]:
        """Of the operations that differ in it from what is declared of all: the reduction where none is stated."""
        if not self.subject.profile.by_kind:
            return {}
        found = {operation: Judge(self.subject, operation).policies.default_reduction for operation in OPERATIONS}
        return {name: each for name, each in found.items() if each != self.policies.default_reduction}

    # -- calls that must raise ----------------------------------------------------------------------------------------

    def raising(self, unit: Unit, reduction: str, seen: Observation) -> list[Finding]:
        """A call without a normative result: an error is right, anything else needs a declared policy."""
        problem, failure = unit.problem, seen.failure
        misfit = failure is None and _upstream_misfits(problem, reduction, seen)
        if misfit:
            failure = seen.gradient_failure
        if failure is not None:
            if _refused(problem, failure):
                error = error_fact(failure)
                return [Finding(problem, "error", reduction, "pass", "raised", error=error, seconds=seen.seconds)]
            return [self.failed(problem, "error", reduction, failure, seen.seconds)]
        observed = worst_text(seen.value)
        reason = unit.resolution.must_raise or "the result is left open"
        finding = Finding(
            problem,
            "error",
            reduction,
            "fail",
            "no-error",
            reason,
            observed=observed,
            expected="an error",
            seconds=seen.seconds,
            invalid=unit.resolution.invalid,
        )
        if finding.invalid is not None and self._excuses.accepts(finding.invalid):
            return [finding.deviating("left-open", [BY_FIELD["accepted_inputs"].name])]
        if misfit or reduction in NO_REDUCTIONS:  # no other policy is about it
            return [finding]
        declared = resolve(problem, self.policies, stated_error=False)
        if declared.undefined:
            return [finding.deviating("left-open", self._excuses.permitting(problem))]
        if problem.target_kind == "python":  # these fit no definition
            return [finding]
        if self.truths.admit(problem, self.policies, reduction, seen.value):
            return [finding.deviating("declared", self._excuses.permitting(problem), reason)]
        return [finding]

    def failed(self, problem: Problem, check: str, reduction: str, failure: Failure, seconds: float) -> Finding:
        """The finding of a call that gave no result."""
        reason: Reason = _REASONS.get(failure.kind, "failed")
        error = error_fact(failure)
        return Finding(problem, check, reduction, verdict_of(failure), reason, error=error, seconds=seconds)

    def refused(self, problem: Problem, check: str, reduction: str, failure: Failure, seconds: float) -> Finding:
        """The same of a call that has a result; a deviation where it raises by the declared policies."""
        finding = self.failed(problem, check, reduction, failure, seconds)
        if failure.kind == "raised" and self._excuses.raises(problem, reduction):
            return finding.deviating("raised", self._excuses.refusing(problem, reduction))
        return finding

    # -- calls with a result ------------------------------------------------------------------------------------------

    def block(
        self, prepared: Prepared, units: Sequence[Unit], reduction: str, seen: Sequence[Observation]
    ) -> list[list[Finding]]:
        """Findings for each unit, whose resolved problems are the block's, in one reduction."""
        values = self.quantity(prepared, units, reduction, seen, "value")
        gradients = self.quantity(prepared, units, reduction, seen, "gradient")
        findings = [value + gradient for value, gradient in zip(values, gradients, strict=True)]
        for unit, observation, found in zip(units, seen, findings, strict=True):
            if observation.failure is None:
                found += state_checks(unit.problem, reduction, observation)
                found += warning_check(unit.problem, reduction, observation, self.policies)
        return findings

    def quantity(
        self,
        prepared: Prepared,
        units: Sequence[Unit],
        reduction: str,
        seen: Sequence[Observation],
        quantity: Quantity,
    ) -> list[list[Finding]]:
        """Findings of one quantity for each unit, whose resolved problems are the block's; none where it has none."""
        findings: list[list[Finding]] = [[] for _ in units]
        pieces: list[Array | None] = []
        for unit, observation, found in zip(units, seen, findings, strict=True):
            piece, finding = self._admit(unit, reduction, observation, quantity)
            pieces.append(piece)
            if finding is not None:
                found.append(finding)
        compared = [piece is not None for piece in pieces]
        if not any(compared):  # where no gradient was asked for, the truth has none either
            return findings
        exact = prepared.exact(quantity, reduction)
        segments = prepared.segments(quantity, reduction)
        if all(compared):
            flat = widen(np.concatenate([piece for piece in pieces if piece is not None]))
        else:
            flat = exact.mid.copy()
            for start, piece in zip(segments.starts.tolist(), pieces, strict=True):
                if piece is not None:
                    flat[start : start + len(piece)] = piece
        assert flat is not None
        if quantity == "value":
            flat = self._beside_gradient(prepared, units, seen, compared, flat, reduction)
        declared = self.truths.letter(prepared, quantity)
        comparison = prepared.compare(quantity, reduction, flat, declared)
        bounds = prepared.tolerance(quantity, reduction, declared)
        shown = worst_elements(prepared, quantity, reduction, comparison.worst, (bounds, flat, exact.mid))
        rows = zip(units, seen, findings, comparison.problems(), shown, compared, strict=True)
        for unit, observation, found, reached, worst, good in rows:
            if good:
                found.append(self._numeric(unit, reduction, quantity, observation, reached, worst, declared))
        return findings

    def _admit(
        self, unit: Unit, reduction: str, seen: Observation, quantity: Quantity
    ) -> tuple[Array | None, Finding | None]:
        """The observed numbers in block order, or the finding that says why they cannot be compared."""
        problem = unit.problem
        if seen.failure is not None:
            if quantity == "gradient":
                return None, None
            return None, self.refused(problem, "value", reduction, seen.failure, seen.seconds)
        if quantity == "gradient" and seen.gradient_failure is not None:
            return None, self.failed(problem, "gradient", reduction, seen.gradient_failure, seen.seconds)
        array = _result(seen, quantity)
        if array is None:
            return None, None
        resolved = unit.resolution.problem
        shape = due_shape(resolved, reduction, quantity)
        if array.shape != shape:
            observed, expected = str(array.shape), str(shape)
            wrong = Finding(problem, quantity, reduction, "fail", "wrong-shape", observed=observed, expected=expected)
            return None, self._diagnosis.as_declared(unit, reduction, quantity, [array], wrong)
        beside = seen.value_with_gradient if quantity == "value" else None
        due = due_dtype(resolved, quantity)
        if array.dtype != due:
            observed, expected = str(array.dtype), due.name
            wrong = Finding(problem, quantity, reduction, "fail", "wrong-dtype", observed=observed, expected=expected)
            arrays = [array] if beside is None else [array, beside]
            return None, self._of_another_dtype(unit, reduction, seen, quantity, arrays, wrong)
        if beside is not None and (beside.shape, beside.dtype) != (array.shape, array.dtype):
            found, wanted = f"{beside.dtype} of shape {beside.shape}", f"{array.dtype} of shape {array.shape}"
            return None, Finding(problem, quantity, reduction, "fail", "with-gradient", observed=found, expected=wanted)
        return flattened(resolved, array, quantity), None

    def _of_another_dtype(
        self,
        unit: Unit,
        reduction: str,
        seen: Observation,
        quantity: Quantity,
        arrays: Sequence[Array],
        wrong: Finding,
    ) -> Finding:
        """``wrong`` with what its numbers are, or what is found where declared policies have it be of its dtype."""
        resolution = resolve(unit.problem, self.policies)
        if resolution.problem.value_dtype is None:
            found = self._diagnosis.in_narrower_dtype(unit, reduction, quantity, arrays, wrong)
        else:
            found = self._diagnosis.as_declared(unit, reduction, quantity, arrays, wrong)
            if found.verdict == "fail" and arrays[0].dtype == due_dtype(resolution.problem, quantity):
                declared, prepared = Unit(unit.problem, resolution), unit.under(self.policies, resolution)
                (judged,) = self.quantity(prepared, [declared], reduction, [seen], quantity)
                found = next((each for each in judged if each.verdict == "fail"), found)
        if found.verdict != "fail" or found.reason != "wrong-dtype":
            return found
        return self._diagnosis.with_numbers(unit, reduction, quantity, arrays, found)

    def _beside_gradient(
        self,
        prepared: Prepared,
        units: Sequence[Unit],
        seen: Sequence[Observation],
        compared: Sequence[bool],
        flat: Float64Array,
        reduction: str,
    ) -> Float64Array:
        """The values that came with the gradient are judged too: where they differ, the worse of the two stands."""
        segments = prepared.segments("value", reduction)
        for unit, observation, good, start in zip(units, seen, compared, segments.starts.tolist(), strict=True):
            beside = observation.value_with_gradient
            if not good or beside is None or observation.value is None:
                continue
            if beside.tobytes() == observation.value.tobytes():
                continue
            other = in_row_order(unit.resolution.problem, beside)
            span = slice(start, start + len(other))
            flat[span] = farther(flat[span], other, prepared.exact("value", reduction).mid[span])
        return flat

    def _numeric(
        self,
        unit: Unit,
        reduction: str,
        quantity: Quantity,
        seen: Observation,
        reached: ProblemComparison,
        worst: Worst,
        declared: Letter,
    ) -> Finding:
        finding = Finding(
            unit.problem,
            quantity,
            reduction,
            "pass" if reached.conforms else "fail",
            letter=reached.letter,
            declared=declared,
            ulp=reached.ulp,
            ratio=reached.ratio,
            bound=worst.bound,
            observed=worst.observed,
            expected=worst.expected,
            worst_input=worst.input,
            position=worst.position,
            seconds=seen.seconds,
        )
        if reached.vacuous:
            return msgspec.structs.replace(finding, verdict="not run", reason="vacuous-bound")
        if finding.verdict == "pass":
            return finding
        finding = msgspec.structs.replace(finding, reason="beyond-bound")
        arrays = (seen.value, seen.value_with_gradient) if quantity == "value" else (_result(seen, quantity),)
        present = [each for each in arrays if each is not None]
        return self._diagnosis.as_declared(unit, reduction, quantity, present, finding)

    def sums(self, unit: Unit, seen: Observation, side: Side) -> Finding | None:
        """What the classes' results sum to, where that is known; ``side`` is where the unit lies in its block."""
        letter = self.subject.profile.declared_class(unit.problem.operation, unit.problem.dtype)
        finding = judge_sums(unit.resolution.problem, seen, side, letter)
        if finding is None or finding.verdict == "pass":
            return finding
        return self._diagnosis.of_sums(unit, seen, finding)

    def policies_of(self, problem: Problem) -> Policies:
        """What is declared of a problem's operation and dtype."""
        return self.of(problem).policies


def _refused(problem: Problem, failure: Failure) -> bool:
    """Whether an exception refuses the call: that of the framework, or of Python where it is given no tensor.

    A number has no attributes of a tensor, and an adapter that asks for one has taken it for nothing else.
    """
    missed = failure.kind == "adapter" and failure.type == "AttributeError"
    return failure.kind == "raised" or (missed and problem.target_kind == "python")


def _result(seen: Observation, quantity: Quantity) -> Array | None:
    return seen.value if quantity == "value" else seen.gradient if quantity == "gradient" else seen.derivative


def _upstream_misfits(problem: Problem, reduction: str, seen: Observation) -> bool:
    """Whether the upstream gradient is what must be refused: then the value alone may come back."""
    upstream = problem.upstream.get(reduction)  # type: ignore[call-overload]
    if problem.case.upstream is None or upstream is None or seen.value is None:
        return False
    return bool(upstream.shape != seen.value.shape)
