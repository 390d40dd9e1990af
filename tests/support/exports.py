"""Runs written for tests: every verdict, and text that tries to be something else than text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.cli import main
from conformance.model.records import BackendId, BackendRecord, Footer, Header, Outcome, SourceRecord
from conformance.model.verdicts import VERDICTS
from conformance.reports.merge import Merged, merge
from conformance.results.store import Writer

#: Markup, escapes, table borders, workflow commands, formulas, and characters that XML cannot hold.
HOSTILE = (
    "<script>alert(1)</script>",
    "</testcase>]]>&amp;<!--",
    "a | b\n| c |\r\n# title",
    "![x](http://example.test/x.png) **bold** `code` @someone",
    "\x1b[31mred\x1b[0m \x00\x08\x7f",
    "\ufffe\uffff\U0001f600",
    "::error file=a,line=1::b\n::stop-commands::x",
    "100%0A::warning::y",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    '"quoted", and; split\t',
)


def outcome(**changed: Any) -> Outcome:
    """A failing check, as changed."""
    base: dict[str, Any] = {
        "case": "some-case", "theme": "some-theme", "backend": "some", "dtype": "float32", "layout": "contiguous",
        "op": "cross_entropy", "reduction": "mean", "check": "value", "verdict": "fail", "reason": "recorded",
        "detail": "0 instead of 1", "seconds": 0.25,
    }  # fmt: skip
    return Outcome(**{**base, **changed})


def record(name: str, version: str = "1.2") -> BackendRecord:
    """A backend whose every operation stands in one line."""
    source = SourceRecord(file=f"{name}.py", line=3, text="def cross_entropy(x): ...")
    identity = BackendId(name=name, version=version, device="cpu", execution="eager")
    return BackendRecord(name=name, id=identity, versions={name: version}, sources={"cross_entropy": source})


def of_every_verdict() -> list[Outcome]:
    """One outcome for each verdict."""
    return [outcome(case=f"case-{n}", verdict=verdict) for n, verdict in enumerate(VERDICTS)]


def hostile() -> list[Outcome]:
    """Failing checks with a hostile text in every field that a stranger writes."""
    return [
        outcome(case=text, theme=text, backend=text, detail=text, observed=text, expected=text,
                worst_input={"x": text}, reduction=text)
        for text in HOSTILE
    ]  # fmt: skip


def write_run(
    folder: Path,
    outcomes: Iterable[Outcome],
    *,
    complete: bool = True,
    backends: Iterable[BackendRecord] = (),
    started: str = "2026-01-02T03:04:05+00:00",
    version: str = "1.2",
) -> Merged:
    """A run with these outcomes, read back; their backends have the ``version``."""
    with Writer(folder, Header(suite="0.1.0", started=started)) as writer:
        for backend in backends:
            writer.describe(backend)
        made = list(outcomes)
        for name in dict.fromkeys(each.backend for each in made):
            writer.describe(record(name, version))
        writer.write(made)
        if complete:
            writer.finish(Footer(counts={}, seconds=1.0, complete=True))
    return merge([folder])


def report(run: Path, folder: Path, *arguments: object) -> int:
    """``conformance report`` on a run."""
    return main(["report", str(run), "--output", str(folder / "report"), "--details", "0", *map(str, arguments)])
