"""One look for all pictures: a colour and a shape for each backend, type sizes, titles that say what is better."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from conformance.extras import imported
from conformance.plain import blanked
from conformance.reports.benchmarks.cells import BenchmarkCell

__all__ = [
    "FONT_SIZE", "GRID", "INK", "MUTED",
    "Look", "altair", "distinct", "duration_axis", "finished", "log_span", "shorten", "signed", "spread_over",
]  # fmt: skip

#: Okabe and Ito's palette, distinct with any kind of colour vision; its yellow is too pale for marks on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("circle", "triangle-up", "square", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")
FONT_SIZE = 12
INK, MUTED, GRID = "#1a1a1a", "#5a5a5a", "#e4e4e4"
#: Characters of a line below a title: an SVG is drawn in the reader's font, which may be a sixth wider than ours.
WRAP = 104
CONFIG: dict[str, Any] = {
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "view": {"stroke": None},
    "title": {
        "fontSize": 17, "subtitleFontSize": 12.5, "color": INK, "subtitleColor": MUTED, "subtitlePadding": 6,
        "anchor": "start", "frame": "bounds", "offset": 14,
    },
    "axis": {
        "labelFontSize": FONT_SIZE, "titleFontSize": 12.5, "titleFontWeight": "normal", "titleColor": INK,
        "labelColor": INK, "gridColor": GRID, "domainColor": "#9a9a9a", "tickColor": "#9a9a9a", "titlePadding": 10,
    },
    "legend": {
        "labelFontSize": FONT_SIZE, "labelColor": INK, "labelLimit": 300, "symbolSize": 110, "symbolStrokeWidth": 1.6,
        "rowPadding": 5, "title": None,
    },
}  # fmt: skip
#: Seconds in the unit that suits them.
_DURATION = (
    "datum.value == 0 ? '0' : datum.value < 1e-6 ? format(datum.value * 1e9, '~r') + ' ns' : datum.value < 1e-3 ? "
    "format(datum.value * 1e6, '~r') + ' µs' : datum.value < 1 ? format(datum.value * 1e3, '~r') + ' ms' : "
    "format(datum.value, '~r') + ' s'"
)


def altair() -> Any:
    """Altair, imported when the first picture is drawn. Raises UsageError if it is not installed."""
    return imported("altair", "report", "pictures need")


class Look:
    """A colour for each framework and a shape for each of its backends, the same in every picture of a run.

    ``every`` are all cells of the run; ``names`` is what a backend is called in legends and on axes.
    """

    def __init__(self, every: Sequence[BenchmarkCell]) -> None:
        self.names = _labels(every)
        frameworks = sorted({cell.framework for cell in every})
        self._colours: dict[str, str] = {}
        self._shapes: dict[str, str] = {}
        for number, framework in enumerate(frameworks):
            backends = sorted({cell.backend for cell in every if cell.framework == framework})
            for place, backend in enumerate(backends):
                self._colours[backend] = PALETTE[number % len(PALETTE)]
                self._shapes[backend] = SHAPES[place % len(SHAPES)]

    def colour(self, backend: str) -> str:
        """The backend's colour, as CSS has it."""
        return self._colours[backend]

    def legend(self, texts: dict[str, str]) -> dict[str, Any]:
        """The encodings ``color`` and ``shape`` of the field ``name``; ``texts`` maps backends to its values."""
        alt = altair()
        texts = dict(sorted(texts.items()))
        names = [*texts.values()]
        colours = alt.Scale(domain=names, range=[self._colours[backend] for backend in texts])
        shapes = alt.Scale(domain=names, range=[self._shapes[backend] for backend in texts])
        return {"color": alt.Color("name:N", scale=colours), "shape": alt.Shape("name:N", scale=shapes)}


def duration_axis(title: str, **options: Any) -> Any:
    """An axis of seconds, labelled in units."""
    return altair().Axis(title=title, labelExpr=_DURATION, **options)


def log_span(values: Iterable[float], margin: float) -> tuple[list[float], list[float]]:
    """The ends of a logarithmic axis around ``values``, with a factor ``margin`` on both sides, and its ticks."""
    found = [*values] or [1.0]
    low, high = min(found) / margin, max(found) * margin
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 1e4 else (1,)
    ticks = (float(f"{step}e{power}") for power in powers for step in steps)
    return [low, high], [tick for tick in ticks if low <= tick <= high]


def distinct(names: Iterable[str], length: int) -> dict[str, str]:
    """Each name in at most ``length`` printable characters, no two alike: kernels of one file differ at their end."""
    short = {name: shorten(name, length) for name in sorted({*names})}
    alike = Counter(short.values())
    short |= {name: f"…{blanked(name)[1 - length :]}" for name, text in short.items() if alike[text] > 1}
    alike = Counter(short.values())
    same = [name for name, text in short.items() if alike[text] > 1]
    return short | {name: f"{shorten(name, length - 4)} #{number}" for number, name in enumerate(same, 1)}


def shorten(text: str, length: int) -> str:
    """At most ``length`` printable characters; what is cut shows as an ellipsis in the middle."""
    plain = blanked(text)
    if len(plain) <= length:
        return plain
    head = (length - 1) * 2 // 3
    return f"{plain[:head]}…{plain[len(plain) - (length - 1 - head) :]}"


def finished(chart: Any, title: str, subtitle: Iterable[str] = ()) -> Any:
    """The chart with title, subtitle and the common look."""
    lines = _wrapped(subtitle)
    params = altair().TitleParams(text=title, **({"subtitle": lines} if lines else {}))
    return chart.properties(title=params, padding=16, background="white").configure(**CONFIG)


def signed(chart: Any, facts: Iterable[str]) -> Any:
    """A finished chart with more lines below its title: who is missing, on what machine and with what it was made."""
    lines = chart.title.to_dict().get("subtitle", [])
    chart.title.subtitle = [*lines, *_wrapped(facts)]
    return chart


def spread_over(cells: Iterable[BenchmarkCell]) -> str:
    """What an interval is over: ``5 processes``, ``3–5 processes``, or the rounds of a single one."""
    counts = sorted({cell.processes for cell in cells})
    if counts == [1]:
        return "the rounds of one process"
    return f"{'–'.join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))}\u00a0processes"


def _labels(cells: Iterable[BenchmarkCell]) -> dict[str, str]:
    """A backend's name, and its mode where the name does not say it; no two alike."""
    modes = {cell.backend: cell.mode for cell in cells}
    names = distinct(modes, 34)
    for backend, mode in modes.items():
        if mode and mode not in backend and mode != "eager":
            names[backend] += f" ({shorten(mode, 12)})"
    return names


def _wrapped(texts: Iterable[str]) -> list[str]:
    """Lines that do not widen the picture; none breaks within a fixed space."""
    return [line for text in texts for line in textwrap.wrap(text, WRAP, break_on_hyphens=False)]
