"""Small drawings as inline SVG: histograms of errors, and times on a logarithmic axis. Colours come from the style."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

__all__ = ["histogram", "span"]

_HEIGHT = 34


def histogram(counts: Sequence[int], mark: float | None, says: str) -> Markup:
    """Bars of equal width, the tallest as high as the drawing; ``mark`` (0 to 1) draws a line across."""
    width = 6 * len(counts)
    top = max(counts, default=0)
    path = "".join(
        f"M{6 * i + 0.5} {_HEIGHT}v{-max((_HEIGHT - 2) * count / top, 1.0):.1f}h5V{_HEIGHT}z"
        for i, count in enumerate(counts)
        if count
    )
    line = f'<path class="mark" d="M{width * mark:.1f} 0V{_HEIGHT}"/>' if mark is not None else ""
    body = Markup('<path class="bars" d="{}"/>').format(path) + Markup(line)
    base = Markup('<path class="base" d="M0 {0}H{1}"/>').format(_HEIGHT, width)
    return Markup(
        '<svg class="hist" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(width, _HEIGHT + 1, width, _HEIGHT + 1, says, base + body)


def span(low: float, middle: float, high: float, axis: tuple[float, float], says: str) -> Markup:
    """A dot for ``middle`` and a line from ``low`` to ``high``, on a logarithmic axis over ``axis``."""
    width, height = 220, 16

    def at(value: float) -> float:
        lowest, highest = math.log(axis[0]), math.log(axis[1])
        share = (math.log(value) - lowest) / (highest - lowest) if highest > lowest else 0.5
        return 6 + (width - 12) * min(max(share, 0.0), 1.0)

    return Markup(
        '<svg class="span" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">'
        '<path class="base" d="M0 8H{0}"/><path class="range" d="M{3:.1f} 8H{4:.1f}"/>'
        '<circle cx="{5:.1f}" cy="8" r="4"/></svg>'
    ).format(width, height, says, at(low), at(high), at(middle))
