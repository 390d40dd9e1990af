"""How large the errors are: their distribution by backend and dtype, and what pairs of backends have in common."""

from __future__ import annotations

from typing import Any

from conformance.model.dtypes import DTYPES
from conformance.reports.accuracy import agreement, spreads
from conformance.reports.columns import Column
from conformance.reports.relations import Relations
from conformance.reports.site.drawing import histogram
from conformance.reports.spread import Spread
from conformance.reports.text import figure

__all__ = ["agreement_table", "spread_tables"]

#: Decades that the drawings cover.
RATIO_DECADES = (-5, 1)
ULP_DECADES = (-3, 5)


def spread_tables(relations: Relations) -> list[tuple[str, list[dict[str, Any]]]]:
    """For each dtype a row for each backend: quantiles and a drawing, of error over bound and of ulp."""
    ratios, ulps = spreads(relations, "ratio"), spreads(relations, "ulp")
    tables: list[tuple[str, list[dict[str, Any]]]] = []
    for dtype in DTYPES:
        rows: list[dict[str, Any]] = [
            {
                "column": column,
                "ratio": _summary(ratios[(column, dtype)], RATIO_DECADES, "error over bound", marked=True),
                "ulp": _summary(ulps[(column, dtype)], ULP_DECADES, "error in ulp", marked=False),
                "count": ratios[(column, dtype)].count,
            }
            for column in relations.columns
            if (column, dtype) in ratios
        ]
        if rows:
            tables.append((dtype, rows))
    return tables


def _summary(spread: Spread, decades: tuple[int, int], what: str, *, marked: bool) -> dict[str, Any]:
    low, high = decades
    median, most, greatest = (figure(each) for each in (spread.quantile(0.5), spread.quantile(0.99), spread.worst))
    says = f"{what}: half are at most {median}, 99 % at most {most}, the greatest is {greatest}"
    mark = (0 - low) / (high - low) if marked else None
    return {
        "median": median,
        "most": most,
        "greatest": greatest,
        "zeros": spread.zeros,
        "drawing": histogram(spread.decades(low, high), mark, says),
    }


def agreement_table(relations: Relations) -> tuple[list[Column], list[list[dict[str, Any] | None]]]:
    """A square of backends: share of shared checks with both within the bound, and how far apart at most."""
    columns, pairs = agreement(relations)
    table: list[list[dict[str, Any] | None]] = []
    for one in columns:
        row: list[dict[str, Any] | None] = []
        for other in columns:
            pair = pairs.get((one, other) if one.place < other.place else (other, one))
            if one is other or pair is None:
                row.append(None)
                continue
            share = pair.both / pair.shared
            row.append(
                {
                    "share": "100" if pair.both == pair.shared else f"{min(100 * share, 99.99):.2f}",
                    "level": level(share),
                    "shared": pair.shared,
                    "differ": pair.shared - pair.both,
                    "apart": figure(pair.apart.quantile(0.5)),
                    "most": figure(pair.apart.greatest),
                }
            )
        table.append(row)
    return [*columns], table


def level(share: float) -> int:
    """A step of colour from 0 to 6; the steps are narrow near 1, where nearly all pairs are."""
    return sum(share >= limit for limit in (0.5, 0.8, 0.9, 0.95, 0.99, 1.0))
