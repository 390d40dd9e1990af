"""A comparison for people: the terminal's plain text and Markdown say the same, each with its own escapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from conformance.plain import on_terminal
from conformance.reports.diff.compare import Accuracy, Change, Comparison
from conformance.reports.diff.rows import Key
from conformance.reports.escape import escape

__all__ = ["markdown_text", "terminal_text"]

LIMIT = 50  # rows of one table that are shown
_TITLES = (
    ("regressions", "Regressions"),
    ("fresh_failures", "Failures of checks that only the new run made"),
    ("improvements", "Newly conforming"),
    ("policies", "Semantics"),
    ("other", "Other changes of verdict"),
)


def terminal_text(found: Comparison, limit: int = LIMIT) -> str:
    """Plain text: nothing in ids and messages steers a terminal."""
    lines = [on_terminal(line) for line in _summary(found)]
    for name, title in _TITLES:
        changes: Sequence[Change] = getattr(found, name)
        if changes:
            lines += ["", f"{title} ({len(changes)})"]
            lines += [f"  {on_terminal(_name(each.key))}: {on_terminal(_what(each))}" for each in changes[:limit]]
            lines += [f"    {on_terminal(each)}" for each in _rest(changes, limit)]
    if found.accuracy:
        lines += ["", f"Class or largest error ({len(found.accuracy)})"]
        lines += [f"  {on_terminal(_name(each.key))}: {on_terminal(_moved(each))}" for each in found.accuracy[:limit]]
        lines += [f"    {each}" for each in _rest(found.accuracy, limit)]
    for title, rows in _sections(found, limit):
        lines += ["", title, *(f"  {on_terminal(' | '.join(row))}" for row in rows)]
    return "\n".join(lines) + "\n"


def markdown_text(found: Comparison, limit: int = LIMIT) -> str:
    """Markdown, for a job summary or a comment."""
    mark = "❌" if found.regressed else "✅"
    head, *rest = _summary(found)
    lines = [f"# {mark} {escape(head)}", "", *(f"{escape(line)}  " for line in rest)]
    for name, title in _TITLES:
        changes: Sequence[Change] = getattr(found, name)
        if changes:
            rows = [[*each.key, each.old or "–", each.new or "–", each.message] for each in changes[:limit]]
            lines += ["", f"## {title} ({len(changes)})", "", *_table([*_KEY, "old", "new", "finding"], rows)]
            lines += [f"\n{each}" for each in _rest(changes, limit)]
    if found.accuracy:
        rows = [[*each.key, each.old_class or "–", each.new_class or "–", _ulp(each.old_ulp), _ulp(each.new_ulp)]
                for each in found.accuracy[:limit]]  # fmt: skip
        header = [*_KEY, "old class", "new class", "old ulp", "new ulp"]
        lines += ["", f"## Class or largest error ({len(found.accuracy)})", "", *_table(header, rows)]
        lines += [f"\n{each}" for each in _rest(found.accuracy, limit)]
    for title, rows in _sections(found, limit):
        lines += ["", f"## {title}", "", *(f"- {' · '.join(escape(cell) for cell in row)}" for row in rows)]
    return "\n".join(lines) + "\n"


_KEY = ("backend", "case", "dtype", "layout", "op", "reduction", "check")


def _summary(found: Comparison) -> list[str]:
    counts = f"{len(found.regressions)} regressions, {len(found.improvements)} newly conforming"
    counts += f", {len(found.accuracy)} of another class or error"
    if found.speed is not None:
        counts += f", {len(found.speed.regressions) + len(found.speed.lost)} regressions of time"
    lines = [f"{found.old} → {found.new}: {counts}", f"{found.compared} checks are in both runs"]
    for name, (old, new) in found.counts.items():
        verdicts = [v for v in (*old, *new) if old.get(v, 0) != new.get(v, 0)]
        told = ", ".join(f"{v} {old.get(v, 0)} → {new.get(v, 0)}" for v in dict.fromkeys(sorted(verdicts)))
        lines.append(f"{name}: {told or 'the same counts'}")
    return lines


def _sections(found: Comparison, limit: int) -> Iterator[tuple[str, list[list[str]]]]:
    for title, cases in (("New cases", found.new_cases), ("Gone cases", found.gone_cases)):
        if cases:
            yield title, [[name, f"{len(ids)}: {', '.join(ids[:8])}{' …' if len(ids) > 8 else ''}"]
                          for name, ids in cases.items()]  # fmt: skip
    if found.speed is not None:
        from conformance.reports.benchmarks.comparison.render import change_lines

        yield "Speed", [[line] for line in change_lines(found.speed)]
    if found.environment:
        yield "Environment and versions", [[key, f"{old} → {new}"] for key, old, new in found.environment[:limit]]
    if found.incomparable:
        yield "Not compared", [[each] for each in found.incomparable]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return lines + ["| " + " | ".join(escape(cell) for cell in row) + " |" for row in rows]


def _name(key: Key) -> str:
    backend, case, dtype, layout, op, reduction, check = key
    place = "" if layout in ("", "contiguous") else f", {layout}"
    call = " ".join(each for each in (op, reduction) if each)
    return " · ".join(each for each in (backend, case, f"{dtype}{place}", call, check) if each)


def _what(change: Change) -> str:
    message = f" — {change.message}" if change.message else ""
    return f"{change.old or 'not there'} → {change.new or 'not there'}{message}"


def _moved(change: Accuracy) -> str:
    classes = f"class {change.old_class or '–'} → {change.new_class or '–'}, "
    sign = "worse" if change.worse else "better"
    same = change.old_class == change.new_class
    return f"{'' if same else classes}{_ulp(change.old_ulp)} → {_ulp(change.new_ulp)} ulp ({sign})"


def _ulp(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _rest(rows: Sequence[object], limit: int) -> list[str]:
    return [f"… and {len(rows) - limit} more"] if len(rows) > limit else []
