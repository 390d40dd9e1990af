"""Mode consistency: what differs between the modes of one framework, that ran the same checks.

The modes of a framework are its columns of one version on one machine: another execution, composition, precision or
device. A user's own code is compared with nothing but itself. The first column is what the others are held against.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from conformance.model.outcome import Outcome
from conformance.model.verdicts import NONCONFORMING
from conformance.reports.columns import Column
from conformance.reports.relations import Relations

__all__ = ["KINDS", "Comparison", "Difference", "DifferenceKind", "comparisons", "differing_aspects"]

DifferenceKind = Literal["wrong in one", "other policy", "not in one mode", "other answer", "other accuracy"]
#: What each kind of difference is, the gravest first. Both are right in the last one.
KINDS: dict[DifferenceKind, str] = {
    "wrong in one": "one mode is right, or deviates as declared, and the other is wrong",
    "other answer": "both are wrong, or not judged, and in other ways",
    "other policy": "one mode chooses otherwise where the definition is open",
    "not in one mode": "one mode has a feature that the other lacks, or its call was not made in that mode",
    "other accuracy": "both are right, and reach other classes of accuracy",
}
#: Cases that are named of a group.
NAMED = 6

_WRONG = f"""verdict in ({", ".join(f"'{each}'" for each in (*NONCONFORMING, "known"))})"""
_LACKING = "verdict = 'unsupported'"
_SIDE = f"""select seq, "case", dtype, layout, op, reduction, "check", policy, aspect, verdict, class, reason,
    observed::varchar as observed, coalesce(excused_by::varchar, '[]') as excused,
    coalesce(defect ->> 'id', '') as defect, {_WRONG} as wrong, {_LACKING} as lacking
    from outcomes where col = ? and verdict not in ('not run', 'stale', 'error')"""
_KEY = '"case", dtype, layout, op, reduction, "check", policy, aspect'
_KIND = """case
    when a.lacking <> b.lacking then 'not in one mode'
    when a.wrong <> b.wrong then 'wrong in one'
    when a.wrong and (a.defect <> b.defect or a.verdict <> b.verdict or a.reason <> b.reason) then 'other answer'
    when a.wrong or a.lacking then ''
    when a.excused <> b.excused or a.verdict <> b.verdict then 'other policy'
    when "check" = 'policy' and a.observed is distinct from b.observed then 'other policy'
    when a.class is distinct from b.class then 'other accuracy'
    else '' end"""

#: What checks that are one group have in common, beside kind, operation and check; of a lacking feature nothing more.
_ALIKE = """if(a.lacking <> b.lacking, [a.lacking::varchar], [a.verdict, b.verdict, a.defect, b.defect, a.excused,
    b.excused, policy, if("check" = 'policy', a.observed, ''), if("check" = 'policy', b.observed, '')])"""


@dataclass(frozen=True)
class Difference:
    """Checks of one operation that differ alike: how many, of how many ``cases``, the first of them named.

    ``first`` and ``second`` are the outcomes of one of these checks in the two modes.
    """

    kind: DifferenceKind
    op: str
    check: str
    checks: int
    cases: int
    dtypes: tuple[str, ...]
    named: tuple[str, ...]
    first: Outcome
    second: Outcome


@dataclass(frozen=True)
class Comparison:
    """Two modes of one framework: the checks that both made, how many differ in each way, and what differs.

    Other classes of accuracy are counted, and not listed: both are right.
    """

    first: Column
    second: Column
    shared: int
    counts: dict[DifferenceKind, int]
    differences: tuple[Difference, ...]

    @property
    def consistent(self) -> bool:
        """Whether nothing but the accuracy differs."""
        return not self.differences


def comparisons(relations: Relations) -> list[Comparison]:
    """Every mode against the first one of its framework, version and machine, in the columns' order."""
    return [
        _comparison(relations, first, other)
        for first, *others in _modes(relations.columns)
        for other in others
        if _options(first) != _options(other)
    ]


def differing_aspects(values: Mapping[Column, Mapping[str, Hashable]]) -> dict[str, tuple[str, ...]]:
    """Of each framework, by its family: the aspects of which two modes of one version have different ``values``."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for modes in _modes(values):
        for aspect in {aspect for column in modes for aspect in values[column]}:
            if len({values[column][aspect] for column in modes if aspect in values[column]}) > 1:
                found[modes[0].family].add(aspect)
    return {family: tuple(sorted(aspects)) for family, aspects in found.items()}


def _modes(columns: Iterable[Column]) -> list[list[Column]]:
    """The columns of one framework, version and machine each, in their order: what is asked of all of them compares."""
    modes: defaultdict[tuple[str, ...], list[Column]] = defaultdict(list)
    for column in columns:
        modes[(_base(column), column.family, column.id.version, column.machine, column.declared_in)].append(column)
    return [*modes.values()]


def _base(column: Column) -> str:
    """The backend's name without options: a user's kernel is not a mode of the adapter that it extends."""
    name, *rest = column.backend.split(":")
    return ":".join([name, *(word for word in rest if word not in _options(column))])


def _options(column: Column) -> tuple[str, ...]:
    return column.id.words


def _comparison(relations: Relations, first: Column, second: Column) -> Comparison:
    places = [first.place, second.place]
    joined = f"from ({_SIDE}) a join ({_SIDE}) b using ({_KEY})"
    rows = relations.query(
        f"""select kind, op, "check", count(*), count(distinct "case"), list(distinct dtype),
        list(distinct "case"), min_by(first, place), min_by(second, place)
        from (select {_KIND} as kind, op, "check", "case", dtype, a.seq as first, b.seq as second, a.seq as place,
            {_ALIKE} as alike {joined})
        group by kind, op, "check", alike order by min(place)""",
        places,
    )
    shared = sum(row[3] for row in rows)
    counts: dict[DifferenceKind, int] = {kind: sum(row[3] for row in rows if row[0] == kind) for kind in KINDS}
    listed = [row for row in rows if row[0] in KINDS and row[0] != "other accuracy"]
    outcomes = relations.at(place for row in listed for place in row[7:9])
    order = {kind: place for place, kind in enumerate(KINDS)}
    listed.sort(key=lambda row: order[row[0]])
    return Comparison(first, second, shared, counts, tuple(_difference(row, outcomes) for row in listed))


def _difference(row: Sequence[object], outcomes: dict[int, Outcome]) -> Difference:
    kind, op, check, checks, cases, dtypes, named, first, second = row
    return Difference(
        kind, op, check, checks, cases,  # type: ignore[arg-type]
        tuple(sorted(dtypes)), tuple(sorted(named)[:NAMED]),  # type: ignore[call-overload]
        outcomes[first], outcomes[second],  # type: ignore[index]
    )  # fmt: skip
