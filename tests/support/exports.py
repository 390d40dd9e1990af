"""Runs written for tests: every verdict, and text that tries to be something else than text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.cli import main
from conformance.model.outcome import Outcome
from conformance.model.verdicts import VERDICTS
from conformance.reports.merge import Merged, merge
from tests.support import outcomes

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
    failing = {"case": "some-case", "backend": "some", "theme": "some-theme", "verdict": "fail", "seconds": 0.25}
    nothing = {"class_": None, "ulp": None, "ratio": None, "observed": None, "expected": None}
    return outcomes.outcome(**{**failing, **nothing, **outcomes.saying("0 instead of 1"), **changed})


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


def write_run(folder: Path, found: Iterable[Outcome], **options: Any) -> Merged:
    """A run with these outcomes, read back; options as for :func:`tests.support.outcomes.run`."""
    return merge([outcomes.run(folder, found, **{"version": "1.2", **options})])


def report(run: Path, folder: Path, *arguments: object) -> int:
    """``conformance report`` on a run."""
    return main(["report", str(run), "--output", str(folder / "report"), "--details", "0", *map(str, arguments)])
