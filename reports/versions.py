"""The history of defects over the versions of a framework: which show each one, and which release repaired it.

Runs of several versions stand beside each other in one report. What shows in any of them is a row; whether another
version shows it is read from the same checks, so that a register that names versions hides nothing. A check that is
wrong in a version by another entry says nothing of this one there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from conformance.model.verdicts import NONCONFORMING
from conformance.reports.columns import Column
from conformance.reports.relations import Relations

__all__ = ["DefectHistory", "VersionHistory", "VersionShare", "version_histories"]

_WRONG = f"""verdict in ({", ".join(f"'{each}'" for each in (*NONCONFORMING, "known"))})"""
#: A call that raises, with no entry in the register, may be one that the version does not offer: it says nothing, and
#: neither does the same error where one is due.
_RAISED = "verdict = 'fail' and reason = 'raised'"
_SAID = "coalesce(left(error ->> 'text', 60), '')"
#: Errors of a call whose name or arguments the version does not know.
_UNKNOWN = "coalesce(error ->> 'type', '') in ('AttributeError', 'ImportError', 'TypeError')"
#: What a policy was observed as goes with the results that show it, which are judged themselves.
_JUDGED = f"""(({_WRONG}) or verdict in ('pass', 'deviation')) and "check" <> 'policy' and not ({_RAISED})"""
_KEY = '"case", dtype, layout, op, reduction, "check"'
#: What has no entry in the register, by operation, check, and what was wrong about it.
_NAME = """max_by(op || ', ' || "check" || coalesce(': ' || (error ->> 'type'), ''), seq)"""


@dataclass(frozen=True)
class VersionShare:
    """One version's part: of the ``checks`` that some version fails, as many as it made, how many are ``wrong``."""

    checks: int
    wrong: int


@dataclass(frozen=True)
class DefectHistory:
    """A defect over the versions, oldest first: those that did not make its checks are left out of ``by_version``.

    ``registered`` is whether ``name`` is that of an entry of the register; ``case`` is one that shows the defect.
    """

    name: str
    registered: bool
    case: str
    by_version: Mapping[str, VersionShare]

    @property
    def showing(self) -> tuple[str, ...]:
        """The versions that show it."""
        return tuple(version for version, shown in self.by_version.items() if shown.wrong)

    @property
    def first(self) -> str:
        """The oldest version that shows it."""
        return self.showing[0]

    @property
    def last(self) -> str:
        """The newest version that shows it."""
        return self.showing[-1]

    @property
    def repaired_in(self) -> str:
        """The first version after the last one that shows it; empty where that is the newest one that was asked."""
        versions = [*self.by_version]
        return next(iter(versions[versions.index(self.last) + 1 :]), "")

    @property
    def since_the_first(self) -> bool:
        """Whether the oldest version that was asked shows it: it may be older than that."""
        return next(iter(self.by_version)) == self.first


@dataclass(frozen=True)
class VersionHistory:
    """A backend in several versions: their columns, the oldest first, and the defects that any of them shows."""

    backend: str
    columns: tuple[Column, ...]
    defects: tuple[DefectHistory, ...]


def version_histories(relations: Relations) -> list[VersionHistory]:
    """One for each backend that the runs have in more than one version, in the columns' order."""
    groups: defaultdict[tuple[str, ...], list[Column]] = defaultdict(list)
    for column in relations.columns:
        groups[(column.backend, *column.id.words, column.declared_in)].append(column)
    found = []
    for columns in groups.values():
        ordered = _by_version(columns)
        if len({column.id.version for column in ordered}) > 1:
            found.append(VersionHistory(ordered[0].backend, ordered, _defects(relations, ordered)))
    return found


def _by_version(columns: Iterable[Column]) -> tuple[Column, ...]:
    from packaging.version import InvalidVersion, Version

    def order(column: Column) -> tuple[int, Version, int]:
        try:
            return (1, Version(column.id.version), column.place)
        except InvalidVersion:
            return (0, Version("0"), column.place)

    return tuple(sorted(columns, key=order))


def _defects(relations: Relations, columns: Sequence[Column]) -> tuple[DefectHistory, ...]:
    places = ", ".join(str(column.place) for column in columns)
    rows = relations.query(
        f"""with lacking as (select distinct col, {_SAID} as said from outcomes where {_RAISED}),
        judged as (select * from outcomes where col in ({places}) and {_JUDGED} and not (
            verdict in ('pass', 'deviation') and ({_UNKNOWN}
                or (col, {_SAID}) in (select (col, said) from lacking where said <> '')))),
        shown as (
            select distinct {_KEY}, defect ->> 'id' as name, true as registered
            from judged where {_WRONG} and defect is not null
            union all select {_KEY}, {_NAME}, false
            from judged where {_WRONG} group by all having bool_and(defect is null))
        select name, bool_or(registered), min_by("case", seq), col, count(*), count(*) filter ({_WRONG}), min(seq)
        from judged join shown using ({_KEY}) where defect is null or defect ->> 'id' = name
        group by name, col order by min(min(seq)) over (partition by name), col"""
    )
    version = {column.place: column.id.version for column in columns}
    order = {column.id.version: place for place, column in enumerate(columns)}
    by_name: defaultdict[str, dict[str, VersionShare]] = defaultdict(dict)
    about: dict[str, tuple[bool, str]] = {}
    for name, registered, case, col, checks, wrong, _ in rows:
        former = by_name[name].get(version[col], VersionShare(0, 0))  # of one version on several machines
        by_name[name][version[col]] = VersionShare(former.checks + checks, former.wrong + wrong)
        about.setdefault(name, (registered, case))
    made = [
        DefectHistory(name, *about[name], {each: found[each] for each in sorted(found, key=order.__getitem__)})
        for name, found in by_name.items()
    ]
    return tuple(sorted(made, key=lambda each: (not each.registered, each.repaired_in == "", each.name)))
