"""Parameters of wide products: some are asked each time, the rest at night (the mark ``nightly``)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest

__all__ = ["alternating", "covering"]


def covering(*axes: Collection[Any], whole: Callable[..., bool] = lambda *row: False) -> list[Any]:
    """The product of the axes; each time every combination of all but the shortest is asked with one value of this.

    Rows of which ``whole`` is true are asked each time, too.
    """
    turns = min(len(axis) for axis in axes)
    rows = itertools.product(*(enumerate(axis) for axis in axes))
    return [_parameter([value for _, value in row], sum(place for place, _ in row) % turns == 0, whole) for row in rows]


def alternating(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Every second row is asked each time."""
    return [_parameter(row, place % 2 == 0, lambda *row: False) for place, row in enumerate(rows)]


def _parameter(row: Sequence[Any], asked: bool, whole: Callable[..., bool]) -> Any:
    return pytest.param(*row, marks=[] if asked or whole(*row) else [pytest.mark.nightly])
