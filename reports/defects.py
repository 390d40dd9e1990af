"""What a backend's register, its policies and its refusals account for: each with its number of checks and cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from conformance.model.wording import message, statement
from conformance.profiles.profile import Defect
from conformance.reports.columns import Column
from conformance.reports.relations import LOST, Relations

__all__ = ["Alarm", "Named", "Registered", "alarms", "deviations", "known", "left_out", "refusals"]

#: Cases that are named for one entry or reason.
MOST = 12
#: Failures that a page lists.
LISTED = 400
REFUSED = "verdict in ('unsupported', 'not run')"


@dataclass(frozen=True)
class Named:
    """A number of checks, and the first cases in which they were; ``more`` says that there are others.

    ``first`` is the place of the first check.
    """

    count: int
    cases: tuple[str, ...]
    more: bool
    first: int


@dataclass(frozen=True)
class Registered:
    """A known defect that showed: its id, where it is reported, and its entry if this checkout has one."""

    id: str
    issue: str
    defect: Defect | None
    seen: Named

    @property
    def why(self) -> str:
        """What is wrong; empty where the entry is of another checkout."""
        return self.defect.why if self.defect else ""

    @property
    def title(self) -> str:
        """What is wrong in one line; empty where the entry has none."""
        return self.defect.title if self.defect else ""


def _grouped(relations: Relations, keys: str, where: str) -> list[tuple[Column, tuple[str, ...], Named]]:
    """Checks by column and ``keys``, in the keys' order; the cases of each in order of appearance."""
    rows = relations.query(
        f"""select col, [{keys}] as keys, "case", count(*), min(seq) from outcomes where {where}
        group by all order by col, keys, min(seq)"""
    )
    found: defaultdict[tuple[int, tuple[str, ...]], list[tuple[str, int, int]]] = defaultdict(list)
    for col, key, case, count, first in rows:
        found[(col, tuple(key))].append((case, count, first))
    return [(relations.columns[col], key, _named(cases)) for (col, key), cases in found.items()]


def _named(cases: list[tuple[str, int, int]]) -> Named:
    count = sum(number for _, number, _ in cases)
    return Named(count, tuple(case for case, _, _ in cases[:MOST]), len(cases) > MOST, cases[0][2])


def known(relations: Relations) -> dict[Column, list[Registered]]:
    """The known defects that showed, by id."""
    keys = "coalesce(defect ->> 'id', '?'), coalesce(defect ->> 'issue', '')"
    found: defaultdict[Column, list[Registered]] = defaultdict(list)
    for column, (name, issue), seen in _grouped(relations, keys, "verdict = 'known'"):
        entry = next((defect for defect in column.profile.known if defect.id == name), None)
        found[column].append(Registered(name, entry.issue if entry else issue, entry, seen))
    return found


def deviations(relations: Relations) -> dict[Column, list[tuple[str, Named]]]:
    """Deviations by the policy that declares them."""
    keys = "coalesce(excused_by ->> 0, nullif(policy, ''), 'declared policies')"
    found: defaultdict[Column, list[tuple[str, Named]]] = defaultdict(list)
    for column, (policy,), seen in _grouped(relations, keys, "verdict = 'deviation'"):
        found[column].append((policy, seen))
    return found


@dataclass(frozen=True)
class Alarm:
    """Checks of a case that are wrong and in no register, and what the first of them says."""

    verdict: str
    case: str
    check: str
    seen: Named
    says: str


def alarms(relations: Relations) -> dict[Column, tuple[list[Alarm], int]]:
    """What is wrong and in no register, in order of appearance; the first ``LISTED`` of a column, and checks beyond."""
    where = "verdict not in ('pass', 'deviation', 'known', 'unsupported', 'not run')"
    found: defaultdict[Column, list[tuple[tuple[str, ...], Named]]] = defaultdict(list)
    for column, key, seen in _grouped(relations, 'verdict, "case", "check"', where):
        found[column].append((key, seen))
    result = {}
    for column, rows in found.items():
        rows.sort(key=lambda row: row[1].first)
        firsts = relations.at(seen.first for _, seen in rows[:LISTED])
        listed = [
            Alarm(key[0], key[1], key[2], seen, message(firsts[seen.first]) or key[0]) for key, seen in rows[:LISTED]
        ]
        result[column] = (listed, sum(seen.count for _, seen in rows[LISTED:]))
    return result


def refusals(relations: Relations, where: str = REFUSED) -> dict[Column, Counter[str]]:
    """Why checks were not made, and how many; of those ``where`` a condition holds."""
    rows = relations.query(
        f"""select col, min(seq), count(*) from outcomes where {where}
        group by col, verdict, reason, detail, error::varchar, expected::varchar order by all"""
    )
    firsts = relations.at(seq for _, seq, _ in rows)
    found: defaultdict[Column, Counter[str]] = defaultdict(Counter)
    for col, seq, count in rows:
        first = firsts[seq]
        found[relations.columns[col]][statement(first) or first.verdict] += count
    return found


def left_out(relations: Relations) -> dict[Column, Counter[str]]:
    """Why checks were not run, and how many, but for those that were not reached since a process had died."""
    return refusals(relations, f"verdict = 'not run' and not {LOST}")
