"""What a plan asks and judges, as a set: for each check the case, dtype, layout, operation and reduction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.cases.load import Entry
from conformance.run.chunk import chunk_of
from conformance.run.plan import Plan
from conformance.worker.exchange import Request

__all__ = ["Planned", "planned"]

#: Case, dtype, layout, operation, reduction, and what is asked: ``plain``, an identity, or a transform.
Planned = tuple[str, str, str, str, str, str]


def planned(entries: Sequence[Entry]) -> set[tuple[Planned, str]]:
    """All that a run of ``entries`` asks, whatever the backend; beside each, the options and shapes of its call."""
    return {each for portion in Plan(entries).portions for each in _of(Plan(portion.entries))}


def _of(plan: Plan) -> Iterator[tuple[Planned, str]]:
    for portion in plan.portions:
        chunk = chunk_of(portion)
        for unit, reduction, place in chunk.raising:
            yield (*unit.problem.key, unit.problem.operation, reduction, "error"), _call(chunk.requests[place])
        for group in chunk.groups:
            for reduction, places in group.places.items():
                for unit, place in zip(group.units, places, strict=True):
                    yield (*unit.problem.key, unit.problem.operation, reduction, "plain"), _call(chunk.requests[place])
        for identity in chunk.identities:
            problem, derived = identity.group.units[identity.index].problem, identity.derived
            key = (*problem.key, problem.operation, derived.reduction, derived.name)
            yield key, _call(chunk.requests[identity.place])
        for asked, place in chunk.transforms:
            problem = asked.unit.problem
            yield (*problem.key, problem.operation, asked.reduction, asked.transform), _call(chunk.requests[place])


def _call(request: Request) -> str:
    return f"{request.options} {request.logits.shape} {request.upstream is not None} {request.repeat}"
