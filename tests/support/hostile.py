"""Runs in which a stranger wrote every text: markup, escapes, commands of a CI runner, formulas, and very long ones."""

from __future__ import annotations

from pathlib import Path

from conformance.model.backend import BackendId, BackendRecord, Declaration, OwnProfile, SourceRecord
from conformance.model.outcome import DefectRef, ErrorFact, Outcome
from conformance.model.verdicts import VERDICTS
from tests.support import outcomes

__all__ = ["TEXTS", "hostile_run"]

TEXTS = (
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m \x00\x08\x7f\x9b",
    "::error file=a::pwned\n::stop-commands::x\r##[group]y",
    "a | b\n| c |\r\n# title\n- item\n\n```\ncode",
    "![x](http://e.test/x.png) **bold** `code` @someone <!-- -->",
    "</testcase>]]>&amp;<![CDATA[",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1+1)",
    "\t=1",
    "\u202eevil\u202c \u2028\u2029 \ufeff \u200b \u2066x\u2069",
    "\ufffe\uffff\U0001f600 e" + "\u0301" * 50,
    "{{ 7*7 }} {% raw %} ${x} %0A::warning::y",
    "../../etc/passwd",
    " ",
    "x'; drop table runs; --",
)
LONG = "M" * 1_000_000


def hostile_run(folder: Path, verdict: str, started: str) -> Path:
    """A run of backends whose every text is one of ``TEXTS``; one check of each has ``verdict``."""
    found: list[Outcome] = []
    for text in TEXTS:
        for check in ("value", "policy", "error"):
            found.append(_outcome(text, text, verdict, check))
            found += [_outcome(f"{text} {each}", text, each, check) for each in VERDICTS]
    found.append(
        outcomes.outcome("long", "long", verdict="fail", observed=LONG, expected=[LONG], **outcomes.saying(LONG))
    )
    found.append(
        outcomes.outcome("dead", "long", verdict="crash", reason="failed", error=ErrorFact("E", LONG, "x.py:1"))
    )
    records = [*map(_record, TEXTS), *(BackendRecord(name=f"gone {text}", error=text) for text in (*TEXTS, LONG))]
    return outcomes.run(folder, found, backends=records, started=started)


def _record(text: str) -> BackendRecord:
    source = SourceRecord(file=text, line=1, text=text)
    declared = Declaration(value={text: text}, documentation=text, note=text)
    return BackendRecord(
        name=text,
        id=BackendId(name=text, framework=text, version=text, device=text, execution=text, precision=text),
        profile=text,
        versions={text: text},
        settings={text: text},
        sources={"cross_entropy": source, text: source},
        policies={text: declared, "label-out-of-range": declared},
        own_profile=OwnProfile(file=text, declares={"backend": text, "title": text, "documentation": text}),
    )


def _outcome(case: str, text: str, verdict: str, check: str) -> Outcome:
    return outcomes.outcome(
        case,
        text,
        theme=text,
        verdict=verdict,
        check=check,
        reduction=text,
        observed=[text],
        expected=text,
        worst_input={text: [text]},
        policy=f"{text}/{text}" if check == "policy" else "",
        defect=DefectRef(text, text) if verdict == "known" else None,
        excused_by=(text,) if verdict == "deviation" else (),
        error=ErrorFact(text, text, text),
        quantity="hvp",
        class_="D",
        declared="B",
        **outcomes.saying(text),
    )
