"""An interval that contains the exact value: midpoint, tail and radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.numerics.formats import Float64Array

__all__ = ["Enclosure"]


@dataclass(frozen=True, eq=False)
class Enclosure:
    """The exact value lies in mid + tail ± rad, elementwise; a ``mid`` of NaN or infinity is the exact value itself.

    ``tail`` (absent: 0) carries the bits below the midpoint's last, needed where the dtype under test is float64.
    """

    mid: Float64Array
    rad: Float64Array
    tail: Float64Array | None = None

    @staticmethod
    def of(mid: Float64Array, rad: Float64Array | float, tail: Float64Array | None = None) -> Enclosure:
        """Special values carry no radius and no tail."""
        finite = np.isfinite(mid)
        if finite.all():
            return Enclosure(mid, np.broadcast_to(np.asarray(rad, dtype=np.float64), mid.shape), tail)
        radius = np.where(finite, rad, 0.0)
        return Enclosure(mid, radius, None if tail is None else np.where(finite, tail, 0.0))

    def distance(self, observed: Float64Array) -> Float64Array:
        """|observed − (mid + tail)|: the distance to the exact value, up to ``rad`` and one rounding."""
        with np.errstate(invalid="ignore", over="ignore"):
            difference = observed - self.mid  # exact where they are close (Sterbenz)
            return np.abs(difference if self.tail is None else difference - self.tail)

    def where(self, mask: npt.NDArray[np.bool_], special: float | Float64Array) -> Enclosure:
        """The same, with ``special`` (a number, or one for each place) where the boolean ``mask`` is true."""
        if not mask.any():
            return self
        tail = None if self.tail is None else np.where(mask, 0.0, self.tail)
        return Enclosure.of(np.where(mask, special, self.mid), np.where(mask, 0.0, self.rad), tail)

    def __getitem__(self, index: Any) -> Enclosure:
        tail = None if self.tail is None else self.tail[index]
        return Enclosure(self.mid[index], self.rad[index], tail)
