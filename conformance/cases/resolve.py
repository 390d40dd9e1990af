"""A problem under a set of policies: what the oracle may compute, or why the call must raise."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from conformance.model.case import NO_REDUCTIONS, Invalid
from conformance.model.policies import NORMATIVE, Policies, default_axis, for_operation, number_given
from conformance.model.problem import Array, Problem
from conformance.numerics.formats import FORMATS, DtypeName, Float64Array, common_dtype, nearest, round_to, widen

__all__ = ["Marked", "Resolution", "invalid_of", "promoted", "resolve", "rounded_to"]

Booleans = npt.NDArray[np.bool_]


class Marked(NamedTuple):
    """The losses that a policy gives, whatever the formula says: at which positions, (P,), and what they are, (P,)."""

    rows: Booleans
    loss: Float64Array


class Resolution(msgspec.Struct, frozen=True, eq=False):
    """``problem`` fits the oracle unless ``must_raise`` says why the call has no result.

    ``invalid`` is that as a word, None where the case alone knows it. ``marked`` are the positions whose loss is not
    the formula's (labels out of range, by policy). ``undefined`` says that the policy leaves the result open.
    """

    problem: Problem
    must_raise: str = ""
    invalid: Invalid | None = None
    marked: Marked | None = None
    undefined: bool = False


def resolve(problem: Problem, policies: Policies, *, stated_error: bool = True) -> Resolution:
    """Fill in what the caller left to the framework, and find what the policies say of bad labels.

    ``stated_error`` false sets aside the error that the case itself expects, to ask what a policy says instead.
    """
    expect = problem.case.expect
    if stated_error and expect is not None and expect.error is not None:
        return Resolution(problem, must_raise=expect.error, invalid=invalid_of(problem))
    rank = problem.logits.ndim
    if problem.logits.dtype.kind in "iub":
        integers = for_operation(policies.integer_logits, problem.operation, "refused")
        if integers == "refused":
            return _refused(problem, "logits-dtype", f"logits of dtype {problem.logits.dtype} are refused")
        if integers == "kept":
            return Resolution(problem, undefined=True)
    if rank == 0 and for_operation(policies.rank_0_logits, problem.operation, "value") == "raise":
        return _refused(problem, "logits-rank", "logits of rank 0 are refused")
    axis = problem.class_axis
    if rank == 0 and problem.axis in (0, -1):  # a scalar is one class, on an axis that is not there
        axis, problem = 0, replace(problem, class_axis=0)
    if problem.axis is None:
        policy = for_operation(policies.default_axis, problem.operation, 1)
        if policy == "required":
            return _refused(problem, "axis", "the class axis has no default")
        axis = default_axis(policy, rank) if rank else 0
        if axis is None:
            return Resolution(problem, undefined=True)
        problem = replace(problem, class_axis=axis)
    if axis is None:
        return _refused(problem, "axis", "the class axis is out of range")
    refuses_empty = for_operation(policies.class_extent_0, problem.operation, "value") == "raise"
    if refuses_empty and rank and problem.logits.shape[axis] == 0:
        return _refused(problem, "class-extent", "an empty class axis is refused")
    if FORMATS[problem.dtype].is_half and problem.logits.dtype.kind not in "iub":
        problem = _wide(problem, policies)
    if not problem.takes_targets:
        return Resolution(problem)
    return _with_targets(problem, axis, policies)


def invalid_of(problem: Problem) -> Invalid | None:
    """What makes a problem invalid, whatever its case says of it; None where an error is not due."""
    resolution = resolve(problem, NORMATIVE, stated_error=False)
    if resolution.invalid is not None:
        return resolution.invalid
    if {*problem.reductions} & {*NO_REDUCTIONS}:
        return "reduction"
    fits = all(each.shape == problem.value_shape(name) for name, each in problem.upstream.items())
    return None if fits else "upstream-shape"


def _refused(problem: Problem, invalid: Invalid, why: str) -> Resolution:
    return Resolution(problem, must_raise=why, invalid=invalid)


def _wrong_smoothing(smoothing: float) -> Invalid:
    return "smoothing-above" if smoothing > 1.0 else "smoothing-below" if smoothing < 0.0 else "smoothing-nan"


def _wrong_label(problem: Problem, labels: Array, classes: int) -> Invalid:
    if not classes:
        return "label-of-no-class"
    if problem.label_smoothing:
        return "label-beside-smoothing"
    return "label-beyond-32-bits" if (labels.astype(np.int32) != labels).any() else "label"


def promoted(problem: Problem, value: Array | None) -> Problem:
    """The problem with integer logits as floating ones, in the dtype of what came back; else as it is."""
    if problem.logits.dtype.kind not in "iub" or value is None or value.dtype.name not in FORMATS:
        return problem
    return rounded_to(problem, value.dtype.name)


def rounded_to(problem: Problem, dtype: DtypeName) -> Problem:
    """The problem with its numbers, those of any floating-point dtype and integer logits, rounded to ``dtype``."""

    def rounded(array: Array) -> Array:
        return round_to(array.astype(np.float64) if array.dtype.kind in "iub" else widen(array), dtype)

    return replace(
        problem,
        dtype=dtype,
        logits=rounded(problem.logits),
        targets=rounded(np.asarray(problem.targets)) if problem.target_kind == "probabilities" else problem.targets,
        weight=None if problem.weight is None else rounded(problem.weight),
        upstream={name: rounded(each) for name, each in problem.upstream.items()},
        tangent=None if problem.tangent is None else rounded(problem.tangent),
    )


def _with_targets(problem: Problem, axis: int, policies: Policies) -> Resolution:
    if problem.target_kind == "python":
        return _refused(problem, "target-type", "the targets are not a tensor")
    if not 0.0 <= problem.label_smoothing <= 1.0:
        smoothing = problem.label_smoothing
        return _refused(problem, _wrong_smoothing(smoothing), f"label smoothing of {smoothing}")
    if problem.label_smoothing == 1.0 and policies.label_smoothing_of_one == "raise":
        return _refused(problem, "smoothing-above", "label smoothing of 1 is refused")
    shape = problem.logits.shape
    if for_operation(policies.target_broadcasting, str(problem.target_kind), "refused") == "broadcast":
        problem = _broadcast(problem, axis)
    targets = np.asarray(problem.targets)
    classes = shape[axis] if shape else 1
    if problem.weight is not None and problem.weight.shape != (classes,):
        return _refused(problem, "weight-shape", f"weights of shape {problem.weight.shape} for {classes} classes")
    if problem.target_kind == "probabilities":
        if targets.shape != shape:
            why = f"probabilities of shape {targets.shape} for logits of shape {shape}"
            return _refused(problem, "target-shape", why)
        sign = "negative" if (problem.ignore_index or 0) < 0 else "non-negative"
        refusal = for_operation(policies.ignore_index_with_probabilities, sign, "refused")
        if problem.ignore_index is not None and refusal == "refused":
            return _refused(problem, "ignore-index", "ignore_index applies to index targets only")
        if problem.probability_dtype is not None:
            mixed = for_operation(policies.mixed_dtype_result, problem.dtype, "logits")
            if mixed == "refused":
                reason = f"probabilities of dtype {problem.probability_dtype} for logits of dtype {problem.dtype}"
                return _refused(problem, "probability-dtype", reason)
            if mixed == "promoted":
                dtype = problem.value_dtype or problem.dtype
                problem = replace(problem, value_dtype=common_dtype(dtype, problem.probability_dtype))
        return Resolution(replace(_without_masked_targets(problem, policies), ignore_index=None))
    if targets.shape != shape[:axis] + shape[axis + 1 :]:
        return _refused(problem, "target-shape", f"index targets of shape {targets.shape} for logits of shape {shape}")
    accepted = policies.target_dtypes
    if targets.dtype.kind == "b" and "bool" in accepted:  # false and true are labels 0 and 1
        problem = replace(problem, targets=targets.astype(np.int64))
        targets = np.asarray(problem.targets)
    elif targets.dtype.kind not in "iu" and targets.dtype.name in FORMATS and targets.dtype.name in accepted:
        labels = widen(targets)
        if not (labels == np.floor(labels)).all():  # which class that is meant to be, nobody says
            return Resolution(problem, undefined=True)
        problem = replace(problem, targets=labels.astype(np.int64))
        targets = np.asarray(problem.targets)
    elif targets.dtype.kind not in "iu":
        return _refused(problem, "target-dtype", f"index targets of dtype {targets.dtype}")
    elif accepted and targets.dtype.name not in accepted:
        return _refused(problem, "target-dtype", f"index targets of dtype {targets.dtype} are not accepted")
    usual = policies.default_ignore_index
    if problem.ignore_index is None and isinstance(usual, int) and (targets == usual).any():
        problem = replace(problem, ignore_index=usual)
    outside = problem.labels_out_of_range()
    if outside is None and not classes and targets.size:  # all are ignored: there is no class that they could have
        return Resolution(problem, undefined=True)
    return Resolution(problem) if outside is None else _bad_labels(problem, outside, policies)


def _wide(problem: Problem, policies: Policies) -> Problem:
    """The problem of a half type whose value comes in float32, where the policies have it so."""
    if for_operation(policies.half_type_result, problem.operation, "logits") == "logits":
        return problem
    # Of two functions, the second gets log-probabilities of the half type.
    held_to: DtypeName | None = None if problem.operation == "nll_loss_of_log_softmax" else "float32"
    return replace(problem, value_dtype="float32", held_to=held_to)


def _without_masked_targets(problem: Problem, policies: Policies) -> Problem:
    """Probabilities of the classes that take part, where those of the others drop out of the loss."""
    if problem.where is None or for_operation(policies.masked_target, "probabilities", "impossible") != "dropped":
        return problem
    targets = np.asarray(problem.targets)
    return replace(problem, targets=np.where(problem.where, targets, np.zeros((), targets.dtype)))


def _broadcast(problem: Problem, axis: int) -> Problem:
    """The problem with targets of extent 1 repeated where the logits have more positions (or classes)."""
    targets, shape = np.asarray(problem.targets), problem.logits.shape
    wanted = shape if problem.target_kind == "probabilities" else shape[:axis] + shape[axis + 1 :]
    pairs = zip(targets.shape, wanted, strict=False)
    if targets.shape == wanted or targets.ndim != len(wanted) or any(extent not in (1, goal) for extent, goal in pairs):
        return problem
    return replace(problem, targets=np.broadcast_to(targets, wanted))


def _bad_labels(problem: Problem, outside: Booleans, policies: Policies) -> Resolution:
    """What the policy makes of labels out of range: each kind of label may have its own."""
    given = np.asarray(problem.targets)
    axis = problem.class_axis or 0
    classes = problem.logits.shape[axis] if problem.logits.ndim else 1
    declared = policies.label_out_of_range
    above = outside & (given >= classes)  # before any cast: a large unsigned label is not a negative one
    targets = np.where(above, classes, given).astype(np.int64)
    kinds = {
        "above": above,
        "negative": outside & ~above & (targets < 0) & (targets >= -classes),
        "below": outside & ~above & (targets < -classes),
    }
    marked, loss = np.zeros(targets.shape, dtype=np.bool_), np.zeros(targets.shape)
    repaired = targets.copy()
    undefined = False
    for name, places in kinds.items():
        if not places.any():
            continue
        policy = declared.get(name, "raise") if isinstance(declared, dict) else declared  # type: ignore[call-overload]
        if policy == "raise" or classes == 0:
            return _refused(problem, _wrong_label(problem, given[outside], classes), "a label is out of range")
        if policy == "wraps" and name == "negative":
            repaired = np.where(places, targets + classes, repaired)
        elif policy == "clamps":
            repaired = np.where(places, np.clip(targets, 0, classes - 1), repaired)
        elif (number := number_given(policy)) is not None:
            marked, repaired = marked | places, np.where(places, 0, repaired)
            loss = np.where(places, nearest(number, problem.dtype), loss)
        else:
            undefined = True
    moved = replace(problem, targets=repaired)
    found = Marked(marked.reshape(-1), loss.reshape(-1)) if marked.any() else None
    return Resolution(moved, marked=found, undefined=undefined)
