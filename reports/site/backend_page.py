"""The page of a backend, for its maintainers: what fails, what is known, what deviates, and how accurate it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from conformance.bounds.classes import default_class
from conformance.model.case import OPERATIONS
from conformance.model.dtypes import DTYPES
from conformance.model.records import Outcome
from conformance.model.verdicts import ALARMING, NOTABLE, SILENT
from conformance.model.wording import message
from conformance.profiles.profile import Defect
from conformance.reports.site.aggregate import Aggregates, bits
from conformance.reports.site.catalogue import Catalogue
from conformance.reports.site.columns import Column
from conformance.reports.site.gather import ORDER, CaseResults
from conformance.reports.site.semantics_page import spoken
from conformance.reports.site.text import figure

__all__ = ["BackendNotes", "accuracy_rows", "flag_rows"]

#: Cases that are named for one entry or reason.
MOST = 12


@dataclass(eq=False)
class _Named:
    """A number of checks, and the first cases in which they were."""

    count: int = 0
    cases: dict[str, None] = field(default_factory=dict)
    more: bool = False

    def add(self, case: str) -> None:
        self.count += 1
        if case in self.cases:
            return
        if len(self.cases) < MOST:
            self.cases[case] = None
        else:
            self.more = True


@dataclass(eq=False)
class BackendNotes:
    """What one backend's page lists; bounded by its register, its policies and its reasons, not by its outcomes."""

    column: Column
    known: dict[str, _Named] = field(default_factory=lambda: defaultdict(_Named))
    deviations: dict[str, _Named] = field(default_factory=lambda: defaultdict(_Named))
    refusals: Counter[str] = field(default_factory=Counter)
    alarms: dict[tuple[str, str, str], _Named] = field(default_factory=lambda: defaultdict(_Named))
    hidden: int = 0

    def add(self, results: CaseResults, outcome: Outcome, policy: str | None) -> None:
        """Note an outcome that is no pass."""
        if outcome.verdict == "known":
            self.known[outcome.defect.id if outcome.defect else "?"].add(results.case)
        elif outcome.verdict == "deviation":
            (named,) = outcome.excused_by if len(outcome.excused_by) == 1 else (policy or "declared policies",)
            self.deviations[named].add(results.case)
        elif outcome.verdict in SILENT:
            reason = message(outcome) or outcome.verdict
            if reason in self.refusals or len(self.refusals) < 200:
                self.refusals[reason] += 1
        elif outcome.verdict in ALARMING or outcome.verdict not in ORDER:
            key = (outcome.verdict, results.case, outcome.check)
            if key in self.alarms or len(self.alarms) < 400:
                self.alarms[key].add(message(outcome) or outcome.verdict)
            else:
                self.hidden += 1

    def register(self) -> list[tuple[Defect | None, str, _Named]]:
        """The known defects that showed, each with its entry if this checkout has one."""
        entries = {defect.id: defect for defect in self.column.profile.known}
        return [(entries.get(name), name, self.known[name]) for name in sorted(self.known)]

    def policies(self) -> list[dict[str, Any]]:
        """Deviations by policy, each with what the backend declares and documents."""
        declared = self.column.profile.policies
        rows = []
        for name in sorted(self.deviations):
            found = declared.get(name)
            rows.append(
                {
                    "name": name,
                    "declared": "" if found is None else spoken(found.of(self.column.device, self.column.mode)),
                    "documentation": found.documentation if found else "",
                    "note": found.note if found else "",
                    "seen": self.deviations[name],
                }
            )
        return rows


def flag_rows(column: Column, totals: Aggregates, catalogue: Catalogue) -> list[dict[str, Any]]:
    """What is no pass, by the class of bug that the cases are made for; unsupported alone is no category."""
    rows: list[dict[str, Any]] = []
    for (owner, flag), counts in totals.flags.items():
        if owner is not column or not set(counts) - SILENT:
            continue
        meaning = catalogue.flag(flag)
        rows.append({"flag": flag, "meaning": meaning.bug_class if meaning else "", "counts": counts})
    weight = NOTABLE
    rows.sort(key=lambda row: (*(-row["counts"][v] for v in weight), row["flag"]))
    return rows


def accuracy_rows(column: Column, totals: Aggregates) -> list[dict[str, Any]]:
    """Class reached and declared, error in ulp and effective bits, for each operation and dtype."""
    rows = []
    for op in (*OPERATIONS, *sorted({key[1] for key in totals.accuracy} - set(OPERATIONS))):
        for dtype in DTYPES:
            found = totals.accuracy.get((column, op, dtype))
            if found is None or found.worst is None:
                continue
            median = found.ulp.quantile(0.5)
            worst = float("inf") if found.ulp.infinite else found.ulp.greatest
            declared = column.profile.declared_class(op, dtype)
            rows.append(
                {
                    "op": op,
                    "dtype": dtype,
                    "letters": found.letters,
                    "reached": found.reached,
                    "declared": declared,
                    "default": declared == default_class(dtype),
                    "below": found.reached > declared,
                    "median_ulp": figure(median),
                    "worst_ulp": figure(worst),
                    "median_bits": f"{bits(dtype, median):.1f}",
                    "worst_bits": f"{bits(dtype, worst):.1f}",
                    "case": found.worst.case,
                    "checks": sum(found.letters.values()),
                }
            )
    return rows
