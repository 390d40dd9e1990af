"""A comparison for people: the terminal's plain text and Markdown say the same, each with its own escapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.model.outcome import Number
from conformance.plain import on_terminal, plural
from conformance.reports.diff.document import KEY, ChangedAccuracy, ChangedVerdict, Check, Diff
from conformance.reports.escape import escape
from conformance.reports.render import markdown
from conformance.reports.table import Table

__all__ = ["markdown_text", "terminal_text"]

LIMIT = 50  # rows of one table that are shown
_TITLES = (
    ("regressions", "Regressions"),
    ("fresh_failures", "Failures of checks that only the new run made"),
    ("improvements", "Newly conforming"),
    ("policies", "Semantics"),
    ("other", "Other changes of verdict"),
    ("accuracy", "Class or largest error"),
    ("unequal", "Outcomes that are not the same in both"),
)


def terminal_text(found: Diff, limit: int = LIMIT) -> str:
    """Plain text: nothing in ids and messages steers a terminal."""
    lines = [on_terminal(line) for line in _summary(found)]
    for title, changes in _changes(found):
        lines += ["", f"{title} ({len(changes)})"]
        lines += [f"  {on_terminal(_name(each))}: {on_terminal(_what(each))}" for each in changes[:limit]]
        lines += [f"    {each}" for each in _rest(changes, limit)]
    for title, rows in _sections(found, limit):
        lines += ["", title, *(f"  {on_terminal(' | '.join(row))}" for row in rows)]
    return "\n".join(lines) + "\n"


def markdown_text(found: Diff, limit: int = LIMIT) -> str:
    """Markdown, for a job summary or a comment."""
    mark = "❌" if found.regressed else "✅"
    head, *rest = _summary(found)
    lines = [f"# {mark} {escape(head)}", "", *(f"{escape(line)}  " for line in rest)]
    for title, changes in _changes(found):
        last = _ACCURACY if isinstance(changes[0], ChangedAccuracy) else ("old", "new", "finding")
        table = Table((*KEY, *last), [[*each.key, *_cells(each)] for each in changes[:limit]])
        lines += ["", f"## {title} ({len(changes)})", "", *markdown(table)]
        lines += [f"\n{each}" for each in _rest(changes, limit)]
    for title, rows in _sections(found, limit):
        lines += ["", f"## {title}", "", *(f"- {' · '.join(escape(cell) for cell in row)}" for row in rows)]
    return "\n".join(lines) + "\n"


_ACCURACY = ("old class", "new class", "old ulp", "new ulp")


def _changes(found: Diff) -> Iterator[tuple[str, Sequence[ChangedVerdict | ChangedAccuracy]]]:
    for name, title in _TITLES:
        changes: Sequence[ChangedVerdict | ChangedAccuracy] = getattr(found, name)
        if changes:
            yield title, changes


def _summary(found: Diff) -> list[str]:
    counts = f"{plural(len(found.regressions), 'regression')}, {len(found.improvements)} newly conforming"
    counts += f", {len(found.accuracy)} of another class or error"
    if found.speed is not None:
        slower = len(found.speed.regressions) + len(found.speed.lost)
        counts += f", {plural(slower, 'regression')} of time"
    shared = "1 check is" if found.compared == 1 else f"{found.compared:,} checks are"
    lines = [f"{found.old} → {found.new}: {counts}", f"{shared} in both runs"]
    for name, both in found.counts.items():
        old, new = both.old, both.new
        verdicts = [v for v in sorted({*old, *new}) if old.get(v, 0) != new.get(v, 0)]
        moved = ", ".join(f"{v} {old.get(v, 0)} → {new.get(v, 0)}" for v in verdicts)
        lines.append(f"{name}: {moved or 'the same counts'}")
    return lines


def _sections(found: Diff, limit: int) -> Iterator[tuple[str, list[list[str]]]]:
    for title, cases in (("New cases", found.new_cases), ("Gone cases", found.gone_cases)):
        if cases:
            yield title, [[name, f"{len(ids)}: {', '.join(ids[:8])}{' …' if len(ids) > 8 else ''}"]
                          for name, ids in cases.items()]  # fmt: skip
    if found.speed is not None:
        from conformance.reports.benchmarks.comparison.render import change_lines

        yield "Speed", [[line] for line in change_lines(found.speed)]
    if found.environment:
        yield "Environment and versions", [[s.key, f"{s.old} → {s.new}"] for s in found.environment[:limit]]
    if found.incomparable:
        yield "Not compared", [[each] for each in found.incomparable]


def _name(check: Check) -> str:
    place = "" if check.layout in ("", "contiguous") else f", {check.layout}"
    call = " ".join(each for each in (check.op, check.reduction) if each)
    return " · ".join(e for e in (check.backend, check.case, f"{check.dtype}{place}", call, check.check) if e)


def _cells(change: ChangedVerdict | ChangedAccuracy) -> list[str]:
    if isinstance(change, ChangedVerdict):
        return [change.old or "–", change.new or "–", change.message]
    return [change.old_class or "–", change.new_class or "–", _ulp(change.old_ulp), _ulp(change.new_ulp)]


def _what(change: ChangedVerdict | ChangedAccuracy) -> str:
    if isinstance(change, ChangedVerdict):
        message = f" — {change.message}" if change.message else ""
        return f"{change.old or 'not there'} → {change.new or 'not there'}{message}"
    classes = f"class {change.old_class or '–'} → {change.new_class or '–'}, "
    same, sign = change.old_class == change.new_class, "worse" if change.worse else "better"
    return f"{'' if same else classes}{_ulp(change.old_ulp)} → {_ulp(change.new_ulp)} ulp ({sign})"


def _ulp(value: Number | None) -> str:
    return "–" if value is None else f"{float(value):.3g}"


def _rest(rows: Sequence[object], limit: int) -> list[str]:
    return [f"… and {len(rows) - limit} more"] if len(rows) > limit else []
