"""The trend of a workload on a backend: its time over runs, with the change points marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.reports.benchmarks.charts.style import FONT_SIZE, GRID, INK, MUTED, altair, finished, shorten
from conformance.reports.benchmarks.units import percent_change
from conformance.reports.history.series import TimeSeries

__all__ = ["trend_chart"]

WIDTH, HEIGHT = 700, 150
LINE, SLOWER, FASTER = "#0072B2", "#D55E00", "#009E73"


def trend_chart(group: Sequence[TimeSeries]) -> Any:
    """Times over runs with their 95 % intervals: of a workload on a backend, a panel per contract, cache and machine.

    Runs stand at equal distances in the order of time. A vertical line marks where the times change, and says by how
    much.
    """
    alt = altair()
    panels = [_panel(alt, series) for series in group]
    one = group[0]
    total = sum(len(series.changes or ()) for series in group)
    found = f"{total} change point{'s' * (total != 1)} (vertical lines)" if total else "no change point"
    if any(series.changes is None for series in group):
        found = "change points not looked for: Apache Otava is not installed"
    chart = alt.vconcat(*panels, spacing=24).resolve_scale(x="independent", y="independent")
    subtitle = [f"Time of a call over runs, oldest to newest; lower is faster. Bars: 95 % over processes. {found}."]
    return finished(chart, f"{shorten(one.workload, 48)} on {shorten(one.backend, 32)}", subtitle)


def _panel(alt: Any, series: TimeSeries) -> Any:
    factor, unit = _unit(min(point.seconds for point in series.points))
    rows: list[dict[str, Any]] = [
        {
            "run": place,
            "value": point.seconds * factor,
            "low": (point.low or point.seconds) * factor,
            "high": (point.high or point.seconds) * factor,
            "started": point.started,
            "commit": (point.commit or "")[:12],
            "version": point.version or "",
            "fails": point.verdict not in (None, "pass"),
        }
        for place, point in enumerate(series.points)
    ]
    names = [_named(point.started, point.commit) for point in series.points]
    ticks = [*range(0, len(rows), max(1, -(-len(rows) // 9)))]
    said = "[" + ", ".join(f"[{', '.join(map(repr, name))}]" for name in names) + "]"
    x = alt.X(
        "run:Q",
        scale=alt.Scale(domain=[-0.5, len(rows) - 0.5], nice=False),
        axis=alt.Axis(values=ticks, labelExpr=f"{said}[datum.value]", title=None, grid=False, labelOverlap=True),
    )
    reach = max(row["high"] for row in rows)
    y = alt.Y("value:Q", scale=alt.Scale(domain=[0, reach * 1.25], nice=False), axis=alt.Axis(title=unit, tickCount=4))
    base = alt.Chart(alt.Data(values=rows))
    bars = base.mark_rule(color=MUTED).encode(x=x, y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(color=LINE, strokeWidth=1.5).encode(x=x, y=y)
    marks = base.mark_point(size=46, stroke=LINE, opacity=1, strokeWidth=1.5).encode(
        x=x,
        y=y,
        fill=alt.condition("datum.fails", alt.value("white"), alt.value(LINE)),
        tooltip=["started:N", "commit:N", "version:N", alt.Tooltip("value:Q", format=".4g")],
    )
    title = f"{series.contract}, {series.cache} cache; {series.work or series.workload}; {shorten(series.machine, 60)}"
    return (
        alt.layer(line, bars, marks, *_marked(alt, series, y.to_dict()["scale"]["domain"][1]))
        .properties(
            width=WIDTH,
            height=HEIGHT,
            title=alt.TitleParams(
                text=title, anchor="start", frame="group", fontSize=13, color=MUTED, fontWeight="normal"
            ),
        )
        .properties(view=alt.ViewConfig(stroke=GRID))
    )


def _marked(alt: Any, series: TimeSeries, top: float) -> list[Any]:
    """Vertical lines at the change points, each with its size; texts stand on two heights in turns."""
    rows = [
        {
            "at": change.index - 0.5,
            "y": top,
            "text": percent_change(change.ratio),
            "colour": SLOWER if change.ratio > 1 else FASTER,
            "dy": 10 if number % 2 == 0 else 10 + FONT_SIZE * 1.4,
        }
        for number, change in enumerate(series.changes or ())
    ]
    if not rows:
        return []
    base = alt.Chart(alt.Data(values=rows))
    x = alt.X("at:Q")
    layers = [base.mark_rule(strokeWidth=1.6, strokeDash=[5, 3]).encode(x=x, color=alt.Color("colour:N", scale=None))]
    for row in rows:
        text = alt.Chart(alt.Data(values=[row])).mark_text(
            align="left", dx=5, dy=row["dy"], fontSize=FONT_SIZE, fontWeight="bold", color=INK
        )
        layers.append(text.encode(x=x, y=alt.value(0), text="text:N"))
    return layers


def _named(started: str, commit: str | None) -> tuple[str, str]:
    """Date and commit, as two lines, in characters that cannot end a string of the axis's expression."""
    plain = (
        "".join(c for c in text if c.isascii() and (c.isalnum() or c in "-:.")) for text in (started, commit or "")
    )
    date, hash_ = plain
    return date[:10], hash_[:7]


def _unit(least: float) -> tuple[float, str]:
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if least * factor >= 1:
            return factor, unit
    return 1e9, "ns"
