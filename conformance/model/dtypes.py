"""The names of the dtypes under test, for those who need no more of them: nothing is imported for these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

__all__ = ["DTYPES", "HALF", "NARROWER", "DtypeName"]

DtypeName = Literal["float64", "float32", "bfloat16", "float16"]
#: Widest first.
DTYPES: tuple[DtypeName, ...] = ("float64", "float32", "bfloat16", "float16")
#: The dtypes in which what is due in another may have been computed, the most precise first.
NARROWER: Mapping[DtypeName, tuple[DtypeName, ...]] = {"float64": ("float32",), "float32": ("float16", "bfloat16")}
#: Those of 16 bits.
HALF: frozenset[DtypeName] = frozenset({"bfloat16", "float16"})
