"""Failures: which of a case's outcomes is the one to look at, and when two are of one kind."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.model.checks import CHECKS
from conformance.model.outcome import Outcome
from conformance.model.verdicts import ALARMING, Verdict

__all__ = ["Kind", "first_failure", "kind_of"]

#: The checks in the order in which one that fails explains the others.
_ORDER = ("process", "error", "value", "warning", "unmodified", "repeatable", "gradient", "target-gradient")
_RANK = {check: place for place, check in enumerate(dict.fromkeys((*_ORDER, *CHECKS)))}


@dataclass(frozen=True)
class Kind:
    """What is the same for failures of one cause, whatever the numbers.

    ``what`` is finite, nan or inf, or what makes the input invalid where no error came.
    """

    op: str
    check: str
    verdict: Verdict
    reason: str
    error: str
    what: str

    def __str__(self) -> str:
        return f"{self.op} {self.check}: {self.verdict}"


def kind_of(outcome: Outcome) -> Kind:
    """The kind of a failure."""
    error = outcome.error.type if outcome.error else ""
    what: str = outcome.invalid or ""
    if outcome.reason == "beyond-bound":
        what = f"{_sort(outcome.observed)} for {_sort(outcome.expected)}"
    return Kind(outcome.op, outcome.check, outcome.verdict, outcome.reason, error, what)


def first_failure(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The failure of a unit that explains most; None where nothing fails."""
    wrong = [each for each in outcomes if each.verdict in ALARMING and each.verdict != "stale"]
    return min(wrong, key=lambda each: (_RANK[each.check], _weight(each)), default=None)


def _weight(outcome: Outcome) -> float:
    """Less for what is farther off."""
    ratio = float(outcome.ratio) if outcome.ratio is not None else math.inf
    return -ratio if ratio == ratio else -math.inf


def _sort(value: object) -> str:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "none"
    return "finite" if math.isfinite(number) else str(abs(number))
