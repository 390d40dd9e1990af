"""Bars for one workload: the time with its interval across processes, and the peak of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.reports.benchmarks.cells import Cell, places
from conformance.reports.benchmarks.charts.placement import text_width
from conformance.reports.benchmarks.charts.style import (
    FONT_SIZE,
    INK,
    MUTED,
    altair,
    colours,
    finished,
    labels,
    spread_over,
)
from conformance.reports.benchmarks.units import seconds

__all__ = ["memory_chart", "time_chart"]

WIDTH, ROW = 560, 24


def time_chart(cells: Sequence[Cell], every: Sequence[Cell] | None = None) -> Any:
    """The time of a call, a panel for each contract and cache: the fastest that conforms on top.

    A bar in outline stands for a backend that fails its accuracy class, or has no accuracy: below the others, without
    a rank. ``cells`` are of one workload.
    """
    alt = altair()
    tint, names = colours(every or cells), labels(cells)
    panels = []
    for group in _groups(cells):
        rows = [_row(cell, tint, names, rank, cell.seconds, _said(cell, seconds(cell.seconds))) for rank, cell in group]
        for row, (_, cell) in zip(rows, group, strict=True):
            row |= {"low": cell.low, "high": cell.high}
        panel = _panel(alt, rows, "time of a call", intervals=True)
        panels.append(panel.properties(title=_panel_title(alt, group[0][1])))
    one = cells[0]
    subtitle = [
        (f"{one.dtype}{_extent(one)}. Shorter is faster; the line is the 95 % interval over {spread_over(cells)}."),
        f"In outline, timed and never ranked: {', '.join(sorted({cell.unranked for cell in cells if cell.unranked}))}."
        if any(cell.unranked for cell in cells)
        else "",
    ]
    return finished(_stacked(alt, panels), f"{one.workload}: time of a call", subtitle)


def memory_chart(cells: Sequence[Cell], every: Sequence[Cell] | None = None) -> Any | None:
    """The peak of memory as a multiple of the logits, a panel for each contract; None if no cell has it."""
    alt = altair()
    tint, names = colours(every or cells), labels(cells)
    panels = []
    for group in _groups([cell for cell in cells if cell.memory is not None]):
        order = sorted((cell for _, cell in group), key=lambda cell: (cell.memory, cell.backend))
        rows = [_row(cell, tint, names, None, cell.memory or 0.0, _said(cell, f"{cell.memory:.2f}×")) for cell in order]
        panel = _panel(alt, rows, "peak memory ÷ size of the logits", reference=1.0)
        panels.append(panel.properties(title=_panel_title(alt, group[0][1])))
    if not panels:
        return None
    one = cells[0]
    subtitle = [
        f"{one.dtype}{_extent(one)}. Memory beyond the inputs.",
        "Shorter is leaner; the dashed line is the size of the logits.",
    ]
    return finished(_stacked(alt, panels), f"{one.workload}: peak memory of a call", subtitle)


def _groups(cells: Sequence[Cell]) -> list[list[tuple[int | None, Cell]]]:
    """Cells with their ranks, by contract and cache."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.contract, cell.cache), []).append(cell)
    groups = []
    for _, group in sorted(found.items()):
        groups.append(places(group))
    return groups


def _row(
    cell: Cell, tint: dict[str, str], names: dict[str, str], rank: int | None, value: float, text: str
) -> dict[str, Any]:
    colour = tint[cell.framework]
    fails = cell.unranked is not None
    name = names[cell.backend]
    return {
        "name": f"{rank}. {name}" if rank is not None else name,
        "backend": cell.backend,
        "value": value,
        "text": text,
        "fill": "white" if fails else colour,
        "stroke": colour,
        "dash": fails,
    }


def _said(cell: Cell, value: str) -> str:
    return f"{value} · {cell.unranked}: not ranked" if cell.unranked else value


def _panel(
    alt: Any, rows: list[dict[str, Any]], title: str, *, intervals: bool = False, reference: float | None = None
) -> Any:
    """Bars with their values beside them; the axis leaves room for the longest text."""
    order = [row["name"] for row in rows]
    reach = max([row.get("high", row["value"]) for row in rows] + [reference or 0.0])
    # Where the axis must end for a bar and the text behind it to fit into the width.
    ends = [(row.get("high", row["value"]), WIDTH - text_width(row["text"], FONT_SIZE) - 14) for row in rows]
    top = max(1.02 * reach, *(end * WIDTH / max(room, WIDTH / 4) for end, room in ends))
    base = alt.Chart(alt.Data(values=rows))
    y = alt.Y(
        "name:N",
        sort=order,
        title=None,
        axis=alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=320),
        scale=alt.Scale(paddingInner=0.28, paddingOuter=0.15),
    )
    axis = alt.Axis(tickCount=6, title=title, grid=True, **({"labelExpr": _DURATION} if intervals else {}))
    x = alt.X("value:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=axis)
    solid = base.mark_bar(strokeWidth=1.5).encode(
        x=x,
        y=y,
        fill=alt.Fill("fill:N", scale=None),
        stroke=alt.Stroke("stroke:N", scale=None),
        strokeDash=alt.condition("datum.dash", alt.value([4, 3]), alt.value([1, 0])),
        tooltip=["backend:N", alt.Tooltip("value:Q", format=".4g")],
    )
    layers = [solid]
    if reference is not None:
        line = alt.Chart(alt.Data(values=[{"value": reference}])).mark_rule(strokeDash=[5, 4], color=INK)
        layers.append(line.encode(x="value:Q"))
    if intervals:
        layers.append(base.mark_rule(strokeWidth=2.4, color="white").encode(x="low:Q", x2="high:Q", y=y))
        layers.append(base.mark_rule(strokeWidth=1.2, color=INK).encode(x="low:Q", x2="high:Q", y=y))
    end = "high:Q" if intervals else "value:Q"
    style: dict[str, Any] = {"align": "left", "dx": 7, "fontSize": FONT_SIZE}
    halo = base.mark_text(stroke="white", strokeWidth=4, strokeJoin="round", **style)
    for each in (halo, base.mark_text(color=INK, **style)):
        layers.append(each.encode(x=alt.X(end), y=y, text="text:N"))
    return alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows))


def _stacked(alt: Any, panels: list[Any]) -> Any:
    return alt.vconcat(*panels, spacing=26).resolve_scale(y="independent", x="independent")


def _panel_title(alt: Any, cell: Cell) -> Any:
    said = cell.contract if cell.cache == "warm" else f"{cell.contract}, {cell.cache} cache"
    return alt.TitleParams(text=said, anchor="start", fontSize=13, color=MUTED, offset=6)


def _extent(cell: Cell) -> str:
    if not cell.positions or not cell.classes:
        return ""
    return f", {cell.positions:,} position{'s' * (cell.positions != 1)} of {cell.classes:,} classes"


_DURATION = (
    "datum.value == 0 ? '0' : datum.value < 1e-6 ? format(datum.value * 1e9, '~r') + ' ns' : datum.value < 1e-3 ? "
    "format(datum.value * 1e6, '~r') + ' µs' : datum.value < 1 ? format(datum.value * 1e3, '~r') + ' ms' : "
    "format(datum.value, '~r') + ' s'"
)
