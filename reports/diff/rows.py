"""Two runs' outcomes side by side: read fast, kept small."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from conformance.model.records import BackendRecord, Outcome
from conformance.results.store import Run, read_run
from conformance.results.words import check_name

__all__ = ["Key", "Side", "key_of", "read_side"]

#: backend, case, dtype, layout, op, reduction, check: what names a check in any run. That of a policy names it, too.
Key = tuple[str, str, str, str, str, str, str]


def key_of(outcome: Outcome) -> Key:
    """What names the check."""
    o = outcome
    return (o.backend, o.case, o.dtype, o.layout, o.op, o.reduction, check_name(o.check, o.policy))


@dataclass(eq=False)
class Side:
    """One run: its head, its rows by key, its counts, and which cases and dtypes each backend was asked."""

    run: Run
    rows: dict[Key, Outcome] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    cases: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    dtypes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def backends(self) -> dict[str, BackendRecord]:
        """Those that ran."""
        return {name: each for name, each in self.run.backends.items() if not each.error}

    @property
    def failed(self) -> dict[str, str]:
        """Those that could not be started, and why."""
        return {name: each.error for name, each in self.run.backends.items() if each.error}


def read_side(folder: Path) -> Side:
    """Read a run's folder, or its file. Raises ``UsageError`` that names the file and line at fault."""
    side = Side(read_run(folder))
    rows, counts, cases, dtypes = side.rows, side.counts, side.cases, side.dtypes
    for row in side.run.outcomes:
        rows[key_of(row)] = row
        counts[row.backend][row.verdict] += 1
        cases[row.backend].add(row.case)
        dtypes[row.backend].add(row.dtype)
    return side
