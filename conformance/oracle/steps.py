"""The steps of a derivation as value objects, and numbers as text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb

__all__ = [
    "DIGITS",
    "PRECISION",
    "AxisChoice",
    "Derivation",
    "DerivedResult",
    "Position",
    "Step",
    "in_dtype",
    "number",
    "plain",
]

#: Working precision in bits, and the digits that an intermediate number is shown with.
PRECISION = 256
DIGITS = 10


@dataclass(frozen=True)
class Step:
    """One line: what is done, its formula, and the numbers: one for each class shown, or a single one."""

    label: str
    formula: str
    values: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Position:
    """One position: its index in the losses' shape, its target as text (empty where there is none), and its steps."""

    index: tuple[int, ...]
    target: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class DerivedResult:
    """A reduction and its steps; ``exact`` holds the first results flat, 17 digits each, ``more`` counts the others.

    ``nearest`` are the same rounded to the dtype under test.
    """

    reduction: str
    steps: tuple[Step, ...]
    exact: tuple[str, ...]
    nearest: tuple[str, ...]
    more: int = 0
    note: str = ""


@dataclass(frozen=True)
class AxisChoice:
    """What a default-axis policy picks for the rank at hand; ``axis`` is None for the whole array."""

    policy: str
    axis: int | None


@dataclass(frozen=True)
class Derivation:
    """The derivation of one problem.

    ``layout`` says how the operands lie in memory. ``axis_stated`` is what the caller says (None: nothing),
    ``class_axis`` where the truth is taken, of ``extent`` classes of which ``classes`` are shown. ``count`` counts the
    positions, of which the first ones are ``positions``.
    ``refusal``, if not empty, says why the call must raise, or why there is no single right result.
    """

    case: str
    why: str
    operation: str
    dtype: str
    layout: str
    shape: tuple[int, ...]
    class_axis: int | None
    axis_stated: int | None
    axis_choices: tuple[AxisChoice, ...]
    extent: int
    classes: tuple[int, ...]
    refusal: str
    warning: str
    positions: tuple[Position, ...]
    count: int
    results: tuple[DerivedResult, ...]


def plain(value: float) -> str:
    """A double as people write it: ``1``, ``0.1``, ``-inf``; the shortest text that reads back as the same double."""
    text = repr(value)
    return text.removesuffix(".0")


def in_dtype(value: float, dtype: str) -> str:
    """A number that ``dtype`` holds, as short as that dtype allows: 0.1 for float32's 0.10000000149011612."""
    return plain(float(str(np.float32(value)))) if dtype == "float32" and np.isfinite(value) else plain(value)


def number(ball: arb, digits: int = DIGITS) -> str:
    """A ball in ``digits`` significant digits; one below 1e-20000 is shown as that."""
    if ball.is_nan():
        return "nan"
    if not ball.is_finite():
        return "inf" if ball.mid() > 0 else "-inf"
    if ball.is_zero():
        return "0"
    if abs(ball) < _TINY:
        return "< 1e-20000"
    text: str = ball.str(digits, radius=False)
    mantissa, mark, exponent = text.partition("e")
    if "." in mantissa and ball.is_exact():
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}{mark}{exponent.removeprefix('+')}"


_TINY = arb("1e-20000")
