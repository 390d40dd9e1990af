"""The letters of the classes that a result is sorted into; what arithmetic each allows is in ``bounds.classes``."""

from __future__ import annotations

from typing import Literal

from conformance.model.dtypes import HALF, DtypeName

__all__ = ["CLASS_LETTERS", "DeclarableLetter", "Letter", "default_class", "letters"]

#: A backend can be held to all but F, which is what lies beyond every bound.
DeclarableLetter = Literal["A", "B", "C", "D", "E"]
Letter = Literal["A", "B", "C", "D", "E", "F"]
CLASS_LETTERS: tuple[Letter, ...] = ("A", "B", "C", "D", "E", "F")


def letters(dtype: DtypeName) -> tuple[Letter, ...]:
    """The classes a result in ``dtype`` can be in, best first, without F."""
    return ("A", "B", "C", "D", "E") if dtype in HALF else ("A", "B", "C")


def default_class(dtype: DtypeName) -> Letter:
    """What an undeclared backend is held to: B, and D for the half types."""
    return "D" if dtype in HALF else "B"
