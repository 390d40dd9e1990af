"""Bars for one workload: the time with its interval across processes, and the peak of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.plain import plural
from conformance.reports.benchmarks.cells import BenchmarkCell, places
from conformance.reports.benchmarks.charts.style import (
    FONT_SIZE,
    INK,
    MUTED,
    Look,
    altair,
    duration_axis,
    finished,
    spread_over,
)
from conformance.reports.benchmarks.units import seconds

__all__ = ["memory_chart", "time_chart"]

WIDTH, ROW = 540, 24


def time_chart(cells: Sequence[BenchmarkCell], look: Look) -> Any:
    """The time of a call, a panel for each contract and cache: the fastest that conforms on top.

    A bar in outline stands for a backend that fails its accuracy class, or has no accuracy: below the others, without
    a rank. ``cells`` are of one workload.
    """
    alt = altair()
    panels = []
    for title, group in _groups(cells):
        rows = [
            _row(cell, look, cell.seconds, seconds(cell.seconds), rank) | {"low": cell.low, "high": cell.high}
            for rank, cell in places(group)
        ]
        interval = alt.Chart(alt.Data(values=rows)).mark_rule(strokeWidth=1.2, color=INK)
        interval = interval.encode(x="low:Q", x2="high:Q", y=_names(alt, rows))
        axis = duration_axis("time of a call", tickCount=6)
        panels.append(_panel(alt, title, [_bars(alt, rows, axis), interval, _texts(alt, rows, "high")], len(rows)))
    one = cells[0]
    unranked = sorted({cell.unranked for cell in cells if cell.unranked})
    subtitle = [
        f"{_work(one)}. Shorter is faster; the line is the 95 % interval over {spread_over(cells)}.",
        f"In outline, timed and never ranked: {', '.join(unranked)}." if unranked else "",
    ]
    return finished(_stacked(alt, panels), f"{one.workload}: time of a call", subtitle)


def memory_chart(cells: Sequence[BenchmarkCell], look: Look) -> Any | None:
    """The peak of memory as a multiple of the logits, a panel for each contract; None if no cell has it."""
    alt = altair()
    panels = []
    for title, group in _groups([cell for cell in cells if cell.peak_multiple is not None]):
        order = sorted(group, key=lambda cell: (cell.peak_multiple, cell.backend))
        rows = [_row(cell, look, cell.peak_multiple or 0.0, f"{cell.peak_multiple:.2f}×") for cell in order]
        size = alt.Chart(alt.Data(values=[{"value": 1.0}])).mark_rule(strokeDash=[5, 4], color=INK).encode(x="value:Q")
        axis = alt.Axis(title="peak memory ÷ size of the logits", tickCount=6)
        panels.append(_panel(alt, title, [_bars(alt, rows, axis), size, _texts(alt, rows, "value")], len(rows)))
    if not panels:
        return None
    one = cells[0]
    subtitle = [
        f"{_work(one)}. Memory beyond the inputs.",
        "Shorter is leaner; the dashed line is the size of the logits.",
    ]
    return finished(_stacked(alt, panels), f"{one.workload}: peak memory of a call", subtitle)


def _groups(cells: Sequence[BenchmarkCell]) -> list[tuple[str, list[BenchmarkCell]]]:
    """Cells by contract and cache, with the title of each panel."""
    found: dict[tuple[str, str], list[BenchmarkCell]] = {}
    for cell in cells:
        found.setdefault((cell.contract, cell.cache), []).append(cell)
    return [
        (contract if cache == "warm" else f"{contract}, {cache} cache", group)
        for (contract, cache), group in sorted(found.items())
    ]


def _row(cell: BenchmarkCell, look: Look, value: float, text: str, rank: int | None = None) -> dict[str, Any]:
    colour, name = look.colour(cell.backend), look.names[cell.backend]
    return {
        "name": name if rank is None else f"{rank}. {name}",
        "backend": cell.backend,
        "value": value,
        "text": f"{text} · {cell.unranked}: not ranked" if cell.unranked else text,
        "fill": "white" if cell.unranked else colour,
        "stroke": colour,
    }


def _names(alt: Any, rows: list[dict[str, Any]]) -> Any:
    axis = alt.Axis(ticks=False, domain=False, labelPadding=8, labelLimit=320)
    return alt.Y("name:N", sort=[row["name"] for row in rows], title=None, axis=axis, scale=alt.Scale(padding=0.2))


def _bars(alt: Any, rows: list[dict[str, Any]], axis: Any) -> Any:
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(strokeWidth=1.5)
        .encode(
            x=alt.X("value:Q", axis=axis),
            y=_names(alt, rows),
            fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("stroke:N", scale=None),
            tooltip=["backend:N", "text:N"],
        )
    )


def _texts(alt: Any, rows: list[dict[str, Any]], end: str) -> Any:
    """Each value behind its bar."""
    marks = alt.Chart(alt.Data(values=rows)).mark_text(align="left", dx=7, fontSize=FONT_SIZE, color=INK)
    return marks.encode(x=f"{end}:Q", y=_names(alt, rows), text="text:N")


def _panel(alt: Any, title: str, layers: list[Any], rows: int) -> Any:
    text = alt.TitleParams(text=title, fontSize=13, color=MUTED, frame="group", offset=6)
    return alt.layer(*layers).properties(width=WIDTH, height=ROW * rows, title=text)


def _stacked(alt: Any, panels: list[Any]) -> Any:
    return alt.vconcat(*panels, spacing=26).resolve_scale(y="independent", x="independent")


def _work(cell: BenchmarkCell) -> str:
    return f"{cell.dtype}, {plural(cell.positions, 'position')} of {cell.classes:,} classes"
