"""A case to problems: the tensors of each dtype and layout, rounded, with shapes that fit each other.

A shape that does not fit is the case file's mistake, unless the case says that an error is expected.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from conformance.cases.checks import NORMALISERS
from conformance.cases.layouts import check_layouts
from conformance.cases.literals import shape_of
from conformance.cases.load import Entry
from conformance.cases.resolve import invalid_of
from conformance.cases.targets import Targets, as_integers, check_fit, read_targets
from conformance.cases.tensors import default_upstream, materialise
from conformance.model.case import Case, Generator, ReductionName
from conformance.model.policies import NORMATIVE, POLICIES, DefaultReduction
from conformance.model.problem import Array, Problem, value_shape
from conformance.numerics.formats import DTYPES, DtypeName, Float64Array, round_to

__all__ = ["Expansion", "expand", "input_values", "reference_problem"]


class Expansion(msgspec.Struct, frozen=True, eq=False):
    """The problems of a case, and the dtypes that it cannot be put in, each with the reason."""

    problems: list[Problem]
    skipped: list[tuple[DtypeName, str]]


class _Exact(msgspec.Struct, frozen=True, eq=False):
    """The case's tensors before rounding: float64, but for index targets and targets passed on as they are."""

    logits: Float64Array
    targets: Targets
    where: Float64Array | None
    weight: Float64Array | None
    axis: int | None
    class_axis: int | None
    shape_axis: int | None


def expand(
    entry: Entry,
    *,
    dtypes: Collection[str] | None = None,
    default_reduction: DefaultReduction = NORMATIVE.default_reduction,
) -> Expansion:
    """One problem for each of the case's dtypes (of those in ``dtypes``) and layouts.

    Where the reduction is left to the framework, the upstream gradient has the shape of ``default_reduction``'s value.
    A dtype in which a finite number of the logits, probabilities, weights or upstream gradients becomes infinite is
    skipped. Raises CaseError where shapes do not fit and the case expects no error.
    """
    case = entry.case
    wanted = [dtype for dtype in case.dtypes if dtypes is None or dtype in dtypes]
    if not wanted:
        return Expansion([], [])
    exact = _exact(entry)
    if case.expect is None or case.expect.error is None:
        check_fit(entry, exact.logits, exact.targets, exact.weight, exact.class_axis)
    reductions: tuple[ReductionName, ...] = ("none",) if case.op in NORMALISERS else case.reductions
    upstream = _upstream(entry, exact, reductions, default_reduction)
    tangent = _tangent(entry, exact)
    if case.layouts != ("contiguous",):
        single = {"targets": exact.targets.values, "where": exact.where, "weight": exact.weight, "tangent": tangent}
        given = {name: [each] for name, each in single.items() if each is not None}
        check_layouts(entry, {"logits": [exact.logits], "upstream": list(upstream.values()), **given})
    problems: list[Problem] = []
    skipped: list[tuple[DtypeName, str]] = []
    values = (exact.logits, exact.weight, exact.targets.values if exact.targets.is_rounded else None, tangent)
    stated = () if case.upstream is None else upstream.values()  # the default one is of small numbers
    large = [each for each in (*values, *stated) if each is not None and not _fits_every_dtype(each)]
    for dtype in wanted:
        if reason := _beyond(large, dtype):
            skipped.append((dtype, reason))
        else:
            problems += _problems(entry, exact, reductions, upstream, tangent, dtype, in_range=not large)
    return Expansion(problems, skipped)


def reference_problem(entry: Entry) -> Problem | None:
    """The problem that ``expected`` is for: the widest dtype of the case; None where every dtype is skipped."""
    for dtype in DTYPES:
        if problems := expand(entry, dtypes=(dtype,)).problems:
            return problems[0]
    return None


def _exact(entry: Entry) -> _Exact:
    case = entry.case
    given = case.input
    if given is None:
        raise entry.error((), "no logits", "write `logits: [[...]]`")
    logits = input_values(case, given)
    rank = logits.ndim
    usual = 1 if rank > 1 else 0
    axis = None if case.axis == "default" else usual if case.axis is None else case.axis
    class_axis = axis % rank if axis is not None and -rank <= axis < rank else None
    # Where the truth has no class axis, shapes that are not stated follow the usual one.
    shape_axis = class_axis if class_axis is not None else usual if rank else None
    extent = logits.shape[shape_axis] if shape_axis is not None else 1
    targets = read_targets(entry, logits.shape, shape_axis)
    weight = None if case.weight is None else materialise(case.weight, shape=(extent,), classes=extent)
    where = None if case.where is None else _mask(entry, logits.shape, shape_axis)
    if where is not None and class_axis is not None and logits.size:
        _check_mask(entry, logits, where, class_axis)
    return _Exact(logits, targets, where, weight, axis, class_axis, shape_axis)


def input_values(case: Case, given: Any) -> Float64Array:
    """The logits of a case, or its probabilities, before rounding; these sum to 1 along the classes, wherever they lie.

    ``given`` is the case's ``input``.
    """
    return materialise(given, class_axis=_stated_axis(case, given) if case.op == "log_loss" else None)


def _stated_axis(case: Case, given: Any) -> int | None:
    """Where the classes of an input lie, for what is drawn along them; None where that is its last axis."""
    rank = len(_stated_shape(given))
    axis = case.axis if isinstance(case.axis, int) else 1
    return axis if -rank <= axis < rank else None


def _mask(entry: Entry, shape: tuple[int, ...], class_axis: int | None) -> Float64Array:
    """Which classes take part: 1 and 0 in the logits' shape."""
    given: Any = entry.case.where
    values = materialise(given, shape=shape, class_axis=class_axis, classes=2)
    if values.shape != shape:
        raise entry.error(
            ("where",), f"mask of shape {values.shape} for logits of shape {shape}", "give it their shape"
        )
    if not np.isin(values, (0.0, 1.0)).all():
        raise entry.error(
            ("where",), "a mask of other numbers than 0 and 1", "write 1 where a class takes part, else 0"
        )
    return values


def _check_mask(entry: Entry, logits: Float64Array, where: Float64Array, class_axis: int) -> None:
    """Each position has a finite logit, and no NaN or +inf, among the classes that take part."""
    held = np.where(where != 0.0, logits, -np.inf)
    top = held.max(axis=class_axis)
    if not np.isfinite(top).all():
        place = tuple(int(each) for each in np.argwhere(~np.isfinite(top))[0])
        problem = f"position {place} has no finite maximum among the classes that take part"
        raise entry.error(("where",), problem, "unmask a class with a finite logit, and mask NaN and +inf")


def _upstream(
    entry: Entry, exact: _Exact, reductions: tuple[ReductionName, ...], default_reduction: DefaultReduction
) -> dict[ReductionName, Float64Array]:
    """The upstream gradient of each reduction: the stated one where its shape fits, else the default one.

    Beside that of ``default`` are those of all that it may stand for.
    """
    given = entry.case.upstream
    kind, values = exact.targets.kind, exact.targets.values
    shapes: dict[ReductionName, tuple[int, ...]] = {}
    for name in (*reductions, *POLICIES["default-reduction"].values) if "default" in reductions else reductions:
        named = default_reduction if name == "default" else name
        shapes[name] = value_shape(named, exact.logits.shape, kind, values, exact.shape_axis)
    upstream = {name: default_upstream(shape, entry.case.id) for name, shape in shapes.items()}
    if given is None:
        return upstream
    stated = None if isinstance(given, Generator) and given.shape is None else _stated_shape(given)
    fitting = [name for name, shape in shapes.items() if stated is None or stated == shape]
    if not fitting and entry.case.expect is not None and entry.case.expect.error is not None:
        fitting = list(reductions)
    elif not fitting:
        hint = f"give it one of the shapes {', '.join(map(str, sorted(set(shapes.values()))))}, or remove the key"
        raise entry.error(("upstream",), f"upstream gradient of shape {stated}, which no reduction's value has", hint)
    return {**upstream, **{name: _stated(exact, given, shapes[name]) for name in fitting}}


def _stated_shape(given: Any) -> tuple[int, ...]:
    return tuple(given.shape or ()) if isinstance(given, Generator) else shape_of(given)


def _stated(exact: _Exact, given: Any, shape: tuple[int, ...]) -> Float64Array:
    whole = shape == exact.logits.shape
    return materialise(given, shape=shape, class_axis=exact.shape_axis if whole else None)


def _tangent(entry: Entry, exact: _Exact) -> Float64Array | None:
    """The direction of the case's transforms: the stated one, or a seeded one that is not the upstream gradient."""
    case, shape = entry.case, exact.logits.shape
    if not case.transforms:
        return None
    if "vectorised-map" in case.transforms and (len(shape) < 2 or exact.class_axis == 0):
        problem = f"no leading axis of positions in logits of shape {shape}, classes along {exact.class_axis}"
        raise entry.error(("transforms",), problem, "remove `vectorised-map`, or give the logits a batch axis")
    if "target-gradient" in case.transforms and exact.targets.kind != "probabilities":
        hint = "class probabilities alone have a gradient: remove `target-gradient`"
        raise entry.error(("transforms",), "the targets are class indices", hint)
    if case.tangent is None:
        return default_upstream(shape, f"{case.id}, tangent")
    if isinstance(case.tangent, Generator) and case.tangent.shape is None:
        return materialise(case.tangent, shape=shape, class_axis=exact.shape_axis)
    stated = _stated_shape(case.tangent)
    if stated not in (shape, ()):
        raise entry.error(("tangent",), f"tangent of shape {stated} for logits of shape {shape}", "give it their shape")
    values = materialise(case.tangent, shape=stated, class_axis=exact.shape_axis if stated == shape else None)
    return np.ascontiguousarray(np.broadcast_to(values, shape))


def _fits_every_dtype(values: Float64Array) -> bool:
    """Whether no number is beyond the range of a dtype, or NaN; those that are may yet round to within it."""
    return bool(np.abs(values).max(initial=0.0) <= SAFE)


def _beyond(large: Sequence[Float64Array], dtype: DtypeName) -> str | None:
    """Why tensors that hold ``large`` numbers cannot be put in ``dtype``; None where they can."""
    for values in large if dtype != "float64" else ():
        lost = np.isfinite(values) & np.isinf(round_to(values, dtype).astype(np.float64))
        if lost.any():
            return f"{_short(float(values[lost].flat[0]))} is beyond {dtype}'s range"
    return None


#: Within the range of every dtype.
SAFE = 65504.0


def _short(value: float) -> str:
    """``1e8`` rather than ``100000000.0`` or ``1e+08``."""
    digits, _, exponent = f"{value:.6g}".partition("e")
    return f"{digits}e{int(exponent)}" if exponent else digits


def _problems(
    entry: Entry,
    exact: _Exact,
    reductions: tuple[ReductionName, ...],
    upstream: dict[ReductionName, Float64Array],
    tangent: Float64Array | None,
    dtype: DtypeName,
    *,
    in_range: bool,
) -> list[Problem]:
    case = entry.case

    def rounded_to(values: Float64Array) -> Array:
        return round_to(values, dtype, in_range=in_range)

    if case.logits_dtype is None:
        logits = rounded_to(exact.logits)
    else:
        logits = as_integers(entry, "logits_dtype", exact.logits, np.dtype(case.logits_dtype), "logits_dtype")
    targets = rounded_to(exact.targets.values) if exact.targets.is_rounded else exact.targets.values
    weight = None if exact.weight is None else rounded_to(exact.weight)
    rounded: dict[ReductionName, Array] = {name: rounded_to(values) for name, values in upstream.items()}
    problems = [
        Problem(
            case=entry.stated or case,
            theme=entry.theme,
            dtype=dtype,
            layout=layout,
            operation=case.op,
            logits=logits,
            targets=targets,
            target_kind=exact.targets.kind,
            where=None if exact.where is None else exact.where.astype(np.bool_),
            weight=weight,
            axis=exact.axis,
            class_axis=exact.class_axis,
            ignore_index=case.ignore_index,
            label_smoothing=case.label_smoothing or 0.0,
            reductions=reductions,
            upstream=rounded,
            tangent=None if tangent is None else rounded_to(tangent),
        )
        for layout in case.layouts
    ]
    if case.expect is None or case.expect.error is None:
        return problems
    return [replace(problem, invalid=invalid_of(problem)) for problem in problems]
