"""An SVG without what says nothing: defaults that are stated, digits below a hundredth of a point, empty paths."""

from __future__ import annotations

import re

__all__ = ["slim"]

_LONG = re.compile(r"-?\d+\.\d{3,}")
#: Presentation attributes in their default, and empty paths for a pointer that a file does not have.
_NOTHING = (
    ' pointer-events="none"',
    ' opacity="1"',
    ' stroke-width="1"',
    '<path class="background" aria-hidden="true" d="M0,0h0v0h0Z"/>',
    '<path class="foreground" aria-hidden="true" d="" display="none"/>',
)
_FONT = re.compile(r' font-family="([^"]*)"')


def slim(svg: str) -> str:
    """The same picture in fewer bytes; a font that all texts share is stated once, at the root."""
    fonts = set(_FONT.findall(svg))
    svg = _LONG.sub(_rounded, svg)
    if len(fonts) == 1:
        svg = _FONT.sub("", svg).replace("<svg ", f'<svg font-family="{fonts.pop()}" ', 1)
    for text in _NOTHING:
        svg = svg.replace(text, "")
    return svg


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
