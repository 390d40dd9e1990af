"""How accurate results are: classes reached, errors in ulp and over their bounds, and agreement between backends."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from conformance.bounds.classes import CLASS_LETTERS
from conformance.numerics.formats import FORMATS
from conformance.reports.columns import Column, newest
from conformance.reports.relations import Relations
from conformance.reports.spread import BIN, Spread

__all__ = ["Accuracy", "Pair", "accuracy", "agreement", "bits", "spreads"]

#: Results that are held against the truth, and have a class.
_JUDGED = f""""check" in ('value', 'gradient') and class in ({", ".join(f"'{letter}'" for letter in CLASS_LETTERS)})"""
#: Of these, those that are the normative value, within a bound that promises something.
_MEASURED = f"""{_JUDGED} and verdict not in ('deviation', 'not run')
and dtype in ({", ".join(f"'{dtype}'" for dtype in FORMATS)})"""


def _size(name: str) -> str:
    """A recorded number in SQL; whatever is none is beyond all bounds."""
    return f"case when {name} >= 0 and not isnan({name}) then {name} else 'inf'::double end"


@dataclass(eq=False)
class Accuracy:
    """One backend's results in one operation and dtype: classes reached, error in ulp, and the case of the worst."""

    letters: Counter[str] = field(default_factory=Counter)
    ulp: Spread = field(default_factory=Spread)
    worst: str = ""

    @property
    def reached(self) -> str:
        """The worst class."""
        return max(self.letters, key=CLASS_LETTERS.index, default="")


def accuracy(relations: Relations) -> dict[tuple[Column, str, str], Accuracy]:
    """What was reached, by column, operation and dtype."""
    rows = relations.query(
        f"""select col, op, dtype, class, {BIN} as bin, count(*), max(size),
        max_by("case", {{'size': size, 'first': -seq}})
        from (select *, {_size("ulp")} as size from outcomes where {_MEASURED}) group by all
        order by class desc, bin desc, max(size) desc"""
    )
    found: defaultdict[tuple[Column, str, str], Accuracy] = defaultdict(Accuracy)
    for col, op, dtype, letter, place, count, greatest, case in rows:
        here = found[(relations.columns[col], op, dtype)]
        here.letters[letter] += count
        here.ulp.add(place, count, greatest)
        here.worst = here.worst or case  # the first row is of the worst class and the largest error
    return dict(found)


def spreads(relations: Relations, measure: str) -> dict[tuple[Column, str], Spread]:
    """The distribution of ``ulp`` or ``ratio``, by column and dtype."""
    rows = relations.query(
        f"""select col, dtype, {BIN} as bin, count(*), max(size)
        from (select col, dtype, {_size(measure)} as size from outcomes where {_MEASURED}) group by all"""
    )
    found: defaultdict[tuple[Column, str], Spread] = defaultdict(Spread)
    for col, dtype, place, count, greatest in rows:
        found[(relations.columns[col], dtype)].add(place, count, greatest)
    return dict(found)


@dataclass(eq=False)
class Pair:
    """What two backends have in common: checks of both, those with both within the bound, and how far apart."""

    shared: int = 0
    both: int = 0
    apart: Spread = field(default_factory=Spread)


def agreement(relations: Relations) -> tuple[Sequence[Column], dict[tuple[Column, Column], Pair]]:
    """The newest version of each backend, and every pair of them, the one that stands first in tables first."""
    compared = newest(relations.columns)
    rows = relations.query(
        f"""with shared as (
            select col, "case", dtype, layout, reduction, "check",
                case verdict when 'pass' then {_size("ratio")} else 'inf'::double end as size
            from outcomes where {_JUDGED} and list_contains(?, col)
        )
        select first, second, {BIN} as bin, count(*), max(size) from (
            select a.col as first, b.col as second, a.size + b.size as size
            from shared a join shared b using ("case", dtype, layout, reduction, "check") where a.col < b.col
        ) group by all""",
        [[column.place for column in compared]],
    )
    found: defaultdict[tuple[Column, Column], Pair] = defaultdict(Pair)
    for first, second, place, count, greatest in rows:
        pair = found[(relations.columns[first], relations.columns[second])]
        pair.shared += count
        if place < math.inf:
            pair.both += count
            pair.apart.add(place, count, greatest)
    return compared, dict(found)


def bits(dtype: str, ulp: float) -> float:
    """Effective bits: the dtype's precision less log2 of the error in halves of an ulp, from 0 to the precision."""
    precision = -math.log2(FORMATS[dtype].unit_roundoff)  # type: ignore[index]
    if not ulp < math.inf:
        return 0.0
    return min(max(precision - math.log2(max(2.0 * ulp, 1.0)), 0.0), precision)
