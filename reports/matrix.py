"""The verdict matrix: how often each verdict was given, by backend and theme; every report takes its counts here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.model.verdicts import NONCONFORMING, SILENT, VERDICTS, in_order
from conformance.plain import plural
from conformance.reports.columns import Column
from conformance.reports.relations import LOST, Relations
from conformance.reports.table import AnyCell, Counts, Table

__all__ = ["SIGNS", "Matrix", "died", "headline", "matrix"]

#: A sign beside each verdict's word, so that colour is never alone.
SIGNS = {
    "pass": "✓",
    "deviation": "◇",
    "known": "●",
    "fail": "✗",
    "crash": "✗",
    "timeout": "✗",
    "unreproduced": "✗",
    "error": "!",
    "stale": "!",
    "unsupported": "–",
    "not run": "·",
}
#: Why checks were not reached: so many reasons are counted apart.
MOST_REASONS = 3
_NAMES = {
    "fail": ("failure", "failures"),
    "crash": ("crash", "crashes"),
    "timeout": ("timeout", "timeouts"),
    "unreproduced": ("unreproduced failure", "unreproduced failures"),
    "stale": ("outdated register entry", "outdated register entries"),
}


@dataclass(frozen=True)
class Matrix:
    """Counts of verdicts for each column and theme, and over all themes; no verdict is mixed into another.

    ``lost`` are those of a column's checks that were not run since its process had died.
    """

    columns: tuple[Column, ...]
    themes: tuple[str, ...]
    cells: Mapping[tuple[Column, str], Counter[str]]
    lost: Mapping[Column, int]

    def total(self, column: Column) -> Counter[str]:
        """The verdicts of a column over all themes."""
        return sum((self.cells.get((column, theme), Counter()) for theme in self.themes), Counter())

    def count(self, verdicts: Iterable[str]) -> int:
        """How many outcomes have one of these verdicts."""
        wanted = frozenset(verdicts)
        return sum(n for counts in self.cells.values() for verdict, n in counts.items() if verdict in wanted)

    def table(self) -> Table:
        """A row for each theme, a column for each backend, and their totals."""
        rows: list[list[AnyCell]] = [
            [theme, *(Counts(self.cells.get((column, theme), {})) for column in self.columns)] for theme in self.themes
        ]
        head = ["theme", *(column.label for column in self.columns)]
        total: list[AnyCell] = ["all", *(Counts(self.total(column)) for column in self.columns)]
        return Table(head, rows, "checks by backend and theme", total)

    def listed(self) -> Table:
        """A row for each backend over all themes, and all its verdicts in one cell."""
        rows: list[list[AnyCell]] = [[column.label, Counts(self.total(column))] for column in self.columns]
        return Table(["backend", "checks"], rows, "checks by backend")

    def turned(self) -> Table:
        """A row for each backend over all themes, a column for each verdict that occurs."""
        seen = [verdict for verdict in VERDICTS if self.count([verdict])]
        rows: list[list[AnyCell]] = [
            [column.label, *(self.total(column)[verdict] for verdict in seen)] for column in self.columns
        ]
        return Table(["backend", *seen], rows, "checks by backend", numbers=frozenset(range(1, len(seen) + 1)))


def matrix(relations: Relations) -> Matrix:
    """Count the outcomes that stand. Themes are in order of appearance."""
    rows = relations.query(
        f"select col, theme, verdict, count(*), count(*) filter {LOST} from outcomes group by all order by min(seq)"
    )
    cells: defaultdict[tuple[Column, str], Counter[str]] = defaultdict(Counter)
    lost: Counter[Column] = Counter()
    for col, theme, verdict, count, missing in rows:
        cells[(relations.columns[col], theme)][verdict] = count
        lost[relations.columns[col]] += missing
    return Matrix(relations.columns, tuple(dict.fromkeys(theme for _, theme, *_ in rows)), dict(cells), lost)


def unreached(relations: Relations, counted: Matrix) -> list[tuple[str, str]]:
    """The backends of which checks were not reached, and why: by the commonest reasons, and how many for others."""
    found = []
    for column, count in counted.lost.items():
        by_reason = "select error ->> 'text', count(*) from outcomes where"
        commonest = f"{by_reason} {LOST} and col = ? group by all order by 2 desc, 1 limit {MOST_REASONS}"
        for said, number in relations.query(commonest, [column.place]) if count else ():
            found.append((column.label, f"{_checks(number)} not reached: {said or ''}"))
            count -= number
        if count:
            found.append((column.label, f"{_checks(count)} not reached for other reasons"))
    return found


def _checks(count: int) -> str:
    return "1 check was" if count == 1 else f"{count:,} checks were"


def died(deaths: Mapping[str, int], restarts: Mapping[str, int]) -> dict[str, str]:
    """How often the processes of backends ended, and how often others were started, as a sentence on each backend."""
    return {name: _died(deaths.get(name, 0), restarts.get(name, 0)) for name in {**deaths, **restarts}}


def _died(deaths: int, restarts: int) -> str:
    again = f"was started again {plural(restarts, 'time')}"
    if not deaths:
        return f"its process {again}, without having died"
    return f"its process died, or had to be ended, {plural(deaths, 'time')}" + (f", and {again}" if restarts else "")


def headline(counts: Counter[str], entries: int, lost: int = 0) -> tuple[str, str]:
    """A word for how a backend stands, and a sentence that says why.

    ``entries`` of its register showed, and ``lost`` of its checks were not reached.
    """
    bad = [(verdict, number) for verdict, number in in_order(counts) if verdict in NONCONFORMING]
    made = sum(counts[verdict] for verdict in counts if verdict not in SILENT)
    missing = f" {lost:,} more were not reached." if lost else ""
    if bad:
        wrong = ", ".join(f"{n:,} {_NAMES[v][n != 1]}" for v, n in bad)
        return "does not conform", f"{wrong} of {made:,} checks.{missing}"
    if counts["error"]:
        said = f"{counts['error']:,} of {made:,} checks ended in an error of the harness or the adapter."
        return "not settled", said + missing
    if lost:
        return "not settled", f"{made:,} checks were made.{missing}"
    if not made:
        return "nothing run", "No check was made."
    if counts["known"]:
        named = plural(entries, "known defect")
        return "known defects only", f"{named}, seen in {counts['known']:,} of {made:,} checks; nothing else fails."
    if counts["deviation"]:
        return "conforms", f"Every one of {made:,} checks is right, or as its documented policy says."
    return "conforms", f"All {made:,} checks are right."
