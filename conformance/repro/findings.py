"""The findings that a script can show: of a backend that is run here and now, or of a recorded run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from conformance.cases.load import Entry
from conformance.model.backend import BackendRecord
from conformance.model.errors import BackendUnavailable, UsageError
from conformance.model.outcome import Outcome
from conformance.model.verdicts import ALARMING, NONCONFORMING, severity
from conformance.model.wording import message

__all__ = ["CaseOutcomes", "choose", "observe", "recorded"]

#: What comes of one call, which is what a script makes.
_SHOWN = frozenset({"fail", "crash", "timeout", "known", "deviation", "pass"})
#: What to show first of what is equally bad, by each of the facts that the command line can name.
_ORDER: dict[str, tuple[str, ...]] = {
    "check": ("value", "gradient", "error", "warning", "unmodified", "repeatable"),
    "layout": ("contiguous",),
    "dtype": ("float32", "float64", "float16", "bfloat16"),
    "reduction": ("", "none", "sum", "mean", "default"),
}


@dataclass(frozen=True)
class CaseOutcomes:
    """A backend as its record describes it, and what came of a case on it."""

    record: BackendRecord
    outcomes: tuple[Outcome, ...]


def observe(entry: Entry, spec: str, dtypes: Sequence[str] | None) -> CaseOutcomes:
    """Run and judge the case on a backend. Raises ``BackendUnavailable``."""
    from conformance.run.judged import open_backend
    from conformance.run.plan import Plan
    from conformance.worker.limits import Limits

    with open_backend(spec, limits=Limits(hangs=1)) as backend:
        outcomes = backend.judge(Plan([entry], dtypes).portions[0]).outcomes
        return CaseOutcomes(backend.record, tuple(outcomes))


def recorded(folder: Path, backend: str, case: str) -> CaseOutcomes:
    """What a run recorded of a backend and a case; the framework need not be installed.

    ``backend`` is its name, or what ``-b`` took for it, wherever a file of a user's own lay.
    Raises BackendUnavailable where the run recorded no such backend.
    """
    from conformance.results.store import read_run

    run = read_run(folder)
    file = PurePath(backend).name
    record = run.backends.get(backend) or next(
        (r for r in run.backends.values() if PurePath(r.spec).name == file), None
    )
    if record is None:
        raise BackendUnavailable(
            f"{folder} has no backend {backend!r}", hint=f"write one of {', '.join(sorted(run.backends))}"
        )
    return CaseOutcomes(record, tuple(o for o in run.outcomes if o.backend == record.name and o.case == case))


def choose(findings: CaseOutcomes, **wanted: str | None) -> Outcome:
    """The finding with the wanted ``dtype``, ``reduction``, ``check`` and ``layout``; of several the worst.

    Raises ``UsageError`` where there is none, or where what is wrong is nothing that a script can show.
    """
    asked = {name: value for name, value in wanted.items() if value is not None}
    found = [each for each in findings.outcomes if all(getattr(each, name) == value for name, value in asked.items())]
    name = findings.record.name
    if not found:
        text = ", ".join(f"{fact} {value}" for fact, value in asked.items()) or "that case"
        checks = ", ".join(dict.fromkeys(each.check for each in findings.outcomes)) or "none"
        raise UsageError(f"{name}: no check of {text}", hint=f"checks made: {checks}; write another option")
    found.sort(key=_rank)
    shown = next((each for each in found if each.verdict in _SHOWN and each.check != "process"), None)
    if shown is not None and (shown.verdict in NONCONFORMING or found[0].verdict not in ALARMING):
        return shown
    hint = "write a case that it supports"
    if found[0].verdict in ALARMING:
        hint = "a script makes one call, which does not show this: `conformance run` does; or name another with --check"
    raise UsageError(f"{name}: {found[0].verdict}: {message(found[0])}", hint=hint)


def _rank(outcome: Outcome) -> tuple[int, ...]:
    values = ((order, getattr(outcome, name)) for name, order in _ORDER.items())
    places = (order.index(value) if value in order else len(order) for order, value in values)
    return (severity(outcome.verdict), *places)
