"""How accurate results are: classes reached, errors in ulp and over their bounds, and agreement between backends."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.bounds.classes import CLASS_LETTERS
from conformance.numerics.formats import FORMATS
from conformance.reports.columns import Column, newest
from conformance.reports.relations import Relations

__all__ = ["AccuracyReached", "Pair", "Spread", "accuracy", "agreement", "bits", "spreads"]

#: Results that are held against the truth, and have a class.
_JUDGED = f""""check" in ('value', 'gradient') and class in ({", ".join(f"'{letter}'" for letter in CLASS_LETTERS)})"""
#: Of these, those that are the normative value, within a bound that promises something.
_MEASURED = f"""{_JUDGED} and verdict not in ('deviation', 'not run')
and dtype in ({", ".join(f"'{dtype}'" for dtype in FORMATS)})"""


def _size(name: str) -> str:
    """A recorded number in SQL; what is not a number is beyond all bounds."""
    return f"case when {name} >= 0 and not isnan({name}) then {name} else 'inf'::double end"


@dataclass(frozen=True)
class Spread:
    """A distribution of numbers from 0 up; infinite ones are wrong special values. ``bins`` are decades in parts."""

    bins: Sequence[int]
    count: int
    zeros: int
    median: float
    most: float
    worst: float


#: A ``Spread`` of ``size`` in SQL: how many, how many are 0, the median, what 99 % do not exceed, and the greatest.
_SPREAD = """count(*), count(*) filter (size = 0), quantile_disc(size, 0.5), quantile_disc(size, 0.99), max(size)"""


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
    rows = relations.query(
        f"""select col, op, dtype, histogram(class),
        max_by("case", {{'class': class, 'size': size, 'first': -seq}}), {_SPREAD}
        from (select *, {_size("ulp")} as size from outcomes where {_MEASURED}) group by col, op, dtype"""
    )
    return {
        (relations.columns[col], op, dtype): AccuracyReached(Counter(letters), Spread((), *spread), case)
        for col, op, dtype, letters, case, *spread in rows
    }


def spreads(
    relations: Relations, measure: str, decades: tuple[int, int], parts: int = 4
) -> dict[tuple[Column, str], Spread]:
    """The distribution of ``ulp`` or ``ratio``, by column and dtype.

    The bins are ``parts`` a decade, from 10^low to 10^high; what lies outside is in the outermost ones.
    """
    low, high = decades
    last = (high - low) * parts - 1
    place = f"greatest(0, least({last}, floor((log10(size) - {low}) * {parts})))::integer"
    rows = relations.query(
        f"""select col, dtype, {_SPREAD}, histogram({place}) filter (size > 0 and isfinite(size))
        from (select col, dtype, {_size(measure)} as size from outcomes where {_MEASURED}) group by col, dtype"""
    )
    return {
        (relations.columns[col], dtype): Spread([(bins or {}).get(place, 0) for place in range(last + 1)], *spread)
        for col, dtype, *spread, bins in rows
    }


@dataclass(frozen=True)
class Pair:
    """What two backends have in common: checks of both, those with both within the bound, and how far apart.

    ``apart`` is the sum of both errors, each over its bound: the median of those within it, and the greatest.
    """

    shared: int
    both: int
    apart: float
    most: float


def agreement(relations: Relations) -> tuple[Sequence[Column], dict[tuple[Column, Column], Pair]]:
    """The newest version of each backend, and every pair of them, the one that stands first in tables first."""
    compared = newest(relations.columns)
    rows = relations.query(
        f"""with shared as (
            select col, "case", dtype, layout, reduction, "check",
                case verdict when 'pass' then {_size("ratio")} else 'inf'::double end as size
            from outcomes where {_JUDGED} and list_contains(?, col)
        )
        select first, second, count(*), count(size), coalesce(quantile_disc(size, 0.5), 0), coalesce(max(size), 0)
        from (
            select a.col as first, b.col as second, if(isfinite(a.size + b.size), a.size + b.size, null) as size
            from shared a join shared b using ("case", dtype, layout, reduction, "check") where a.col < b.col
        ) group by first, second""",
        [[column.place for column in compared]],
    )
    pairs = {(relations.columns[first], relations.columns[second]): Pair(*facts) for first, second, *facts in rows}
    return compared, pairs


def bits(dtype: str, ulp: float) -> float:
    """Effective bits: the dtype's precision less log2 of the error in halves of an ulp, from 0 to the precision."""
    precision = -math.log2(FORMATS[dtype].unit_roundoff)  # type: ignore[index]
    if not ulp < math.inf:
        return 0.0
    return min(max(precision - math.log2(max(2.0 * ulp, 1.0)), 0.0), precision)
