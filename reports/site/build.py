"""From runs to a folder of pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.model.case import Flag
from conformance.model.verdicts import NONCONFORMING, SILENT, VERDICTS
from conformance.reports.benchmarks.read import FILE as TIMES
from conformance.reports.benchmarks.tables import HEAD, NOTES, WORDS
from conformance.reports.kills import groups, read_kills
from conformance.reports.site.aggregate import Aggregates
from conformance.reports.site.backend_page import BackendNotes, accuracy_rows, flag_rows
from conformance.reports.site.benchmarks_page import timed_runs
from conformance.reports.site.case_page import case_page
from conformance.reports.site.catalogue import Catalogue
from conformance.reports.site.checks import CHECKS
from conformance.reports.site.columns import machine
from conformance.reports.site.findings import Findings
from conformance.reports.site.gather import ORDER, CaseResults, Gathered, gather
from conformance.reports.site.pages import Pages
from conformance.reports.site.reproducer import Reproduce, Scripts
from conformance.reports.site.semantics_page import Evidence, policy_rows
from conformance.reports.site.spread_page import agreement_table, spread_tables
from conformance.reports.site.stability_page import Stability
from conformance.reports.site.text import duration, slug
from conformance.results.store import Run

__all__ = ["write_site"]


def write_site(
    runs: Sequence[Run],
    folder: Path,
    *,
    cases: Sequence[Path] = (),
    reproduce: Reproduce | None = None,
    benchmarks: Sequence[Path] | None = None,
    dossiers: Mapping[str, str] | None = None,
) -> Path:
    """Write the site of ``runs`` into ``folder``; returns the path of its first page.

    ``cases`` are the case files that the results speak of, the suite's own by default. ``reproduce`` makes stand-alone
    scripts. ``benchmarks`` are files of times, by default those beside the runs. ``dossiers`` gives the file below
    ``folder`` that reports a framework's findings to its maintainers. Raises UsageError for damaged results,
    HarnessError where files cannot be written.
    """
    if benchmarks is None:
        benchmarks = [path for path in dict.fromkeys(run.path.parent / TIMES for run in runs) if path.is_file()]
    builder = _Builder(gather(runs), Catalogue(cases), Pages(folder), Scripts(reproduce), benchmarks, dossiers or {})
    builder.cases()
    builder.backends()
    builder.overview()
    builder.others()
    builder.pages.finish()
    return folder / "index.html"


@dataclass(eq=False)
class _Builder:
    """Writes the cases' pages as they go by, and the others from what was gathered on the way."""

    gathered: Gathered
    catalogue: Catalogue
    pages: Pages
    scripts: Scripts
    benchmarks: Sequence[Path]
    dossiers: Mapping[str, str]
    findings: Findings = field(default_factory=Findings)
    evidence: Evidence = field(default_factory=Evidence)
    stability: Stability = field(default_factory=Stability)
    flags: set[str] = field(default_factory=set)
    listed: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.columns = self.gathered.columns
        self.totals = Aggregates(self.columns)
        self.notes = {column: BackendNotes(column) for column in self.columns}

    # -- a page for each case -----------------------------------------------------------------------------------------

    def cases(self) -> None:
        """Read every case once: write its page, and add it to everything that is gathered."""
        for results in self.gathered:
            entry = self.catalogue.entry(results.case)
            flags = entry.case.flags if entry else ()
            policy = next(iter(entry.case.policies), None) if entry else None
            self.totals.add(results, flags)
            self.findings.add(results)
            self.stability.add(results)
            for column, outcome in results.outcomes:
                self.evidence.add(column, outcome)
                if outcome.verdict != "pass":
                    self.notes[column].add(results, outcome, policy)
            self._case(results)

    def _case(self, results: CaseResults) -> None:
        entry = self.catalogue.entry(results.case)
        page = case_page(results, entry, self.scripts)
        self.flags.update(entry.case.flags if entry else ())
        flags = [(flag, self.catalogue.flag(flag)) for flag in (entry.case.flags if entry else ())]
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
            page=page,
            entry=entry,
            flags=flags,
            yaml=self.catalogue.yaml(results.case),
            where=self.catalogue.where(results.case),
            derived=self.catalogue.derived(results.case),
        )

    # -- the others ---------------------------------------------------------------------------------------------------

    def backends(self) -> None:
        """A page for each column."""
        for column in self.columns:
            self.pages.page(
                f"backends/{column.slug}.html",
                "backend.html",
                column=column,
                counts=self.totals.totals[column],
                headline=headline(self.totals.totals[column], len(self.notes[column].known)),
                themes=[(t, self.totals.cells[(column, t)]) for t in self._themes if (column, t) in self.totals.cells],
                notes=self.notes[column],
                flags=flag_rows(column, self.totals, self.catalogue),
                accuracy=accuracy_rows(column, self.totals),
                dossier=self.dossiers.get(column.record.id.framework or column.backend) if column.record else None,
                siblings=[c for c in self.columns if c.backend == column.backend and c is not column],
            )

    @property
    def _themes(self) -> list[str]:
        return sorted(self.totals.themes)

    def overview(self) -> None:
        """The first page, the index of findings, and the list of cases."""
        totals = self.totals
        heads = [
            (column, totals.totals[column], headline(totals.totals[column], len(self.notes[column].known)))
            for column in self.columns
        ]
        cells = {
            (column, theme): totals.cells.get((column, theme), Counter())
            for column in self.columns
            for theme in totals.themes
        }
        self.pages.page(
            "index.html",
            "index.html",
            heads=heads,
            themes=[(theme, totals.themes[theme]) for theme in self._themes],
            cells=cells,
            verdicts=list(VERDICTS.items()),
            outcomes=totals.outcomes,
            cases=len(self.listed),
            runs=self._runs(),
            unavailable=self._unavailable(),
            timed=len(self.benchmarks),
        )
        self.pages.write("assets/findings.js", self.findings.script(self.columns))
        shown = {row["case"] for row in self.listed}
        kills = read_kills()
        if kills is not None and not shown & {*kills.shared, *(each.example for each in kills.wrong.values())}:
            kills = None  # the runs are of other cases
        self.pages.page(
            "cases.html",
            "cases.html",
            themes=self._cases_by_theme(),
            checks=CHECKS,
            flags=self._flags(),
            kills=kills,
        )
        if kills is not None:
            self.pages.page("kills.html", "kills.html", kills=kills, modules=list(groups(kills)), shown=shown)

    def _flags(self) -> list[tuple[str, Flag]]:
        """The flags that the cases shown carry, with their meaning."""
        meant = {flag: self.catalogue.flag(flag) for flag in sorted(self.flags)}
        return [(flag, meaning) for flag, meaning in meant.items() if meaning]

    def _cases_by_theme(self) -> list[tuple[str, list[dict[str, Any]]]]:
        return [(theme, [row for row in self.listed if row["theme"] == theme]) for theme in self._themes]

    def others(self) -> None:
        """Semantics, agreement, accuracy, stability, benchmarks, runs."""
        columns, totals = self.columns, self.totals
        self.pages.page("semantics.html", "semantics.html", columns=columns, rows=policy_rows(columns, self.evidence))
        compared, table = agreement_table(totals)
        self.pages.page("agreement.html", "agreement.html", columns=compared, table=table, all=len(columns))
        self.pages.page("accuracy.html", "accuracy.html", tables=spread_tables(columns, totals))
        sections = self.stability.sections(columns, self.catalogue)
        self.pages.page("stability.html", "stability.html", columns=columns, sections=sections)
        timed = timed_runs(self.benchmarks, self.pages.write)
        self.pages.page("benchmarks.html", "benchmarks.html", timed=timed, head=HEAD, words=WORDS, notes=NOTES)
        self.pages.page(
            "runs.html",
            "runs.html",
            runs=self._runs(),
            columns=columns,
            superseded=self.gathered.superseded,
            unavailable=self._unavailable(),
        )

    def _runs(self) -> list[dict[str, Any]]:
        described = []
        for source in self.gathered.sources:
            run = source.run
            described.append(
                {
                    "name": run.path.parent.name,
                    "header": run.header,
                    "machine": machine(run.header),
                    "environment": {
                        k: _plain(v) for k, v in run.header.environment.items() if k not in ("suite", "commit")
                    },
                    "truncated": run.truncated,
                    "took": duration(run.footer.seconds) if run.footer else "",
                    "backends": [record for record in run.backends.values() if not record.error],
                }
            )
        return described

    def _unavailable(self) -> list[tuple[str, str]]:
        found = {}
        for source in self.gathered.sources:
            for name, record in source.run.backends.items():
                if record.error and not any(column.backend == name for column in self.columns):
                    found[name] = record.error
        return list(found.items())


def headline(counts: Counter[str], entries: int) -> tuple[str, str]:
    """A word for how a backend stands, and a sentence that says why."""
    bad = [(v, counts[v]) for v in ORDER if v in NONCONFORMING and counts[v]]
    made = sum(counts[v] for v in ORDER if v not in SILENT)
    if not made:
        return "nothing run", "No check was made."
    if bad:
        return "does not conform", f"{', '.join(f'{n:,} {_NAMES[v][n != 1]}' for v, n in bad)} of {made:,} checks."
    if counts["error"]:
        return "not settled", f"{counts['error']:,} of {made:,} checks ended in an error of the harness or the adapter."
    if counts["known"]:
        named = f"{entries} known defect{'s' * (entries != 1)}"
        return "known defects only", f"{named}, seen in {counts['known']:,} of {made:,} checks; nothing else fails."
    if counts["deviation"]:
        return "conforms", f"Every one of {made:,} checks is right, or as its documented policy says."
    return "conforms", f"All {made:,} checks are right."


_NAMES = {
    "fail": ("failure", "failures"),
    "crash": ("crash", "crashes"),
    "timeout": ("timeout", "timeouts"),
    "stale": ("outdated register entry", "outdated register entries"),
}


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_plain(each)} {key}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, int) and value > 1 << 24:
        return f"{value / 2**30:.1f} GiB"
    return str(value)
