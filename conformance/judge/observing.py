"""Which value of a policy describes what was seen: derived from the result itself, whatever is declared.

Every value that the policy may take predicts something: an error, or results within the bounds. Those whose
prediction came true are the observed ones; where all come true the problem says nothing of the policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec
import numpy as np

from conformance.cases.problem import Array, Problem
from conformance.judge.finding import Finding, Subject
from conformance.judge.freedom import SOUND, Freedom, freedom
from conformance.judge.prepared import Prepared
from conformance.judge.resolve import Resolution, labels_out_of_range, resolve
from conformance.judge.verdict import Verdict
from conformance.numerics.formats import FORMATS, widen
from conformance.oracle.block import Block, to_rows
from conformance.oracle.policies import Policies, for_operation
from conformance.worker.exchange import Observation

__all__ = ["Compare", "Observer"]

LEADING = 2.0**-6  # of a number: an error below this leaves its leading digits
KEPT = 64  # prepared truths: those of one problem serve its reductions one after the other


class Compare(Protocol):
    """Whether an array is within the declared class of a single problem's truth: None, or why not."""

    def __call__(
        self,
        prepared: Prepared,
        quantity: str,
        reduction: str,
        array: Array,
        problem: Problem,
        policies: Policies = ...,
    ) -> str | None:
        """``array`` against ``prepared``'s value or gradient in one reduction."""
        ...


@dataclass(eq=False)
class Observer:
    """Observes the policies of one backend; ``policies`` are those that it declares."""

    subject: Subject
    policies: Policies
    within: Compare
    _prepared: dict[tuple[int, str], tuple[Problem, Resolution, Prepared | None]] = field(default_factory=dict)

    def observe(self, problem: Problem, reduction: str, seen: Observation, found: Sequence[Finding]) -> list[Finding]:
        """A finding for every policy that the case observes and this reduction tells of.

        ``found`` is what the other checks found of the same call.
        """
        findings = []
        for name in problem.case.policies:
            here = freedom(name, problem, self.policies)
            if here is None:
                continue
            finding = self._observe(here, problem, reduction, seen, found)
            if finding is not None:
                findings.append(finding)
        return findings

    def _observe(
        self, here: Freedom, problem: Problem, reduction: str, seen: Observation, found: Sequence[Finding]
    ) -> Finding | None:
        failure = seen.failure
        finding = Finding(problem, "policy", reduction, "pass", policy=here.label, expected=self._declared(here))
        if failure is not None and failure.kind == "unsupported":
            return msgspec.structs.replace(finding, verdict="unsupported", message=failure.message, observed=[])
        if failure is not None and failure.kind != "raised":
            return None
        values = self._values(here, problem, reduction, seen)
        if values is None:
            return None
        if here.policy == "integer-logits" and any(each.verdict == "fail" for each in found):
            values = ()  # a result that is wrong in every type is no promotion
        verdict, message = self._verdict(here, values, found)
        return msgspec.structs.replace(finding, verdict=verdict, message=message, observed=list(values) or ["other"])

    def _declared(self, here: Freedom) -> str | None:
        """The declared value, ``unsupported``, or None where the profile is silent."""
        declared = self.subject.profile.policies.get(here.policy)
        value = None if declared is None else declared.of(self.subject.device, self.subject.mode)
        if value is None or value == "unsupported":
            return value
        if here.aspect and isinstance(value, dict) and here.policy != "target-dtypes":
            return None if not {here.aspect, "all"} & value.keys() else here.chosen(self.policies)
        return here.chosen(self.policies)

    def _verdict(self, here: Freedom, values: Sequence[str], found: Sequence[Finding]) -> tuple[Verdict, str]:
        declared = self._declared(here)
        said = " or ".join(values)
        if not values:
            if any(each.verdict == "fail" for each in found):
                return "not run", "the result is wrong: no value of this policy describes it"
            return "fail", "no value of this policy describes the result"
        if declared is None:
            if here.normative in values or here.policy in SOUND:
                return "pass", f"observed: {said}; nothing is declared"
            return "fail", f"observed {said} where nothing is declared, so that {here.normative} is expected"
        if declared == "undefined":
            return "deviation", f"observed: {said}; declared undefined"
        if declared not in values:
            return "fail", f"observed {said}, declared {declared}: the declaration is wrong"
        return ("pass" if here.normative in values else "deviation"), f"observed as declared: {declared}"

    # -- the values that describe what was seen -----------------------------------------------------------------------

    def _values(self, here: Freedom, problem: Problem, reduction: str, seen: Observation) -> tuple[str, ...] | None:
        """In the policy's order; None where the problem, in this reduction, says nothing of it."""
        if here.policy == "target-dtypes":
            return ("refused" if seen.failure is not None else "accepted",)
        if here.policy == "integer-logits":
            if seen.failure is None and reduction == "mean":
                return None  # which makes floating-point numbers of integers, too
            kept = seen.value is not None and seen.value.dtype.kind in "iu"
            return ("refused" if seen.failure is not None else "kept" if kept else "promoted",)
        if here.policy == "gradient-of-bad-label":
            return self._bad_label_gradient(problem, reduction, seen)
        if here.policy == "intermediate-overflow":
            return self._overflow(here, problem, reduction, seen)
        if here.policy == "cancelling-gradient":
            return self._cancelling(here, problem, reduction, seen)
        told = {value: self._predicts(here, value, problem, reduction, seen) for value in here.values}
        known = {value: came_true for value, came_true in told.items() if came_true is not None}
        true = tuple(str(value) for value, came_true in known.items() if came_true)
        if here.policy == "all-minus-infinity":
            return true[:1] or (("other",) if seen.failure is None else ())
        if here.policy == "subnormal-results" and "kept" in true:
            return self._kept(here, problem, reduction)
        return None if len(true) == len(known) else true

    def _kept(self, here: Freedom, problem: Problem, reduction: str) -> tuple[str, ...] | None:
        """Whether a subnormal result was due that zero would miss by more than the bound: else nothing was kept."""
        _, prepared = self._truth(here, "kept", problem)
        if prepared is None:
            return None
        letter = self.subject.profile.declared_class(problem.operation, problem.dtype)
        for quantity in ("value", "gradient"):
            exact = np.abs(prepared.exact(quantity, reduction).mid)
            bound = prepared.tolerance(quantity, reduction, letter)
            if ((exact < FORMATS[problem.dtype].least_normal) & (exact > bound)).any():
                return ("kept",)
        return None

    def _cancelling(self, here: Freedom, problem: Problem, reduction: str, seen: Observation) -> tuple[str, ...] | None:
        """Whether components of the gradient that the bound does not see have their leading digits."""
        resolution, prepared = self._truth(here, "kept", problem)
        if prepared is None or seen.gradient is None or seen.gradient.shape != problem.logits.shape:
            return None
        letter = self.subject.profile.declared_class(problem.operation, problem.dtype)
        exact = prepared.exact("gradient", reduction).mid.reshape(-1)
        bound = prepared.tolerance("gradient", reduction, letter)
        flat = widen(to_rows(seen.gradient, resolution.problem.class_axis or 0)).reshape(-1)
        unseen = (np.abs(exact) <= bound) & (np.abs(exact) >= FORMATS[problem.dtype].least_normal)
        if not unseen.any() or not (np.abs(flat - exact) <= bound)[unseen].all():
            return None
        near = np.abs(flat - exact)[unseen] <= LEADING * np.abs(exact)[unseen]
        return ("kept",) if near.all() else ("lost",)

    def _overflow(self, here: Freedom, problem: Problem, reduction: str, seen: Observation) -> tuple[str, ...] | None:
        """``inf`` where an intermediate overflowed. Not every call need show it: a finite one speaks for both."""
        resolution, prepared = self._truth(here, "value", problem)
        if (
            prepared is None
            or seen.value is None
            or not prepared.is_stressed(reduction, FORMATS[problem.dtype].largest)
        ):
            return None
        letter = self.subject.profile.declared_class(problem.operation, problem.dtype)
        by_rows, axis = not problem.takes_targets, resolution.problem.class_axis or 0
        flat = widen(to_rows(seen.value, axis) if by_rows else seen.value).reshape(-1)
        exact = prepared.exact("value", reduction)
        if flat.shape != exact.mid.shape:
            return ()
        forgiven = prepared.forgive_overflow("value", reduction, flat, letter)
        if not np.isfinite(forgiven).all():
            return ()
        return ("value", "inf") if np.isfinite(flat).all() else ("inf",)

    def _predicts(self, here: Freedom, value: Any, problem: Problem, reduction: str, seen: Observation) -> bool | None:
        """Whether the value describes what was seen; None where it leaves the result open.

        Without a default for the ignored label, what becomes of it is another policy, of which any value will do.
        """
        policies = here.with_value(self.policies, value)
        if here.policy == "default-ignore-index":
            label = freedom("label-out-of-range", replace(problem, ignore_index=None), policies)
            others = () if label is None else [label.with_value(policies, each) for each in label.values]
            told = [self._describes(f"{value}, {i}", p, problem, reduction, seen) for i, p in enumerate(others)]
            if told:
                return any(told)
        if here.policy == "default-axis" and value == "all":
            return self._describes_flat(here, policies, problem, reduction, seen)
        return self._describes(f"{here.label} {value}", policies, problem, reduction, seen)

    def _describes(
        self, key: str, policies: Policies, problem: Problem, reduction: str, seen: Observation
    ) -> bool | None:
        resolution, prepared = self._resolved(key, policies, problem)
        if resolution.undefined:
            return None
        raised = seen.failure is not None
        if prepared is None:
            return raised
        if _mean_raises(prepared, reduction):
            return raised
        if raised:
            return False
        named = prepared.named(reduction)
        values = [array for array in (seen.value, seen.value_with_gradient) if array is not None]
        fits = (self.within(prepared, "value", named, a, resolution.problem, policies) is None for a in values)
        if not all(fits):  # and the upstream gradient need not have the shape of such a value
            return False
        gradient = seen.gradient
        return (
            gradient is None or self.within(prepared, "gradient", named, gradient, resolution.problem, policies) is None
        )

    def _describes_flat(
        self, here: Freedom, policies: Policies, problem: Problem, reduction: str, seen: Observation
    ) -> bool | None:
        """Whether a normalisation over the whole array does: the problem and what was seen, laid out as one axis."""
        if problem.takes_targets:
            return None
        upstream = {name: array.reshape(-1) for name, array in problem.upstream.items()}
        flat = replace(problem, logits=problem.logits.reshape(-1), upstream=upstream, axis=0, class_axis=0)
        arrays = {
            name: None if (array := getattr(seen, name)) is None else array.reshape(-1)
            for name in ("value", "gradient", "value_with_gradient")
        }
        return self._describes(f"{here.label} flat", policies, flat, reduction, msgspec.structs.replace(seen, **arrays))

    def _truth(self, here: Freedom, value: Any, problem: Problem) -> tuple[Resolution, Prepared | None]:
        return self._resolved(f"{here.label} {value}", here.with_value(self.policies, value), problem)

    def _resolved(self, key: str, policies: Policies, problem: Problem) -> tuple[Resolution, Prepared | None]:
        """The problem under ``policies``, with its truth; kept for the problem's other reductions."""
        found = self._prepared.get((id(problem), key))
        if found is None:
            if problem.where is not None:  # a class that takes no part is left out, and not multiplied by 0
                policies = msgspec.structs.replace(policies, zero_coefficient_at_minus_infinity="zero")
            resolution = resolve(problem, policies, stated_error=False)
            prepared = None
            if not (resolution.must_raise or resolution.undefined):
                flushed = for_operation(policies.subnormal_results, problem.dtype, "kept") == "flushed"
                prepared = Prepared(Block((resolution.problem,)), policies, flushed, (resolution,))
            if len(self._prepared) >= KEPT:
                self._prepared.clear()
            found = self._prepared[(id(problem), key)] = (problem, resolution, prepared)
        return found[1], found[2]

    # -- the gradient of a position whose label is out of range -------------------------------------------------------

    def _bad_label_gradient(self, problem: Problem, reduction: str, seen: Observation) -> tuple[str, ...] | None:
        outside = labels_out_of_range(problem)
        if seen.failure is not None:
            return ("raise",)
        if seen.gradient is None or outside is None:
            return None if seen.gradient_failure is None else ("raise",)
        if seen.gradient.shape != problem.logits.shape:
            return ()
        bad = outside.reshape(-1)
        rows = widen(to_rows(seen.gradient, problem.class_axis or 0))[bad]
        if np.isnan(rows).all():
            return ("nan",)
        if (rows == 0.0).all():
            return ("zero",)
        names = [name for name, rival in _gradient_rivals(problem) if self._fits(rival, reduction, rows, bad)]
        return tuple(names) or ("other",)

    def _fits(self, rival: Problem, reduction: str, rows: Array, bad: Array) -> bool:
        policies = msgspec.structs.replace(self.policies, unnormalised_probabilities="normalised")
        prepared = Prepared(Block((rival,)), policies)
        letter = self.subject.profile.declared_class(rival.operation, rival.dtype)
        shape = rival.logits.shape[rival.class_axis or 0]
        exact = prepared.exact("gradient", reduction).mid.reshape(-1, shape)[bad]
        bound = prepared.tolerance("gradient", reduction, letter).reshape(-1, shape)[bad]
        return bool((np.abs(rows - exact) <= bound).all())


def _gradient_rivals(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """The softmax alone, as if no class were labelled; and the gradient of the class that the label is taken for."""
    if problem.operation == "cross_entropy" and problem.weight is None and not problem.label_smoothing:
        nothing = np.zeros(problem.logits.shape, problem.logits.dtype)
        yield "softmax", replace(problem, targets=nothing, target_kind="probabilities", ignore_index=None)
    for name in ("wraps", "clamps"):
        moved = resolve(problem, Policies(label_out_of_range=name), stated_error=False)
        if not (moved.must_raise or moved.undefined):
            yield "label", moved.problem
            return


def _mean_raises(prepared: Prepared, reduction: str) -> bool:
    """Whether the mean has no value, and the policy is to raise."""
    if prepared.named(reduction) != "mean" or not prepared.block.reduces:
        return False
    return any(mask.any() and policy == "raise" for mask, policy in prepared.truth.degenerate)
