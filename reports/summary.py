"""The Markdown summary of a run: the matrix, and every finding that is not a pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from conformance.disk import write
from conformance.model.outcome import Outcome
from conformance.model.verdicts import NOTABLE, VERDICTS
from conformance.model.wording import message
from conformance.reports.columns import Column, environment
from conformance.reports.defects import left_out
from conformance.reports.escape import escape
from conformance.reports.matrix import Matrix, died, unreached
from conformance.reports.relations import Relations
from conformance.reports.render import markdown
from conformance.reports.semantics import semantics
from conformance.reports.semantics_text import semantics_lines
from conformance.reports.table import Table
from conformance.reports.worst import worst
from conformance.results.store import Run

__all__ = ["summary_text", "write_summary"]

#: Findings of one verdict that are listed.
LIMIT = 400
#: Reasons of one backend, for checks that were not run, that are listed.
REASONS = 12
_HEAD = (
    "backend", "case", "dtype", "op", "check", "class", "ulp", "error/bound", "observed", "expected", "finding",
    "source",
)  # fmt: skip


def write_summary(folder: Path, relations: Relations, counted: Matrix) -> Path:
    """Write ``summary.md`` into ``folder``; returns its path. Raises HarnessError where it cannot be written."""
    return write(folder / "summary.md", summary_text(relations, counted))


def summary_text(relations: Relations, counted: Matrix) -> str:
    """The summary of one run, or of several together, as Markdown."""
    lines = ["# Conformance run", ""]
    for run in relations.runs:
        lines += _about(run)
    for column in counted.columns:
        if column.compiles:
            lines += ["", f"{escape(column.label)}, {escape(column.executed)}."]
    for name, said in unreached(relations, counted):
        lines += ["", f"{escape(name)}: {escape(said)}"]
    lines += ["", "## Checks by backend and theme", "", *markdown(counted.table())]
    matrix = semantics(relations)
    if any(cell.observed for row in matrix.rows for cell in row.cells.values()):
        lines += ["", "## Semantics", "", *semantics_lines(matrix, links=False)]
    lines += _left_out(relations)
    for verdict in NOTABLE:
        total = counted.count([verdict])
        if total:
            lines += ["", f"## {verdict}: {VERDICTS[verdict]} ({total})", ""]
            lines += _findings(worst(relations, [verdict], LIMIT), total)
    return "\n".join(lines) + "\n"


def _about(run: Run) -> list[str]:
    header = run.header
    facts = [f"Suite {escape(header.suite)}", f"started {escape(header.started)}"]
    if header.commit:
        facts.append(f"commit {escape(header.commit[:12])}")
    known = environment(header)
    facts += [f"{key}: {escape(known[key])}" for key in ("python", "cpu", "cores") if key in known]
    if run.footer and run.footer.memory:
        facts.append(f"peak memory of all processes: {run.footer.memory / 2**30:.2f} GiB")
    lines = [" · ".join(facts) + "."]
    if run.truncated:
        lines += ["", "**This run is truncated**: it has no footer. Complete it with `conformance run --resume`."]
    ended = died(run.deaths, run.restarts)
    for name, record in run.backends.items():
        if record.own_profile:
            lines += ["", f"{escape(name)} was judged by what {escape(record.own_profile.file)} declares."]
        if name in ended:
            lines += ["", f"{escape(name)}: {ended[name]}."]
        if record.error:
            lines += ["", f"**{escape(name)} {record.stopped}**: {escape(record.error)}"]
    return lines


def _left_out(relations: Relations) -> list[str]:
    """Why checks were not run, by backend: the commonest reasons of each."""
    found = left_out(relations)
    rows = [
        [column.label, said, str(count)] for column, why in found.items() for said, count in why.most_common(REASONS)
    ]
    if not rows:
        return []
    lines = ["", "## Not run", "", *markdown(Table(("backend", "reason", "checks"), rows))]
    if any(len(why) > REASONS for why in found.values()):
        lines += ["", f"Of each backend the {REASONS} commonest reasons; the others are in outcomes.jsonl."]
    return lines


def _findings(found: Sequence[tuple[Column, Outcome]], total: int) -> list[str]:
    lines = markdown(Table(_HEAD, [_row(column, outcome) for column, outcome in found]))
    if total > len(found):
        lines += ["", f"… and {total - len(found)} more in outcomes.jsonl."]
    return lines


def _row(column: Column, o: Outcome) -> list[str]:
    source = column.record.source(o.op) if column.record else None
    call = f"{o.op} {o.reduction}".strip()
    numbers = [_short(each) for each in (o.ulp, o.ratio, o.observed, o.expected)]
    return [o.backend, o.case, o.dtype, call, o.check, o.class_ or "", *numbers, message(o), source or ""]


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
