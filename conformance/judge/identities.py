"""The identities that every implementation must satisfy, as transformed calls: they need no expected value.

Each gives a second problem and the order in which its result must equal the first one's, within the bounds of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from conformance.model.checks import Check
from conformance.model.problem import Array, Problem
from conformance.numerics.formats import round_to, widen
from conformance.oracle.block import from_rows, to_rows

__all__ = ["TransformedCall", "reshapes", "transformed_calls"]

#: Larger problems are left to the plain checks: an identity costs another call.
ELEMENTS = 1 << 14
#: Classes up to which an axis is moved and a batch split: each makes a shape of its own, which costs compilers a
#: compilation, and wide rows have axes and batches of their own among the cases.
NARROW = 64


@dataclass(frozen=True, eq=False)
class TransformedCall:
    """``problem`` must give, at ``take`` of its flat result, what the original gives at ``source`` of its own.

    Flat results are in row order; ``reduction`` is that of both calls.
    """

    name: Check
    problem: Problem
    reduction: str
    take: Array
    source: Array


def transformed_calls(problem: Problem, *, anew: bool = True) -> Iterator[TransformedCall]:
    """The transformed calls for a valid problem with resolved class axis; none for large ones or empty ones.

    Without ``anew`` only those that a framework which compiles has compiled already: of the same shape and operation.
    """
    if not 0 < problem.logits.size <= ELEMENTS or problem.layout != "contiguous" or problem.logits.ndim == 0:
        return
    if problem.case.spacing is not None:  # the call is a large one
        return
    makers = [_shifted, _classes_permuted, _positions_permuted]
    if anew:
        makers.insert(0, _composed)
    if anew and reshapes(problem):
        makers.append(_ignored_dropped)
        if problem.logits.shape[problem.class_axis or 0] <= NARROW:
            makers += [_split, _axis_moved]
    for make in makers:
        yield from make(problem)


def reshapes(problem: Problem) -> bool:
    """Whether calls of another shape are made for it: in one dtype of a case, as compilers start anew for each."""
    dtypes = problem.case.dtypes
    return problem.dtype == ("float32" if "float32" in dtypes else dtypes[0])


def _rows(problem: Problem) -> int:
    return problem.logits.size // problem.logits.shape[problem.class_axis or 0]


def _whole(problem: Problem, rows: Array | None = None) -> Array:
    """Flat result indices of ``rows`` (default: all), each with its classes where the result has them."""
    rows = np.arange(_rows(problem)) if rows is None else rows
    if problem.takes_targets:
        return rows
    classes = problem.logits.shape[problem.class_axis or 0]
    return (rows[:, None] * classes + np.arange(classes)).reshape(-1)


def _with_rows(problem: Problem, rows: Array, targets: Array | None) -> Problem:
    """The problem of these logits (P, C), and targets as rows, in the original's shape."""
    shape, axis = problem.logits.shape, problem.class_axis or 0
    changed = replace(problem, logits=np.ascontiguousarray(from_rows(rows, shape, axis)))
    if targets is None:
        return changed
    if problem.target_kind == "probabilities":
        return replace(changed, targets=np.ascontiguousarray(from_rows(targets, shape, axis)))
    return replace(changed, targets=targets.reshape(np.asarray(problem.targets).shape))


def _target_rows(problem: Problem) -> Array | None:
    if not problem.takes_targets:
        return None
    targets = np.asarray(problem.targets)
    return to_rows(targets, problem.class_axis or 0) if problem.target_kind == "probabilities" else targets.reshape(-1)


def _composed(problem: Problem) -> Iterator[TransformedCall]:
    """cross_entropy = nll_loss ∘ log_softmax."""
    if problem.operation != "cross_entropy" or problem.target_kind != "indices" or problem.label_smoothing != 0.0:
        return
    for reduction in problem.reductions:
        if reduction not in ("none", "mean"):
            continue
        size = np.arange(_rows(problem)) if reduction == "none" else np.zeros(1, dtype=np.intp)
        yield TransformedCall("composed", replace(problem, operation="nll_loss_of_log_softmax"), reduction, size, size)


def _shifted(problem: Problem) -> Iterator[TransformedCall]:
    """A constant added to all logits of a position, a different one for each, so that every sum is exact."""
    if problem.operation in ("nll_loss", "log_loss"):
        return
    x = widen(to_rows(problem.logits, problem.class_axis or 0))
    for power in (7, 5, 3, 1):
        shift = np.where(np.arange(len(x)) % 2 == 0, 1.0, -1.0)[:, None] * 2.0**power
        moved = x + shift
        rounded = round_to(moved, problem.dtype)
        back = widen(rounded) - shift
        with np.errstate(invalid="ignore"):
            exact = (widen(rounded) == moved) & (back == x) | ~np.isfinite(x)
        if exact.all() and np.isfinite(x).any():
            changed = _with_rows(problem, rounded, _target_rows(problem))
            yield TransformedCall("shift", changed, "none", _whole(problem), _whole(problem))
            return


def _classes_permuted(problem: Problem) -> Iterator[TransformedCall]:
    """Classes reversed, together with targets and weights."""
    axis = problem.class_axis or 0
    classes = problem.logits.shape[axis]
    if classes < 2:
        return
    rows = to_rows(problem.logits, axis)[:, ::-1]
    targets = _target_rows(problem)
    if targets is not None and problem.target_kind == "probabilities":
        targets = targets[:, ::-1]
    elif targets is not None:
        valid = np.ones(targets.shape, np.bool_) if problem.ignore_index is None else targets != problem.ignore_index
        flipped = np.where(valid, classes - 1 - targets.astype(np.int64), targets)
        if problem.ignore_index is not None and (flipped[valid] == problem.ignore_index).any():
            return
        targets = flipped.astype(targets.dtype)
        if (targets != flipped).any():
            return  # labels of bytes have no class beyond 255
    changed = _with_rows(problem, rows, targets)
    if problem.weight is not None:
        changed = replace(changed, weight=np.ascontiguousarray(problem.weight[::-1]))
    here = _whole(problem)
    take = here if problem.takes_targets else here.reshape(-1, classes)[:, ::-1].reshape(-1)
    yield TransformedCall("class-permutation", changed, "none", take, here)


def _positions_permuted(problem: Problem) -> Iterator[TransformedCall]:
    """Positions in reverse order."""
    count = _rows(problem)
    if count < 2:
        return
    rows = to_rows(problem.logits, problem.class_axis or 0)[::-1]
    targets = _target_rows(problem)
    changed = _with_rows(problem, rows, None if targets is None else targets[::-1])
    order = np.arange(count)
    yield TransformedCall("position-permutation", changed, "none", _whole(problem, order[::-1]), _whole(problem, order))


def _subset(problem: Problem, keep: Array) -> Problem:
    """Some positions of a problem, as logits (positions, classes)."""
    rows = np.ascontiguousarray(to_rows(problem.logits, problem.class_axis or 0)[keep])
    targets = _target_rows(problem)
    kept = None if targets is None else np.ascontiguousarray(targets[keep])
    return replace(problem, logits=rows, targets=kept, axis=1, class_axis=1)


def _ignored_dropped(problem: Problem) -> Iterator[TransformedCall]:
    """Without its ignored positions a batch has the same sum and mean."""
    if problem.target_kind != "indices" or problem.ignore_index is None:
        return
    keep = np.flatnonzero(np.asarray(problem.targets).reshape(-1) != problem.ignore_index)
    if not 0 < len(keep) < _rows(problem):
        return
    zero = np.zeros(1, dtype=np.intp)
    for reduction in ("sum", "mean"):
        if reduction in problem.reductions:
            yield TransformedCall("drop-ignored", _subset(problem, keep), reduction, zero, zero)


def _split(problem: Problem) -> Iterator[TransformedCall]:
    """The first position alone gives what it gives among the others."""
    if _rows(problem) < 2:
        return
    first = np.zeros(1, dtype=np.intp)
    only = _whole(problem, first)
    yield TransformedCall("split", _subset(problem, first), "none", np.arange(len(only)), only)


def _axis_moved(problem: Problem) -> Iterator[TransformedCall]:
    """The class axis at another place: last if it was not, first if it was."""
    axis, shape = problem.class_axis or 0, problem.logits.shape
    if len(shape) < 2:
        return
    other = len(shape) - 1 if axis != len(shape) - 1 else 0
    # Positions keep their order: they are all the other axes, in order.
    logits = np.ascontiguousarray(np.moveaxis(problem.logits, axis, other))
    changed = replace(problem, logits=logits, axis=other, class_axis=other)
    if problem.target_kind == "probabilities":
        targets = np.ascontiguousarray(np.moveaxis(np.asarray(problem.targets), axis, other))
        changed = replace(changed, targets=targets)
    yield TransformedCall("axis-move", changed, "none", _whole(problem), _whole(problem))
