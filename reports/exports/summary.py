"""The job summary: Markdown that says in one screen what is wrong, within the size that GitHub shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conformance.model.errors import HarnessError
from conformance.model.verdicts import ALARMING
from conformance.model.wording import message
from conformance.reports.escape import escape
from conformance.reports.exports.digest import Digest, Finding
from conformance.reports.markdown import cell
from conformance.results.words import explain_command

__all__ = ["LIMIT", "append_summary", "job_summary"]

LIMIT = 1 << 20  # bytes; GitHub drops a larger one whole
CUT = "\n… cut here: the rest is in the results.\n"
WORDS = 300  # characters of one cell
SHOWN = 100


def append_summary(digest: Digest, path: Path) -> Path:
    """Append the summary to ``path``, such as ``$GITHUB_STEP_SUMMARY``. Raises HarnessError where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = path.stat().st_size if path.exists() else 0
        with path.open("a", encoding="utf-8") as file:
            file.write(job_summary(digest, LIMIT - held))
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


def job_summary(digest: Digest, limit: int = LIMIT) -> str:
    """At most ``limit`` bytes of Markdown: the state, the findings, the matrix."""
    lines: list[str] = []
    room = limit - len(CUT.encode())
    for line in _lines(digest):
        room -= len(line.encode()) + 1
        if room < 0:
            return "".join(lines) + (CUT if limit >= len(CUT.encode()) else "")
        lines.append(line + "\n")
    return "".join(lines)


def _lines(digest: Digest) -> Iterator[str]:
    yield "## Cross-entropy conformance"
    yield ""
    yield _state(digest)
    yield ""
    for backend in digest.backends.values():
        if backend.error:
            yield f"- **{_cell(backend.label)} did not run**: {_cell(backend.error)}"
        elif backend.incomplete:
            yield f"- **{_cell(backend.label)}**: the run was cut off"
    findings = digest.findings
    if findings:
        yield ""
        yield "| verdict | case | backends | checks | finding | see it |"
        yield "|---|---|---|---|---|---|"
        yield from map(_row, findings[:SHOWN])
        hidden = len(findings) - SHOWN
        if hidden > 0:
            yield ""
            yield f"… and {hidden} cases more in the results."
    yield ""
    yield from _matrix(digest)


def _state(digest: Digest) -> str:
    bad = [backend for backend in digest.backends.values() if any(backend.counts[v] for v in ALARMING)]
    if not digest.backends:
        return "No backend ran."
    if bad:
        return f"**Not conforming**: {', '.join(_cell(each.label) for each in bad)}."
    return "Every backend that ran conforms, but for the defects that its register knows."


def _row(finding: Finding) -> str:
    first = finding.first
    cells = [first.verdict, first.case, ", ".join(finding.backends), str(finding.checks), message(first)]
    return "| " + " | ".join(map(_cell, cells)) + f" | {_cell(explain_command(first))} |"


def _matrix(digest: Digest) -> Iterator[str]:
    backends = sorted(digest.backends.values(), key=lambda each: each.label)
    yield "| theme | " + " | ".join(_cell(each.label) for each in backends) + " |"
    yield "|---" * (len(backends) + 1) + "|"
    for theme in digest.themes:
        cells = [cell(each.themes[theme]) if theme in each.themes else "–" for each in backends]
        yield f"| {_cell(theme)} | " + " | ".join(cells) + " |"
    yield "| **all** | " + " | ".join(cell(each.counts) for each in backends) + " |"


def _cell(text: object) -> str:
    cut = str(text)
    return escape(cut if len(cut) <= WORDS else cut[: WORDS - 1] + "…")
