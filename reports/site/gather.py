"""Runs read case by case: of a check that several runs made, the newest stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.model.records import Outcome
from conformance.model.verdicts import VERDICTS
from conformance.reports.site.columns import Column, Key, Source, columns_of
from conformance.results.spans import index_outcomes
from conformance.results.store import Run

__all__ = ["ORDER", "CaseResults", "Gathered", "gather"]

#: Verdicts as tables list them.
ORDER: tuple[str, ...] = tuple(VERDICTS)


@dataclass(eq=False)
class CaseResults:
    """All outcomes of one case; a backend's are in the order in which they were made."""

    case: str
    theme: str
    outcomes: list[tuple[Column, Outcome]]

    def counts(self) -> dict[Column, Counter[str]]:
        """Verdicts of each backend that has any."""
        counted: dict[Column, Counter[str]] = {}
        for column, outcome in self.outcomes:
            counted.setdefault(column, Counter())[outcome.verdict] += 1
        return dict(sorted(counted.items(), key=lambda item: item[0].place))


@dataclass(eq=False)
class Gathered:
    """The runs, oldest first, their columns, and the ids of all cases in order of appearance."""

    sources: list[Source]
    columns: list[Column]
    by_key: dict[Key, Column]
    cases: list[str]
    superseded: int = 0

    def __iter__(self) -> Iterator[CaseResults]:
        """Case by case; never more than one case's outcomes are held."""
        for case in self.cases:
            yield self._read(case)

    def _read(self, case: str) -> CaseResults:
        units: dict[tuple[Column, str, str], list[Outcome]] = {}
        theme = ""
        for source in self.sources:
            fresh: set[tuple[Column, str, str]] = set()
            for outcome in source.spans.read(case):
                unit = (self.by_key[source.key(outcome.backend)], outcome.dtype, outcome.layout)
                if unit not in fresh:
                    fresh.add(unit)
                    self.superseded += len(units.get(unit, ()))
                    units[unit] = []
                units[unit].append(outcome)
                theme = outcome.theme or theme
        return CaseResults(case, theme, [(unit[0], each) for unit, found in units.items() for each in found])


def gather(runs: Sequence[Run]) -> Gathered:
    """Index the runs. Raises UsageError that names a damaged line."""
    ordered = sorted(runs, key=lambda run: (run.header.started, str(run.path)))
    sources = [Source(run, index_outcomes(run.path)) for run in ordered]
    columns, by_key = columns_of(sources)
    cases = dict.fromkeys(case for source in sources for case in source.spans.cases)
    return Gathered(sources, columns, by_key, list(cases))
