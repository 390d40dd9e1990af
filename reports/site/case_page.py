"""The page of a case: what it asks, what every backend gave, and how to see a finding on one's own machine."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from conformance.cases.load import Entry
from conformance.model.backend import SourceRecord
from conformance.model.outcome import Outcome
from conformance.model.verdicts import NOTABLE, SILENT, VERDICTS, severity
from conformance.model.wording import statement
from conformance.reports.columns import Column
from conformance.reports.relations import CaseResults
from conformance.reports.site.reproducer import Scripts, commands, telling
from conformance.reports.site.results_table import ResultRow, alike, other_rows, result_rows
from conformance.reports.text import figure, number, visible
from conformance.repro.script import Reproducer

__all__ = ["CasePage", "case_page"]

#: Findings of one backend that a page lists; the overview and the results file have all.
MOST = 40


@dataclass(frozen=True)
class BackendFindings:
    """The findings of one backend, and how to reproduce the first.

    ``script`` is that of the case ``script_of``, where that is another with the same defect. ``source`` is that of the
    operation ``op``, which the backend's page prints.
    """

    column: Column
    rows: list[dict[str, Any]]
    hidden: int
    commands: list[str]
    script: Reproducer | None
    script_of: str
    source: SourceRecord | None
    where: str
    worst_input: str
    op: str

    @property
    def needs(self) -> str:
        """What the script needs to be installed."""
        if self.script is not None and self.script.needs_suite:
            return f"{self.column.family} and this suite"
        if (
            self.script is not None and self.script.needs_ml_dtypes
        ):  # which comes with JAX and TensorFlow, and not with NumPy
            return f"{self.column.family} and ml_dtypes"
        return f"{self.column.family} alone"


@dataclass(frozen=True)
class CasePage:
    """Everything that the template of a case shows of its results."""

    case: str
    theme: str
    columns: list[Column]
    counts: list[tuple[Column, Counter[str]]]
    findings: list[BackendFindings]
    rows: list[ResultRow]
    others: list[ResultRow]
    #: The other checks in words, where every backend gave the same.
    alike: str
    #: Columns of which nothing was judged, and why each was not, with how often.
    idle: list[Column] = field(default_factory=list)
    refusals: list[tuple[str, list[tuple[Column, int]]]] = field(default_factory=list)


def case_page(results: CaseResults, entry: Entry | None = None, scripts: Scripts | None = None) -> CasePage:
    """Arrange a case's outcomes for its page; ``entry`` is the case itself, if it can be read."""
    counts = results.counts()
    active = [column for column, seen in counts.items() if set(seen) - SILENT]
    notable: dict[Column, list[Outcome]] = defaultdict(list)
    refused: dict[str, Counter[Column]] = defaultdict(Counter)
    for column, outcome in results.outcomes:
        if outcome.verdict in NOTABLE or outcome.verdict not in VERDICTS:
            notable[column].append(outcome)
        elif outcome.verdict in SILENT:
            refused[statement(outcome) or outcome.verdict][column] += 1
    others = other_rows(results, active)
    groups = [_group(column, notable[column], entry, scripts or Scripts()) for column in counts if notable[column]]
    return CasePage(
        results.case,
        results.theme,
        active,
        list(counts.items()),
        groups,
        result_rows(results, active, compact=not groups),
        others,
        alike(others, len(active)),
        [column for column in counts if column not in active],
        [(why, sorted(found.items(), key=lambda item: item[0].place)) for why, found in refused.items()],
    )


# -- findings ---------------------------------------------------------------------------------------------------------


def _group(column: Column, found: list[Outcome], entry: Entry | None, scripts: Scripts) -> BackendFindings:
    found.sort(key=lambda o: severity(o.verdict))
    first = telling(found)
    rows = _together([_finding(outcome) for outcome in found])
    source = column.record.sources.get(first.op) if column.record else None
    return BackendFindings(
        column,
        rows[:MOST],
        sum(row["times"] for row in rows[MOST:]),
        commands(column, first),
        *scripts.of(entry, column, first),
        source,
        (column.record.source(first.op) if column.record else None) or "",
        _worst_input(first),
        first.op,
    )


def _together(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings that differ in their reduction alone, as one row that names them all."""
    alike = ("verdict", "dtype", "check", "layout", "observed", "expected", "ulp", "letter", "message", "entry")
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        first = found.setdefault(tuple(row[name] for name in alike), {**row, "times": 0, "reductions": []})
        first["times"] += 1
        if row["reduction"] and row["reduction"] not in first["reductions"]:
            first["reductions"].append(row["reduction"])
    return list(found.values())


def _finding(outcome: Outcome) -> dict[str, Any]:
    return {
        "verdict": outcome.verdict,
        "dtype": outcome.dtype,
        "reduction": outcome.reduction,
        "check": outcome.check,
        "layout": "" if outcome.layout == "contiguous" else outcome.layout,
        "observed": number(outcome.observed, outcome.dtype),
        "expected": number(outcome.expected, outcome.dtype),
        "ulp": figure(outcome.ulp),
        "ratio": figure(outcome.ratio),
        "letter": outcome.class_ or "",
        "message": statement(outcome, numbers=False)[:400],
        "entry": outcome.defect.id if outcome.defect and outcome.verdict == "known" else "",
    }


def _worst_input(outcome: Outcome) -> str:
    """The input at fault as text: its logits are hexadecimal floats."""
    given = outcome.worst_input
    if not isinstance(given, dict):
        return "" if given is None else visible(json.dumps(given)[:600])
    parts = [] if outcome.position is None else [f"position: {outcome.position}"]
    for name, value in given.items():
        text = "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
        parts.append(f"{name}: {text[:600]}")
    return visible("\n".join(parts))
