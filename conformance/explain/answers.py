"""What backends give for one case: run in their processes, and judged as a run judges it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.cases.load import Entry
from conformance.model.errors import BackendUnavailable
from conformance.model.outcome import Outcome
from conformance.model.verdicts import NONCONFORMING
from conformance.numerics.formats import FORMATS, widen
from conformance.oracle.mistakes import Mistake
from conformance.oracle.steps import in_dtype
from conformance.run.judged import Judged, open_backend
from conformance.run.plan import Plan
from conformance.worker.exchange import Array, Observation
from conformance.worker.find import find_backends
from conformance.worker.limits import Limits

__all__ = ["BackendAnswers", "backend_answers"]

#: Numbers of a result that are shown.
SHOWN = 4


@dataclass(frozen=True)
class BackendAnswers:
    """One backend's outcomes for the case; ``gave`` maps ``reduction check`` to the first numbers as text.

    ``error``, if not empty, says why the backend could not be started; ``name`` is the spec that it was asked for by.
    """

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    how: str = ""
    outcomes: tuple[Outcome, ...] = ()
    gave: dict[str, str] = field(default_factory=dict)
    #: Names of the common mistakes that give what this backend gave, where that is wrong.
    mistakes: tuple[str, ...] = ()
    error: str = ""

    @property
    def exit_code(self) -> int:
        """1 for a non-conformity, 3 for a fault of harness or adapter or a call that was not reached, 0 otherwise."""
        if any(each.verdict in NONCONFORMING for each in self.outcomes):
            return 1
        return 3 if any(each.verdict == "error" or each.is_lost for each in self.outcomes) else 0


def backend_answers(
    entry: Entry,
    dtype: str,
    specs: tuple[str, ...],
    reductions: Sequence[str],
    mistakes: Sequence[Mistake] = (),
    mistaken: str = "none",
) -> list[BackendAnswers]:
    """Run and judge the case in ``dtype`` on each backend, one after the other.

    Values of the reduction ``mistaken`` are compared with those of ``mistakes``.

    Raises BackendUnavailable for a spec that names nothing.
    """
    found = find_backends(specs)
    plan = Plan([entry], (dtype,), identities=False)
    return [_answers_of(plan, each, reductions, mistakes, mistaken) for each in found]


def _answers_of(
    plan: Plan, found: Any, reductions: Sequence[str], mistakes: Sequence[Mistake], mistaken: str
) -> BackendAnswers:
    try:
        with open_backend(found, limits=Limits(hangs=1)) as backend:
            judged = backend.judge(plan.portions[0])
            subject, versions = backend.subject, backend.description.versions
    except BackendUnavailable as error:
        return BackendAnswers(error.spec or found.name, error=error.reason)
    return BackendAnswers(
        name=found.name,
        versions=versions,
        device=subject.id.device,
        how=subject.id.how,
        outcomes=tuple(each for each in judged.outcomes if each.reduction in reductions),
        gave=_gave(judged),
        mistakes=_recognised(judged, mistakes, mistaken),
    )


def _answers(judged: Judged) -> dict[str, Observation]:
    """What came of the plain call, by reduction."""
    chunk = judged.chunk
    places = {reduction: place for group in chunk.groups for reduction, (place, *_) in group.places.items()}
    places |= {reduction: place for _, reduction, place in chunk.raising}
    return {reduction: judged.observations[place] for reduction, place in places.items()}


def _recognised(judged: Judged, mistakes: Sequence[Mistake], reduction: str) -> tuple[str, ...]:
    """The mistakes that give the numbers that the backend gave, but for rounding; none where these are not wrong."""
    answers, wrong = _answers(judged), NONCONFORMING | {"known"}
    array = answers[reduction].value if reduction in answers else None
    if array is None or array.dtype.name not in FORMATS:
        return ()
    asked = ("value", reduction)
    fault = next((o for o in judged.outcomes if (o.check, o.reduction) == asked and o.verdict in wrong), None)
    if fault is None:
        return ()
    values = widen(array).reshape(-1)
    near = 4 * FORMATS[fault.dtype].unit_roundoff + 1e-7  # mistakes have 8 digits
    return tuple(
        each.name
        for each in mistakes
        if values.size == len(each.values) + each.more
        and np.allclose(
            values[: len(each.values)], [float(text) for text in each.values], rtol=near, atol=0.0, equal_nan=True
        )
    )


def _gave(judged: Judged) -> dict[str, str]:
    gave = {}
    for reduction, seen in _answers(judged).items():
        for check, array in (("value", seen.value), ("gradient", seen.gradient)):
            if array is not None:
                gave[f"{reduction} {check}"] = _numbers(array)
        if seen.failure is not None and seen.failure.kind == "raised":
            gave[f"{reduction} error"] = gave[f"{reduction} value"] = f"raised {seen.failure.type}"
    return gave


def _numbers(array: Array) -> str:
    """``[1.5, 2.5 …]`` for arrays, ``1.5`` for a scalar, each the shortest text of the very value."""
    flat = widen(array).reshape(-1)[:SHOWN].tolist() if array.dtype.kind != "c" else array.reshape(-1)[:SHOWN].tolist()
    texts = [in_dtype(each, array.dtype.name) for each in flat]
    if array.ndim == 0:
        return texts[0]
    return f"[{', '.join(texts)}{' …' if array.size > SHOWN else ''}]"
