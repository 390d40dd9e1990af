"""How large the errors are: their distribution by backend and dtype, and what pairs of backends have in common."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from conformance.model.dtypes import DTYPES
from conformance.reports.accuracy import Spread, agreement, spreads
from conformance.reports.columns import Column
from conformance.reports.relations import Relations
from conformance.reports.table import AnyCell, Cell, Table
from conformance.reports.text import figure

__all__ = ["agreement_table", "spread_tables"]

#: Decades that the drawings cover.
RATIO_DECADES = (-5, 1)
ULP_DECADES = (-3, 5)
_HEAD = (
    "backend", "results", "exact", Cell("error over bound", note="10⁻⁵ to 10, line at 1"), "median", "99 %", "worst",
    Cell("ulp", note="10⁻³ to 10⁵"), "median", "99 %", "worst",
)  # fmt: skip
_HEIGHT = 34


def spread_tables(relations: Relations) -> list[Table]:
    """For each dtype a row for each backend: quantiles and a drawing, of error over bound and of ulp."""
    ratios, ulps = spreads(relations, "ratio", RATIO_DECADES), spreads(relations, "ulp", ULP_DECADES)
    line = -RATIO_DECADES[0] / (RATIO_DECADES[1] - RATIO_DECADES[0])
    tables = []
    for dtype in DTYPES:
        rows: list[list[AnyCell]] = []
        for column in relations.columns:
            if (column, dtype) in ratios:
                ratio, ulp = ratios[(column, dtype)], ulps[(column, dtype)]
                head = Cell(column.label, f"backends/{column.slug}.html#accuracy")
                rows.append([head, ratio.count, ratio.zeros,
                             *_drawn(ratio, "error over bound", line), *_drawn(ulp, "error in ulp")])  # fmt: skip
        if rows:
            tables.append(Table(_HEAD, rows, dtype, numbers=frozenset({1, 2, 4, 5, 6, 8, 9, 10}), kind="spread"))
    return tables


def _drawn(spread: Spread, what: str, line: float | None = None) -> list[AnyCell]:
    """A histogram, then the median, what 99 % do not exceed, and the greatest."""
    median, most, greatest = map(figure, (spread.median, spread.most, spread.worst))
    says = f"{what}: half are at most {median}, 99 % at most {most}, the greatest is {greatest}"
    return [_histogram(spread.bins, line, says), median, most, greatest]


def _histogram(counts: Sequence[int], line: float | None, says: str) -> Markup:
    """Bars of equal width, the tallest as high as the drawing; ``line`` (0 to 1) draws one across."""
    width, top = 6 * len(counts), max(counts)
    bars = "".join(
        f"M{6 * i + 0.5} {_HEIGHT}v{-max((_HEIGHT - 2) * count / top, 1.0):.1f}h5V{_HEIGHT}z"
        for i, count in enumerate(counts)
        if count
    )
    mark = "" if line is None else Markup('<path class="mark" d="M{:.1f} 0V{}"/>').format(width * line, _HEIGHT)
    return Markup(
        '<svg class="hist" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">'
        '<path class="base" d="M0 {3}H{0}"/><path class="bars" d="{4}"/>{5}</svg>'
    ).format(width, _HEIGHT + 1, says, _HEIGHT, bars, mark)


def agreement_table(relations: Relations) -> Table:
    """A square of backends: share of shared checks with both within the bound, and how far apart at most."""
    columns, pairs = agreement(relations)

    def cell(one: Column, other: Column) -> Cell:
        pair = pairs.get((one, other) if one.place < other.place else (other, one))
        if one is other or pair is None:
            return Cell("–", mark="self")
        share = pair.both / pair.shared
        shown = "100" if pair.both == pair.shared else f"{min(100 * share, 99.99):.2f}"
        notes = [
            f"{pair.shared - pair.both:,} of {pair.shared:,} not both right",
            f"apart {figure(pair.apart)}, ≤ {figure(pair.most)}",
        ]
        if pair.deviations:
            notes.append(f"{pair.deviations:,} more deviate")
        name = f"a-{one.slug}--{other.slug}"
        return Cell(f"{shown} %", note="\n".join(notes), mark=f"h{_level(share)}", name=name)

    heads = [Cell(column.label, f"backends/{column.slug}.html") for column in columns]
    rows = [[head, *(cell(one, other) for other in columns)] for head, one in zip(heads, columns, strict=True)]
    return Table(["", *heads], rows, "Agreement between backends, in per cent", kind="heat")


def _level(share: float) -> int:
    """A step of colour from 0 to 6; the steps are narrow near 1, where nearly all pairs are."""
    return sum(share >= limit for limit in (0.5, 0.8, 0.9, 0.95, 0.99, 1.0))
