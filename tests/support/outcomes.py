"""Results files made for tests: small, hostile, or large, with no framework."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.model.backend import BackendId, BackendRecord, SourceRecord
from conformance.model.outcome import Outcome
from conformance.model.records import Footer, Header
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
    }
    return Outcome(**{**fields, **changes})


def unsealed(content: bytes) -> bytes:
    """The content of a results file without its checksums, as earlier versions wrote it: to be changed by a test."""
    lines = content.splitlines(keepends=True)
    lines[:1] = [line.replace(b',"blocks":true', b"") for line in lines[:1]]
    return b"".join(line for line in lines if not line.startswith(b'{"record":"block"'))


def without_blocks(file: Path) -> bytes:
    """The same of a file."""
    return unsealed(file.read_bytes())


def saying(text: str) -> dict[str, str]:
    """The fields of an outcome whose message is ``text``."""
    return {"reason": "recorded", "detail": text}


def record(name: str, version: str = "1.0", mode: str = "eager", profile: str = "") -> BackendRecord:
    """A backend whose every operation stands in one line."""
    source = SourceRecord(file=f"backends/{name}.py", line=12, text="def cross_entropy(x): ...")
    identity = BackendId(name=name, version=version, device="cpu", execution=mode)
    sources = {"cross_entropy": source}
    return BackendRecord(name=name, id=identity, profile=profile, versions={name: version}, sources=sources)


def run(
    folder: Path,
    outcomes: Iterable[Outcome],
    *,
    started: str = "2026-01-01T00:00:00+00:00",
    cpu: str = "Test CPU",
    complete: bool = True,
    backends: Iterable[BackendRecord] = (),
    version: str = "1.0",
    mode: str = "eager",
) -> Path:
    """A run's folder with these outcomes, of backends of one ``version`` in one ``mode``."""
    found = list(outcomes)
    header = Header(suite="0.1.0", commit="abc", started=started, environment={"python": "CPython 3.11", "cpu": cpu})
    with Writer(folder, header) as writer:
        described = {each.name: each for each in backends}
        for name in dict.fromkeys(one.backend for one in found):
            described.setdefault(name, record(name, version, mode))
        for each in described.values():
            writer.describe(each)
        writer.write(found)
        if complete:
            writer.finish(Footer(counts={}, seconds=1.0, complete=True))
    return folder
