"""The floating-point formats under test, and rounding to them.

Unit roundoff, range and spacing follow IEEE 754-2019 for float64, float32 and float16; bfloat16 is
the upper half of float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from conformance.model.dtypes import DTYPES, HALF, DtypeName

__all__ = [
    "DTYPES",
    "FORMATS",
    "DtypeName",
    "Float64Array",
    "Format",
    "common_dtype",
    "numpy_dtype",
    "round_to",
    "widen",
]

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    ``precision`` counts significand bits with the hidden one; ``least_exponent`` is that of the least normal
    number; the other fields follow from them.
    """

    name: DtypeName
    precision: int
    least_exponent: int
    greatest_exponent: int

    @property
    def unit_roundoff(self) -> float:
        """Half the spacing at 1."""
        return 2.0**-self.precision

    @property
    def least_normal(self) -> float:
        """The least positive normal number."""
        return 2.0**self.least_exponent

    @property
    def least_subnormal(self) -> float:
        """The least positive number."""
        return 2.0 ** (self.least_exponent - self.precision + 1)

    @property
    def largest(self) -> float:
        """The greatest finite number."""
        return (2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.greatest_exponent

    @property
    def is_half(self) -> bool:
        """Whether it has 16 bits."""
        return self.name in HALF

    def spacing(self, value: Float64Array) -> Float64Array:
        """The distance between neighbours of this format in the binade of ``value`` (finite or not), in its shape.

        Within the subnormal range and at zero it is the least subnormal number; beyond the range it is that of
        the last binade.
        """
        magnitude = np.clip(np.abs(np.nan_to_num(value, posinf=self.largest)), self.least_normal, self.largest)
        _, exponent = np.frexp(magnitude)
        return np.ldexp(1.0, exponent - self.precision)


FORMATS: dict[DtypeName, Format] = {
    "float64": Format("float64", 53, -1022, 1023),
    "float32": Format("float32", 24, -126, 127),
    "bfloat16": Format("bfloat16", 8, -126, 127),
    "float16": Format("float16", 11, -14, 15),
}


def common_dtype(one: DtypeName, other: DtypeName) -> DtypeName:
    """The narrowest dtype that holds the numbers of both: float32 for the two half types."""
    if one != other and FORMATS[one].is_half and FORMATS[other].is_half:
        return "float32"
    return max(one, other, key=lambda name: FORMATS[name].precision)


@cache
def numpy_dtype(name: str) -> np.dtype[np.generic]:
    """The NumPy dtype of a dtype's name; bfloat16 comes from ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def round_to(values: Float64Array, name: DtypeName, *, in_range: bool = False) -> npt.NDArray[np.generic]:
    """``values`` in the format's dtype and their own shape, each rounded to the nearest; beyond its range infinite.

    ``in_range`` promises that none are, nor NaN: to guard a small array costs more than to round it.
    """
    if in_range:
        return values.astype(numpy_dtype(name))
    if name == "float64":
        return values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(numpy_dtype(name))


def nearest(number: float, name: DtypeName) -> float:
    """The number of the format that is nearest to ``number``; beyond its range an infinity."""
    return float(round_to(np.array(number, dtype=np.float64), name))


def widen(array: npt.NDArray[np.generic]) -> Float64Array:
    """The same numbers, in their shape, in float64: exact for every format.

    The real part of complex ones, which no dtype admits.
    """
    array = np.asarray(array)
    return (array.real if array.dtype.kind == "c" else array).astype(np.float64)
