"""The findings that a script can show: from a backend that is run here and now, or from a recorded run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.cases.load import Entry
from conformance.model.errors import BackendUnavailable, UsageError
from conformance.model.records import BackendId, Outcome
from conformance.model.verdicts import NOTABLE
from conformance.model.wording import message
from conformance.repro.program import SourceText

__all__ = ["Witness", "choose", "observe", "recorded"]

#: Most telling first. Nothing can be shown of faults of the harness, stale entries, and what was not judged.
_VERDICTS = (*(each for each in NOTABLE if each not in ("error", "stale")), "pass")
_CHECKS = ("value", "gradient", "error", "warning", "unmodified", "repeatable")
_DTYPES = ("float32", "float64", "float16", "bfloat16")
_REDUCTIONS = ("", "none", "sum", "mean", "default")


@dataclass(frozen=True)
class Witness:
    """A backend, and what came of a case on it; ``sources`` are its adapter's."""

    id: BackendId
    versions: Mapping[str, str]
    profile: str
    sources: Mapping[str, SourceText]
    outcomes: tuple[Outcome, ...]


def observe(entry: Entry, spec: str, dtypes: Sequence[str] | None) -> Witness:
    """Run and judge the case on a backend. Raises ``BackendUnavailable``."""
    from conformance.run.judged import open_backend
    from conformance.run.plan import Plan

    with open_backend(spec) as backend:
        outcomes = tuple(backend.judge(Plan([entry], dtypes).chunk(0)).outcomes)
        description, identity = backend.description, backend.subject.id
    return Witness(identity, description.versions, description.profile, description.sources, outcomes)


def recorded(folder: Path, name: str, case: str) -> Witness:
    """What a run recorded of a backend and a case; the framework need not be installed."""
    from conformance.results.store import read_run

    run = read_run(folder)
    if name not in run.backends:
        known = ", ".join(sorted(run.backends))
        raise BackendUnavailable(f"{folder} has no backend {name!r}", hint=f"name one of {known}")
    record = run.backends[name]
    outcomes = tuple(each for each in run.outcomes if each.backend == name and each.case == case)
    profile = record.profile or name.partition(":")[0]
    return Witness(record.id, record.versions, profile, record.sources, outcomes)


def choose(
    witness: Witness, dtype: str | None, reduction: str | None, check: str | None, layout: str | None = None
) -> Outcome:
    """The finding that the options name; the most telling one where they leave a choice."""
    wanted = {"dtype": dtype, "reduction": reduction, "check": check, "layout": layout}
    found = [
        each
        for each in witness.outcomes
        if all(value is None or getattr(each, name) == value for name, value in wanted.items())
    ]
    if not found:
        asked = ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None) or "that case"
        checks = ", ".join(dict.fromkeys(each.check for each in witness.outcomes)) or "none"
        raise UsageError(f"{witness.id.name}: no check of {asked}", hint=f"checks made: {checks}; name another option")
    shown = [each for each in found if each.verdict in _VERDICTS]
    if not shown:
        raise UsageError(
            f"{witness.id.name}: {found[0].verdict}: {message(found[0])}", hint="name a case that the backend supports"
        )
    return min(shown, key=_order)


def _order(outcome: Outcome) -> tuple[int, ...]:
    def place(value: str, order: Sequence[str]) -> int:
        return order.index(value) if value in order else len(order)

    return (
        place(outcome.verdict, _VERDICTS),
        place(outcome.check, _CHECKS),
        place(outcome.layout, ("contiguous",)),
        place(outcome.dtype, _DTYPES),
        place(outcome.reduction, _REDUCTIONS),
    )
