"""What oracle and bounds say of foreign values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from conformance.cases.load import load_suite
from conformance.cases.resolve import Resolution
from conformance.foreign.call import ForeignCall
from conformance.judge.judge import normative_truths
from conformance.judge.policies.observers import OBSERVERS, by_prediction
from conformance.judge.policies.probe import Probe, Truths
from conformance.judge.prepared import Prepared, in_row_order
from conformance.judge.unit import Unit
from conformance.model.case import OperationName
from conformance.model.policies import NORMATIVE, POLICIES, choice_in
from conformance.model.problem import Problem
from conformance.numerics.formats import widen
from conformance.oracle.block import to_rows
from conformance.run.chunk import chunk_of
from conformance.vectors.calls import plan
from conformance.worker.exchange import Observation

__all__ = ["Agreement", "Standing", "agreements"]

#: ``bound``: within the suite's bound of the truth. ``tolerance``: not, but within the project's own tolerance of it.
#: ``differs``: neither, so that the definition is another. ``open``: the definition says nothing.
Standing = Literal["bound", "tolerance", "differs", "open"]


class Agreement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a test's value stands to the truth of its case.

    ``error_over_bound`` is that of the worst element, null where it is infinite; ``policy`` and ``value`` are those
    under which the suite's definition answers as the test does, where the normative one does not.
    """

    case: str
    op: OperationName
    test: str
    standing: Standing
    error_over_bound: float | None = None
    policy: str = ""
    value: str = ""


def agreements(calls: Sequence[ForeignCall], files: Sequence[Path]) -> list[Agreement]:
    """The standing of each call's value, against the truth of its case in ``files``, in the order of the cases."""
    by_id = {call.id: call for call in calls}
    truths = normative_truths()
    work = plan(load_suite(files).entries)
    found = []
    for portion in work.portions:
        for unit in chunk_of(portion).units:
            found.append(_agreement(by_id[unit.problem.case.id], unit, truths))
    return found


def _agreement(call: ForeignCall, unit: Unit, truths: Truths) -> Agreement:
    resolution, prepared = truths.of(unit, NORMATIVE)
    standing, ratio = _standing(call, resolution, prepared, truths)
    label = value = ""
    if standing in ("differs", "open"):
        label, value = _explained(call, unit, truths)
    return Agreement(
        case=call.id,
        op=call.op,
        test=call.source.test,
        standing=standing,
        error_over_bound=ratio,
        policy=label,
        value=value,
    )


def _explained(call: ForeignCall, unit: Unit, truths: Truths) -> tuple[str, str]:
    """The policy, and its value, that describe the test's value where the normative ones do not; empty for none."""
    seen = Observation(0, value=call.value)
    for name in POLICIES:
        observer = OBSERVERS.get(name, by_prediction)
        if observer is not by_prediction and not (name == "all-minus-infinity" and _is_impossible(unit.problem)):
            continue  # the others say something of any call
        choice = choice_in(name, unit.problem, NORMATIVE)
        if choice is None:
            continue
        values = observer(Probe(choice, unit, call.reduction, seen, (), truths))
        if values and choice.normative not in values:
            return choice.label, values[0]
    return "", ""


def _is_impossible(problem: Problem) -> bool:
    """Whether at some position every logit is -inf."""
    return bool(np.isneginf(widen(to_rows(problem.logits, problem.class_axis or 0))).all(-1).any())


def _standing(
    call: ForeignCall, resolution: Resolution, prepared: Prepared | None, truths: Truths
) -> tuple[Standing, float | None]:
    if resolution.undefined:
        return "open", None
    if prepared is None or prepared.mean_raises(call.reduction):
        return "differs", None
    problem = resolution.problem
    exact = prepared.exact("value", call.reduction)
    observed = in_row_order(problem, call.value)
    if observed.shape != exact.mid.shape:
        return "differs", None
    letter = truths.subject.profile.declared_class(problem.operation, problem.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        same = (observed == exact.mid) | (np.isnan(observed) & np.isnan(exact.mid))
        error = np.where(same, 0.0, np.abs(observed - exact.mid))
        error = np.where(np.isnan(error), np.inf, error)
        bound = prepared.tolerance("value", call.reduction, letter)
        ratio = float(np.where(error == 0.0, 0.0, error / bound).max(initial=0.0))
        close = error <= call.atol + call.rtol * np.abs(exact.mid)
    stated = ratio if np.isfinite(ratio) else None
    if truths.standard(prepared, "value", call.reduction).admits(call.value):
        return "bound", stated
    return ("tolerance" if close.all() else "differs"), stated
