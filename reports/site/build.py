"""From runs to a folder of pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.cases.load import Entry
from conformance.model.case import Flag
from conformance.model.checks import CHECKS
from conformance.model.verdicts import VERDICTS
from conformance.reports.benchmarks.tables import NOTES
from conformance.reports.benchmarks.units import seconds
from conformance.reports.columns import Column, environment, machine, slug
from conformance.reports.defects import Registered
from conformance.reports.kills import Kills, groups, read_kills
from conformance.reports.matrix import died, headline, matrix
from conformance.reports.merge import Merged
from conformance.reports.modes import KINDS, comparisons
from conformance.reports.relations import CaseResults
from conformance.reports.semantics import normative_first, semantics
from conformance.reports.site.backend_page import BackendPages, cases_of
from conformance.reports.site.benchmarks_page import timed_runs
from conformance.reports.site.case_page import case_page
from conformance.reports.site.catalogue import Catalogue
from conformance.reports.site.findings import Findings
from conformance.reports.site.modes_page import difference_table, summary_table
from conformance.reports.site.overview import overview_table
from conformance.reports.site.pages import Pages
from conformance.reports.site.reproducer import Reproduce, Scripts
from conformance.reports.site.spread_page import agreement_table, spread_tables
from conformance.reports.site.stability_page import stability_tables
from conformance.reports.site.versions_page import history_table
from conformance.reports.versions import version_histories

__all__ = ["Derive", "write_site"]


#: The derivation of a case, if a reader can follow it: :func:`conformance.oracle.derived.derived`.
Derive = Callable[[Entry], Any]


def _not_derived(_: Entry) -> None:
    return None


def write_site(
    merged: Merged,
    folder: Path,
    *,
    cases: Sequence[Path] = (),
    reproduce: Reproduce | None = None,
    derive: Derive = _not_derived,
    dossiers: Mapping[str, str] | None = None,
    below: Path | None = None,
) -> Path:
    """Write the site of some runs into ``folder``; returns the path of its first page.

    ``cases`` are the case files that the results are from, the suite's own by default. ``reproduce`` makes stand-alone
    scripts, ``derive`` the derivation of a case that can be followed by hand. ``dossiers`` gives the file below
    ``folder`` that reports a framework's findings to its maintainers. ``below`` is the folder that ``folder`` is a part
    of, where it is one: no link may lead out of that. Raises UsageError for damaged results, HarnessError where files
    cannot be written.
    """
    pages = Pages(folder, below)
    builder = _Builder(merged, Catalogue(cases), pages, Scripts(reproduce), derive, dossiers or {})
    builder.cases()
    builder.backends()
    builder.overview()
    builder.others()
    pages.finish()
    return folder / "index.html"


@dataclass(eq=False)
class _Builder:
    """Writes the cases' pages as they go by, and the others from queries."""

    merged: Merged
    catalogue: Catalogue
    pages: Pages
    scripts: Scripts
    derive: Derive
    dossiers: Mapping[str, str]
    findings: Findings = field(default_factory=Findings)
    flags: set[str] = field(default_factory=set)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.relations = self.merged.relations
        self.columns = self.relations.columns
        self.counted = matrix(self.relations)
        self.backend_pages = BackendPages(self.relations, self.counted, self.catalogue)
        self.heads = []
        for column in self.columns:
            total, entries = self.counted.total(column), len(self._register(column))
            self.heads.append((column, total, headline(total, entries, self.counted.lost[column])))

    def _register(self, column: Column) -> list[Registered]:
        return self.backend_pages.register.get(column, [])

    def cases(self) -> None:
        """Read every case once: write its page, and add it to the lists of cases and findings."""
        for results in self.relations.cases():
            self.findings.add(results)
            self._case(results)

    def _case(self, results: CaseResults) -> None:
        entry = self.catalogue.entry(results.case)
        flags = self.catalogue.flags(results.case)
        self.flags.update(flags)
        self.listed.append(
            {
                "case": results.case,
                "theme": results.theme,
                "op": results.outcomes[0][1].op if results.outcomes else "",
                "why": entry.case.why if entry else "",
                "counts": sum(results.counts().values(), Counter()),
            }
        )
        self.pages.page(
            f"cases/{slug(results.case)}.html",
            "case.html",
            page=case_page(results, entry, self.scripts),
            entry=entry,
            flags=[(flag, self.catalogue.flag(flag)) for flag in flags],
            yaml=self.catalogue.yaml(results.case),
            where=self.catalogue.where(results.case),
            derived=self.derive(entry) if entry else None,
        )

    def backends(self) -> None:
        """A page for each column."""
        pages = self.backend_pages
        for column, counts, line in self.heads:
            self.pages.page(
                f"backends/{column.slug}.html",
                "backend.html",
                column=column,
                counts=counts,
                headline=line,
                failures=pages.failures(column),
                register=[(each, cases_of(each.seen, column)) for each in self._register(column)],
                deviations=pages.deviations(column),
                flags=pages.flags(column),
                accuracy=pages.accuracy(column),
                by_theme=pages.themes(column),
                refusals=pages.refusals(column),
                dossier=self.dossiers.get(column.record.belongs_to) if column.record else None,
                siblings=[c for c in self.columns if c.backend == column.backend and c is not column],
            )

    def overview(self) -> None:
        """The first page, the index of findings, and the list of cases."""
        sizes = Counter(row["theme"] for row in self.listed)
        self.pages.page(
            "index.html",
            "index.html",
            heads=self.heads,
            registers={column: self._register(column) for column in self.columns},
            table=overview_table(self.counted, sizes),
            verdicts=VERDICTS,
            outcomes=sum(counts.total() for _, counts, _ in self.heads),
            cases=len(self.listed),
            runs=self._runs,
            stopped=self.merged.stopped,
            timed=len(self.merged.benchmarks),
        )
        self.pages.write("assets/findings.js", self.findings.script(self.columns))
        themes = [(theme, [row for row in self.listed if row["theme"] == theme]) for theme in sorted(sizes)]
        kills = self._kills
        self.pages.page("cases.html", "cases.html", themes=themes, checks=CHECKS, flags=self._flags(), kills=kills)
        if kills is not None:
            shown = {row["case"] for row in self.listed}
            self.pages.page("kills.html", "kills.html", kills=kills, modules=list(groups(kills)), shown=shown)

    @property
    def _kills(self) -> Kills | None:
        """The kill matrix, unless the runs are of other cases."""
        kills, shown = read_kills(), {row["case"] for row in self.listed}
        if kills is None or not shown & {each.example for each in kills.wrong.values()}:
            return None
        return kills

    def _flags(self) -> list[tuple[str, Flag]]:
        """The flags that the cases shown carry, with their meaning."""
        meant = {flag: self.catalogue.flag(flag) for flag in sorted(self.flags)}
        return [(flag, meaning) for flag, meaning in meant.items() if meaning]

    def others(self) -> None:
        """Semantics, agreement, modes, versions, accuracy, stability, benchmarks, runs."""
        columns, page = self.columns, self.pages.page
        page("semantics.html", "semantics.html", columns=columns, rows=normative_first(semantics(self.relations)))
        page("agreement.html", "agreement.html", table=agreement_table(self.relations), all=len(columns))
        found = comparisons(self.relations)
        page(
            "modes.html",
            "modes.html",
            comparisons=found,
            kinds=KINDS,
            summary=summary_table(found),
            tables=[difference_table(each) for each in found],
        )
        histories = [(each, history_table(each)) for each in version_histories(self.relations)]
        page("versions.html", "versions.html", histories=histories)
        page("accuracy.html", "accuracy.html", tables=spread_tables(self.relations))
        page("stability.html", "stability.html", tables=stability_tables(self.relations, self.catalogue))
        timed = timed_runs(self.merged.benchmarks, self.pages.write)
        page("benchmarks.html", "benchmarks.html", timed=timed, notes=NOTES)
        page(
            "runs.html",
            "runs.html",
            runs=self._runs,
            columns=columns,
            superseded=self.relations.superseded,
            stopped=self.merged.stopped,
        )

    @cached_property
    def _runs(self) -> list[dict[str, Any]]:
        return [
            {
                "name": run.path.parent.name,
                "header": run.header,
                "machine": machine(run.header),
                "environment": environment(run.header),
                "truncated": run.truncated,
                "took": seconds(run.footer.seconds) if run.footer else "",
                "memory": f"{run.footer.memory / 2**30:.2f} GiB" if run.footer and run.footer.memory else "",
                "deaths": died(run.deaths, run.restarts),
                "workers": [
                    {
                        "name": each.name,
                        "machine": machine(each),
                        "versions": each.versions,
                        "resources": each.resources,
                    }
                    for each in run.workers.values()
                ],
                "backends": [record for record in run.backends.values() if not record.error],
            }
            for run in self.relations.runs
        ]
