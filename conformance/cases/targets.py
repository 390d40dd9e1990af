"""Targets as the case means them, and whether they, the weights and the axis fit the logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from conformance.cases.checks import target_kind
from conformance.cases.literals import leaves
from conformance.cases.tensors import materialise
from conformance.model.case import Generator, TargetKind
from conformance.model.problem import Array
from conformance.numerics.formats import numpy_dtype

if TYPE_CHECKING:
    from conformance.cases.load import Entry

__all__ = ["Targets", "as_integers", "check_fit", "read_targets"]

_ON_PURPOSE = "or, if refusing it is the point, write `expect: {error: ...}`"
_FLOATING = ("float16", "bfloat16", "float32", "float64")


class Targets(msgspec.Struct, frozen=True, eq=False):
    """``values`` is an array, or for kind ``python`` any object; ``is_rounded``: it takes the dtype under test."""

    kind: TargetKind | None
    values: Any
    is_rounded: bool = False


def read_targets(entry: Entry, logits_shape: tuple[int, ...], class_axis: int | None) -> Targets:
    """The targets of a case whose logits have ``logits_shape``, with classes along ``class_axis``.

    Indices are int64 unless ``target_dtype`` says otherwise. Raises CaseError for a number that this dtype cannot hold.
    """
    given = entry.case.targets
    kind = target_kind(entry.case, logits_shape)
    if given is None or kind is None or kind == "python":
        return Targets(kind, given)
    if isinstance(given, Generator):
        return _generated(entry, given, kind, logits_shape, class_axis)
    integers = kind == "indices" and all(type(value) is int for value in leaves(given))
    if entry.case.target_dtype is not None or integers:
        return Targets(kind, _cast(entry, given))
    return Targets(kind, np.array(given, dtype=np.float64), is_rounded=True)


def _generated(
    entry: Entry, given: Generator, kind: TargetKind, logits_shape: tuple[int, ...], class_axis: int | None
) -> Targets:
    labels = given.distribution == "labels"
    shape, extent = logits_shape, 1
    if class_axis is not None:
        extent = logits_shape[class_axis]
        if kind == "indices":
            shape = logits_shape[:class_axis] + logits_shape[class_axis + 1 :]
    if labels and given.classes is None and extent == 0:
        hint = "write `classes: ...`, or other targets"
        raise entry.error(("targets",), "no class to draw from: the class axis has extent 0", hint)
    along = class_axis if len(given.shape or shape) == len(logits_shape) else None
    values = materialise(given, shape=shape, class_axis=along, classes=extent)
    if labels and entry.case.target_dtype is None and given.planted is None:
        return Targets(kind, values.astype(np.int64))  # drawn from the classes, so that it holds them all
    if labels or entry.case.target_dtype is not None:
        return Targets(kind, _cast(entry, values))
    return Targets(kind, values, is_rounded=True)


def _cast(entry: Entry, given: Any) -> Array:
    """The numbers as ``target_dtype``: a floating one rounds, any other must hold them as they are."""
    name = entry.case.target_dtype or "int64"
    if name in _FLOATING:
        values = np.array(given, dtype=np.float64)
        with np.errstate(over="ignore"):
            rounded = values.astype(numpy_dtype(name))
        beyond = np.isfinite(values) & np.isinf(rounded.astype(np.float64))
        if beyond.any():
            hint = "write a smaller number, `.inf`, or another `target_dtype`"
            raise entry.error(("targets",), f"{values[beyond].flat[0]} is beyond {name}'s range", hint)
        return rounded
    return as_integers(entry, "targets", given, numpy_dtype(name), "target_dtype")


def as_integers(entry: Entry, key: str, given: Any, dtype: np.dtype[Any], option: str) -> Array:
    """Numbers as those of an integer ``dtype``, which ``option`` states; CaseError at ``key`` for one that it lacks."""
    low, high = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype.name).min), int(np.iinfo(dtype.name).max))
    # Python's numbers as they were written: NumPy makes 2^63 beside 0 a float, and holds it against 2^63 - 1 as floats.
    values = given if isinstance(given, np.ndarray) else np.array(given, dtype=object)
    with np.errstate(invalid="ignore"):
        wrong = ~((low <= values) & (values < high + 1) & (values % 1 == 0)).astype(np.bool_)
    if wrong.any():
        hint = f"write integers from {low} to {high}, or another `{option}`"
        raise entry.error((key,), f"{values[wrong].flat[0]} does not fit {dtype.name}", hint)
    return np.array(given, dtype=dtype)


def check_fit(entry: Entry, logits: Array, targets: Targets, weight: Array | None, class_axis: int | None) -> None:
    """Raise CaseError, with line and hint, where axis, targets or weight do not fit the logits.

    With the axis left to the framework, or logits of rank 0, only that framework's rule decides: nothing is checked.
    """
    axis = entry.case.axis
    if class_axis is None:
        if isinstance(axis, int) and logits.ndim:
            problem = f"axis {axis} of logits of rank {logits.ndim}"
            hint = f"write an axis from {-logits.ndim} to {logits.ndim - 1}, {_ON_PURPOSE}"
            raise entry.error(("axis",), problem, hint)
        return
    _check_targets(entry, logits.shape, targets, class_axis)
    extent = logits.shape[class_axis]
    if weight is not None and weight.shape != (extent,):
        problem = f"weight of shape {weight.shape} for {extent} classes (axis {class_axis} of logits {logits.shape})"
        raise entry.error(("weight",), problem, f"one weight a class: shape ({extent},), {_ON_PURPOSE}")


def _check_targets(entry: Entry, logits_shape: tuple[int, ...], targets: Targets, class_axis: int) -> None:
    if targets.kind is None or targets.kind == "python":
        return
    indices = targets.kind == "indices"
    wanted = logits_shape[:class_axis] + logits_shape[class_axis + 1 :] if indices else logits_shape
    if targets.values.shape != wanted:
        what = "class indices" if indices else "class probabilities"
        problem = (
            f"{what} of shape {targets.values.shape} for logits of shape {logits_shape}, classes along {class_axis}"
        )
        raise entry.error(("targets",), problem, f"give them shape {wanted}, {_ON_PURPOSE}")
    if indices and targets.values.dtype.kind not in "iu":
        problem = f"class indices of dtype {'float' if targets.is_rounded else targets.values.dtype.name}"
        raise entry.error(("targets",), problem, f"write integers, {_ON_PURPOSE}")
    if not indices and targets.values.dtype.kind in "iub":
        problem = f"class probabilities of dtype {targets.values.dtype.name}"
        raise entry.error(("targets",), problem, f"choose a floating `target_dtype`, {_ON_PURPOSE}")
