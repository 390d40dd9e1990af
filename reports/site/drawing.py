"""Small drawings as inline SVG: histograms of errors. Colours come from the style."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

__all__ = ["histogram"]

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
