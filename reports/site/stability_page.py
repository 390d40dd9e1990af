"""Extreme logits and what every backend makes of them: the values themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.model.case import Generator
from conformance.model.dtypes import DTYPES
from conformance.model.outcome import Outcome
from conformance.reports.columns import Column, slug
from conformance.reports.matrix import SIGNS
from conformance.reports.relations import Relations
from conformance.reports.site.catalogue import Catalogue
from conformance.reports.table import AnyCell, Cell, Table
from conformance.reports.text import number

__all__ = ["THEME", "stability_tables"]

THEME = "stability"
#: Which reduction stands for a case: a single number, that all backends can be compared in, if there is one.
_FIRST = ("mean", "sum", "default", "none", "")
_WHERE = """theme = ? and "check" = 'value' and layout = 'contiguous' qualify row_number() over (
partition by col, "case", dtype order by coalesce(list_position(?, reduction), 9), seq) = 1"""


def stability_tables(relations: Relations, catalogue: Catalogue) -> list[Table]:
    """A table for each dtype, float32 first: a row for each case, and each backend's value at its worst element."""
    rows: dict[tuple[str, str], dict[Column, Outcome]] = {}
    for column, outcome in relations.outcomes(_WHERE, [THEME, [*_FIRST]]):
        rows.setdefault((outcome.dtype, outcome.case), {})[column] = outcome
    columns = relations.columns
    head: list[AnyCell] = ["case", "logits", "exact"]
    head += [Cell(column.label, f"backends/{column.slug}.html") for column in columns]
    numbers = frozenset(range(2, len(head)))
    tables = []
    for dtype in ("float32", *(dtype for dtype in DTYPES if dtype != "float32")):
        found = [_row(case, of, given, columns, catalogue) for (of, case), given in rows.items() if of == dtype]
        if found:
            tables.append(Table(head, found, dtype, numbers=numbers, kind="stable"))
    return tables


def _row(
    case: str, dtype: str, found: Mapping[Column, Outcome], columns: Sequence[Column], catalogue: Catalogue
) -> list[AnyCell]:
    expected = next((o.expected for o in found.values() if o.verdict == "pass" and o.expected is not None), None)
    if expected is None:
        expected = next((o.expected for o in found.values() if o.expected is not None), None)
    exact = number(expected, dtype)
    cells = [_shown(found.get(column), dtype, exact) for column in columns]
    return [Cell(case, f"cases/{slug(case)}.html"), _input(catalogue, case), exact, *cells]


def _shown(outcome: Outcome | None, dtype: str, exact: str) -> Cell:
    """Value and verdict; where the worst element is another one than the row's, also what is exact there."""
    if outcome is None:
        return Cell("")
    expected = number(outcome.expected, dtype)
    notes = [f"of {expected}"] if expected and expected != exact and outcome.verdict != "unsupported" else []
    if outcome.verdict != "pass":
        notes.append(f"{SIGNS.get(outcome.verdict, '?')} {outcome.verdict}")
    mark = "" if outcome.verdict == "pass" else outcome.verdict
    return Cell(number(outcome.observed, dtype), note="\n".join(notes), mark=mark)


def _input(catalogue: Catalogue, case: str) -> str:
    """The logits in short, as the case writes them."""
    entry = catalogue.entry(case)
    if entry is None:
        return ""
    given = entry.case.input
    if isinstance(given, Generator):
        shape = "×".join(map(str, given.shape or ()))
        return f"{given.distribution} {shape}, offset {given.drawing.offset:g}, scale {given.drawing.scale:g}"
    text = _listed(given)
    return text if len(text) <= 60 else text[:59].rpartition(" ")[0] + " …"


def _listed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_listed, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
