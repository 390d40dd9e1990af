"""What is asked of a backend, and the truth that its answers are held against: made of a portion where it is needed.

It is made anew for each backend, and then forgotten, so that memory does not grow with the number of cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from conformance.cases.checks import SMOOTHED
from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.cases.resolve import resolve
from conformance.judge.examples import axis_of_an_example, examples_of, upstream_of_examples
from conformance.judge.identities import TransformedCall, reshapes, transformed_calls
from conformance.judge.identity import Side
from conformance.judge.prepared import Prepared
from conformance.judge.requirements import other_dtype
from conformance.judge.transforms import Transformed
from conformance.judge.unit import Unit
from conformance.model.case import TransformName
from conformance.model.dtypes import DtypeName
from conformance.model.outcome import UnitKey
from conformance.model.policies import NORMATIVE
from conformance.model.problem import Array, Problem
from conformance.oracle.block import Block, blocks
from conformance.run.plan import Portion
from conformance.worker.exchange import Request

__all__ = ["Chunk", "Group", "Identity", "Skip", "chunk_of", "request_of", "transform_request", "unit_keys"]

#: Why a case is not run where the framework would compile for it.
SPARED = "of the tier full, which a backend that compiles is asked only with --tier full"


@dataclass(frozen=True)
class Skip:
    """A case that is not run in a dtype, and why; ``lacks`` is the operation that the backend does not have."""

    entry: Entry
    dtype: DtypeName
    reason: str = ""
    lacks: str = ""


@dataclass(frozen=True, eq=False)
class Group:
    """Units that are judged together: their block, and where the observations of each reduction lie in the chunk."""

    prepared: Prepared
    units: list[Unit]
    places: dict[str, list[int]]


@dataclass(frozen=True, eq=False)
class Identity:
    """A transformed call of ``group``'s unit ``index``; ``place`` is its observation's."""

    derived: TransformedCall
    group: Group
    index: int
    other: Side
    place: int


@dataclass(eq=False)
class Chunk:
    """Some consecutive cases: what to ask, and how to judge the answers; ``portion`` is what it was made of."""

    portion: Portion
    requests: list[Request] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    raising: list[tuple[Unit, str, int]] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    transforms: list[tuple[Transformed, int]] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    #: Units that the backend is not asked about, each with the dtype that its operation is declared not to take.
    unasked: list[tuple[Unit, DtypeName]] = field(default_factory=list)
    size: int = 0

    def ask(self, request: Request) -> int:
        """Put a request on the list, without an upstream gradient if there are no gradients; returns its place."""
        if not self.portion.gradients and not request.transform:
            request = msgspec.structs.replace(request, upstream=None)
        self.requests.append(request)
        return len(self.requests) - 1


def unit_keys(portion: Portion, backend: str) -> frozenset[UnitKey]:
    """What the outcomes of a portion are filed under, for a backend."""
    chunk = Chunk(portion)
    units = {(backend, *unit.problem.key) for entry in portion.entries for unit in _expand(entry, chunk)}
    return frozenset(units | {(backend, each.entry.case.id, each.dtype, "contiguous") for each in chunk.skips})


def chunk_of(portion: Portion) -> Chunk:
    """What to ask about the cases of a portion, and how to judge the answers."""
    chunk = Chunk(portion)
    fit: dict[int, Unit] = {}
    for entry in portion.entries:
        for unit in _expand(entry, chunk):
            chunk.units.append(unit)
            other = other_dtype(unit.problem, portion.accepted)
            if other is not None:
                chunk.unasked.append((unit, other))
                continue
            chunk.size += unit.problem.logits.size
            if unit.resolution.must_raise or unit.resolution.undefined:
                _ask_raising(chunk, unit)
            else:
                fit[id(unit.resolution.problem)] = unit
    for block in blocks(unit.resolution.problem for unit in fit.values()):
        group = Group(Prepared(block), [fit[id(problem)] for problem in block.problems], {})
        chunk.groups.append(group)
        for reduction in _reductions(group.units):
            group.places[reduction] = [_ask(chunk, unit, reduction) for unit in group.units]
        _ask_transforms(chunk, group)
    if portion.identities:
        _add_identities(chunk)
    return chunk


def _expand(entry: Entry, chunk: Chunk) -> Iterator[Unit]:
    portion = chunk.portion
    lacks = entry.case.op if entry.case.op in portion.lacks else ""
    excess = portion.limits.excess(entry.case)
    if not excess and portion.spared and entry.case.tier == "full":
        excess = SPARED
    if excess or lacks:
        wanted = [dtype for dtype in entry.case.dtypes if portion.dtypes is None or dtype in portion.dtypes]
        chunk.skips += [Skip(entry, dtype, excess, lacks) for dtype in wanted]
        return
    reduction = portion.default_reductions.get(entry.case.op, portion.default_reduction)
    expansion = expand(entry, dtypes=portion.dtypes, default_reduction=reduction)
    chunk.skips += [Skip(entry, dtype, reason) for dtype, reason in expansion.skipped]
    for problem in expansion.problems:
        yield Unit(problem, resolve(problem, NORMATIVE))


def _ask(chunk: Chunk, unit: Unit, reduction: str) -> int:
    key = len(chunk.requests)
    problem = unit.problem
    if problem.axis is None:  # the axis is the framework's: the gradient still has the logits' shape
        problem = replace(problem, class_axis=unit.resolution.problem.class_axis)
    return chunk.ask(request_of(problem, reduction, key, gradient=True, repeat=True))


def _ask_raising(chunk: Chunk, unit: Unit) -> None:
    for reduction in unit.problem.reductions:
        key = len(chunk.requests)
        # It may be the upstream gradient that is to be refused, or the gradient that is asked about.
        case = unit.problem.case
        stated = case.upstream is not None or "gradient-of-bad-label" in case.policies
        place = chunk.ask(request_of(unit.problem, reduction, key, gradient=stated, repeat=False))
        chunk.raising.append((unit, reduction, place))


def _add_identities(chunk: Chunk) -> None:
    derived: dict[int, tuple[TransformedCall, Group, int]] = {}
    for group in chunk.groups:
        for index, unit in enumerate(group.units):
            if unit.problem.axis is None or unit.problem.where is not None or "none" not in group.places:
                continue
            for each in transformed_calls(unit.resolution.problem, anew=not chunk.portion.spared):
                if other_dtype(each.problem, chunk.portion.accepted) is not None:
                    continue
                derived[id(each.problem)] = (each, group, index)
    for block in blocks(each.problem for each, _, _ in derived.values()):
        prepared = Prepared(block)
        for place, problem in enumerate(block.problems):
            each, group, index = derived[id(problem)]
            key = len(chunk.requests)
            sent = chunk.ask(request_of(problem, each.reduction, key, gradient=False, repeat=False))
            chunk.identities.append(Identity(each, group, index, Side(prepared, place), sent))


def request_of(problem: Problem, reduction: str, key: int, *, gradient: bool, repeat: bool) -> Request:
    """The call as the backend receives it; ``default`` leaves the reduction to the framework.

    Without ``gradient`` the upstream gradient is zero, and only the value is asked for.
    """
    options: list[tuple[str, object]] = [("axis", problem.axis)]
    operands: dict[str, object] = {} if problem.where is None else {"where": problem.where}
    if problem.takes_targets:
        operands["targets"] = problem.targets
        if problem.weight is not None:
            operands["weight"] = problem.weight
        options.append(("ignore_index", problem.ignore_index))
        if problem.operation in SMOOTHED:
            stated = problem.label_smoothing or problem.case.label_smoothing is not None
            options.append(("label_smoothing", problem.label_smoothing if stated else None))
        options.append(("reduction", None if reduction == "default" else reduction))
    upstream = None
    if problem.class_axis is not None and (gradient or not (problem.must_raise or reduction == "default")):
        upstream = problem.upstream[reduction] if gradient else _zeros(problem, reduction)  # type: ignore[index]
    return Request(
        key,
        problem.operation,
        problem.logits,
        operands,
        tuple(options),
        problem.layout,
        upstream,
        repeat,
        not gradient,
        spacing=problem.case.spacing or 1,
    )


def _zeros(problem: Problem, reduction: str) -> Array:
    shape, axis = problem.logits.shape, problem.class_axis or 0
    if problem.takes_targets:
        shape = shape[:axis] + shape[axis + 1 :] if reduction == "none" else ()
    return np.zeros(shape, problem.logits.dtype)


def _ask_transforms(chunk: Chunk, group: Group) -> None:
    """The transforms that the cases of a group ask for; their truth is prepared problem by problem.

    All but forward mode begin with a gradient.
    """
    for unit in group.units:
        if not unit.problem.case.transforms:
            continue
        prepared = Prepared(Block((unit.resolution.problem,)))
        for transform in unit.problem.case.transforms:
            if not chunk.portion.gradients and transform != "forward-mode":
                continue
            if "vectorised-map" in (transform, transform == "concurrent" and unit.problem.case.in_threads):
                _ask_map(chunk, unit, transform, prepared)
                continue
            for reduction in unit.problem.reductions:
                place = chunk.ask(transform_request(unit.problem, transform, reduction, len(chunk.requests)))
                chunk.transforms.append((Transformed(unit, transform, reduction, prepared), place))


def _ask_map(chunk: Chunk, unit: Unit, transform: TransformName, prepared: Prepared) -> None:
    """A map of losses, or two threads that make one; where the case reduces them all, each example by itself."""
    problem = unit.problem
    if not reshapes(problem):
        return
    for reduction in ("none",) if "none" in problem.reductions else problem.reductions:
        if reduction == "default" or (reduction != "none" and not len(problem.logits)):
            continue
        asked = Transformed(unit, transform, reduction, prepared)
        if reduction != "none":
            examples = examples_of(problem, reduction)
            whole = Prepared(Block(tuple(each.resolution.problem for each in examples)))
            asked = replace(asked, prepared=whole, examples=examples)
        place = chunk.ask(transform_request(problem, transform, reduction, len(chunk.requests)))
        chunk.transforms.append((asked, place))


def transform_request(problem: Problem, transform: TransformName, reduction: str, key: int) -> Request:
    """The transformed call: without an upstream gradient in forward mode, of one example for the vectorised map.

    That of ``concurrent`` is the case's other transform, or the plain call, with logits for a second thread.
    """
    if transform == "concurrent":
        other = problem.case.in_threads
        request = request_of(problem, reduction, key, gradient=True, repeat=False)
        if other is not None:
            request = transform_request(problem, other, reduction, key)
        return msgspec.structs.replace(
            request, other_logits=np.ascontiguousarray(np.flip(problem.logits)), repeat=False
        )
    request = request_of(problem, reduction, key, gradient=True, repeat=True)
    if transform == "refilled":
        return msgspec.structs.replace(request, transform=transform, repeat=False)
    changes: dict[str, Any] = {"transform": transform, "tangent": problem.tangent}
    if transform == "forward-mode":
        changes["upstream"] = None
    elif transform == "target-gradient":
        changes["tangent"] = None
    elif transform == "second-backward":
        changes["tangent"] = former_upstream(request.upstream)
    elif transform == "vectorised-map":
        axis = problem.axis
        assert axis is not None
        named = dict(request.options) | {"axis": axis_of_an_example(axis)}
        changes |= {"tangent": None, "options": tuple(named.items())}
        if reduction != "none":
            changes["upstream"] = upstream_of_examples(problem, reduction)
    return msgspec.structs.replace(request, **changes)


def former_upstream(upstream: Array | None) -> Array | None:
    """The upstream gradient of the first of two backward passes, 2v + v|v| for that of the second, which is judged.

    It is not a multiple of v: a gradient that is kept from the first pass, and scaled, is not that of the second.
    """
    v: Any = upstream
    with np.errstate(over="ignore", invalid="ignore"):
        return None if v is None else np.asarray(v + v + v * abs(v))


def _reductions(units: Sequence[Unit]) -> tuple[str, ...]:
    return units[0].problem.reductions
