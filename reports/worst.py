"""The findings that a reader wants to see, worst first: some of each verdict in full, or grouped by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.model.outcome import Outcome
from conformance.model.verdicts import ALARMING, NOTABLE
from conformance.model.wording import explain_command
from conformance.reports.columns import Column
from conformance.reports.relations import Relations

__all__ = ["BAD", "WorstOutcome", "findings", "first_findings", "worst"]

#: Verdicts that somebody has to act on, worst first.
BAD = tuple(verdict for verdict in NOTABLE if verdict in ALARMING)


def worst(relations: Relations, verdicts: Sequence[str], limit: int) -> list[tuple[Column, Outcome]]:
    """The first ``limit`` outcomes with one of these verdicts, in the verdicts' order."""
    order = 'list_position(?, verdict), col, "case", dtype, "check", reduction, seq'
    return [*relations.outcomes("list_contains(?, verdict)", [[*verdicts], [*verdicts]], order=order, limit=limit)]


def first_findings(relations: Relations, verdicts: Sequence[str], limit: int) -> list[tuple[Column, Outcome, int]]:
    """The first ``limit`` findings with one of these verdicts, each with the number of checks that are alike.

    Checks of a case that differ in dtype, layout or reduction alone are one finding, and so is a policy in whatever
    case it is observed, and a known defect in whatever check. First, within a verdict, come the policies, as one
    declaration settles many fails, then the worked examples, which are the smallest.
    """
    rows = relations.query(
        """select min(seq), count(*), col from outcomes where list_contains(?, verdict)
        group by verdict, col, case when verdict = 'known' and defect is not null then ['known', defect ->> 'id']
            when "check" = 'policy' then ['policy', policy, aspect] else ["check", "case"] end
        order by list_position(?, verdict), bool_or("check" = 'policy') desc, bool_or(theme = 'worked-examples') desc,
            min(seq)
        limit ?""",
        [[*verdicts], [*verdicts], limit],
    )
    firsts = relations.at(seq for seq, _, _ in rows)
    return [(relations.columns[col], firsts[seq], count) for seq, count, col in rows]


@dataclass(frozen=True)
class WorstOutcome:
    """All checks of a case with one verdict: the first one, how many, and in which columns."""

    first: Outcome
    checks: int
    columns: tuple[Column, ...]

    @property
    def explained(self) -> str:
        """The command that derives the case, and shows what the backend of the first check gave."""
        column = next((each for each in self.columns if each.backend == self.first.backend), self.columns[0])
        return explain_command(self.first, column.spec, column.cases)


def findings(relations: Relations, limit: int) -> tuple[list[WorstOutcome], int]:
    """The first ``limit`` groups of bad checks, worst verdicts first, and how many groups there are in all."""
    rows = relations.query(
        "select min(seq), count(*), list(distinct col), count(*) over () from outcomes "
        'where list_contains(?, verdict) group by verdict, "case" order by list_position(?, verdict), "case" limit ?',
        [[*BAD], [*BAD], limit],
    )
    firsts = relations.at(row[0] for row in rows)
    found = [
        WorstOutcome(firsts[seq], checks, tuple(relations.columns[col] for col in sorted(columns)))
        for seq, checks, columns, _ in rows
    ]
    return found, rows[0][3] if rows else 0
