"""Points with labels of their own: speed against accuracy, and compiling against running."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from conformance.reports.benchmarks.cells import Cell
from conformance.reports.benchmarks.charts.frame import Axis, Frame, log_axis, log_ticks
from conformance.reports.benchmarks.charts.placement import Box, Placed, place_labels, text_width
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

__all__ = ["accuracy_chart", "compile_chart", "labels_of_accuracy", "labels_of_compiling"]

WIDTH, HEIGHT = 780, 430
#: Ratios of error to tolerance beyond these lie on the edge: exact results on the left, infinities on the right.
LEAST, MOST = 1e-4, 1e4
MARK = 8.0  # the radius of a mark, in pixels
AXIS = "error ÷ tolerance of the declared class (1 = at the limit; logarithmic)"
CLASS_FILL = {"A": "#eaf4ee", "B": "#f3f6ea", "C": "#fbf3df", "D": "#f3f6ea", "E": "#fbf3df", "F": "#fbe9e4"}


@dataclass(frozen=True)
class Point:
    """A cell where it is drawn, in the units of the axes."""

    cell: Cell
    x: float
    y: float
    text: str
    span: tuple[float, float, float, float]
    """The 95 % interval of the time as a line: from x, y to x, y."""


def accuracy_chart(cells: Sequence[Cell], every: Sequence[Cell] | None = None) -> Any:
    """The flagship: share of the peak bandwidth against error over tolerance, for one workload, contract and cache.

    ``every`` are all cells of the run, so that colours and shapes stay the same in all its pictures. Cells without
    bandwidth or accuracy are named below the title.
    """
    alt = altair()
    points, frame = _accuracy(cells)
    placed = _placed(points, frame, _heads(cells, frame))
    one = cells[0]
    bands = _bands(alt, cells, frame)
    x = alt.X(
        "x:Q",
        scale=_scale(alt, frame.x),
        axis=alt.Axis(values=log_ticks(frame.x), format="~g", title=AXIS),
    )
    y = alt.Y(
        "y:Q",
        scale=_scale(alt, frame.y),
        axis=alt.Axis(format="~%", title="share of the measured peak bandwidth", tickCount=6),
    )
    names = labels(cells)
    left_out = [names[cell.backend] for cell in cells if cell.bandwidth_fraction is None or cell.error is None]
    impossible = [names[cell.backend] for cell in cells if cell.impossible]
    subtitle = [
        f"{one.workload}, {one.dtype}, {one.contract}, {one.cache} cache. Up is faster, left is more accurate.",
        f"{_declared(cells)} {_lines(cells)}",
        "The letter is the accuracy class that was reached." if not _limits(cells) else "",
        "Hollow marks fail their accuracy class: timed, never ranked."
        if any(point.cell.accurate is False for point in points)
        else "",
        f"without bandwidth or accuracy, not drawn: {', '.join(left_out)}." if left_out else "",
        f"Faster than memory, not computed anew, not drawn: {', '.join(impossible)}." if impossible else "",
    ]
    chart = alt.layer(*bands, *_marks(alt, points, placed, frame, x, y, every or cells))
    chart = chart.properties(width=WIDTH, height=HEIGHT)
    return finished(chart, "How fast, and how true: share of the peak bandwidth against error", subtitle)


def compile_chart(cells: Sequence[Cell], every: Sequence[Cell] | None = None) -> Any:
    """The first call (tracing and compiling with it) against a later call, for one workload, contract and cache."""
    alt = altair()
    points, frame = _compiling(cells)
    placed = _placed(points, frame, ())
    one, names = cells[0], labels(cells)
    x = alt.X("x:Q", scale=_scale(alt, frame.x), axis=_time_axis(alt, frame.x, "a call in steady state (logarithmic)"))
    first = "the first call, nothing compiled yet (logarithmic)"
    y = alt.Y("y:Q", scale=_scale(alt, frame.y), axis=_time_axis(alt, frame.y, first))
    opening = sorted(names[cell.backend] for cell in cells if cell.opens and cell.first_call)
    chart = alt.layer(*_marks(alt, points, placed, frame, x, y, every or cells))
    subtitle = [
        (f"{one.workload}, {one.dtype}, {one.contract}, {one.cache} cache. Left runs faster, down is ready sooner."),
        _lines(cells),
        (
            f"The very first call of its process, which pays as well for what is loaded once: {', '.join(opening)}."
            if opening
            else ""
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
    drawn = [cell for cell in cells if cell.drawable]
    errors = [_clipped(cell.error or 0.0) for cell in drawn]
    limits = [limit for limit in _limits(cells).values() if LEAST < limit < MOST]
    x = log_axis([*errors, *limits, 0.05, 2.0], WIDTH, margin=2.5)
    top = max([(cell.bandwidth_fraction or 0.0) * cell.seconds / cell.low for cell in drawn], default=1.0)
    y = Axis(0.0, max(top * 1.15, 0.02), HEIGHT, down=True)
    names = labels(cells)
    unnamed = not _limits(cells)  # no bands to tell the class by: the label does
    points = []
    for cell, error in zip(drawn, errors, strict=True):
        text = names[cell.backend] + (f" · {cell.class_}" if unnamed and cell.class_ else "") + _beyond(cell)
        at, fraction = min(max(error, x.low), x.high), cell.bandwidth_fraction or 0.0
        span = at, fraction * cell.seconds / cell.high, at, fraction * cell.seconds / cell.low
        points.append(Point(cell, at, fraction, text, span))
    return _apart(points, x, 0), Frame(x, y)


def _compiling(cells: Sequence[Cell]) -> tuple[list[Point], Frame]:
    drawn = [cell for cell in cells if cell.first_call]
    x = log_axis([end for cell in drawn for end in (cell.low, cell.high)], WIDTH, margin=1.8)
    y = log_axis([cell.first_call or 1.0 for cell in drawn], HEIGHT, margin=1.8, down=True)
    names = labels(cells)
    points = []
    for cell in drawn:
        first = cell.first_call or 1.0
        points.append(Point(cell, cell.seconds, first, names[cell.backend], (cell.low, first, cell.high, first)))
    return _apart(points, y, 1), Frame(x, y)


def _apart(points: Sequence[Point], across: Axis, start: int) -> list[Point]:
    """The intervals that lie in line and overlap, moved a little: else one would seem to end where another does."""
    moved = []
    for point in points:
        at = across.pixel(point.span[start])
        level = [
            each
            for each in points
            if abs(across.pixel(each.span[start]) - at) < MARK
            and each.span[1 - start] <= point.span[3 - start]
            and point.span[1 - start] <= each.span[3 - start]
        ]
        shift = 3.5 * (level.index(point) - (len(level) - 1) / 2)
        span = list(point.span)
        span[start] = span[start + 2] = across.value(at + max(-5.0, min(shift, 5.0)))
        moved.append(replace(point, span=(span[0], span[1], span[2], span[3])))
    return moved


def _lines(cells: Sequence[Cell]) -> str:
    return f"Lines through marks: 95 % interval of the time over {spread_over(cells)}."


def _beyond(cell: Cell) -> str:
    """Where a mark lies on the edge, what it stands for."""
    error = math.nan if cell.error is None else cell.error
    if LEAST <= error <= MOST:
        return ""
    said = {math.inf: "∞", 0.0: "0"}.get(error, f"{error:.2g}×")
    return " (error undefined)" if math.isnan(error) else f" (error {said})"


def _declared(cells: Sequence[Cell]) -> str:
    """Whose tolerance the errors are held against."""
    declared = {cell.declared for cell in cells if cell.declared}
    if len(declared) > 1:
        return "Each error is held against the class that its backend declares."
    return f"The tolerance is class {declared.pop()}'s, which all declare." if declared else ""


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
    texts = [point.text for point in points]
    taken = [*taken, *(box for point in points for box in _span_boxes(point, frame))]
    return place_labels(pixels, texts, size=FONT_SIZE, width=WIDTH, height=HEIGHT, mark=MARK, taken=taken)


def _span_boxes(point: Point, frame: Frame) -> list[Box]:
    """What an interval covers beyond its mark: no label may hide how far it reaches."""
    x, y = frame.x.pixel(point.x), frame.y.pixel(point.y)
    left, top, right, bottom = (axis.pixel(end) for axis, end in zip((frame.x, frame.y) * 2, point.span, strict=True))
    top, bottom = min(top, bottom), max(top, bottom)
    boxes = [Box(left, y - 1, x - MARK, y + 1), Box(x + MARK, y - 1, right, y + 1)]
    boxes += [Box(x - 1, top, x + 1, y - MARK), Box(x - 1, y + MARK, x + 1, bottom)]
    return [box for box in boxes if box.left < box.right and box.top < box.bottom]


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
                "tint": tint,
                **dict(zip(("x1", "y1", "x2", "y2"), point.span, strict=True)),
            }
        )
    base = alt.Chart(alt.Data(values=rows))
    leaders = (
        base.transform_filter("datum.led")
        .mark_rule(strokeWidth=0.8, color="#9a9a9a")
        .encode(x=x, y=y, x2="lx:Q", y2="ly:Q")
    )
    spans = base.mark_rule(strokeWidth=1.4).encode(
        x=alt.X("x1:Q"), y=alt.Y("y1:Q"), x2="x2:Q", y2="y2:Q", stroke=alt.Stroke("tint:N", scale=None)
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
    return [leaders, spans, marks, halo, text]


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
