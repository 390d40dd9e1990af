"""The page of a backend, for its maintainers: what fails, what is known, what deviates, and how accurate it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

from conformance.model.case import OPERATIONS
from conformance.model.classes import CLASS_LETTERS
from conformance.model.dtypes import DTYPES
from conformance.model.verdicts import NOTABLE, SILENT
from conformance.reports import defects
from conformance.reports.accuracy import AccuracyReached, accuracy, bits
from conformance.reports.columns import Column, slug
from conformance.reports.defects import Named, Registered
from conformance.reports.matrix import Matrix
from conformance.reports.relations import Relations
from conformance.reports.semantics import policy_value_text
from conformance.reports.site.catalogue import Catalogue
from conformance.reports.table import AnyCell, Cell, Counts, Links, Table
from conformance.reports.text import figure

__all__ = ["BackendPages", "cases_of"]


@dataclass(frozen=True)
class BackendPages:
    """What the pages of all backends show; each table is of one column."""

    relations: Relations
    counted: Matrix
    catalogue: Catalogue

    @cached_property
    def register(self) -> dict[Column, list[Registered]]:
        """The known defects that showed."""
        return defects.known(self.relations)

    def failures(self, column: Column) -> tuple[Table, int] | None:
        """What is wrong and in no register, and how many checks the table leaves out."""
        found, hidden = self._alarms.get(column, ([], 0))
        rows: list[list[AnyCell]] = [
            [Cell(each.case, f"cases/{slug(each.case)}.html#b-{column.slug}"), Cell(each.verdict, mark=each.verdict),
             each.check, each.seen.count, each.says]
            for each in found
        ]  # fmt: skip
        head = ("case", "verdict", "check", "number", "first finding")
        title = "Checks that are wrong and in no register, by case"
        return (Table(head, rows, title, numbers=frozenset({3}), kind="said"), hidden) if found else None

    def deviations(self, column: Column) -> Table | None:
        """Deviations by policy, each with what the backend declares and documents."""
        rows: list[list[AnyCell]] = []
        for name, seen in self._deviations.get(column, ()):
            found = column.declarations.get(name)
            policy = Cell(name, f"semantics.html#p-{slug(name)}") if found else Cell(name)
            if found is None:
                rows.append([policy, "", "", seen.count, cases_of(seen, column)])
                continue
            declared = Cell(policy_value_text(found.value), note=found.note)
            linked = found.documentation.startswith("http")
            documented = Cell("documented", found.documentation) if linked else Cell(found.documentation)
            rows.append([policy, declared, documented, seen.count, cases_of(seen, column)])
        head = ("policy", "declared", "documentation", "checks", "cases")
        return Table(head, rows, "Deviations by policy", numbers=frozenset({3}), kind="said") if rows else None

    def flags(self, column: Column) -> Table | None:
        """What is not a pass, by the class of bug that the cases are made for; unsupported alone is not a category."""
        found = [(flag, c) for flag, c in self._flags.get(column, {}).items() if set(c) - SILENT]
        found.sort(key=lambda row: (*(-row[1][verdict] for verdict in NOTABLE), row[0]))
        meanings = {flag: self.catalogue.flag(flag) for flag, _ in found}
        rows: list[list[AnyCell]] = [
            [flag, m.bug_class if (m := meanings[flag]) else "", Counts(counts)] for flag, counts in found
        ]
        return Table(("flag", "class of bug", "verdicts"), rows, "Findings by flag", kind="tight") if rows else None

    def accuracy(self, column: Column) -> Table | None:
        """Class reached and declared, error in ulp and effective bits, for each operation and dtype."""
        rows: list[list[AnyCell]] = []
        names = []
        others = sorted({op for _, op, _ in self._accuracy} - set(OPERATIONS))
        for op in (*OPERATIONS, *others):
            for dtype in DTYPES:
                found = self._accuracy.get((column, op, dtype))
                if found is None:
                    continue
                median, worst = found.ulp.median, found.ulp.worst
                declared = column.profile.declared_class(op, dtype)
                letters = [f"{letter} {found.letters[letter]}" for letter in CLASS_LETTERS if found.letters[letter]]
                reached = Cell(found.reached, mark="known" if found.reached > declared else "")
                effective = [f"{bits(dtype, ulp):.1f}" for ulp in (median, worst)]
                case = Cell(found.worst, f"cases/{slug(found.worst)}.html")
                rows.append([op, dtype, sum(found.letters.values()), reached, declared, ", ".join(letters),
                             figure(median), figure(worst), *effective, case])  # fmt: skip
                names.append(f"a-{slug(op)}-{slug(dtype)}")
        head = ("operation", "dtype", "results", "worst class", "held to", "by class", "ulp, median", "worst",
                "bits, median", "worst", "worst case")  # fmt: skip
        numbers = frozenset({2, 6, 7, 8, 9})
        title = "Accuracy by operation and dtype"
        return Table(head, rows, title, numbers=numbers, names=names, kind="reached") if rows else None

    def themes(self, column: Column) -> Table:
        """Verdicts by theme."""
        rows: list[list[AnyCell]] = [
            [Cell(theme, f"index.html#c-{column.slug}--{slug(theme)}"), Counts(self.counted.cells[(column, theme)])]
            for theme in sorted(self.counted.themes)
            if (column, theme) in self.counted.cells
        ]
        return Table(("theme", "verdicts"), rows, "Verdicts by theme", kind="tight")

    def refusals(self, column: Column) -> Table | None:
        """Why checks were not made."""
        found = self._refusals.get(column, Counter()).most_common()
        numbers = frozenset({1})
        return Table(("reason", "checks"), found, "Reasons", numbers=numbers, kind="said") if found else None

    @cached_property
    def _alarms(self) -> dict[Column, tuple[list[defects.Alarm], int]]:
        return defects.alarms(self.relations)

    @cached_property
    def _deviations(self) -> dict[Column, list[tuple[str, Named]]]:
        return defects.deviations(self.relations)

    @cached_property
    def _refusals(self) -> dict[Column, Counter[str]]:
        return defects.refusals(self.relations)

    @cached_property
    def _accuracy(self) -> dict[tuple[Column, str, str], AccuracyReached]:
        return accuracy(self.relations)

    @cached_property
    def _flags(self) -> dict[Column, dict[str, Counter[str]]]:
        """Verdicts other than pass by column and flag; a case may carry several flags."""
        found: defaultdict[Column, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for col, case, verdict, count in self.relations.query(
            """select col, "case", verdict, count(*) from outcomes where verdict <> 'pass' group by all"""
        ):
            for flag in self.catalogue.flags(case):
                found[self.relations.columns[col]][flag][verdict] += count
        return {column: dict(flags) for column, flags in found.items()}


def cases_of(seen: Named, column: Column) -> Links:
    """The cases in which something was seen, each with its place on the case's page."""
    return Links([(case, f"cases/{slug(case)}.html#b-{column.slug}") for case in seen.cases], seen.more)
