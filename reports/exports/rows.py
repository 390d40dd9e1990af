"""All outcomes of every run as rows, with the columns of a data frame: CSV for spreadsheets, Parquet for programs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from conformance.disk import replacing
from conformance.extras import imported
from conformance.model.wording import message
from conformance.plain import plain
from conformance.reports.load import COLUMNS as DESCRIBED
from conformance.reports.load import described
from conformance.reports.merge import Merged
from conformance.reports.relations import NUMBERS

__all__ = ["COLUMNS", "write_csv", "write_parquet"]

#: The columns of a data frame, what the finding says in one sentence, and the adapter's ``file:line``.
COLUMNS = (*DESCRIBED, "message", "source")
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
        writer.writerows(map(_cell, row) for row in _rows(merged))
    return path


def write_parquet(merged: Merged, path: Path) -> Path:
    """The same columns, typed; numbers that JSON cannot hold are themselves again. Text is unchanged.

    Raises UsageError without pyarrow, HarnessError where it cannot be written.
    """
    pa, pq = (imported(name, "exports", "--parquet, unlike --csv, needs") for name in ("pyarrow", "pyarrow.parquet"))
    kinds = {"position": pa.int64()} | dict.fromkeys(NUMBERS, pa.float64())
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in COLUMNS])
    with replacing(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        rows = _rows(merged)
        while group := [*islice(rows, GROUP)]:
            writer.write_table(pa.table([*map(pa.array, zip(*group, strict=True), schema.types)], schema=schema))
    return path


def _rows(merged: Merged) -> Iterator[tuple[Any, ...]]:
    facts = merged.every.stream(described(order=True))
    for row, (column, outcome) in zip(facts, merged.every.outcomes(), strict=True):
        yield (*row, message(outcome), column.record.source(outcome.op) if column.record else None)


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
