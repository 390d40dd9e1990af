"""The page of a case: what it asks, what every backend gave, and how to see a finding on one's own machine."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from conformance.cases.load import Entry
from conformance.numerics.names import DTYPES
from conformance.results.records import Outcome, SourceRecord
from reports.site.checks import CHECKS, VERDICT_SIGNS
from reports.site.columns import Column
from reports.site.gather import NOTABLE, ORDER, CaseResults
from reports.site.reproducer import Reproduce, commands, script, telling
from reports.site.text import figure, finding, number, slug, visible

__all__ = ["CasePage", "case_page"]

#: Findings of one backend that a page lists; the overview and the results file have all.
MOST = 40
_IN_TABLE = ("value", "gradient", "error", "warning")
_REDUCTIONS = {name: place for place, name in enumerate(("none", "sum", "mean", "default", ""))}
_NOTHING = Markup('<td class="no">')


@dataclass(frozen=True)
class Row:
    """A line of a table of results: what was asked, and a cell for each backend."""

    heads: tuple[str, ...]
    cells: Markup


@dataclass(frozen=True)
class Group:
    """The findings of one backend, and how to reproduce the first."""

    column: Column
    rows: list[dict[str, Any]]
    hidden: int
    commands: list[str]
    script: str | None
    source: SourceRecord | None
    where: str
    worst_input: str


@dataclass(frozen=True)
class CasePage:
    """Everything that the template of a case shows of its results."""

    case: str
    theme: str
    columns: list[Column]
    counts: list[tuple[Column, Counter[str]]]
    findings: list[Group]
    rows: list[Row]
    others: list[Row]
    refusals: list[tuple[Column, str, int]] = field(default_factory=list)


def case_page(results: CaseResults, entry: Entry | None = None, reproduce: Reproduce | None = None) -> CasePage:
    """Arrange a case's outcomes for its page; ``entry`` is the case itself, if it can be read."""
    counts = results.counts()
    active = [column for column, seen in counts.items() if set(seen) - {"unsupported", "not run"}]
    notable: dict[Column, list[Outcome]] = defaultdict(list)
    refused: Counter[tuple[Column, str]] = Counter()
    for column, outcome in results.outcomes:
        if outcome.verdict in NOTABLE or outcome.verdict not in ORDER:
            notable[column].append(outcome)
        elif outcome.verdict in ("unsupported", "not run"):
            refused[(column, outcome.message or outcome.verdict)] += 1
    groups = [_group(column, notable[column], entry, reproduce) for column in counts if notable[column]]
    return CasePage(
        results.case,
        results.theme,
        active,
        list(counts.items()),
        groups,
        _rows(results, active),
        _others(results, active),
        [(column, why, count) for (column, why), count in sorted(refused.items(), key=lambda item: item[0][0].place)],
    )


# -- findings ---------------------------------------------------------------------------------------------------------


def _group(column: Column, found: list[Outcome], entry: Entry | None, reproduce: Reproduce | None) -> Group:
    severity = {verdict: place for place, verdict in enumerate(("fail", "crash", "timeout", "error", "fixed", "known"))}
    found.sort(key=lambda o: severity.get(o.verdict, 9))
    first = telling(found)
    source = column.record.sources.get(first.op) if column.record else None
    return Group(
        column,
        [_finding(column, outcome) for outcome in found[:MOST]],
        max(len(found) - MOST, 0),
        commands(column, first),
        script(reproduce, entry, column, first),
        source,
        first.source or "",
        _worst_input(first.worst_input),
    )


def _finding(column: Column, outcome: Outcome) -> dict[str, Any]:
    message, entry = finding(outcome.message)
    parts = (column.slug, outcome.dtype, outcome.layout, outcome.reduction, outcome.check)
    return {
        "id": slug("f-" + "-".join(part.replace(" ", "-") for part in parts if part)),
        "verdict": outcome.verdict,
        "dtype": outcome.dtype,
        "reduction": outcome.reduction,
        "check": outcome.check,
        "layout": "" if outcome.layout == "contiguous" else outcome.layout,
        "observed": number(outcome.observed, outcome.dtype),
        "expected": number(outcome.expected, outcome.dtype),
        "ulp": figure(outcome.ulp),
        "ratio": figure(outcome.ratio),
        "letter": outcome.class_ or "",
        "message": message[:400],
        "entry": entry,
    }


def _worst_input(given: Any) -> str:
    """The input at fault as text: its logits are hexadecimal floats."""
    if not isinstance(given, dict):
        return "" if given is None else visible(json.dumps(given)[:600])
    parts = []
    for name, value in given.items():
        text = "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list) else str(value)
        parts.append(f"{name}: {text[:600]}")
    return visible("\n".join(parts))


# -- the table of results ---------------------------------------------------------------------------------------------


def _rows(results: CaseResults, columns: Sequence[Column]) -> list[Row]:
    """A row for each dtype, layout, reduction and check against the truth."""
    table: dict[tuple[str, str, str, str], dict[Column, Outcome]] = {}
    wanted = frozenset(columns)
    for column, outcome in results.outcomes:
        if column in wanted and outcome.check in _IN_TABLE:
            key = (outcome.dtype, outcome.layout, outcome.reduction, outcome.check)
            table.setdefault(key, {})[column] = outcome
    place = {name: at for at, name in enumerate(DTYPES)}

    def order(key: tuple[str, str, str, str]) -> tuple[object, ...]:
        dtype, layout, reduction, check = key
        known = _IN_TABLE.index(check)
        return (place.get(dtype, 9), dtype, known, layout != "contiguous", layout, _REDUCTIONS.get(reduction, 9))  # type: ignore[call-overload]

    # Reductions with the same results in every cell share a row, as they do where there is but one position.
    merged: dict[tuple[str, str, Markup], list[str]] = {}
    for key in sorted(table, key=order):
        dtype, layout, reduction, check = key
        found = table[key]
        cells = Markup("").join(_cell(found[c]) if c in found else _NOTHING for c in columns)
        asked = check if layout == "contiguous" else f"{check}, {layout}"
        merged.setdefault((dtype, asked, cells), []).append(reduction)
    return [Row((dtype, ", ".join(found), asked), cells) for (dtype, asked, cells), found in merged.items()]


_CELL = Markup("<td>{}<small>{}</small>")
_MARKED = Markup('<td class="{}"><b>{} {}</b> {}<small>{}</small>')


def _cell(outcome: Outcome) -> Markup:
    """The value; below it error in ulp, error over bound, and class. A verdict other than pass is said in words."""
    said = number(outcome.observed, outcome.dtype)
    if outcome.check in ("error", "warning") and outcome.verdict == "pass":
        said = outcome.message.partition(":")[0][:60] if outcome.check == "error" else "heard"
    measures = []
    if outcome.ulp is not None:
        measures.append(f"{figure(outcome.ulp)} ulp")
    if outcome.ratio is not None:
        measures.append(figure(outcome.ratio))
    if outcome.class_:
        measures.append(outcome.class_)
    details = visible(" · ".join(measures))
    said = visible(said)
    if outcome.verdict == "pass":
        return _CELL.format(said, details) if details else Markup("<td>{}").format(said)
    sign = VERDICT_SIGNS.get(outcome.verdict, "?")
    kind = "v-" + slug(outcome.verdict.replace(" ", "-"))
    return _MARKED.format(kind, sign, visible(outcome.verdict), said, details)


def _others(results: CaseResults, columns: Sequence[Column]) -> list[Row]:
    """The other checks, counted: a row for each, with the worst error over bound of those that passed."""
    table: dict[str, dict[Column, tuple[Counter[str], list[float]]]] = {}
    wanted = frozenset(columns)
    for column, outcome in results.outcomes:
        if column not in wanted or outcome.check in _IN_TABLE:
            continue
        counts, ratios = table.setdefault(outcome.check, {}).setdefault(column, (Counter(), []))
        counts[outcome.verdict] += 1
        if outcome.verdict == "pass" and isinstance(outcome.ratio, float):
            ratios.append(outcome.ratio)
    rows = []
    for check in sorted(table, key=lambda name: (list(CHECKS).index(name) if name in CHECKS else 99, name)):
        cells = Markup("").join(_counted(*table[check][c]) if c in table[check] else _NOTHING for c in columns)
        rows.append(Row((check, CHECKS.get(check, "")), cells))
    return rows


def _counted(counts: Counter[str], ratios: list[float]) -> Markup:
    said = Markup(", ").join(
        escape(f"{counts[v]} {v}") if v == "pass" else Markup("<b>{} {} {}</b>").format(VERDICT_SIGNS[v], counts[v], v)
        for v in ORDER
        if counts[v]
    )
    worst = Markup("<small>≤ {} of the bound</small>").format(figure(max(ratios))) if any(ratios) else ""
    return Markup("<td>{}{}").format(said, worst)
