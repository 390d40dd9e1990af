"""Two runs' outcomes side by side: read fast, kept small."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from conformance.model.errors import Place, UsageError
from conformance.model.records import BackendRecord
from conformance.results.store import Run, is_outcome, read_run
from conformance.results.words import check_name

__all__ = ["Key", "Row", "Side", "read_side"]

#: backend, case, dtype, layout, op, reduction, check: what names a check in any run. That of a policy names it, too.
Key = tuple[str, str, str, str, str, str, str]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Of an outcome, what a comparison needs; other fields are not even decoded."""

    case: str
    backend: str
    dtype: str
    layout: str
    op: str
    check: str
    verdict: str
    reduction: str = ""
    theme: str = ""
    class_: str | None = msgspec.field(default=None, name="class")
    ulp: float | str | None = None
    message: str = ""
    policy: str = ""

    @property
    def key(self) -> Key:
        """What names the check."""
        check = check_name(self.check, self.policy)
        return (self.backend, self.case, self.dtype, self.layout, self.op, self.reduction, check)


@dataclass(eq=False)
class Side:
    """One run: its head, its rows by key, its counts, and which cases and dtypes each backend was asked."""

    run: Run
    rows: dict[Key, Row] = field(default_factory=dict)
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
    for row in _rows(side.run.path):
        rows[row.key] = row
        counts[row.backend][row.verdict] += 1
        cases[row.backend].add(row.case)
        dtypes[row.backend].add(row.dtype)
    return side


def _rows(path: Path) -> Iterator[Row]:
    decode = msgspec.json.Decoder(Row).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n") or not is_outcome(line):
                continue
            try:
                yield decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                hint = "restore the file, or delete the line: its outcome is then missing"
                raise UsageError(f"this line is damaged: {error}", place=Place(path, number), hint=hint) from None
