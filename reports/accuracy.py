"""How accurate results are: classes reached, errors in ulp and over their bounds, and agreement between backends."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.model.classes import CLASS_LETTERS
from conformance.numerics.formats import FORMATS
from conformance.reports.columns import Column, newest
from conformance.reports.relations import Relations

__all__ = ["AccuracyReached", "Pair", "Spread", "accuracy", "agreement", "bits", "spreads"]

#: Results that are held against the truth, and have a class; not those of a wrong dtype, whose class may be of that.
_JUDGED = f""""check" in ('value', 'gradient') and class in ({", ".join(f"'{letter}'" for letter in CLASS_LETTERS)})
and reason is distinct from 'wrong-dtype'"""
#: Of these, those that are the normative value, within a bound that promises something.
_MEASURED = f"""{_JUDGED} and verdict not in ('deviation', 'not run')
and dtype in ({", ".join(f"'{dtype}'" for dtype in FORMATS)})"""


def _size(name: str) -> str:
    """A recorded number in SQL; what is not a number is beyond all bounds."""
    return f"case when {name} >= 0 and not isnan({name}) then {name} else 'inf'::double end"


#: Bins a decade by which quantiles are found: they are right within 2.4 %, and counting bins may go to disk.
BINS = 100
PARTS = 4  # bins of a distribution in a decade


@dataclass(frozen=True)
class Spread:
    """A distribution of numbers from 0 up; infinite ones are wrong special values. ``bins`` are decades in parts."""

    bins: Sequence[int]
    count: int
    zeros: int
    median: float
    most: float
    worst: float


def _spread(source: str, keys: str, counted: str = "true") -> str:
    """The fields of a ``Spread`` but its bins in SQL, by ``keys``: of ``size`` in a query, and how many are finite.

    Quantiles and the greatest are of the bins that are ``counted``.
    """
    return f"""with binned as (
        select {keys}, case when size <= 0 then '-inf'::double when isfinite(size) then floor({BINS} * log10(size))
            else 'inf'::double end as bin, count(*) as n, max(size) as greatest
        from ({source}) group by all
    ), ranked as (
        select *, sum(n) over (partition by {keys} order by bin) as passed,
            sum(if({counted}, n, 0)) over (partition by {keys}) as total
        from binned
    )
    select {keys}, sum(n)::bigint, (sum(n) filter (bin < 'inf'::double))::bigint,
        (sum(n) filter (bin = '-inf'::double))::bigint, min(greatest) filter (passed >= 0.5 * total),
        min(greatest) filter (passed >= 0.99 * total), max(greatest) filter ({counted})
    from ranked group by {keys}"""


@dataclass(frozen=True)
class AccuracyReached:
    """One backend's results in one operation and dtype: classes reached, error in ulp, and the case of the worst."""

    letters: Counter[str]
    ulp: Spread
    worst: str

    @property
    def reached(self) -> str:
        """The worst class."""
        return max(self.letters, key=CLASS_LETTERS.index)


def accuracy(relations: Relations) -> dict[tuple[Column, str, str], AccuracyReached]:
    """What was reached, by column, operation and dtype."""
    source = f"select *, {_size('ulp')} as size from outcomes where {_MEASURED}"
    reached = {
        tuple(key): (letters, case)
        for *key, letters, case in relations.query(
            f"""select col, op, dtype, histogram(class),
            max_by("case", {{'class': class, 'size': size, 'first': -seq}}) from ({source}) group by col, op, dtype"""
        )
    }
    found = {}
    for col, op, dtype, count, _, zeros, *sizes in relations.query(_spread(source, "col, op, dtype")):
        letters, case = reached[(col, op, dtype)]
        spread = Spread((), count, zeros or 0, *sizes)
        found[(relations.columns[col], op, dtype)] = AccuracyReached(Counter(letters), spread, case)
    return found


def spreads(relations: Relations, measure: str, decades: tuple[int, int]) -> dict[tuple[Column, str], Spread]:
    """The distribution of ``ulp`` or ``ratio``, by column and dtype.

    The bins are four a decade, from 10^low to 10^high; what lies outside is in the outermost ones.
    """
    low, high = decades
    bins: defaultdict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * ((high - low) * PARTS))
    source = f"select col, dtype, {_size(measure)} as size from outcomes where {_MEASURED}"
    for col, dtype, place, count in relations.query(
        f"""select col, dtype, greatest(0, least({(high - low) * PARTS - 1}, floor((log10(size) - {low}) * {PARTS}))),
        count(*) from ({source}) where size > 0 and isfinite(size) group by all"""
    ):
        bins[(col, dtype)][int(place)] = count
    return {
        (relations.columns[col], dtype): Spread(bins[(col, dtype)], count, zeros or 0, *sizes)
        for col, dtype, count, _, zeros, *sizes in relations.query(_spread(source, "col, dtype"))
    }


@dataclass(frozen=True)
class Pair:
    """What two backends have in common: checks of both, those with both within the bound, and how far apart.

    ``deviations`` are checks of both, too, but not among the ``shared`` ones: in these, one or both give another value
    than the normative one, as they declare. ``apart`` is the sum of both errors, each over its bound: the median of
    those within it, and the greatest.
    """

    shared: int
    deviations: int
    both: int
    apart: float
    most: float


def agreement(relations: Relations) -> tuple[Sequence[Column], dict[tuple[Column, Column], Pair]]:
    """The newest version of each backend, and its pairs with checks in common, the one that stands first first."""
    compared = newest(relations.columns)
    wanted = ", ".join(str(column.place) for column in compared)
    shared = f"""(select col, "case", dtype, layout, reduction, "check",
        verdict = 'deviation' as deviates, case verdict when 'pass' then {_size("ratio")} else 'inf'::double end as size
        from outcomes where {_JUDGED} and col in ({wanted or -1}))"""
    source = f"""select a.col as first, b.col as second, a.deviates or b.deviates as deviates, a.size + b.size as size
        from {shared} a join {shared} b using ("case", dtype, layout, reduction, "check") where a.col < b.col"""
    rows = relations.query(_spread(source, "deviates, first, second", "bin < 'inf'::double"))
    deviations = {(first, second): count for deviates, first, second, count, *_ in rows if deviates}
    pairs = {
        (relations.columns[first], relations.columns[second]): Pair(
            count, deviations.get((first, second), 0), both or 0, apart or 0.0, most or 0.0
        )
        for deviates, first, second, count, both, _, apart, _, most in rows
        if not deviates
    }
    return compared, pairs


def bits(dtype: str, ulp: float) -> float:
    """Effective bits: the dtype's precision less log2 of the error in halves of an ulp, from 0 to the precision."""
    precision = -math.log2(FORMATS[dtype].unit_roundoff)  # type: ignore[index]
    if not ulp < math.inf:
        return 0.0
    return min(max(precision - math.log2(max(2.0 * ulp, 1.0)), 0.0), precision)
