"""How each policy is observed: a function of what was seen, to the values that describe it.

Most policies predict something for each of their values, and :func:`by_prediction` asks which came true; the others
have an observer of their own in :data:`OBSERVERS`. Each returns the values in the policy's order, nothing where none
describes what was seen, and None where the problem, in this reduction, says nothing of the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from conformance.cases.resolve import resolve
from conformance.judge.policies.probe import Probe
from conformance.judge.prepared import Prepared, in_row_order
from conformance.model.policies import Policies, choice_in
from conformance.model.problem import Array, Problem
from conformance.model.quantities import Quantity
from conformance.numerics.formats import FORMATS, widen
from conformance.oracle.block import Block, to_rows

__all__ = ["OBSERVERS", "Values", "by_prediction"]

Values = tuple[str, ...] | None
LEADING = 2.0**-6  # of a number: an error below this leaves its leading digits


def by_prediction(probe: Probe, predicts: Callable[[Any], bool | None] | None = None) -> Values:
    """The values whose prediction came true; None where all did. ``predicts`` is by default what the truth says.

    Where none came true, those that leave the result open describe it.
    """
    came_true = {value: (predicts or probe.describes)(value) for value in probe.choice.values}
    decided = {value: true for value, true in came_true.items() if true is not None}
    true = tuple(str(value) for value, true in decided.items() if true)
    if len(true) == len(decided):
        return None
    return true if true or predicts else tuple(str(value) for value in came_true if value not in decided)


def default_ignored_label(probe: Probe) -> Values:
    """Without a default for the ignored label, what becomes of it is another policy, of which any value will do."""

    def predicts(value: Any) -> bool | None:
        policies = probe.policies(value)
        label = choice_in("label-out-of-range", replace(probe.problem, ignore_index=None), policies)
        others = () if label is None else [label.with_value(policies, each) for each in label.values]
        fits = [probe.fits(other) for other in others]
        return any(fits) if fits else probe.describes(value)

    return by_prediction(probe, predicts)


def default_axis(probe: Probe) -> Values:
    """``all`` is a normalisation over the whole array, which is that of one axis."""

    def predicts(value: Any) -> bool | None:
        if value != "all":
            return probe.describes(value)
        return None if probe.problem.takes_targets else probe.flattened().fits(probe.policies(value))

    return by_prediction(probe, predicts)


def all_minus_infinity(probe: Probe) -> Values:
    """``other`` is whatever is returned and not NaN."""
    for value in probe.choice.values:
        if probe.describes(value):
            return (str(value),)
    return () if probe.raised else ("other",)


def subnormal_results(probe: Probe) -> Values:
    """``kept`` only where a subnormal result was due that zero would miss by more than the bound."""
    if not probe.describes("kept"):
        return by_prediction(probe)
    _, prepared = probe.truth("kept")
    if prepared is None:
        return None
    least = FORMATS[probe.problem.dtype].least_normal
    # The gradient is not asked for where the axis is left open, or an error is due.
    quantities: tuple[Quantity, ...] = ("value",) if probe.seen.gradient is None else ("value", "gradient")
    for quantity in quantities:
        exact = np.abs(prepared.exact(quantity, probe.reduction).mid)
        bound = prepared.tolerance(quantity, probe.reduction, probe.letter(prepared, quantity))
        if ((exact < least) & (exact > bound)).any():
            return ("kept",)
    return None


def cancelling_gradient(probe: Probe) -> Values:
    """Whether components of the gradient that the bound does not see have their leading digits."""
    resolution, prepared = probe.truth("kept")
    gradient = probe.seen.gradient
    if prepared is None or gradient is None or gradient.shape != probe.problem.logits.shape:
        return None
    exact = prepared.exact("gradient", probe.reduction).mid.reshape(-1)
    bound = prepared.tolerance("gradient", probe.reduction, probe.letter(prepared, "gradient"))
    flat = in_row_order(resolution.problem, gradient, "gradient")
    unseen = (np.abs(exact) <= bound) & (np.abs(exact) >= FORMATS[probe.problem.dtype].least_normal)
    if not unseen.any() or not (np.abs(flat - exact) <= bound)[unseen].all():
        return None
    near = np.abs(flat - exact)[unseen] <= LEADING * np.abs(exact)[unseen]
    return ("kept",) if near.all() else ("lost",)


def intermediate_overflow(probe: Probe) -> Values:
    """``inf`` where an intermediate overflowed. Not every call need show it: a finite one fits both."""
    resolution, prepared = probe.truth("value")
    value = probe.seen.value
    if prepared is None or value is None:
        return None
    if not prepared.is_stressed(probe.reduction, FORMATS[prepared.dtype_of("value")].largest):
        return None
    flat = in_row_order(resolution.problem, value)
    if flat.shape != prepared.exact("value", probe.reduction).mid.shape:
        return ()
    overflown = prepared.overflown("value", probe.reduction, flat, probe.letter(prepared, "value"))
    if overflown is None:
        return ("value", "inf")
    return ("inf",) if (np.isfinite(flat) | overflown).all() else ()


def target_dtypes(probe: Probe) -> Values:
    """Whether the type was taken; what came of it, other checks ask."""
    return ("refused" if probe.raised else "accepted",)


def accepted_inputs(probe: Probe) -> Values:
    """Whether the call, or its backward pass, refused the input; what came of it is left open.

    Of input that is taken and not declared to be, the check ``error`` says so, and its register knows it.
    """
    refused = probe.raised or any(each.check == "error" and each.verdict == "pass" for each in probe.found)
    if refused:
        return ("refused",)
    return ("accepted",) if probe.choice.chosen(probe.truths.policies) == "accepted" else None


def integer_logits(probe: Probe) -> Values:
    """By the type of what came back. A mean makes floating-point numbers of integers, too."""
    if not probe.raised and probe.reduction == "mean":
        return None
    if any(each.verdict == "fail" and each.reason != "no-error" for each in probe.found):
        return ()
    if probe.raised:
        return ("refused",)
    value = probe.seen.value
    if value is not None and value.dtype.kind in "iu":
        return ("kept",)
    # A result that is wrong in every type is not a promotion.
    is_promoted = probe.truths.admit(probe.problem, probe.policies("promoted"), probe.reduction, value)
    return ("promoted",) if is_promoted else ()


def mixed_dtype_result(probe: Probe) -> Values:
    """Which dtype the loss has; nothing where the logits' own is the wider one, and what is promoted has it, too."""
    values = by_prediction(probe)
    return None if values == ("logits", "promoted") else values


def gradient_of_bad_label(probe: Probe) -> Values:
    """What the positions whose labels are out of range pass back."""
    seen, problem = probe.seen, probe.problem
    outside = problem.labels_out_of_range()
    if probe.raised:
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
    names = [name for name, rival in _gradient_rivals(problem) if _is_gradient_of(rival, probe, rows, bad)]
    return tuple(names) or ("other",)


def _is_gradient_of(rival: Problem, probe: Probe, rows: Array, bad: Array) -> bool:
    policies = msgspec.structs.replace(probe.truths.policies, unnormalised_probabilities="normalised")
    prepared = Prepared(Block((rival,)), policies)
    letter = probe.truths.subject.profile.declared_class(rival.operation, rival.dtype)
    shape = rival.logits.shape[rival.class_axis or 0]
    exact = prepared.exact("gradient", probe.reduction).mid.reshape(-1, shape)[bad]
    bound = prepared.tolerance("gradient", probe.reduction, letter).reshape(-1, shape)[bad]
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


OBSERVERS: Mapping[str, Callable[[Probe], Values]] = {
    "default-ignore-index": default_ignored_label,
    "default-axis": default_axis,
    "all-minus-infinity": all_minus_infinity,
    "subnormal-results": subnormal_results,
    "cancelling-gradient": cancelling_gradient,
    "intermediate-overflow": intermediate_overflow,
    "accepted-inputs": accepted_inputs,
    "target-dtypes": target_dtypes,
    "integer-logits": integer_logits,
    "gradient-of-bad-label": gradient_of_bad_label,
    "mixed-dtype-result": mixed_dtype_result,
}
