"""The tables of a case: what every backend gave, and what else was checked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup, escape

from conformance.model.checks import CHECKS
from conformance.model.dtypes import DTYPES
from conformance.model.outcome import Outcome
from conformance.model.verdicts import in_order
from conformance.reports.columns import Column, slug
from conformance.reports.matrix import SIGNS
from conformance.reports.relations import CaseResults
from conformance.reports.text import figure, number, visible

__all__ = ["ResultRow", "alike", "other_rows", "result_rows"]

_IN_TABLE = ("value", "gradient", "error", "warning")
_REDUCTIONS = {name: place for place, name in enumerate(("none", "sum", "mean", "default", ""))}
_NOTHING = Markup('<td class="no">')


class ResultsKey(NamedTuple):
    """What a row is about; without a dtype where it is about all of them."""

    dtype: str
    layout: str
    reduction: str
    check: str


@dataclass(frozen=True)
class ResultRow:
    """A line of a table of results: what was asked, and a cell for each backend."""

    heads: tuple[str, ...]
    cells: Markup


def result_rows(results: CaseResults, columns: Sequence[Column], *, compact: bool = False) -> list[ResultRow]:
    """A row for each dtype, layout, reduction and check against the truth; ``compact``: one for all dtypes together."""
    table: dict[ResultsKey, dict[Column, list[Outcome]]] = {}
    dtypes: dict[ResultsKey, dict[str, None]] = {}
    place = {name: at for at, name in enumerate(DTYPES)}
    wanted = frozenset(columns)
    for column, outcome in sorted(results.outcomes, key=lambda each: place.get(each[1].dtype, 9)):
        if column in wanted and outcome.check in _IN_TABLE:
            asked = ResultsKey("" if compact else outcome.dtype, outcome.layout, outcome.reduction, outcome.check)
            table.setdefault(asked, {}).setdefault(column, []).append(outcome)
            dtypes.setdefault(asked, {})[outcome.dtype] = None

    def order(asked: ResultsKey) -> tuple[object, ...]:
        known = _IN_TABLE.index(asked.check)
        at = place.get(asked.dtype, 9)  # type: ignore[call-overload]
        laid = (asked.layout != "contiguous", asked.layout)
        return (at, asked.dtype, known, *laid, _REDUCTIONS.get(asked.reduction, 9))

    # Reductions with the same results in every cell share a row, as they do where there is but one position.
    merged: dict[tuple[str, str, Markup], list[str]] = {}
    for asked in sorted(table, key=order):
        found = table[asked]
        cells = _spanned([_cell(found[c]) if c in found else _NOTHING for c in columns])
        check = asked.check if asked.layout == "contiguous" else f"{asked.check}, {asked.layout}"
        merged.setdefault((", ".join(dtypes[asked]), check, cells), []).append(asked.reduction)
    return [ResultRow((dtype, ", ".join(found), check), cells) for (dtype, check, cells), found in merged.items()]


def _spanned(cells: Sequence[Markup]) -> Markup:
    """Cells of neighbouring columns that say the same, as one: most backends agree most of the time."""
    joined = []
    for cell, alike in groupby(cells):
        count = len(list(alike))
        joined.append(cell if count == 1 else Markup(f'<td colspan="{count}"') + cell[len("<td") :])
    return Markup("").join(joined)


_CELL = Markup("<td>{}<i>{}</i>")
_MARKED = Markup('<td class="{}"><b>{} {}</b> {}<i>{}</i>')


def _cell(outcomes: Sequence[Outcome]) -> Markup:
    """The value; below it error in ulp, error over bound, and class. A verdict other than pass is said in words.

    Of several dtypes the value is the first one's, and the measures are the worst of all.
    """
    outcome = outcomes[0]
    said = number(outcome.observed, outcome.dtype)
    if outcome.check in ("error", "warning") and outcome.verdict == "pass":
        said = (outcome.error.type if outcome.error else "")[:60] if outcome.check == "error" else "warned"
    measures = [_worst([each.ulp for each in outcomes]), _worst([each.ratio for each in outcomes])]
    measures += [max((each.class_ or "" for each in outcomes), default="")]
    measures = [each for each in measures if each]
    details = visible(" · ".join(measures))
    said = visible(said)
    if outcome.verdict == "pass":
        return _CELL.format(said, details) if details else Markup("<td>{}").format(said)
    sign = SIGNS.get(outcome.verdict, "?")
    kind = "v-" + slug(outcome.verdict.replace(" ", "-"))
    return _MARKED.format(kind, sign, visible(outcome.verdict), said, details)


def other_rows(results: CaseResults, columns: Sequence[Column]) -> list[ResultRow]:
    """The other checks, counted, with the worst error over bound of those that passed; equal rows are one."""
    table: dict[str, dict[Column, tuple[Counter[str], list[float]]]] = {}
    wanted = frozenset(columns)
    for column, outcome in results.outcomes:
        if column not in wanted or outcome.check in _IN_TABLE:
            continue
        counts, ratios = table.setdefault(outcome.check, {}).setdefault(column, (Counter(), []))
        counts[outcome.verdict] += 1
        if outcome.verdict == "pass" and isinstance(outcome.ratio, float):
            ratios.append(outcome.ratio)
    merged: dict[Markup, list[str]] = {}
    for check in sorted(table, key=lambda name: (list(CHECKS).index(name) if name in CHECKS else 99, name)):
        cells = _spanned([_counted(*table[check][c]) if c in table[check] else _NOTHING for c in columns])
        merged.setdefault(cells, []).append(check)
    return [ResultRow((", ".join(checks),), cells) for cells, checks in merged.items()]


def alike(rows: Sequence[ResultRow], columns: int) -> str:
    """The rows of :func:`other_rows` as words, where all backends have the same cell in each; else nothing."""
    whole = f'<td colspan="{columns}">' if columns > 1 else "<td>"
    cells = [(row.heads[0], str(row.cells).removeprefix(whole)) for row in rows]
    if not all(str(row.cells).startswith(whole) for row in rows) or any("<" in cell for _, cell in cells):
        return ""
    return "; ".join(f"{checks}: {cell}" for checks, cell in cells)


def _counted(counts: Counter[str], ratios: list[float]) -> Markup:
    said = Markup(", ").join(
        escape(f"{n} {v}") if v == "pass" else Markup("<b>{} {} {}</b>").format(SIGNS[v], n, v)
        for v, n in in_order(counts)
    )
    worst = Markup("<small>≤ {} of the bound</small>").format(figure(max(ratios))) if any(ratios) else ""
    return Markup("<td>{}{}").format(said, worst)


def _worst(values: Sequence[float | str | None]) -> str:
    """The largest of some measures as text; empty where there are none."""
    there = [value for value in values if value is not None]
    return figure(max(there, key=_size)) if there else ""


def _size(value: float | str) -> float:
    try:
        size = float(value)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(size) else size
