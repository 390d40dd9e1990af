"""The index of all findings that the overview filters and searches: compact JSON in a script.

A page opened from a file may not fetch, so the data comes as a script. Every text is held once and named by its place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.model.outcome import Outcome
from conformance.model.verdicts import NOTABLE, SILENT, VERDICTS
from conformance.model.wording import statement
from conformance.reports.columns import Column, slug
from conformance.reports.relations import CaseResults
from conformance.reports.text import figure, number, visible

__all__ = ["Findings", "as_script"]

_ORDER = tuple(VERDICTS)

#: Rows that the index holds; a reader who meets more of them looks into the results files.
MOST = 60_000


@dataclass(eq=False)
class _Words:
    """Texts by place."""

    places: dict[str, int] = field(default_factory=dict)

    def __call__(self, text: str) -> int:
        return self.places.setdefault(visible(text), len(self.places))


@dataclass(eq=False)
class Findings:
    """Rows: a finding each; of what was unsupported or not run, one for each case and reason with their number."""

    rows: list[list[Any]] = field(default_factory=list)
    hidden: int = 0
    words: _Words = field(default_factory=_Words)
    cases: dict[str, int] = field(default_factory=dict)
    themes: dict[str, int] = field(default_factory=dict)

    def add(self, results: CaseResults) -> None:
        """Add the findings of a case."""
        grouped: dict[tuple[Column, str, str, str], list[Any]] = {}
        for column, outcome in results.outcomes:
            if outcome.verdict == "pass":
                continue
            if len(self.rows) >= MOST:
                self.hidden += 1
                continue
            if outcome.verdict in NOTABLE:
                self.rows.append(self._row(results, column, outcome))
                continue
            key = (column, outcome.verdict, outcome.op, statement(outcome))
            if key in grouped:
                grouped[key][-1] += 1
            else:
                grouped[key] = self._row(results, column, outcome)
                self.rows.append(grouped[key])

    def _row(self, results: CaseResults, column: Column, outcome: Outcome) -> list[Any]:
        words = self.words
        alone = outcome.verdict in NOTABLE
        return [
            _ORDER.index(outcome.verdict) if outcome.verdict in _ORDER else len(_ORDER),
            column.place,
            self.cases.setdefault(results.case, len(self.cases)),
            self.themes.setdefault(results.theme, len(self.themes)),
            words(outcome.op),
            words(outcome.dtype if alone else ""),
            words(outcome.reduction if alone else ""),
            words(outcome.check if alone else ""),
            words(outcome.layout if alone and outcome.layout != "contiguous" else ""),
            words(number(outcome.observed, outcome.dtype)),
            words(number(outcome.expected, outcome.dtype)),
            words(figure(outcome.ulp)),
            words(outcome.class_ or ""),
            words(_said(outcome)),
            1,
        ]

    def script(self, columns: Sequence[Column]) -> str:
        """The whole index as a script; worst verdicts first."""
        rank = {_ORDER.index(verdict): place for place, verdict in enumerate((*NOTABLE, *sorted(SILENT, reverse=True)))}
        self.rows.sort(key=lambda row: rank.get(row[0], -1))
        return as_script(
            "conformanceFindings",
            {
                "verdicts": [*_ORDER, "other"],
                "columns": [[visible(column.label), column.slug] for column in columns],
                "cases": [[visible(case), slug(case)] for case in self.cases],
                "themes": [visible(theme) for theme in self.themes],
                "words": list(self.words.places),
                "rows": self.rows,
                "hidden": self.hidden,
            },
        )


def _said(outcome: Outcome) -> str:
    said = statement(outcome, numbers=False)[:400]
    return f"{said} (known: {outcome.defect.id})".lstrip() if outcome.defect and outcome.verdict == "known" else said


def as_script(name: str, data: object) -> str:
    """A statement that sets ``window.<name>``; what could end a script or a line of one is escaped."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for special in "<>&":
        text = text.replace(special, f"\\u{ord(special):04x}")
    return f"window.{name}={text};\n"
