"""The job summary: Markdown that says in one screen what is wrong, within the size that GitHub shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conformance.disk import disk_errors, make_folder
from conformance.model.wording import message
from conformance.reports.escape import escape
from conformance.reports.exports.standing import standings
from conformance.reports.matrix import died, headline, matrix, unreached
from conformance.reports.merge import Merged
from conformance.reports.render import markdown
from conformance.reports.table import Table
from conformance.reports.worst import WorstOutcome, findings

__all__ = ["LIMIT", "append_summary", "job_summary"]

LIMIT = 1 << 20  # bytes; GitHub drops a larger one whole
CUT = "\n… cut here: the rest is in the results.\n"
WORDS = 300  # characters of one cell
SHOWN = 100


def append_summary(merged: Merged, path: Path) -> Path:
    """Append the summary to ``path``, such as ``$GITHUB_STEP_SUMMARY``. Raises HarnessError where that fails."""
    make_folder(path.parent)
    with disk_errors(path, "written"):
        held = path.stat().st_size if path.exists() else 0
        with path.open("a", encoding="utf-8") as file:
            file.write(job_summary(merged, LIMIT - held))
    return path


def job_summary(merged: Merged, limit: int = LIMIT) -> str:
    """At most ``limit`` bytes of Markdown: the state, the findings, the matrix."""
    lines: list[str] = []
    room = limit - len(CUT.encode())
    for line in _lines(merged):
        room -= len(line.encode()) + 1
        if room < 0:
            return "".join(lines) + (CUT if limit >= len(CUT.encode()) else "")
        lines.append(line + "\n")
    return "".join(lines)


def _lines(merged: Merged) -> Iterator[str]:
    counted = matrix(merged.relations)
    backends = standings(merged, counted)
    words = {each.label: headline(each.counts, 0, each.lost)[0] for each in backends if each.counts}
    bad = [_cut(label) for label, word in words.items() if word == "does not conform"]
    unsettled = [_cut(label) for label, word in words.items() if word in ("not settled", "nothing run")]
    yield "## Cross-entropy conformance"
    yield ""
    if not words:
        yield "No backend ran."
    if bad:
        yield f"**Not conforming**: {', '.join(map(escape, bad))}.  "
    if unsettled:
        yield f"**Not settled**: {', '.join(map(escape, unsettled))}."
    if words and not bad and not unsettled:
        yield "Every backend that ran conforms, but for the defects that its register knows."
    yield ""
    for backend in backends:
        if backend.incomplete:
            yield f"- **{escape(_cut(backend.label))}**: the run was cut off"
    for name, said in died(merged.deaths, merged.restarts).items():
        yield f"- **{escape(_cut(name))}**: {said}"
    for name, said in unreached(merged.relations, counted):
        yield f"- **{escape(_cut(name))}**: {escape(_cut(said))}"
    for name, stopped, error in merged.stopped:
        yield f"- **{escape(_cut(name))} {stopped}**: {escape(_cut(error))}"
    found, total = findings(merged.relations, SHOWN)
    if found:
        yield ""
        yield from markdown(Table(("verdict", "case", "backends", "checks", "finding", "see it"), [*map(_row, found)]))
        if total > SHOWN:
            yield ""
            yield f"… and {total - SHOWN} cases more in the results."
    yield ""
    yield from markdown(counted.table())


def _row(finding: WorstOutcome) -> list[str]:
    first = finding.first
    backends = ", ".join(column.label for column in finding.columns)
    cells = (
        first.verdict,
        first.case,
        backends,
        str(finding.checks),
        message(first),
        finding.explained,
    )
    return [*map(_cut, cells)]


def _cut(text: str) -> str:
    return text if len(text) <= WORDS else text[: WORDS - 1] + "…"
