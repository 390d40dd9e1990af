"""Counts of verdicts, from outcome rows: by backend and theme, and by backend alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.judge.verdict import Verdict
from conformance.results.records import Outcome
from reports.semantics import BY_CHECK

__all__ = ["NOT_PASSED", "Tally", "tally"]

#: Verdicts that a reader wants to see in full, worst first.
NOT_PASSED: tuple[Verdict, ...] = ("fail", "crash", "timeout", "error", "fixed", "known", "deviation")


@dataclass(eq=False)
class Tally:
    """Verdict counts by backend and theme; unsupported, crash and error are never mixed into pass or fail.

    A backend is told by its name and version, so that runs of several versions stand side by side.
    """

    cells: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    totals: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    worst_ratio: dict[tuple[str, str], float] = field(default_factory=dict)
    notable: list[Outcome] = field(default_factory=list)
    themes: dict[str, None] = field(default_factory=dict)
    #: What the semantics matrix is made of.
    policies: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        backend = f"{outcome.backend} {outcome.version}".rstrip()
        self.cells[(backend, outcome.theme)][outcome.verdict] += 1
        self.totals[backend][outcome.verdict] += 1
        self.themes.setdefault(outcome.theme, None)
        if outcome.check == "policy" or outcome.check in BY_CHECK:
            self.policies.append(outcome)
        if outcome.verdict in NOT_PASSED:
            self.notable.append(outcome)
        if outcome.verdict in ("pass", "deviation") and isinstance(outcome.ratio, float):
            key = (backend, outcome.theme)
            self.worst_ratio[key] = max(self.worst_ratio.get(key, 0.0), outcome.ratio)

    def backends(self) -> list[str]:
        """Names with versions, sorted: the order in which they happened to run says nothing."""
        return sorted(self.totals)


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count all outcomes."""
    result = Tally()
    for each in outcomes:
        result.add(each)
    place = {verdict: i for i, verdict in enumerate(NOT_PASSED)}
    result.notable.sort(key=lambda o: (place[o.verdict], o.backend, o.case, o.dtype, o.check, o.reduction))  # type: ignore[index]
    return result
