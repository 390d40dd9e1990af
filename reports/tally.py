"""Counts of verdicts, from outcome rows: by backend and theme, and by backend alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.model.records import Outcome
from conformance.model.verdicts import NOTABLE, severity
from conformance.reports.semantics import BY_CHECK
from conformance.results.store import Run

__all__ = ["LIMIT", "Tally", "sources_of", "tally"]

LIMIT = 400  # findings of one verdict that are kept
ALIKE = 8  # calls that tell the same of a policy


@dataclass(eq=False)
class Tally:
    """Verdict counts by backend and theme; unsupported, crash and error are never mixed into pass or fail.

    A backend is told by its column's label, name and version, so that runs of several versions stand side by side.
    """

    cells: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    totals: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    worst_ratio: dict[tuple[str, str], float] = field(default_factory=dict)
    #: The first ``LIMIT`` of each verdict that a reader wants to see; the counts tell of the others.
    notable: list[Outcome] = field(default_factory=list)
    themes: dict[str, None] = field(default_factory=dict)
    #: What the semantics matrix is made of, with versions: of calls that tell the same, the first ``ALIKE``.
    policies: list[tuple[str, Outcome]] = field(default_factory=list)
    _alike: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _kept: Counter[str] = field(default_factory=Counter)

    def add(self, backend: str, version: str, outcome: Outcome) -> None:
        """Count one outcome of a backend's version in the column ``backend``."""
        self.cells[(backend, outcome.theme)][outcome.verdict] += 1
        self.totals[backend][outcome.verdict] += 1
        self.themes.setdefault(outcome.theme, None)
        if outcome.check == "policy" or outcome.check in BY_CHECK:
            told = (backend, outcome.check, str(outcome.policy), outcome.verdict, str(outcome.observed))
            self._alike[told] += 1
            if self._alike[told] <= ALIKE:
                self.policies.append((version, outcome))
        if outcome.verdict in NOTABLE and self._kept[outcome.verdict] < LIMIT:
            self._kept[outcome.verdict] += 1
            self.notable.append(outcome)
        if outcome.verdict in ("pass", "deviation") and isinstance(outcome.ratio, float):
            key = (backend, outcome.theme)
            self.worst_ratio[key] = max(self.worst_ratio.get(key, 0.0), outcome.ratio)

    def count(self, *verdicts: str) -> int:
        """How many outcomes have one of these verdicts."""
        return sum(counts[verdict] for counts in self.totals.values() for verdict in verdicts)

    def backends(self) -> list[str]:
        """Names with versions, sorted: the order in which they happened to run says nothing."""
        return sorted(self.totals)


def tally(outcomes: Iterable[tuple[str, str, Outcome]]) -> Tally:
    """Count all outcomes, each with the label of its column and its version; memory does not grow with their number."""
    result = Tally()
    for backend, version, each in outcomes:
        result.add(backend, version, each)
    result.notable.sort(key=lambda o: (severity(o.verdict), o.backend, o.case, o.dtype, o.check, o.reduction))
    return result


def sources_of(runs: Iterable[Run]) -> dict[tuple[str, str], str]:
    """Backend and operation to ``file:line`` of the adapter's code."""
    records = [record for run in runs for record in run.backends.values()]
    return {(each.name, op): each.source(op) or "" for each in records for op in each.sources}
