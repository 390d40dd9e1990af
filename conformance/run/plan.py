"""The plan of a run: cases to problems, problems to requests, in chunks that can be asked and judged anywhere.

A portion names some cases; it is small, and travels. A chunk is what is made of it where it is needed: the requests,
and the truth that the answers are held against. It is made anew for each backend, and then forgotten, so that memory
does not grow with the number of cases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from conformance.cases.expand import expand
from conformance.cases.load import Entry
from conformance.cases.resolve import resolve
from conformance.judge.identities import TransformedCall, reshapes, transformed_calls
from conformance.judge.identity import Side
from conformance.judge.prepared import Prepared
from conformance.judge.transforms import Transformed
from conformance.judge.unit import Unit
from conformance.model.case import Case, CaseTier, Generator, TransformName
from conformance.model.dtypes import DtypeName
from conformance.model.outcome import UnitKey
from conformance.model.policies import NORMATIVE
from conformance.model.problem import Array, Problem
from conformance.oracle.block import Block, blocks
from conformance.run.costs import expected_cost
from conformance.worker.exchange import Request

__all__ = ["Chunk", "Group", "Identity", "Plan", "Portion", "RunBudget", "Skip", "request_of", "transform_request"]

_cases = msgspec.msgpack.Decoder(list[tuple[Case, Case | None]])
#: Seconds that the cases of a chunk are expected to take with NumPy, unless one alone takes more: a run that is killed
#: loses the chunks under way. Small cases are many in a chunk, since most of what judging one costs is a chunk's.
MOST = 0.2
#: Of what a case costs by itself, one like it in the same chunk: they are judged in one block. The last chunks hold no
#: more of them than a part of what is left, so that several workers end together.
ALIKE, PART = 0.25, 1 / 8
#: Why a case is not run where the framework would compile for it.
SPARED = "of the tier full, which a backend that compiles is asked only with --tier full"


@dataclass(frozen=True)
class RunBudget:
    """Cases whose stated budget exceeds these are left out: bytes and seconds of one call."""

    memory: int = 2 << 30
    seconds: float = 60.0

    def excess(self, case: Case) -> str:
        """Why the case is left out, or nothing."""
        if case.budget.memory > self.memory:
            return f"needs {case.budget.memory / 2**30:.1f} GiB, beyond {self.memory / 2**30:.1f} (--max-memory)"
        if case.budget.seconds > self.seconds:
            return f"needs {case.budget.seconds:g} s, above the limit of {self.seconds:g} (--timeout)"
        return ""


@dataclass(frozen=True)
class Skip:
    """A case that is not run in a dtype, and why."""

    entry: Entry
    dtype: DtypeName
    reason: str


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

    number: int
    portion: Portion
    requests: list[Request] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    raising: list[tuple[Unit, str, int]] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    transforms: list[tuple[Transformed, int]] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    size: int = 0

    def ask(self, request: Request) -> int:
        """Put a request on the list; returns its place."""
        self.requests.append(request)
        return len(self.requests) - 1


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
        if problem.operation == "cross_entropy":
            stated = problem.label_smoothing or problem.case.label_smoothing is not None
            options.append(("label_smoothing", problem.label_smoothing if stated else None))
        options.append(("reduction", None if reduction == "default" else reduction))
    upstream = None
    if problem.class_axis is not None and reduction != "default" and (gradient or not problem.must_raise):
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
    )


def _zeros(problem: Problem, reduction: str) -> Array:
    shape, axis = problem.logits.shape, problem.class_axis or 0
    if problem.takes_targets:
        shape = shape[:axis] + shape[axis + 1 :] if reduction == "none" else ()
    return np.zeros(shape, problem.logits.dtype)


@dataclass(frozen=True, eq=False)
class Portion:
    """Some consecutive cases of a run, and how they are to be asked: all that a chunk is made of.

    ``spared`` leaves out what makes a compiler start anew and adds little: cases of the tier ``full``, and identities
    of another shape or operation.
    """

    number: int
    entries: tuple[Entry, ...]
    dtypes: frozenset[str] | None = None
    identities: bool = True
    limits: RunBudget = field(default_factory=RunBudget)
    tier: CaseTier = "full"
    spared: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """With the cases as msgpack: pickled one by one they take four times as long."""
        cases = msgspec.msgpack.encode([(each.case, each.stated) for each in self.entries])
        return self.__dict__ | {"entries": (cases, [(each.theme, each.file, each.index) for each in self.entries])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        cases, others = state["entries"]
        pairs = zip(_cases.decode(cases), others, strict=True)
        entries = (Entry(case, theme, file, index, stated) for (case, stated), (theme, file, index) in pairs)
        self.__dict__.update(state | {"entries": tuple(entries)})

    def asked_of(self, *, compiles: bool) -> Portion:
        """The portion as it is asked of a backend that compiles anew for every shape, or of another."""
        return replace(self, spared=True) if compiles and self.tier != "full" else self

    def units(self, backend: str) -> frozenset[UnitKey]:
        """What the outcomes of this portion are filed under, for a backend."""
        chunk = Chunk(self.number, self)
        units = {(backend, *unit.problem.key) for entry in self.entries for unit in self._expand(entry, chunk)}
        return frozenset(units | {(backend, each.entry.case.id, each.dtype, "contiguous") for each in chunk.skips})

    def build(self) -> Chunk:
        """What to ask about these cases, and how to judge the answers."""
        chunk = Chunk(self.number, self)
        fit: dict[int, Unit] = {}
        for entry in self.entries:
            for unit in self._expand(entry, chunk):
                chunk.units.append(unit)
                chunk.size += unit.problem.logits.size
                if unit.resolution.must_raise or unit.resolution.undefined:
                    self._ask_raising(chunk, unit)
                else:
                    fit[id(unit.resolution.problem)] = unit
        for block in blocks(unit.resolution.problem for unit in fit.values()):
            group = Group(Prepared(block), [fit[id(problem)] for problem in block.problems], {})
            chunk.groups.append(group)
            for reduction in _reductions(group.units):
                group.places[reduction] = [self._ask(chunk, unit, reduction) for unit in group.units]
            _ask_transforms(chunk, group)
        if self.identities:
            self._add_identities(chunk)
        return chunk

    def _expand(self, entry: Entry, chunk: Chunk) -> Iterator[Unit]:
        excess = self.limits.excess(entry.case)
        if not excess and self.spared and entry.case.tier == "full":
            excess = SPARED
        if excess:
            wanted = [dtype for dtype in entry.case.dtypes if self.dtypes is None or dtype in self.dtypes]
            chunk.skips += [Skip(entry, dtype, excess) for dtype in wanted]
            return
        expansion = expand(entry, dtypes=self.dtypes)
        chunk.skips += [Skip(entry, dtype, reason) for dtype, reason in expansion.skipped]
        for problem in expansion.problems:
            yield Unit(problem, resolve(problem, NORMATIVE))

    def _ask(self, chunk: Chunk, unit: Unit, reduction: str) -> int:
        key = len(chunk.requests)
        problem = unit.problem
        if problem.axis is None:  # the axis is the framework's: the gradient still has the logits' shape
            problem = replace(problem, class_axis=unit.resolution.problem.class_axis)
        return chunk.ask(request_of(problem, reduction, key, gradient=True, repeat=True))

    def _ask_raising(self, chunk: Chunk, unit: Unit) -> None:
        for reduction in unit.problem.reductions:
            key = len(chunk.requests)
            # It may be the upstream gradient that is to be refused, or the gradient that is asked about.
            case = unit.problem.case
            stated = case.upstream is not None or "gradient-of-bad-label" in case.policies
            place = chunk.ask(request_of(unit.problem, reduction, key, gradient=stated, repeat=False))
            chunk.raising.append((unit, reduction, place))

    def _add_identities(self, chunk: Chunk) -> None:
        derived: dict[int, tuple[TransformedCall, Group, int]] = {}
        for group in chunk.groups:
            for index, unit in enumerate(group.units):
                if unit.problem.axis is None or unit.problem.where is not None or "none" not in group.places:
                    continue
                for each in transformed_calls(unit.resolution.problem, anew=not self.spared):
                    derived[id(each.problem)] = (each, group, index)
        for block in blocks(each.problem for each, _, _ in derived.values()):
            prepared = Prepared(block)
            for place, problem in enumerate(block.problems):
                each, group, index = derived[id(problem)]
                key = len(chunk.requests)
                sent = chunk.ask(request_of(problem, each.reduction, key, gradient=False, repeat=False))
                chunk.identities.append(Identity(each, group, index, Side(prepared, place), sent))


class Plan:
    """The portions of a run, and their chunks: the last one asked for is kept, for several backends in turn."""

    def __init__(
        self,
        entries: Sequence[Entry],
        dtypes: Collection[str] | None = None,
        identities: bool = True,
        limits: RunBudget | None = None,
        tier: CaseTier = "full",
    ) -> None:
        wanted = None if dtypes is None else frozenset(dtypes)
        self.portions = [
            Portion(number, tuple(each), wanted, identities, limits or RunBudget(), tier)
            for number, each in enumerate(_portions(entries))
        ]
        self._last: Chunk | None = None

    def __len__(self) -> int:
        return len(self.portions)

    def chunk(self, number: int) -> Chunk:
        """The chunk of portion ``number``."""
        if self._last is None or self._last.number != number:
            self._last = self.portions[number].build()
        return self._last


def _portions(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    costs = [expected_cost(entry.case) for entry in entries]
    left = sum(costs)
    portion: list[Entry] = []
    kinds: set[object] = set()
    alone = together = 0.0
    for entry, cost in zip(entries, costs, strict=True):
        kind = _kind(entry.case)
        alone += cost
        together += ALIKE * cost if kind in kinds else cost
        if portion and alone > MOST and together > min(MOST, ALIKE * PART * left):
            yield portion
            left -= alone - cost
            portion, kinds, alone, together = [], set(), cost, cost
        portion.append(entry)
        if kind is not None:
            kinds.add(kind)
    if portion:
        yield portion


def _kind(case: Case) -> object:
    """What cases that are judged in one block have in common; None where their text does not show it."""
    given = case.input
    if not isinstance(given, Generator) or given.shape is None:
        return None
    return case.op, *given.shape, case.dtypes, case.layouts, case.reductions, case.transforms


def _ask_transforms(chunk: Chunk, group: Group) -> None:
    """The transforms that the cases of a group ask for; their truth is prepared problem by problem."""
    for unit in group.units:
        if not unit.problem.case.transforms:
            continue
        prepared = Prepared(Block((unit.resolution.problem,)))
        for transform in unit.problem.case.transforms:
            if transform == "vectorised-map" and not reshapes(unit.problem):
                continue
            for reduction in ("none",) if transform == "vectorised-map" else unit.problem.reductions:
                if reduction == "default" and transform != "forward-mode":
                    continue  # the shape of an upstream gradient would be the framework's own choice
                key = len(chunk.requests)
                place = chunk.ask(transform_request(unit.problem, transform, reduction, key))
                chunk.transforms.append((Transformed(unit, transform, reduction, prepared), place))


def transform_request(problem: Problem, transform: TransformName, reduction: str, key: int) -> Request:
    """The transformed call: without an upstream gradient in forward mode, of one example for the vectorised map."""
    request = request_of(problem, reduction, key, gradient=True, repeat=True)
    changes: dict[str, Any] = {"transform": transform, "tangent": problem.tangent}
    if transform == "forward-mode":
        changes["upstream"] = None
    elif transform == "target-gradient":
        changes["tangent"] = None
    elif transform == "second-backward":
        changes["tangent"] = former_upstream(request.upstream)
    elif transform == "concurrent":
        changes |= {"tangent": np.ascontiguousarray(np.flip(request.logits)), "repeat": False}
    elif transform == "vectorised-map":
        axis = problem.axis
        assert axis is not None
        named = dict(request.options) | {"axis": axis - 1 if axis > 0 else axis}
        changes |= {"tangent": None, "options": tuple(named.items())}
    return msgspec.structs.replace(request, **changes)


def former_upstream(upstream: Array | None) -> Array | None:
    """The upstream gradient of the first of two backward passes: twice that of the second, which alone is judged."""
    with np.errstate(over="ignore"):
        return None if upstream is None else np.asarray(np.add(upstream, upstream))


def _reductions(units: Sequence[Unit]) -> tuple[str, ...]:
    return units[0].problem.reductions
