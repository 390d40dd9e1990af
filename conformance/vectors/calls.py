"""The calls that vectors are made of: those of a run's plan that need neither a framework nor a layout of memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from conformance.cases.load import Entry
from conformance.judge.prepared import Prepared
from conformance.judge.transforms import TRANSFORM_QUANTITIES
from conformance.judge.unit import Unit
from conformance.model.case import TransformName
from conformance.model.dtypes import DtypeName
from conformance.model.problem import Problem
from conformance.model.quantities import Quantity
from conformance.run.chunk import Chunk
from conformance.run.plan import Plan, RunBudget
from conformance.worker.exchange import Request

__all__ = ["VectorCall", "calls", "identifier", "narrowed", "plan", "portable"]

#: Beyond these only ``conformance run`` asks: bytes, and seconds of one call.
LIMITS = RunBudget(1 << 30, 60.0)
#: The others are about a framework: a map over a batch, or two backward passes through one forward pass.
_OF_CALLS: tuple[TransformName, ...] = ("forward-mode", "second-order", "target-gradient")


@dataclass(frozen=True, eq=False)
class VectorCall:
    """A call of a chunk: its ``place`` there, and its truth, that of ``prepared``'s problem ``index``, if it has one.

    ``asks`` are the results that it is made for.
    """

    unit: Unit
    reduction: str
    transform: str
    place: int
    asks: tuple[Quantity, ...]
    prepared: Prepared | None = None
    index: int = 0

    @property
    def id(self) -> str:
        """What names the vector: case, dtype, reduction, and the transform where there is one."""
        return identifier(self.unit.problem, self.reduction, self.transform)


def identifier(problem: Problem, reduction: str, transform: str = "") -> str:
    """``CASE/DTYPE/REDUCTION[/TRANSFORM]``."""
    return "/".join(each for each in (problem.case.id, problem.dtype, reduction, transform) if each)


def narrowed(entries: Sequence[Entry], dtypes: Mapping[str, Collection[str]] | None = None) -> list[Entry]:
    """The entries as vectors have them: contiguous, without what only a framework can do, in ``dtypes`` by case.

    They come in the order of themes and files, whatever order they were selected in: so their digests are the same.
    """
    found = []
    for entry in sorted(entries, key=lambda entry: (entry.theme, str(entry.file), entry.index)):
        case = entry.stated or entry.case
        kept = [each for each in entry.case.dtypes if dtypes is None or each in dtypes.get(case.id, ())]
        if kept:
            transforms = tuple(each for each in case.transforms if each in _OF_CALLS)
            tangent = case.tangent if transforms else None
            case = msgspec.structs.replace(case, layouts=("contiguous",), transforms=transforms, tangent=tangent)
            found.append(replace(entry, case=case, stated=None).narrowed(kept))
    return found


def plan(entries: Sequence[Entry]) -> Plan:
    """The plan of the calls, without the identities, which hold several calls against each other."""
    return Plan(entries, identities=False, limits=LIMITS)


def calls(chunk: Chunk) -> Iterator[VectorCall]:
    """The calls of a chunk that have a vector, case by case."""
    found: dict[int, list[VectorCall]] = {id(unit): [] for unit in chunk.units}
    for unit, reduction, place in chunk.raising:
        found[id(unit)].append(VectorCall(unit, reduction, "", place, _asks(chunk.requests[place], reduction)))
    for group in chunk.groups:
        for reduction, places in group.places.items():
            for index, (unit, place) in enumerate(zip(group.units, places, strict=True)):
                asks = _asks(chunk.requests[place], reduction)
                found[id(unit)].append(VectorCall(unit, reduction, "", place, asks, group.prepared, index))
    for asked, place in chunk.transforms:
        if asked.reduction == "default" and chunk.requests[place].upstream is not None:
            continue
        if asked.examples:  # a map is not judged here, and each of its examples is a problem by itself
            continue
        asks = TRANSFORM_QUANTITIES[asked.transform]
        found[id(asked.unit)].append(
            VectorCall(asked.unit, asked.reduction, asked.transform, place, asks, asked.prepared)
        )
    for unit in chunk.units:
        if not portable(unit.problem):
            yield from found[id(unit)]


def portable(problem: Problem) -> str:
    """Why a problem's operands cannot be handed to a kernel that is not written in Python; empty where they can."""
    if problem.target_kind == "python":
        return "its targets are Python objects"
    if problem.case.spacing is not None:
        return "its positions lie among others, in a call of which they are a sample"
    for name, operand in (("logits", problem.logits), ("targets", problem.targets)):
        if operand is not None and np.asarray(operand).dtype.kind not in "biufV":
            return f"its {name} are of dtype {np.asarray(operand).dtype}"
    return ""


def _asks(request: Request, reduction: str) -> tuple[Quantity, ...]:
    """Of the default reduction the value alone: the shape of its upstream gradient is the kernel's own choice."""
    without = request.upstream is None or request.only_value or reduction == "default"
    return ("value",) if without else ("value", "gradient")


def dtypes_of(entries: Sequence[Entry]) -> dict[str, list[DtypeName]]:
    """Each case with its dtypes, as an index holds them."""
    return {entry.case.id: list(entry.case.dtypes) for entry in entries}
