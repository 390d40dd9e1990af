"""The area that a picture draws in: from numbers to pixels and back, so that labels can be placed beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Axis", "Frame", "log_axis", "log_ticks"]


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic axis over ``low … high``, as long as ``pixels``; ``down`` turns it, as y needs."""

    low: float
    high: float
    pixels: float
    log: bool = False
    down: bool = False

    def pixel(self, value: float) -> float:
        """Where a value lies; values beyond the axis lie on its ends."""
        value = min(max(value, self.low), self.high)
        share = self._of(value)
        return self.pixels * (1 - share if self.down else share)

    def value(self, pixel: float) -> float:
        """The value at a pixel."""
        share = pixel / self.pixels
        share = 1 - share if self.down else share
        if self.log:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share

    def _of(self, value: float) -> float:
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Frame:
    """Two axes."""

    x: Axis
    y: Axis


def log_axis(values: Iterable[float], pixels: float, *, margin: float = 1.6, down: bool = False) -> Axis:
    """A logarithmic axis around the positive, finite values, with a factor ``margin`` on both sides."""
    good = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = min(good) / margin, max(good) * margin
    if high / low < 10:  # a decade at least, or small differences look large
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(10), middle * math.sqrt(10)
    return Axis(low, high, pixels, log=True, down=down)


def log_ticks(axis: Axis) -> list[float]:
    """Powers of ten on the axis; with 2 and 5 between them where there are few."""
    first, last = math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high))
    for steps in ((1,), (1, 3), (1, 2, 5)):
        ticks = [float(f"{step}e{power}") for power in range(first, last + 1) for step in steps]
        inside = [tick for tick in ticks if axis.low <= tick <= axis.high]
        if len(inside) >= 4:
            return inside
    return inside
