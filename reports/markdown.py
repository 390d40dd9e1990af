"""The Markdown summary of a run: the matrix, and every finding that is not a pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.model.errors import HarnessError
from conformance.model.records import Outcome
from conformance.model.verdicts import NOTABLE, VERDICTS, in_order
from conformance.model.wording import message
from conformance.reports.escape import escape
from conformance.reports.semantics import semantics
from conformance.reports.semantics_text import semantics_lines
from conformance.reports.tally import LIMIT, Tally, sources_of
from conformance.results.store import Run

__all__ = ["cell", "summary_text", "write_summary"]


def write_summary(folder: Path, runs: Sequence[Run], counted: Tally) -> Path:
    """Write ``summary.md`` into ``folder``; returns its path. Raises HarnessError where it cannot be written."""
    path = folder / "summary.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(summary_text(runs, counted), encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from None
    return path


def summary_text(runs: Sequence[Run], counted: Tally) -> str:
    """The summary of one run, or of several together, as Markdown."""
    lines = ["# Conformance run", ""]
    for run in runs:
        lines += _about(run)
    lines += ["", "## Checks by backend and theme", ""]
    names = counted.backends()
    lines.append("| theme | " + " | ".join(escape(name) for name in names) + " |")
    lines.append("|---" * (len(names) + 1) + "|")
    for theme in counted.themes:
        cells = [cell(counted.cells[(name, theme)]) for name in names]
        lines.append(f"| {escape(theme)} | " + " | ".join(cells) + " |")
    lines.append("| **all** | " + " | ".join(cell(counted.totals[name]) for name in names) + " |")
    lines += _semantics(runs, counted)
    sources = sources_of(runs)
    for verdict in NOTABLE:
        found = [outcome for outcome in counted.notable if outcome.verdict == verdict]
        if found:
            lines += ["", f"## {verdict}: {VERDICTS[verdict]} ({counted.count(verdict)})", ""]
            lines += _findings(found, counted.count(verdict), sources)
    return "\n".join(lines) + "\n"


def _semantics(runs: Sequence[Run], counted: Tally) -> list[str]:
    """The semantics matrix, where the run observed a policy."""
    if not counted.policies:
        return []
    records = [record for run in runs for record in run.backends.values()]
    matrix = semantics(counted.policies, records)
    return ["", "## Semantics", "", *semantics_lines(matrix, links=False)]


def _about(run: Run) -> list[str]:
    header = run.header
    facts = [f"Suite {escape(header.suite)}", f"started {escape(header.started)}"]
    if header.commit:
        facts.append(f"commit {escape(header.commit[:12])}")
    environment = header.environment
    facts += [f"{escape(key)}: {escape(environment[key])}" for key in ("python", "cpu", "cores") if key in environment]
    lines = [" · ".join(facts) + "."]
    if run.truncated:
        lines += ["", "**This run is truncated**: it has no footer. Complete it with `conformance run --resume`."]
    for name, record in run.backends.items():
        if record.error:
            lines += ["", f"**{escape(name)} did not run**: {escape(record.error)}"]
    return lines


def cell(counts: Counter[str]) -> str:
    """The counts of one cell of the matrix, as Markdown."""
    return "<br>".join(f"**{n} {v}**" if v == "fail" else f"{n} {v}" for v, n in in_order(counts)) or "–"


def _findings(found: list[Outcome], total: int, sources: Mapping[tuple[str, str], str]) -> list[str]:
    lines = [
        "| backend | case | dtype | op | check | class | ulp | error/bound | observed | expected | finding | source |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for o in found[:LIMIT]:
        cells = [
            o.backend,
            o.case,
            o.dtype,
            f"{o.op} {o.reduction}".strip(),
            o.check,
            o.class_ or "",
            _short(o.ulp),
            _short(o.ratio),
            _short(o.observed),
            _short(o.expected),
            message(o),
            sources.get((o.backend, o.op), ""),
        ]
        lines.append("| " + " | ".join(escape(cell) for cell in cells) + " |")
    if total > len(found[:LIMIT]):
        lines += ["", f"… and {total - len(found[:LIMIT])} more in outcomes.jsonl."]
    return lines


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
