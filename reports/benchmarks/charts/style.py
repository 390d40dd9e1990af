"""One look for all pictures: colours for frameworks, shapes for modes, type sizes, titles that say what is better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conformance.errors import UsageError
from conformance.plain import blanked
from reports.benchmarks.cells import Cell

__all__ = ["FONT", "FONT_SIZE", "GRID", "INK", "MUTED", "altair", "colours", "finished", "label", "shapes", "shorten"]

#: Okabe and Ito's palette, told apart with any kind of colour vision; its yellow is too pale for marks on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("circle", "triangle-up", "square", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
FONT_SIZE = 12
INK, MUTED, GRID = "#1a1a1a", "#5a5a5a", "#e4e4e4"


def altair() -> Any:
    """Altair, imported when the first picture is drawn. Raises UsageError if it is not installed."""
    try:
        import altair as module
    except ImportError as error:
        raise UsageError(
            f"pictures need {error.name or 'altair'}, which is not installed",
            mend="install the extra: pip install -e '.[report]'",
        ) from None
    return module


def colours(cells: Iterable[Cell]) -> dict[str, str]:
    """A colour for each framework: the same one in every picture of the run, whatever part of it is shown."""
    names = sorted({cell.framework for cell in cells})
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def shapes(cells: Iterable[Cell]) -> dict[str, str]:
    """A shape for each mode, as :func:`colours`."""
    names = sorted({cell.mode for cell in cells})
    return {name: SHAPES[i % len(SHAPES)] for i, name in enumerate(names)}


def label(cell: Cell) -> str:
    """What stands beside a mark: the backend, and its mode where its name does not say it."""
    name = shorten(cell.backend, 34)
    tells = not cell.mode or cell.mode in cell.backend or cell.mode == "eager"
    return name if tells else f"{name} ({shorten(cell.mode, 12)})"


def shorten(text: str, length: int) -> str:
    """At most ``length`` printable characters; what is cut shows as an ellipsis in the middle."""
    plain = blanked(text)
    if len(plain) <= length:
        return plain
    head = (length - 1) * 2 // 3
    return f"{plain[:head]}…{plain[len(plain) - (length - 1 - head) :]}"


def finished(chart: Any, title: str, subtitle: Iterable[str] = ()) -> Any:
    """The chart with title, subtitle and the common look."""
    lines = [line for line in subtitle if line]
    said: dict[str, Any] = {"text": title, "anchor": "start", "frame": "bounds", "offset": 14}
    if lines:
        said["subtitle"] = lines
    return (
        chart.properties(title=altair().TitleParams(**said), padding=16, background="white")
        .configure_view(stroke=None)
        .configure(font=FONT)
        .configure_title(fontSize=17, subtitleFontSize=12.5, color=INK, subtitleColor=MUTED, subtitlePadding=6)
        .configure_axis(
            labelFontSize=FONT_SIZE,
            titleFontSize=12.5,
            titleFontWeight="normal",
            titleColor=INK,
            labelColor=INK,
            gridColor=GRID,
            domainColor="#9a9a9a",
            tickColor="#9a9a9a",
            titlePadding=10,
        )
        .configure_header(labelFontSize=13, labelColor=INK, titleFontSize=13)
        .configure_legend(labelFontSize=FONT_SIZE, titleFontSize=FONT_SIZE, labelColor=INK)
    )
