"""What a case costs: as a run has measured it, or as the shape of the case lets one expect."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from conformance.model.case import Case
from conformance.model.errors import Place, UsageError
from conformance.model.outcome import Outcome
from conformance.results.store import read_run

__all__ = ["CostTable", "costs_of", "elements", "expected_cost", "read_costs", "shared_out"]

#: Backend and case to seconds.
CostTable = Mapping[str, Mapping[str, float]]
#: Seconds of asking and judging with NumPy, fitted to the suite's own cases: a case in one dtype and layout, each
#: reduction of it, a logit, and a logit whose truth is worked out beyond float64.
UNIT, REDUCTION, LOGIT, WIDE_LOGIT = 2.4e-3, 2e-4, 4e-7, 2.6e-6


def elements(case: Case) -> int:
    """About how many logits a case has in all its dtypes and layouts."""
    shape = getattr(case.input, "shape", None)
    return 64 if shape is None else math.prod(map(int, shape)) * len(case.dtypes) * len(case.layouts)


def expected_cost(case: Case) -> float:
    """Seconds that a case takes with a backend that is as fast as NumPy."""
    units, size = len(case.dtypes) * len(case.layouts), elements(case)
    wide = size / len(case.dtypes) if "float64" in case.dtypes else 0.0
    return units * (UNIT + REDUCTION * len(case.reductions)) + LOGIT * size + WIDE_LOGIT * wide


def shared_out(wall: float, judging: float, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The seconds of each case of a task that took ``wall`` seconds, ``judging`` of them on the judge's processor.

    The framework's own time was measured call by call. That of judging, which a busy machine does not lengthen, is
    shared out as the shapes of the cases let expect; what is left was spent on calls that gave no answer.
    """
    found = dict.fromkeys((case.id for case in cases), 0.0)
    asked = {each.case for each in outcomes if each.reason != "left-out"}
    for each in outcomes:
        found[each.case] += each.seconds
    stuck = {each.case for each in outcomes if each.verdict in ("crash", "timeout")}
    lost = max(0.0, wall - judging - sum(found.values())) / (len(stuck) or 1)
    shares = {case.id: expected_cost(case) if case.id in asked else 0.0 for case in cases}
    rest = judging / (sum(shares.values()) or 1.0)
    return {name: round(own + rest * shares[name] + lost * (name in stuck), 6) for name, own in found.items()}


def read_costs(paths: Sequence[Path]) -> dict[str, dict[str, float]]:
    """The costs that runs have recorded; of a case in several of them, the last one's. Raises UsageError."""
    table: dict[str, dict[str, float]] = {}
    for path in paths:
        found = read_run(path).costs
        if not found:
            hint = "name a run that has recorded its costs, or leave --costs out"
            raise UsageError("this run has recorded no costs", place=Place(path), hint=hint)
        for backend, seconds in found.items():
            table.setdefault(backend, {}).update(seconds)
    return table


def costs_of(cases: Sequence[Case], table: CostTable, backends: Collection[str] = ()) -> list[float]:
    """The seconds of each case with all ``backends``; none of them named: with all in the table.

    A backend of which nothing was measured costs what the others do on average. Where a case was not measured, its
    shape says what it costs beside those that were.
    """
    chosen = [table[name] for name in backends if name in table] or [*table.values()]
    totals = [0.0] * len(cases)
    for seconds in chosen or [{}]:
        measured = [case for case in cases if case.id in seconds]
        of_them = sum(map(expected_cost, measured))
        scale = sum(seconds[case.id] for case in measured) / of_them if of_them else 1.0
        for place, case in enumerate(cases):
            totals[place] += seconds.get(case.id, scale * expected_cost(case))
    return totals
