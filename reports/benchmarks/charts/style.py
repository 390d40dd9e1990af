"""One look for all pictures: colours for frameworks, shapes for modes, type sizes, titles that say what is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from conformance.model.errors import UsageError
from conformance.plain import blanked
from conformance.reports.benchmarks.cells import Cell
from conformance.reports.benchmarks.charts.placement import text_width

__all__ = [
    "FONT", "FONT_SIZE", "GRID", "INK", "MUTED",
    "altair", "colours", "distinct", "finished", "labels", "shapes", "shorten", "signed", "spread_over",
]  # fmt: skip

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
            hint="install the extra: pip install -e '.[report]'",
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


def labels(cells: Iterable[Cell]) -> dict[str, str]:
    """What stands beside a backend's mark: its name, and its mode where the name does not say it; no two alike."""
    modes = {cell.backend: cell.mode for cell in cells}
    names = distinct(modes, 34)
    for backend, mode in modes.items():
        if mode and mode not in backend and mode != "eager":
            names[backend] += f" ({shorten(mode, 12)})"
    return names


def distinct(names: Iterable[str], length: int) -> dict[str, str]:
    """Each name in at most ``length`` printable characters, no two alike: kernels of one file differ at their end."""
    short = {name: shorten(name, length) for name in sorted({*names})}
    alike = Counter(short.values())
    short |= {name: f"…{blanked(name)[1 - length :]}" for name, said in short.items() if alike[said] > 1}
    alike = Counter(short.values())
    same = [name for name, said in short.items() if alike[said] > 1]
    return short | {name: f"{shorten(name, length - 4)} #{number}" for number, name in enumerate(same, 1)}


def shorten(text: str, length: int) -> str:
    """At most ``length`` printable characters; what is cut shows as an ellipsis in the middle."""
    plain = blanked(text)
    if len(plain) <= length:
        return plain
    head = (length - 1) * 2 // 3
    return f"{plain[:head]}…{plain[len(plain) - (length - 1 - head) :]}"


#: Where lines below a title break: an SVG is drawn in the reader's font, which may be a sixth wider than ours.
WRAP = 620


def finished(chart: Any, title: str, subtitle: Iterable[str] = ()) -> Any:
    """The chart with title, subtitle and the common look."""
    lines = [line for text in subtitle for line in _wrapped(text)]
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


def signed(chart: Any, facts: Iterable[str]) -> Any:
    """A finished chart with more lines below its title: who is missing, on what machine and with what it was made."""
    said = chart.title.to_dict().get("subtitle", [])
    chart.title.subtitle = [*said, *(line for fact in facts for line in _wrapped(fact))]
    return chart


def spread_over(cells: Iterable[Cell]) -> str:
    """What an interval tells of: ``5 processes``, ``3–5 processes``; of a single one only the rounds can tell."""
    counts = sorted({cell.processes for cell in cells})
    if counts == [1]:
        return "the rounds of one process"
    return f"{'–'.join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))} processes"


def _wrapped(text: str, width: float = WRAP) -> list[str]:
    """Lines of at most ``width`` pixels, as a longer one would widen the whole picture; none within a fixed space."""
    lines: list[str] = []
    for word in filter(None, text.split(" ")):
        if lines and text_width(f"{lines[-1]} {word}", FONT_SIZE) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
