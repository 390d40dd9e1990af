"""Counts of verdicts, from outcome rows: by backend and theme, and by backend alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.judge.verdict import VERDICTS
from conformance.run.results import Outcome

__all__ = ["NOT_PASSED", "Tally", "tally"]

#: Verdicts that a reader wants to see in full, worst first.
NOT_PASSED = ("fail", "crash", "timeout", "error", "fixed", "known", "deviation")


@dataclass(eq=False)
class Tally:
    """Verdict counts; unsupported, crash and error are never mixed into pass or fail."""

    cells: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    totals: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    worst_ratio: dict[tuple[str, str], float] = field(default_factory=dict)
    notable: list[Outcome] = field(default_factory=list)
    themes: dict[str, None] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.cells[(outcome.backend, outcome.theme)][outcome.verdict] += 1
        self.totals[outcome.backend][outcome.verdict] += 1
        self.themes.setdefault(outcome.theme, None)
        self.versions.setdefault(outcome.backend, outcome.version)
        if outcome.verdict in NOT_PASSED:
            self.notable.append(outcome)
        if outcome.verdict in ("pass", "deviation") and isinstance(outcome.ratio, float):
            key = (outcome.backend, outcome.theme)
            self.worst_ratio[key] = max(self.worst_ratio.get(key, 0.0), outcome.ratio)

    def backends(self) -> list[str]:
        """In order of appearance."""
        return list(self.totals)


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count all outcomes."""
    result = Tally()
    for each in outcomes:
        result.add(each)
    result.notable.sort(key=lambda o: (NOT_PASSED.index(o.verdict), o.backend, o.case, o.dtype, o.check, o.reduction))
    assert set(NOT_PASSED) < set(VERDICTS)
    return result
