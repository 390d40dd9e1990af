"""The trend of a workload on a backend: its time over runs, with the change points marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from conformance.plain import blanked, plural
from conformance.reports.benchmarks.charts.style import GRID, MUTED, altair, duration_axis, finished, shorten
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
    found = f"{plural(total, 'change point')} (vertical lines)" if total else "No change point"
    if any(series.changes is None for series in group):
        found = "Change points not looked for: Apache Otava is not installed"
    chart = alt.vconcat(*panels, spacing=24).resolve_scale(x="independent", y="independent")
    subtitle = [f"Time of a call over runs, oldest to newest; lower is faster. Bars: 95 % over processes. {found}."]
    return finished(chart, f"{shorten(one.workload, 48)} on {shorten(one.backend, 32)}", subtitle)


def _panel(alt: Any, series: TimeSeries) -> Any:
    names = _names(series)
    rows = [
        {
            "run": name,
            "seconds": point.seconds,
            "low": point.low or point.seconds,
            "high": point.high or point.seconds,
            "version": point.version or "",
            "result": "right" if point.verdict in (None, "pass") else "wrong",
        }
        for name, point in zip(names, series.points, strict=True)
    ]
    x = alt.X("run:O", sort=names, title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True, labelLimit=140))
    y = alt.Y("seconds:Q", scale=alt.Scale(zero=True), axis=duration_axis("", tickCount=4))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    bars = base.mark_rule(color=MUTED).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(color=LINE, strokeWidth=1.5).encode(y=y)
    results = alt.Scale(domain=["right", "wrong"], range=[LINE, "white"])
    marks = base.mark_point(size=46, stroke=LINE, opacity=1, strokeWidth=1.5).encode(
        y=y,
        fill=alt.Fill("result:N", scale=results, legend=alt.Legend(title="result")),
        tooltip=["run:N", "version:N", alt.Tooltip("seconds:Q", format=".4g"), "result:N"],
    )
    title = f"{series.contract}, {series.cache} cache; {series.work or series.workload}; {shorten(series.machine, 60)}"
    style = {"anchor": "start", "frame": "group", "fontSize": 13, "color": MUTED, "fontWeight": "normal"}
    layers = alt.layer(line, bars, marks, *_marked(alt, series, names)).resolve_scale(color="independent")
    return layers.properties(
        width=WIDTH, height=HEIGHT, title=alt.TitleParams(text=title, **style), view=alt.ViewConfig(stroke=GRID)
    )


def _marked(alt: Any, series: TimeSeries, names: Sequence[str]) -> list[Any]:
    """Vertical lines at the change points, each with its size: before the first run that is slower or faster."""
    rows = [
        {
            "run": names[change.index],
            "change": percent_change(change.ratio),
            "p": change.p,
            "times are": "slower" if change.ratio > 1 else "faster",
        }
        for change in series.changes or ()
    ]
    if not rows:
        return []
    colour = alt.Color("times are:N", scale=alt.Scale(domain=["slower", "faster"], range=[SLOWER, FASTER]))
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("run:O", sort=names, bandPosition=0),
        color=colour,
        tooltip=["run:N", "change:N", alt.Tooltip("p:Q", format=".1g")],
    )
    text = base.mark_text(align="left", dx=4, dy=8, fontWeight="bold").encode(y=alt.value(0), text="change:N")
    return [base.mark_rule(strokeWidth=1.6, strokeDash=[5, 3]), text]


def _names(series: TimeSeries) -> list[str]:
    """Date and commit of each run, no two alike."""
    often: Counter[str] = Counter()
    names = []
    for point in series.points:
        name = f"{blanked(point.started)[:10]} {blanked(point.commit or '')[:7]}".rstrip()
        often[name] += 1
        names.append(name if often[name] == 1 else f"{name} #{often[name]}")
    return names
