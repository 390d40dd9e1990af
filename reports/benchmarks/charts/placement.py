"""Labels beside points, so that no label lies on another label or on a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Box", "Placed", "overlaps", "place_labels", "spread", "text_width"]

_NARROW = frozenset("iljtfrI.,:;'|!()[] ")
_WIDE = frozenset("mwMWOQGDCNHU@%×→")
#: Directions around a point, the ones that read best first: right, left, above, below, then the corners.
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_RINGS = (9.0, 16.0, 26.0, 38.0, 54.0, 74.0, 98.0, 126.0)


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box, gap: float = 0.0) -> bool:
        """Whether the two overlap, or come nearer than ``gap``."""
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.top < other.bottom + gap
            and other.top < self.bottom + gap
        )

    def inside(self, width: float, height: float) -> bool:
        """Whether it lies within a picture of that size."""
        return self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height


@dataclass(frozen=True)
class Placed:
    """A label's place: the middle of its text in pixels, its box, and whether a line must lead to its point."""

    x: float
    y: float
    box: Box
    led: bool


def text_width(text: str, size: float) -> float:
    """Pixels that a text takes in a sans-serif face, rounded up: so that boxes err on the safe side."""
    units = sum(0.33 if c in _NARROW else 0.86 if c in _WIDE else 0.6 for c in text)
    return units * size


def place_labels(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    *,
    size: float,
    width: float,
    height: float,
    mark: float = 6.0,
    taken: Sequence[Box] = (),
) -> list[Placed]:
    """A place for each text beside its point (pixels), inside ``width`` × ``height``.

    ``mark`` is the radius of the marks, ``taken`` are boxes that hold something already. Each label takes the
    cheapest of the places around its point, in turns until nothing moves: free of other labels and marks first, near
    second. Deterministic.
    """
    marks = [Box(x - mark, y - mark, x + mark, y + mark) for x, y in points]
    choices = [_choices(*point, text, size) for point, text in zip(points, texts, strict=True)]
    placed = [options[0] for options in choices]
    for _ in range(12):
        moved = False
        for i, options in enumerate(choices):
            others = [*(p.box for j, p in enumerate(placed) if j != i), *taken]
            best = min(options, key=lambda option: _cost(option, others, marks, points[i], points, width, height))
            moved |= best is not placed[i]
            placed[i] = best
        if not moved:
            break
    for i, place in enumerate(placed):
        others = [*(p.box for j, p in enumerate(placed) if j != i), *taken]
        if any(place.box.meets(other) for other in others) or not place.box.inside(width, height):
            placed[i] = _anywhere(place, others, points[i], width, height)
    return placed


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Heights near the wanted ones, at least ``gap`` apart, and within ``low … high`` if there is room."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    heights = [wanted[i] for i in order]
    for _ in range(200):
        for a in range(len(heights) - 1):
            lack = gap - (heights[a + 1] - heights[a])
            if lack > 0:
                heights[a] -= lack / 2
                heights[a + 1] += lack / 2
        if heights:
            heights[0] = max(heights[0], low)
            heights[-1] = min(heights[-1], high)
    for a in range(len(heights) - 1):  # what rounding has left
        heights[a + 1] = max(heights[a + 1], heights[a] + gap)
    result = [0.0] * len(wanted)
    for place, i in enumerate(order):
        result[i] = heights[place]
    return result


def overlaps(boxes: Sequence[Box]) -> int:
    """How many pairs of boxes overlap."""
    return sum(a.meets(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def _choices(x: float, y: float, text: str, size: float) -> list[Placed]:
    half_width, half_height = text_width(text, size) / 2, size * 0.62
    found = []
    for ring in _RINGS:
        for across, down in _DIRECTIONS:
            corner = math.sqrt(0.5) if across and down else 1.0
            cx = x + across * (ring * corner + half_width)
            cy = y + down * (ring * corner + half_height)
            box = Box(cx - half_width, cy - half_height, cx + half_width, cy + half_height)
            found.append(Placed(cx, cy, box, led=ring > _RINGS[1]))
    return found


def _anywhere(place: Placed, taken: Sequence[Box], point: tuple[float, float], width: float, height: float) -> Placed:
    """The free place nearest to the point in the whole picture; the given one if there is none left."""
    across, down = place.box.right - place.box.left, place.box.bottom - place.box.top
    found = []
    for row in range(int(height // down)):
        for column in range(int((width - across) // (across / 4)) + 1):
            left, top = column * across / 4, row * down
            box = Box(left, top, left + across, top + down)
            if box.inside(width, height) and not any(box.meets(other) for other in taken):
                found.append(Placed(left + across / 2, top + down / 2, box, led=True))
    return min(found, key=lambda each: _distance(each.box, point), default=place)


def _cost(
    option: Placed,
    labels: Sequence[Box],
    marks: Sequence[Box],
    own: tuple[float, float],
    points: Sequence[tuple[float, float]],
    width: float,
    height: float,
) -> float:
    box = option.box
    cost = 1000.0 * sum(box.meets(other, gap=2) for other in labels)
    cost += 400.0 * sum(box.meets(other) for other in marks)
    cost += 0.0 if box.inside(width, height) else 3000.0
    middle = (option.x, option.y)
    away = math.dist(middle, own)
    # A reader takes a label for the nearest mark's.
    nearest = min((_distance(box, point) for point in points if point != own), default=math.inf)
    cost += 60.0 if nearest < _distance(box, own) else 0.0
    return cost + away * 0.2 + _distance(box, own)


def _distance(box: Box, point: tuple[float, float]) -> float:
    across = max(box.left - point[0], 0, point[0] - box.right)
    down = max(box.top - point[1], 0, point[1] - box.bottom)
    return math.hypot(across, down)
