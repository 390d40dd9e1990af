"""What the overview and the pages over all cases show, gathered while the cases go by."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from conformance.bounds.classes import CLASS_LETTERS
from conformance.model.records import Outcome
from conformance.numerics.formats import FORMATS
from conformance.reports.site.columns import Column, newest
from conformance.reports.site.gather import CaseResults
from conformance.reports.site.scale import Spread

__all__ = ["QUANTITIES", "Accuracy", "Aggregates", "Pair", "bits"]

#: Checks that hold a result against the truth; the others hold results against each other, or look at the call.
QUANTITIES = ("value", "gradient")


@dataclass(eq=False)
class Accuracy:
    """One backend's results in one operation and dtype: classes reached, error in ulp, and where it was worst."""

    letters: Counter[str] = field(default_factory=Counter)
    ulp: Spread = field(default_factory=Spread)
    worst: Outcome | None = None

    def add(self, outcome: Outcome, ulp: float) -> None:
        """Count a result that a class was found for."""
        letter = outcome.class_ or ""
        self.letters[letter] += 1
        self.ulp.add(ulp)
        if self.worst is None or _worse(outcome, self.worst):
            self.worst = outcome

    @property
    def reached(self) -> str:
        """The worst class."""
        return max(self.letters, key=CLASS_LETTERS.index, default="")


@dataclass(eq=False)
class Pair:
    """What two backends have in common: checks of both, those with both within the bound, and how far apart."""

    shared: int = 0
    both: int = 0
    apart: Spread = field(default_factory=Spread)


@dataclass(eq=False)
class Aggregates:
    """Counts and distributions over all cases; their size depends on backends, themes and dtypes alone."""

    columns: Sequence[Column]
    cells: dict[tuple[Column, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    totals: dict[Column, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    themes: dict[str, int] = field(default_factory=dict)
    flags: dict[tuple[Column, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    accuracy: dict[tuple[Column, str, str], Accuracy] = field(default_factory=lambda: defaultdict(Accuracy))
    ulps: dict[tuple[Column, str], Spread] = field(default_factory=lambda: defaultdict(Spread))
    ratios: dict[tuple[Column, str], Spread] = field(default_factory=lambda: defaultdict(Spread))
    pairs: dict[tuple[Column, Column], Pair] = field(default_factory=lambda: defaultdict(Pair))
    outcomes: int = 0

    def __post_init__(self) -> None:
        self.compared = newest(self.columns)
        self._compared = frozenset(self.compared)

    def add(self, results: CaseResults, flags: Sequence[str]) -> None:
        """Count all outcomes of a case that carries ``flags``."""
        self.themes[results.theme] = self.themes.get(results.theme, 0) + 1
        shared: dict[tuple[str, str, str, str], list[tuple[Column, float]]] = defaultdict(list)
        for column, outcome in results.outcomes:
            self.outcomes += 1
            verdict = outcome.verdict
            self.cells[(column, results.theme)][verdict] += 1
            self.totals[column][verdict] += 1
            if verdict != "pass":
                for flag in flags:
                    self.flags[(column, flag)][verdict] += 1
            if outcome.check in QUANTITIES and outcome.class_ in CLASS_LETTERS:
                ratio = _number(outcome.ratio)
                self._measure(column, outcome, ratio)
                if column in self._compared:
                    key = (outcome.dtype, outcome.layout, outcome.reduction, outcome.check)
                    shared[key].append((column, ratio if verdict == "pass" else math.inf))
        self._compare(shared.values())

    def _measure(self, column: Column, outcome: Outcome, ratio: float) -> None:
        if outcome.verdict in ("deviation", "not run") or outcome.dtype not in FORMATS:
            return  # another value than the normative one, or a bound that promises nothing
        ulp = _number(outcome.ulp)
        self.accuracy[(column, outcome.op, outcome.dtype)].add(outcome, ulp)
        self.ulps[(column, outcome.dtype)].add(ulp)
        self.ratios[(column, outcome.dtype)].add(ratio)

    def _compare(self, units: Iterable[list[tuple[Column, float]]]) -> None:
        for found in units:
            for place, (one, mine) in enumerate(found):
                for other, yours in found[place + 1 :]:
                    if one is other:
                        continue
                    pair = self.pairs[(one, other) if one.place < other.place else (other, one)]
                    pair.shared += 1
                    if mine + yours < math.inf:
                        pair.both += 1
                        pair.apart.add(mine + yours)


def bits(dtype: str, ulp: float) -> float:
    """Effective bits: the dtype's precision less log2 of the error in halves of an ulp, from 0 to the precision."""
    precision = -math.log2(FORMATS[dtype].unit_roundoff)  # type: ignore[index]
    if not ulp < math.inf:
        return 0.0
    return min(max(precision - math.log2(max(2.0 * ulp, 1.0)), 0.0), precision)


def _number(value: object) -> float:
    """A recorded number; whatever is none is beyond all bounds."""
    try:
        read = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.inf
    return read if read >= 0 else math.inf


def _worse(one: Outcome, other: Outcome) -> bool:
    ranks = [CLASS_LETTERS.index(each.class_) for each in (one, other)]
    return ranks[0] > ranks[1] or (ranks[0] == ranks[1] and _number(one.ulp) > _number(other.ulp))
