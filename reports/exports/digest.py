"""What the short exports say of a run: counts for each backend and theme, and the worst findings, within bounds."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from conformance.model.records import Outcome
from conformance.model.verdicts import ALARMING, severity
from conformance.reports.merge import Merged
from conformance.reports.site.gather import gather
from conformance.results.store import Run

__all__ = ["Backend", "Digest", "Finding", "digest"]

MOST = 2_000  # findings kept: groups of one case
THEMES = 500  # themes kept; the rest is counted as one


@dataclass(eq=False)
class Backend:
    """One backend in one version. ``started`` is the latest run's; ``incomplete`` says that one was cut off."""

    name: str
    version: str
    started: str = ""
    incomplete: bool = False
    error: str = ""
    themes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def counts(self) -> Counter[str]:
        """Verdicts over all themes."""
        return sum(self.themes.values(), Counter())

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".rstrip()


@dataclass(eq=False)
class Finding:
    """All checks of a case that went wrong in the same way: the first one, how many, and on which backends."""

    first: Outcome
    checks: int = 0
    backends: dict[str, None] = field(default_factory=dict)


@dataclass(eq=False)
class Digest:
    """Counts of any number of runs, and their findings up to a bound; ``left_out`` counts the checks beyond it."""

    backends: dict[tuple[str, str], Backend] = field(default_factory=dict)
    found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    left_out: int = 0

    def add(self, version: str, outcome: Outcome) -> None:
        """Count one outcome of a backend's version."""
        backend = self.backend(outcome.backend, version)
        theme = outcome.theme if outcome.theme in backend.themes or len(backend.themes) < THEMES else "other themes"
        backend.themes[theme][outcome.verdict] += 1
        if outcome.verdict not in ALARMING:
            return
        key = (outcome.verdict, outcome.case)
        if key not in self.found and len(self.found) >= MOST:
            self.left_out += 1
            return
        finding = self.found.setdefault(key, Finding(outcome))
        finding.checks += 1
        finding.backends.setdefault(backend.label, None)

    def backend(self, name: str, version: str) -> Backend:
        """The entry of a backend."""
        return self.backends.setdefault((name, version), Backend(name, version))

    def stands_for(self, name: str, version: str, run: Run) -> None:
        """Note that the backend's entry holds outcomes of ``run``."""
        entry = self.backend(name, version)
        entry.started = max(entry.started, run.header.started)
        entry.incomplete = entry.incomplete or run.truncated

    @property
    def findings(self) -> list[Finding]:
        """Worst first."""
        return sorted(self.found.values(), key=lambda each: (severity(each.first.verdict), each.first.case))

    @property
    def themes(self) -> list[str]:
        """Every theme that occurs, sorted."""
        return sorted({theme for backend in self.backends.values() for theme in backend.themes})


def digest(merged: Merged) -> Digest:
    """Read all runs once; of a check that several made, the newest run's counts."""
    result = Digest()
    gathered = gather(merged.runs)
    for results in gathered:
        for column, outcome in results.outcomes:
            result.add(column.version, outcome)
    for source in gathered.sources:
        for name in source.spans.backends:
            result.stands_for(name, source.run.identity(name).version, source.run)
        for name, record in source.run.backends.items():
            if record.error:
                version = next(iter(record.versions.values()), "")
                result.backend(name, version).error = record.error
                result.stands_for(name, version, source.run)
    return result
