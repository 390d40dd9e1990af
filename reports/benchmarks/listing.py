"""The times of a run as rows for other programs: what the tables show, unrounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from conformance.plain import json_text
from conformance.reports.benchmarks.cells import BenchmarkCell, groups_of, ranked
from conformance.reports.benchmarks.records import Benchmarks
from conformance.schemas.documents import TimedRow

__all__ = ["listing_json", "rows"]


def rows(run: Benchmarks, cells: Sequence[BenchmarkCell]) -> list[TimedRow]:
    """A row for each cell, the fastest that conforms first within a workload; then what could not be timed."""
    found = [_row(cell) for group in groups_of(cells) for cell in ranked(group)]
    return found + [
        TimedRow(**key._asdict(), status=status, message=message or "")
        for key, status, message in dict.fromkeys((each.key, each.status, each.message) for each in run.not_timed)
    ]


def listing_json(run: Benchmarks, cells: Sequence[BenchmarkCell]) -> str:
    """The rows as a JSON array."""
    return json_text(rows(run, cells))


def _row(cell: BenchmarkCell) -> TimedRow:
    names = ("seconds", "low", "high", "bytes_per_second", "bandwidth_fraction", "processes")
    facts: dict[str, Any] = cell.key._asdict() | {name: getattr(cell, name) for name in names}
    judged = cell.judged
    facts |= {"class_": judged.class_, "ratio": _number(cell.error), "verdict": judged.verdict}
    return TimedRow(**facts, message=cell.explanation or "")


def _number(value: float | None) -> float | str | None:
    """JSON has no infinity and no NaN: both are strings."""
    return value if value is None or math.isfinite(value) else str(value)
