"""Results files made for tests: small, hostile, or large, with no framework."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.model.records import BackendRecord, Footer, Header, Outcome, SourceRecord
from conformance.results.store import Writer

#: Text that would change a page, a script, a table or a terminal, if it were not escaped.
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)> \"'` | **bold** [x](javascript:alert(1)) "
    "{{ 7*7 }} {% raw %} <!-- \x1b[31mred\x1b[0m \u2028\u2029 \u202eevil\u202c \ufeff &amp;lt;"
)


def outcome(case: str, backend: str = "one", **changes: Any) -> Outcome:
    """An outcome that passes; ``changes`` are fields."""
    fields: dict[str, Any] = {
        "case": case,
        "theme": "stability",
        "backend": backend,
        "version": "1.0",
        "device": "cpu",
        "mode": "eager",
        "dtype": "float32",
        "layout": "contiguous",
        "op": "cross_entropy",
        "reduction": "mean",
        "check": "value",
        "verdict": "pass",
        "class_": "A",
        "ulp": 0.25,
        "ratio": 0.01,
        "observed": 0.5,
        "expected": 0.5,
        "source": f"backends/{backend}.py:12",
    }
    return Outcome(**{**fields, **changes})


def run(
    folder: Path,
    outcomes: Iterable[Outcome],
    *,
    started: str = "2026-01-01T00:00:00+00:00",
    cpu: str = "Test CPU",
    complete: bool = True,
    backends: Iterable[BackendRecord] = (),
) -> Path:
    """A run's folder with these outcomes."""
    found = list(outcomes)
    header = Header(suite="0.1.0", commit="abc", started=started, environment={"python": "CPython 3.11", "cpu": cpu})
    with Writer(folder, header) as writer:
        records = {record.name: record for record in backends}
        for name, version in {each.backend: each.version for each in found}.items():
            source = SourceRecord(file=f"backends/{name}.py", line=12, text="def cross_entropy(x): ...")
            made = BackendRecord(name=name, versions={name: version}, sources={"cross_entropy": source})
            records.setdefault(name, made)
        for record in records.values():
            writer.describe(record)
        writer.write(found)
        if complete:
            writer.finish(Footer(counts={}, seconds=1.0, complete=True))
    return folder
