"""A mark for each backend: speed against accuracy, and the first call against later ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from conformance.reports.benchmarks.cells import BenchmarkCell
from conformance.reports.benchmarks.charts.style import (
    FONT_SIZE,
    MUTED,
    Look,
    altair,
    duration_axis,
    finished,
    log_span,
    spread_over,
)

__all__ = ["accuracy_chart", "compile_chart"]

WIDTH, HEIGHT = 620, 400
#: Ratios of error to tolerance beyond these lie on the edge: exact results on the left, infinities on the right.
LEAST, MOST = 1e-4, 1e4
AXIS = "error ÷ tolerance of the declared class (1 = at the limit; logarithmic)"
CLASS_FILL = {"A": "#eaf4ee", "B": "#f3f6ea", "C": "#fbf3df", "D": "#f3f6ea", "E": "#fbf3df", "F": "#fbe9e4"}


def accuracy_chart(cells: Sequence[BenchmarkCell], look: Look) -> Any:
    """The flagship: share of the peak bandwidth against error over tolerance, for one workload, contract and cache.

    Cells without bandwidth or accuracy are named below the title.
    """
    alt = altair()
    one = cells[0]
    drawn = [cell for cell in cells if cell.drawable]
    texts = {cell.backend: look.names[cell.backend] + _beyond(cell) for cell in drawn}
    rows = [_row(cell, texts, x=_clipped(cell.error), y=cell.bandwidth_fraction or 0.0) for cell in drawn]
    for row, cell in zip(rows, drawn, strict=True):
        row |= {"low": row["y"] * cell.seconds / cell.high, "high": row["y"] * cell.seconds / cell.low}
    ends = [*(row["x"] for row in rows), 0.05, 2.0, *(end for end in _limits(cells).values() if LEAST < end < MOST)]
    span, ticks = log_span(ends, 2.5)
    x = alt.X("x:Q", scale=_log(alt, span), axis=alt.Axis(title=AXIS, format="~g", values=ticks))
    top = max((row["high"] for row in rows), default=1.0)
    share = alt.Axis(format="~%", title="share of the measured peak bandwidth", tickCount=6)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, max(top * 1.15, 0.02)], nice=False), axis=share)
    names = look.names
    left_out = [names[cell.backend] for cell in cells if cell.bandwidth_fraction is None or cell.error is None]
    impossible = [names[cell.backend] for cell in cells if cell.impossible]
    subtitle = [
        f"{one.workload}, {one.dtype}, {one.contract}, {one.cache} cache. Up is faster, left is more accurate.",
        f"{_declared(cells)} {_intervals(cells)}",
        "Hollow marks fail their accuracy class: timed, never ranked." if any(row["fails"] for row in rows) else "",
        f"Without bandwidth or accuracy, not drawn: {', '.join(left_out)}." if left_out else "",
        f"Faster than memory, not computed anew, not drawn: {', '.join(impossible)}." if impossible else "",
    ]
    spans = alt.Chart(alt.Data(values=rows)).mark_rule(strokeWidth=1.4).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    chart = alt.layer(*_bands(alt, cells, span), *_marks(alt, rows, x, y, spans, look.legend(texts)))
    title = "Speed and accuracy: share of the peak bandwidth against error"
    return finished(chart.properties(width=WIDTH, height=HEIGHT), title, subtitle)


def compile_chart(cells: Sequence[BenchmarkCell], look: Look) -> Any:
    """The first call (tracing and compiling with it) against a later call, for one workload, contract and cache."""
    alt = altair()
    one = cells[0]
    drawn = [cell for cell in cells if cell.first_call_seconds]
    texts = {cell.backend: look.names[cell.backend] for cell in drawn}
    rows = [
        _row(cell, texts, x=cell.seconds, y=cell.first_call_seconds or 0.0) | {"low": cell.low, "high": cell.high}
        for cell in drawn
    ]
    span, ticks = log_span([end for cell in drawn for end in (cell.low, cell.high)], 1.4)
    x = alt.X("x:Q", scale=_log(alt, span), axis=duration_axis("a call in steady state (logarithmic)", values=ticks))
    span, ticks = log_span([cell.first_call_seconds or 1.0 for cell in drawn], 1.8)
    axis = duration_axis("the first call, nothing compiled yet (logarithmic)", values=ticks)
    y = alt.Y("y:Q", scale=_log(alt, span), axis=axis)
    spans = alt.Chart(alt.Data(values=rows)).mark_rule(strokeWidth=1.4).encode(x=alt.X("low:Q"), x2="high:Q", y=y)
    opening = sorted(look.names[cell.backend] for cell in drawn if cell.opens)
    subtitle = [
        f"{one.workload}, {one.dtype}, {one.contract}, {one.cache} cache. Left runs faster, down is ready sooner.",
        _intervals(cells),
        f"The very first call of its process, which pays as well for what is loaded once: {', '.join(opening)}."
        if opening
        else "",
    ]
    chart = alt.layer(*_marks(alt, rows, x, y, spans, look.legend(texts))).properties(width=WIDTH, height=HEIGHT)
    return finished(chart, "What compiling costs, and what it buys: first call against later ones", subtitle)


def _row(cell: BenchmarkCell, texts: dict[str, str], **place: float) -> dict[str, Any]:
    return {"name": texts[cell.backend], "backend": cell.backend, "fails": cell.judged.conforms is False, **place}


def _marks(alt: Any, rows: list[dict[str, Any]], x: Any, y: Any, spans: Any, legend: dict[str, Any]) -> list[Any]:
    """Intervals below marks; a mark is hollow where its result fails."""
    tooltip = ["name:N", alt.Tooltip("x:Q", format=".3g"), alt.Tooltip("y:Q", format=".3g")]
    marks = alt.Chart(alt.Data(values=rows)).mark_point(size=130, strokeWidth=1.6, opacity=1, filled=True)
    fill = alt.when("datum.fails").then(alt.value("white")).otherwise(legend["color"])
    return [
        spans.encode(color=legend["color"]),
        marks.encode(x=x, y=y, tooltip=tooltip, fill=fill, stroke=legend["color"], shape=legend["shape"]),
    ]


def _bands(alt: Any, cells: Sequence[BenchmarkCell], span: list[float]) -> list[Any]:
    """The classes' regions, named where there is room, and a line at the limit."""
    rows = [
        {"from": start, "to": end, "text": text if end > 1.2 * start else "", "fill": CLASS_FILL.get(name, "#f3f6ea")}
        for name, text, start, end in _regions(cells, *span)
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(x=alt.X("from:Q", scale=_log(alt, span)))
    rectangles = base.mark_rect(opacity=1).encode(x2="to:Q", color=alt.Color("fill:N", scale=None))
    style = {"align": "left", "baseline": "top", "fontSize": FONT_SIZE, "color": MUTED, "dx": 5, "dy": 4}
    limit = alt.Chart(alt.Data(values=[{"from": 1.0}])).mark_rule(strokeDash=[4, 3], color=MUTED)
    return [
        rectangles,
        base.mark_text(**style).encode(y=alt.value(0), text="text:N"),
        limit.encode(x=alt.X("from:Q", scale=_log(alt, span))),
    ]


def _regions(cells: Sequence[BenchmarkCell], low: float, high: float) -> list[tuple[str, str, float, float]]:
    """Class, what to write, and from where to where: by the limits that the run states, else by the one at 1.

    Classes whose ends nearly meet, as where the last rounding rules them all, share a region.
    """
    declared = next((cell.judged.declared for cell in cells if cell.judged.declared), None)
    limits = _limits(cells) or {declared or "pass": 1.0}
    groups: list[list[str]] = []
    for name, limit in limits.items():
        if groups and limit < 1.02 * limits[groups[-1][-1]]:
            groups[-1].append(name)
        else:
            groups.append([name])
    regions, start = [], low
    for names in groups:
        end = min(max(limits[names[-1]], low), high)
        if end > start:
            text = f"{names[0]}–{names[-1]}" if len(names) > 1 else names[0]
            regions.append((names[0], text if len(limits) > 1 else "within the declared class", start, end))
            start = end
    if start < high:
        regions.append(("F", "F: fails" if len(limits) > 1 else "fails", start, high))
    return regions


def _limits(cells: Sequence[BenchmarkCell]) -> dict[str, float]:
    """Where the classes end, if the run says so and all backends declare the same class.

    Each backend is worst at another element, where the bounds stand a little differently to each other: the median.
    """
    stated = [cell.judged.limits for cell in cells if cell.judged.limits]
    if not stated or len({cell.judged.declared for cell in cells if cell.judged.declared}) > 1:
        return {}
    names = {name for limits in stated for name in limits}
    ends = {name: median(limits[name] for limits in stated if name in limits) for name in names}
    return {name: limit for name, limit in sorted(ends.items(), key=lambda each: (each[1], each[0])) if limit > 0}


def _intervals(cells: Sequence[BenchmarkCell]) -> str:
    return f"Lines through marks: 95 % interval of the time over {spread_over(cells)}."


def _declared(cells: Sequence[BenchmarkCell]) -> str:
    """Whose tolerance the errors are compared with."""
    declared = {cell.judged.declared for cell in cells if cell.judged.declared}
    if len(declared) > 1:
        return "Each error is over the tolerance of the class that its backend declares."
    return f"The tolerance is class {declared.pop()}'s, which all declare." if declared else ""


def _beyond(cell: BenchmarkCell) -> str:
    """Where a mark lies on the edge, what it stands for."""
    error = math.nan if cell.error is None else cell.error
    if LEAST <= error <= MOST:
        return ""
    text = {math.inf: "∞", 0.0: "0"}.get(error, f"{error:.2g}×")
    return " (error undefined)" if math.isnan(error) else f" (error {text})"


def _clipped(error: float | None) -> float:
    return MOST if error is None or math.isnan(error) else min(max(error, LEAST), MOST)


def _log(alt: Any, span: list[float]) -> Any:
    return alt.Scale(type="log", domain=span, nice=False)
