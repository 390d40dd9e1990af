"""All outcomes as rows: CSV for spreadsheets, Parquet for data frames."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.model.errors import UsageError
from conformance.model.records import Number, Outcome, number
from conformance.model.wording import message
from conformance.plain import plain
from conformance.reports.exports.files import replacing
from conformance.reports.merge import Merged
from conformance.results.store import Run

__all__ = ["COLUMNS", "write_csv", "write_parquet"]

#: Columns in their order: of the run, then of the outcome. ``class`` is the accuracy class.
OF_RUN = ("run", "started", "suite", "commit")
TEXTS = (
    "case",
    "theme",
    "backend",
    "dtype",
    "layout",
    "op",
    "reduction",
    "check",
    "policy",
)
NUMBERS = ("ulp", "ratio", "bound")
#: What tells the backend apart, which its record holds.
OF_BACKEND = ("framework", "version", "device", "execution", "composition", "precision")
#: Facts of the finding that are texts in a row.
FACTS = ("reason", "detail", "declared", "quantity")
OF_FINDING = ("position", "excused_by", "defect", "issue", "error", "error_text", "error_where")
VALUES = ("observed", "expected", "worst_input")
COLUMNS = (
    *(*OF_RUN, *TEXTS, *OF_BACKEND, "verdict", "class", *NUMBERS, *VALUES, *FACTS, *OF_FINDING),
    *("message", "seconds", "source"),
)
#: A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
GROUP = 20_000  # rows of a row group: what is held in memory
CELL = 32_000  # characters: a spreadsheet takes no more


def write_csv(merged: Merged, path: Path) -> Path:
    """A line a check, UTF-8. Control characters are spelled out, and text that would be a formula gets a quote.

    Raises HarnessError where it cannot be written.
    """
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in _rows(merged):
            writer.writerow([_cell(row[name]) for name in COLUMNS])
    return path


def write_parquet(merged: Merged, path: Path) -> Path:
    """The same columns, typed; numbers that JSON cannot hold are themselves again. Text is unchanged.

    Raises UsageError without pyarrow, HarnessError where it cannot be written.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError("Parquet needs pyarrow", hint="pip install pyarrow, or ask for --csv") from None
    kinds = {name: pa.float64() if name in (*NUMBERS, "seconds") else pa.string() for name in COLUMNS}
    schema = pa.schema([pa.field(name, kind) for name, kind in kinds.items()])
    with replacing(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for columns in _groups(_rows(merged)):
            writer.write_table(pa.table({name: pa.array(columns[name], kinds[name]) for name in COLUMNS}))
    return path


def _rows(merged: Merged) -> Iterator[dict[str, Any]]:
    for run in merged.runs:
        about = _about(run)
        for outcome in run.outcomes:
            identity = run.identity(outcome.backend)
            of_backend = {name: getattr(identity, name) for name in OF_BACKEND}
            yield {**about, **of_backend, **_row(outcome), "source": run.source(outcome)}


def _about(run: Run) -> dict[str, Any]:
    header = run.header
    named = run.path.resolve().parent.name
    return {"run": named, "started": header.started, "suite": header.suite, "commit": header.commit}


def _row(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(outcome, name) for name in (*TEXTS, *FACTS)}
    row |= {name: _number(getattr(outcome, name)) for name in NUMBERS}
    row |= {name: _value(getattr(outcome, name)) for name in VALUES}
    row |= {"verdict": outcome.verdict, "class": outcome.class_, "message": message(outcome)}
    row |= {"position": _value(outcome.position), "excused_by": " ".join(outcome.excused_by)}
    defect, error = outcome.defect, outcome.error
    row |= {"defect": defect.id if defect else None, "issue": defect.issue if defect else None}
    row |= {"error": error.type if error else None, "error_text": error.text if error else None}
    row |= {"error_where": error.where if error else None}
    return row | {"seconds": outcome.seconds}


def _groups(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, list[Any]]]:
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for count, row in enumerate(rows, 1):
        for name, values in columns.items():
            values.append(row[name])
        if count % GROUP == 0:
            yield columns
            columns = {name: [] for name in COLUMNS}
    yield columns


def _number(value: Number | None) -> float | None:
    try:
        return None if value is None else number(value)
    except ValueError:  # a results file may say anything
        return None


def _value(value: Any) -> str | None:
    """A number or text as it is, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value) if isinstance(value, float) else str(value)
    text = plain(value, CELL)
    return f"'{text}" if value.startswith(FORMULA) and not _is_number(value) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
