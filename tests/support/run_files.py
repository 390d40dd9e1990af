"""Files of results: of a run that has ended, and of one that was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.model.backend import BackendRecord
from conformance.model.outcome import Outcome
from conformance.model.records import Footer, Header
from conformance.results.store import FILE, Writer

HEADER = Header(suite="0.1.0", commit="abc", started="2025-01-01T00:00:00Z", environment={"python": "3.11"})
FOOTER = Footer(seconds=1.5, complete=True)


def outcome(case: str = "a", check: str = "value", **changes: Any) -> Outcome:
    fields = {
        "case": case,
        "backend": "fake",
        "dtype": "float32",
        "layout": "contiguous",
        "op": "softmax",
        "check": check,
    }
    return Outcome(**{**fields, "verdict": "pass", **changes})


def unit(case: str) -> list[Outcome]:
    return [outcome(case, "value"), outcome(case, "gradient")]


def interrupted(folder: Path, *cases: str) -> Path:
    with Writer(folder, HEADER) as writer:
        writer.describe(BackendRecord(name="fake", versions={"numpy": "2"}))
        for case in cases:
            writer.write(unit(case))
    return folder / FILE


def finished(folder: Path, *cases: str) -> Path:
    with Writer(folder, HEADER) as writer:
        writer.describe(BackendRecord(name="fake", versions={"numpy": "2"}))
        for case in cases:
            writer.write(unit(case))
        writer.finish(FOOTER)
    return folder / FILE
