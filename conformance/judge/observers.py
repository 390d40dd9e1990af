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

from conformance.judge.freedom import freedom
from conformance.judge.prepared import Prepared
from conformance.judge.resolve import labels_out_of_range, resolve
from conformance.judge.sight import Sight
from conformance.model.policies import Policies
from conformance.model.problem import Array, Problem
from conformance.numerics.formats import FORMATS, widen
from conformance.oracle.block import Block, to_rows

__all__ = ["OBSERVERS", "Observed", "by_prediction"]

Observed = tuple[str, ...] | None
LEADING = 2.0**-6  # of a number: an error below this leaves its leading digits


def by_prediction(sight: Sight, predicts: Callable[[Any], bool | None] | None = None) -> Observed:
    """The values whose prediction came true; None where all did. ``predicts`` is by default what the truth says."""
    came_true = {value: (predicts or sight.describes)(value) for value in sight.here.values}
    told = {value: true for value, true in came_true.items() if true is not None}
    true = tuple(str(value) for value, true in told.items() if true)
    return None if len(true) == len(told) else true


def default_ignored_label(sight: Sight) -> Observed:
    """Without a default for the ignored label, what becomes of it is another policy, of which any value will do."""

    def predicts(value: Any) -> bool | None:
        policies = sight.policies(value)
        label = freedom("label-out-of-range", replace(sight.problem, ignore_index=None), policies)
        others = () if label is None else [label.with_value(policies, each) for each in label.values]
        told = [sight.fits(f"{value}, {i}", other) for i, other in enumerate(others)]
        return any(told) if told else sight.describes(value)

    return by_prediction(sight, predicts)


def default_axis(sight: Sight) -> Observed:
    """``all`` is a normalisation over the whole array, which is that of one axis."""

    def predicts(value: Any) -> bool | None:
        if value != "all":
            return sight.describes(value)
        return (
            None
            if sight.problem.takes_targets
            else sight.flattened().fits(f"{sight.here.label} flat", sight.policies(value))
        )

    return by_prediction(sight, predicts)


def all_minus_infinity(sight: Sight) -> Observed:
    """``other`` is whatever is returned and not NaN."""
    for value in sight.here.values:
        if sight.describes(value):
            return (str(value),)
    return () if sight.raised else ("other",)


def subnormal_results(sight: Sight) -> Observed:
    """``kept`` only where a subnormal result was due that zero would miss by more than the bound."""
    if not sight.describes("kept"):
        return by_prediction(sight)
    _, prepared = sight.truth("kept")
    if prepared is None:
        return None
    least = FORMATS[sight.problem.dtype].least_normal
    for quantity in ("value", "gradient"):
        exact = np.abs(prepared.exact(quantity, sight.reduction).mid)
        bound = prepared.tolerance(quantity, sight.reduction, sight.letter)
        if ((exact < least) & (exact > bound)).any():
            return ("kept",)
    return None


def cancelling_gradient(sight: Sight) -> Observed:
    """Whether components of the gradient that the bound does not see have their leading digits."""
    resolution, prepared = sight.truth("kept")
    gradient = sight.seen.gradient
    if prepared is None or gradient is None or gradient.shape != sight.problem.logits.shape:
        return None
    exact = prepared.exact("gradient", sight.reduction).mid.reshape(-1)
    bound = prepared.tolerance("gradient", sight.reduction, sight.letter)
    flat = widen(to_rows(gradient, resolution.problem.class_axis or 0)).reshape(-1)
    unseen = (np.abs(exact) <= bound) & (np.abs(exact) >= FORMATS[sight.problem.dtype].least_normal)
    if not unseen.any() or not (np.abs(flat - exact) <= bound)[unseen].all():
        return None
    near = np.abs(flat - exact)[unseen] <= LEADING * np.abs(exact)[unseen]
    return ("kept",) if near.all() else ("lost",)


def intermediate_overflow(sight: Sight) -> Observed:
    """``inf`` where an intermediate overflowed. Not every call need show it: a finite one speaks for both."""
    resolution, prepared = sight.truth("value")
    value, largest = sight.seen.value, FORMATS[sight.problem.dtype].largest
    if prepared is None or value is None or not prepared.is_stressed(sight.reduction, largest):
        return None
    by_rows, axis = not sight.problem.takes_targets, resolution.problem.class_axis or 0
    flat = widen(to_rows(value, axis) if by_rows else value).reshape(-1)
    if flat.shape != prepared.exact("value", sight.reduction).mid.shape:
        return ()
    forgiven = prepared.forgive_overflow("value", sight.reduction, flat, sight.letter)
    if not np.isfinite(forgiven).all():
        return ()
    return ("value", "inf") if np.isfinite(flat).all() else ("inf",)


def target_dtypes(sight: Sight) -> Observed:
    """Whether the type was taken; what came of it, other checks ask."""
    return ("refused" if sight.raised else "accepted",)


def integer_logits(sight: Sight) -> Observed:
    """By the type of what came back. A mean makes floating-point numbers of integers, too."""
    if not sight.raised and sight.reduction == "mean":
        return None
    if any(each.verdict == "fail" for each in sight.found):
        return ()  # a result that is wrong in every type is no promotion
    if sight.raised:
        return ("refused",)
    kept = sight.seen.value is not None and sight.seen.value.dtype.kind in "iu"
    return ("kept" if kept else "promoted",)


def gradient_of_bad_label(sight: Sight) -> Observed:
    """What the positions whose labels are out of range pass back."""
    seen, problem = sight.seen, sight.problem
    outside = labels_out_of_range(problem)
    if sight.raised:
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
    names = [name for name, rival in _gradient_rivals(problem) if _is_gradient_of(rival, sight, rows, bad)]
    return tuple(names) or ("other",)


def _is_gradient_of(rival: Problem, sight: Sight, rows: Array, bad: Array) -> bool:
    policies = msgspec.structs.replace(sight.truths.policies, unnormalised_probabilities="normalised")
    prepared = Prepared(Block((rival,)), policies)
    letter = sight.truths.subject.profile.declared_class(rival.operation, rival.dtype)
    shape = rival.logits.shape[rival.class_axis or 0]
    exact = prepared.exact("gradient", sight.reduction).mid.reshape(-1, shape)[bad]
    bound = prepared.tolerance("gradient", sight.reduction, letter).reshape(-1, shape)[bad]
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


OBSERVERS: Mapping[str, Callable[[Sight], Observed]] = {
    "default-ignore-index": default_ignored_label,
    "default-axis": default_axis,
    "all-minus-infinity": all_minus_infinity,
    "subnormal-results": subnormal_results,
    "cancelling-gradient": cancelling_gradient,
    "intermediate-overflow": intermediate_overflow,
    "target-dtypes": target_dtypes,
    "integer-logits": integer_logits,
    "gradient-of-bad-label": gradient_of_bad_label,
}
