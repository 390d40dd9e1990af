"""Extreme logits and what every backend makes of them: the values themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.model.case import Generator
from conformance.model.dtypes import DTYPES
from conformance.model.records import Outcome
from conformance.reports.site.catalogue import Catalogue
from conformance.reports.site.columns import Column
from conformance.reports.site.gather import CaseResults
from conformance.reports.site.text import number

__all__ = ["THEME", "Stability"]

THEME = "stability"
#: Which reduction stands for a case: a single number, that all backends can be compared in, if there is one.
_FIRST = ("mean", "sum", "default", "none", "")


@dataclass(eq=False)
class Stability:
    """Of each case of the theme and dtype, the value of each backend at its worst element."""

    rows: dict[tuple[str, str], dict[Column, Outcome]] = field(default_factory=dict)

    def add(self, results: CaseResults) -> None:
        """Take the values of a case on stability; others are passed over."""
        if results.theme != THEME:
            return
        for column, outcome in results.outcomes:
            if outcome.check != "value" or outcome.layout != "contiguous":
                continue
            row = self.rows.setdefault((results.case, outcome.dtype), {})
            held = row.get(column)
            if held is None or _rank(outcome) < _rank(held):
                row[column] = outcome

    def sections(self, columns: Sequence[Column], catalogue: Catalogue) -> list[tuple[str, list[dict[str, Any]]]]:
        """A table for each dtype, float32 first."""
        order = ["float32", *(d for d in DTYPES if d != "float32")]
        dtypes = [d for d in order if any(key[1] == d for key in self.rows)]
        return [
            (dtype, [self._row(key, columns, catalogue) for key in self.rows if key[1] == dtype]) for dtype in dtypes
        ]

    def _row(self, key: tuple[str, str], columns: Sequence[Column], catalogue: Catalogue) -> dict[str, Any]:
        case, dtype = key
        found = self.rows[key]
        expected = next((o.expected for o in found.values() if o.verdict == "pass" and o.expected is not None), None)
        if expected is None:
            expected = next((o.expected for o in found.values() if o.expected is not None), None)
        return {
            "case": case,
            "input": _input(catalogue, case),
            "expected": number(expected, dtype),
            "cells": [_shown(found.get(column), dtype, number(expected, dtype)) for column in columns],
        }


def _rank(outcome: Outcome) -> int:
    return _FIRST.index(outcome.reduction) if outcome.reduction in _FIRST else len(_FIRST)


def _shown(outcome: Outcome | None, dtype: str, exact: str) -> dict[str, str]:
    """Value and verdict; where the worst element is another one than the row's, also what is exact there."""
    if outcome is None:
        return {"verdict": "", "value": "", "exact": ""}
    expected = number(outcome.expected, dtype)
    other = expected if expected != exact and outcome.verdict != "unsupported" else ""
    return {"verdict": outcome.verdict, "value": number(outcome.observed, dtype), "exact": other}


def _input(catalogue: Catalogue, case: str) -> str:
    """The logits in short, as the case writes them."""
    entry = catalogue.entry(case)
    if entry is None:
        return ""
    given = entry.case.log_probabilities if entry.case.logits is None else entry.case.logits
    if isinstance(given, Generator):
        shape = "×".join(map(str, given.shape or ()))
        return f"{given.distribution} {shape}, offset {given.offset:g}, scale {given.scale:g}"
    text = _spelled(given)
    return text if len(text) <= 60 else text[:58] + " …"


def _spelled(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_spelled, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
