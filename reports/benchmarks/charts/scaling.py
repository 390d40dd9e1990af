"""How the time per logit changes with an extent: a line for each backend."""

from __future__ import annotations

from typing import Any

from conformance.reports.benchmarks.cells import BenchmarkCell, ScalingSeries
from conformance.reports.benchmarks.charts.style import Look, altair, finished, log_span, spread_over

__all__ = ["scaling_chart"]

WIDTH, HEIGHT = 620, 400


def scaling_chart(series: ScalingSeries, look: Look) -> Any:
    """Nanoseconds per logit over the classes, or over the positions; both axes logarithmic."""
    alt = altair()
    cells = sorted(series.cells, key=lambda cell: _extent(cell, series))
    texts = {cell.backend: look.names[cell.backend] for cell in cells}
    rows: list[dict[str, Any]] = [
        {
            "name": texts[cell.backend],
            "x": _extent(cell, series),
            "y": cell.ns_per_logit,
            "low": cell.ns_per_logit * cell.low / cell.seconds,
            "high": cell.ns_per_logit * cell.high / cell.seconds,
            "wrong": cell.wrong,
        }
        for cell in cells
    ]
    extents = sorted({row["x"] for row in rows})
    span, _ = log_span(extents, 1.25)
    axis = alt.Axis(values=extents, format=",", title=f"{series.over} (logarithmic)")
    x = alt.X("x:Q", scale=alt.Scale(type="log", domain=span, nice=False), axis=axis)
    span, ticks = log_span([row[end] for row in rows for end in ("low", "high")], 1.3)
    axis = alt.Axis(values=ticks, format="~g", title="ns per logit (logarithmic)")
    y = alt.Y("y:Q", scale=alt.Scale(type="log", domain=span, nice=False), axis=axis)
    legend = look.legend(texts)
    base = alt.Chart(alt.Data(values=rows))
    spans = base.mark_rule(strokeWidth=1.2).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=legend["color"])
    marks = base.mark_point(size=70, strokeWidth=1.5, opacity=1, filled=True).encode(
        x=x,
        y=y,
        fill=alt.when("datum.wrong").then(alt.value("white")).otherwise(legend["color"]),
        stroke=legend["color"],
        shape=legend["shape"],
        tooltip=["name:N", alt.Tooltip("x:Q", format=","), alt.Tooltip("y:Q", format=".3g", title="ns per logit")],
    )
    lines = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=legend["color"])
    subtitle = [
        f"{series.name}, {cells[0].dtype}, {series.contract}; {series.fixed}.",
        f"Lower is faster, flat is as costly a logit. Upright lines: 95 % interval over {spread_over(cells)}.",
        "Hollow marks fail their accuracy class, or beat the memory." if any(cell.wrong for cell in cells) else "",
    ]
    chart = alt.layer(lines, spans, marks).properties(width=WIDTH, height=HEIGHT)
    return finished(chart, f"What a logit costs as the {series.over} grow", subtitle)


def _extent(cell: BenchmarkCell, series: ScalingSeries) -> float:
    return float(getattr(cell, series.over))
