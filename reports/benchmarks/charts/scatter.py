"""Points with labels of their own: speed against accuracy, and compiling against running."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from reports.benchmarks.cells import Cell
from reports.benchmarks.charts.frame import Axis, Frame, log_axis, log_ticks
from reports.benchmarks.charts.placement import Box, Placed, place_labels, text_width
from reports.benchmarks.charts.style import FONT_SIZE, INK, MUTED, altair, colours, finished, label, shapes

__all__ = ["accuracy_chart", "compile_chart", "labels_of_accuracy", "labels_of_compiling"]

WIDTH, HEIGHT = 780, 430
#: Ratios of error to tolerance beyond these lie on the edge: exact results on the left, infinities on the right.
LEAST, MOST = 1e-4, 1e4
CLASS_FILL = {"A": "#eaf4ee", "B": "#f3f6ea", "C": "#fbf3df", "D": "#f3f6ea", "E": "#fbf3df", "F": "#fbe9e4"}


@dataclass(frozen=True)
class Point:
    """A cell where it is drawn, in the units of the axes."""

    cell: Cell
    x: float
    y: float
    text: str


def accuracy_chart(cells: Sequence[Cell], every: Sequence[Cell] | None = None) -> Any:
    """The flagship: percent of the memory roof against error over tolerance, for one workload, contract and cache.

    ``every`` are all cells of the run, so that colours and shapes stay the same in all its pictures. Cells without roof
    or accuracy are named below the title.
    """
    alt = altair()
    points, frame = _accuracy(cells)
    placed = _placed(points, frame, _heads(cells, frame))
    one = cells[0]
    bands = _bands(alt, cells, frame)
    x = alt.X(
        "x:Q",
        scale=_scale(alt, frame.x),
        axis=alt.Axis(
            values=log_ticks(frame.x), format="~g", title="error ÷ tolerance of the declared class (1 = at the limit)"
        ),
    )
    y = alt.Y(
        "y:Q",
        scale=_scale(alt, frame.y),
        axis=alt.Axis(format="~%", title="share of the measured memory roof", tickCount=6),
    )
    left_out = [label(cell) for cell in cells if cell.roof is None or cell.error is None]
    subtitle = [
        f"{one.workload}, {one.dtype}, {one.contract}, {one.cache} cache. Up is faster, left is more accurate.",
        "The letter is the accuracy class that was reached." if not _limits(cells) else "",
        "Hollow marks fail their accuracy class: timed, never ranked."
        if any(point.cell.accurate is False for point in points)
        else "",
        f"Without roof or accuracy, not drawn: {', '.join(left_out)}." if left_out else "",
    ]
    chart = alt.layer(*bands, *_marks(alt, points, placed, frame, x, y, every or cells))
    chart = chart.properties(width=WIDTH, height=HEIGHT)
    return finished(chart, "How fast, and how true: share of the memory roof against error", subtitle)


def compile_chart(cells: Sequence[Cell], every: Sequence[Cell] | None = None) -> Any:
    """The first call (tracing and compiling with it) against a later call, for one workload, contract and cache."""
    alt = altair()
    points, frame = _compiling(cells)
    placed = _placed(points, frame, ())
    one = cells[0]
    x = alt.X("x:Q", scale=_scale(alt, frame.x), axis=_time_axis(alt, frame.x, "a call in steady state"))
    y = alt.Y("y:Q", scale=_scale(alt, frame.y), axis=_time_axis(alt, frame.y, "the first call, nothing compiled yet"))
    chart = alt.layer(*_marks(alt, points, placed, frame, x, y, every or cells))
    subtitle = [
        (
            f"{one.workload}, {one.dtype}, {one.contract}, {one.cache} cache. "
            "Left runs faster, down is ready sooner; both axes are logarithmic."
        ),
    ]
    return finished(
        chart.properties(width=WIDTH, height=HEIGHT),
        "What compiling costs, and what it buys: first call against later ones",
        subtitle,
    )


def labels_of_accuracy(cells: Sequence[Cell]) -> list[Box]:
    """The boxes of all labels in :func:`accuracy_chart`, in pixels: for the check that none overlap."""
    points, frame = _accuracy(cells)
    heads = _heads(cells, frame)
    return [*(each.box for each in _placed(points, frame, heads)), *heads]


def labels_of_compiling(cells: Sequence[Cell]) -> list[Box]:
    """As :func:`labels_of_accuracy`, of :func:`compile_chart`."""
    return [each.box for each in _placed(*_compiling(cells), ())]


def _accuracy(cells: Sequence[Cell]) -> tuple[list[Point], Frame]:
    drawn = [cell for cell in cells if cell.roof is not None and cell.error is not None]
    errors = [_clipped(cell.error or 0.0) for cell in drawn]
    limits = [limit for limit in _limits(cells).values() if LEAST < limit < MOST]
    x = log_axis([*errors, *limits, 0.05, 2.0], WIDTH, margin=2.5)
    top = max([cell.roof or 0.0 for cell in drawn], default=1.0)
    y = Axis(0.0, max(top * 1.15, 0.02), HEIGHT, down=True)
    unnamed = not _limits(cells)  # no bands to tell the class by: the label does
    points = []
    for cell, error in zip(drawn, errors, strict=True):
        value = cell.error if cell.error is not None else math.nan
        edge = (
            " (error 0)" if value == 0 else "" if math.isfinite(value) and value <= MOST else f" (error {value:.2g}×)"
        )
        text = label(cell) + (f" · {cell.class_}" if unnamed and cell.class_ else "") + edge
        points.append(Point(cell, min(max(error, x.low), x.high), cell.roof or 0.0, text))
    return points, Frame(x, y)


def _compiling(cells: Sequence[Cell]) -> tuple[list[Point], Frame]:
    drawn = [cell for cell in cells if cell.first_call]
    x = log_axis([cell.seconds for cell in drawn], WIDTH, margin=1.8)
    y = log_axis([cell.first_call or 1.0 for cell in drawn], HEIGHT, margin=1.8, down=True)
    return [Point(cell, cell.seconds, cell.first_call or 1.0, label(cell)) for cell in drawn], Frame(x, y)


def _clipped(error: float) -> float:
    return MOST if math.isnan(error) else min(max(error, LEAST), MOST)


def _limits(cells: Sequence[Cell]) -> dict[str, float]:
    """Where the classes end, if the run says so and all backends declare the same class.

    Each backend is worst at another element, where the bounds stand a little differently to each other: the median.
    """
    said = [cell.limits for cell in cells if cell.limits]
    if not said or len({cell.declared for cell in cells if cell.declared}) > 1:
        return {}
    names = {name for limits in said for name in limits}
    ends = {name: median(limits[name] for limits in said if name in limits) for name in names}
    return {name: limit for name, limit in sorted(ends.items(), key=lambda each: (each[1], each[0])) if limit > 0}


def _regions(cells: Sequence[Cell], frame: Frame) -> list[tuple[str, str, float, float]]:
    """Class, what to write, and from where to where: by the limits that the run states, else by the one at 1."""
    declared = next((cell.declared for cell in cells if cell.declared), None)
    limits = _limits(cells) or {declared or "pass": 1.0}
    regions, start = [], frame.x.low
    for names in _together(limits, frame):
        name, end = names[0], min(max(limits[names[-1]], frame.x.low), frame.x.high)
        if end > start:
            several = f"classes {name} to {names[-1]}" if len(names) > 1 else f"class {name}"
            regions.append((name, several if len(limits) > 1 else "within the declared class", start, end))
            start = end
    if start < frame.x.high:
        regions.append(("F", "class F: fails" if len(limits) > 1 else "beyond it: fails", start, frame.x.high))
    return regions


def _together(limits: dict[str, float], frame: Frame) -> list[list[str]]:
    """Classes in order; those whose ends lie within two pixels, as where the last rounding rules them all, together."""
    groups: list[list[str]] = []
    for name, limit in limits.items():
        if groups and frame.x.pixel(limit) - frame.x.pixel(limits[groups[-1][-1]]) < 2:
            groups[-1].append(name)
        else:
            groups.append([name])
    return groups


def _heads(cells: Sequence[Cell], frame: Frame) -> list[Box]:
    """The boxes of the classes' names, at the top."""
    boxes = []
    for name, text, start, end in _regions(cells, frame):
        left = frame.x.pixel(start) + 5
        said = _fitting(name, text, frame.x.pixel(end) - left)
        if said:
            boxes.append(Box(left, 4, left + text_width(said, FONT_SIZE), 4 + FONT_SIZE * 1.3))
    return boxes


def _fitting(name: str, text: str, room: float) -> str:
    """The text, the bare class, or nothing: whichever fits."""
    return next((each for each in (text, name) if text_width(each, FONT_SIZE) + 3 <= room), "")


def _bands(alt: Any, cells: Sequence[Cell], frame: Frame) -> list[Any]:
    rows = []
    for name, text, start, end in _regions(cells, frame):
        left = frame.x.pixel(start) + 5
        rows.append(
            {
                "from": start,
                "to": end,
                "text": _fitting(name, text, frame.x.pixel(end) - left),
                "at": frame.x.value(left),
                "fill": CLASS_FILL.get(name, CLASS_FILL["B"]),
            }
        )
    base = alt.Chart(alt.Data(values=rows))
    scale = _scale(alt, frame.x)
    rectangles = base.mark_rect(opacity=1).encode(
        x=alt.X("from:Q", scale=scale), x2="to:Q", color=alt.Color("fill:N", scale=None)
    )
    names = base.mark_text(align="left", baseline="top", fontSize=FONT_SIZE, color=MUTED, dy=4).encode(
        x=alt.X("at:Q", scale=scale), y=alt.value(0), text="text:N"
    )
    limit = alt.Chart(alt.Data(values=[{"from": 1.0}])).mark_rule(strokeDash=[4, 3], color=MUTED)
    return [rectangles, names, limit.encode(x=alt.X("from:Q", scale=scale))]


def _placed(points: Sequence[Point], frame: Frame, taken: Sequence[Box]) -> list[Placed]:
    pixels = [(frame.x.pixel(point.x), frame.y.pixel(point.y)) for point in points]
    return place_labels(
        pixels, [point.text for point in points], size=FONT_SIZE, width=WIDTH, height=HEIGHT, mark=8, taken=taken
    )


def _marks(
    alt: Any, points: Sequence[Point], placed: Sequence[Placed], frame: Frame, x: Any, y: Any, every: Sequence[Cell]
) -> list[Any]:
    """Lines to labels that had to move away, marks, and labels."""
    colour, shape = colours(every), shapes(every)
    rows = []
    for point, place in zip(points, placed, strict=True):
        tint = colour[point.cell.framework]
        rows.append(
            {
                "x": point.x,
                "y": point.y,
                "backend": point.cell.backend,
                "text": point.text,
                "lx": frame.x.value(place.x),
                "ly": frame.y.value(place.y),
                "led": place.led,
                "colour": tint if point.cell.accurate is False else "white",
                "fill": "white" if point.cell.accurate is False else tint,
                "shape": shape[point.cell.mode],
            }
        )
    base = alt.Chart(alt.Data(values=rows))
    leaders = (
        base.transform_filter("datum.led")
        .mark_rule(strokeWidth=0.8, color="#9a9a9a")
        .encode(x=x, y=y, x2="lx:Q", y2="ly:Q")
    )
    marks = base.mark_point(size=150, strokeWidth=1.6, opacity=1).encode(
        x=x,
        y=y,
        shape=alt.Shape("shape:N", scale=None),
        stroke=alt.Stroke("colour:N", scale=None),
        fill=alt.Fill("fill:N", scale=None),
        tooltip=["backend:N", alt.Tooltip("x:Q", format=".3g"), alt.Tooltip("y:Q", format=".3g")],
    )
    halo = base.mark_text(fontSize=FONT_SIZE, stroke="white", strokeWidth=3, strokeJoin="round", opacity=0.9).encode(
        x=alt.X("lx:Q"), y=alt.Y("ly:Q"), text="text:N"
    )
    text = base.mark_text(fontSize=FONT_SIZE, color=INK).encode(x=alt.X("lx:Q"), y=alt.Y("ly:Q"), text="text:N")
    return [leaders, marks, halo, text]


def _scale(alt: Any, axis: Axis) -> Any:
    kind = "log" if axis.log else "linear"
    return alt.Scale(type=kind, domain=[axis.low, axis.high], nice=False, zero=False, clamp=True)


def _time_axis(alt: Any, axis: Axis, title: str) -> Any:
    expression = (
        "datum.value < 1e-6 ? format(datum.value * 1e9, '~g') + ' ns' : datum.value < 1e-3 ? "
        "format(datum.value * 1e6, '~g') + ' µs' : datum.value < 1 ? format(datum.value * 1e3, '~g') + ' ms' : "
        "format(datum.value, '~g') + ' s'"
    )
    return alt.Axis(values=log_ticks(axis), labelExpr=expression, title=title)
