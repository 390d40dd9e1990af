"""How the time per logit changes with an extent: a line for each backend, named at its end."""

from __future__ import annotations

from typing import Any

from conformance.reports.benchmarks.cells import Cell, Series
from conformance.reports.benchmarks.charts.frame import Axis, log_axis, log_ticks
from conformance.reports.benchmarks.charts.placement import Box, spread, text_width
from conformance.reports.benchmarks.charts.style import (
    FONT_SIZE,
    INK,
    MUTED,
    altair,
    colours,
    finished,
    labels,
    shapes,
    spread_over,
)

__all__ = ["labels_of_scaling", "scaling_chart"]

WIDTH, HEIGHT = 620, 430
GAP = FONT_SIZE * 1.35
AT = WIDTH + 26


def scaling_chart(series: Series, every: tuple[Cell, ...] | None = None) -> Any:
    """Nanoseconds per logit over the classes, or over the positions; both axes logarithmic."""
    alt = altair()
    lines = _lines(series)
    x, y = _axes(series)
    tint, shape = colours(every or series.cells), shapes(every or series.cells)
    scale_x = alt.Scale(type="log", domain=[x.low, x.high], nice=False)
    scale_y = alt.Scale(type="log", domain=[y.low, y.high], nice=False)
    extents = sorted({_extent(cell, series) for cell in series.cells})
    axis_x = alt.X(
        "x:Q", scale=scale_x, axis=alt.Axis(values=extents, format=",", title=f"{series.over} (logarithmic)")
    )
    axis_y = alt.Y(
        "y:Q", scale=scale_y, axis=alt.Axis(values=log_ticks(y), format="~g", title="ns per logit (logarithmic)")
    )
    rows = [
        {
            "x": _extent(cell, series),
            "y": cell.ns_per_logit,
            "low": (cell.ns_per_logit or 0.0) * cell.low / cell.seconds,
            "high": (cell.ns_per_logit or 0.0) * cell.high / cell.seconds,
            "backend": name,
            "stroke": tint[cell.framework],
            "fill": "white" if cell.wrong else tint[cell.framework],
            "shape": shape[cell.mode],
        }
        for name, cells in lines.items()
        for cell in cells
    ]
    base = alt.Chart(alt.Data(values=rows))
    stroke = alt.Stroke("stroke:N", scale=None)
    line = base.mark_line(strokeWidth=2).encode(x=axis_x, y=axis_y, stroke=stroke, detail="backend:N")
    spans = base.mark_rule(strokeWidth=1.2, opacity=0.8).encode(x=axis_x, y=alt.Y("low:Q"), y2="high:Q", stroke=stroke)
    marks = base.mark_point(size=70, strokeWidth=1.5, opacity=1).encode(
        x=axis_x, y=axis_y, stroke=stroke, fill=alt.Fill("fill:N", scale=None), shape=alt.Shape("shape:N", scale=None)
    )
    chart = alt.layer(line, spans, *_ends(alt, series, lines, x, y, tint), marks).properties(width=WIDTH, height=HEIGHT)
    over = spread_over(series.cells)
    subtitle = [
        f"{series.name}, {series.cells[0].dtype}, {series.contract}; {series.fixed}.",
        f"Lower is faster; flat means that a logit costs the same. Upright lines: 95 % interval over {over}.",
        "Hollow marks fail their accuracy class, or beat the memory."
        if any(cell.wrong for cell in series.cells)
        else "",
    ]
    return finished(chart, f"What a logit costs as the {series.over} grow", subtitle)


def labels_of_scaling(series: Series) -> list[Box]:
    """The boxes of the labels at the lines' ends, in pixels."""
    _, y = _axes(series)
    names = labels(series.cells)
    boxes = []
    for (_, cells), height in zip(*_heights(series, y), strict=True):
        width = text_width(names[cells[-1].backend], FONT_SIZE)
        boxes.append(Box(AT, height - FONT_SIZE * 0.62, AT + width, height + FONT_SIZE * 0.62))
    return boxes


def _heights(series: Series, y: Axis) -> tuple[list[tuple[str, list[Cell]]], list[float]]:
    ends = list(_lines(series).items())
    wanted = [y.pixel(cells[-1].ns_per_logit or y.low) for _, cells in ends]
    return ends, spread(wanted, GAP, GAP / 2, HEIGHT - GAP / 2)


def _lines(series: Series) -> dict[str, list[Cell]]:
    lines: dict[str, list[Cell]] = {}
    for cell in sorted(series.cells, key=lambda cell: _extent(cell, series)):
        lines.setdefault(cell.backend, []).append(cell)
    return lines


def _axes(series: Series) -> tuple[Axis, Axis]:
    x = log_axis([_extent(cell, series) for cell in series.cells], WIDTH, margin=1.25)
    spans = [(cell.ns_per_logit or 1.0) * end / cell.seconds for cell in series.cells for end in (cell.low, cell.high)]
    return x, log_axis(spans, HEIGHT, margin=1.3, down=True)


def _extent(cell: Cell, series: Series) -> float:
    return float(getattr(cell, series.over))


def _ends(alt: Any, series: Series, lines: dict[str, list[Cell]], x: Axis, y: Axis, tint: dict[str, str]) -> list[Any]:
    """The backends' names right of the picture, each with a thin line to where its curve ends."""
    layers = []
    names = labels(series.cells)
    for (_, cells), height in zip(*_heights(series, y), strict=True):
        last = cells[-1]
        data = alt.Chart(alt.Data(values=[{"text": names[last.backend]}]))
        start_x, start_y = x.pixel(_extent(last, series)), y.pixel(last.ns_per_logit or y.low)
        layers.append(
            data.mark_rule(strokeWidth=0.9, color=MUTED, clip=False, opacity=0.7).encode(
                x=alt.value(start_x + 5), y=alt.value(start_y), x2=alt.value(AT - 4), y2=alt.value(height)
            )
        )
        layers.append(
            data.mark_text(align="left", fontSize=FONT_SIZE, color=INK, clip=False).encode(
                x=alt.value(AT), y=alt.value(height), text="text:N"
            )
        )
    return layers
