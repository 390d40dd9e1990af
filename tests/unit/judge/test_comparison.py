"""Numbers against enclosures and bounds: class, ulp and error over tolerance of each problem of a block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from conformance.judge.comparison import BlockComparison, Segments, compare
from conformance.model.classes import Letter
from conformance.oracle.enclosure import Enclosure

#: Absolute bounds of the classes, where a test does not say otherwise.
BOUNDS = {"A": 1.0, "B": 2.0, "C": 4.0, "D": 8.0, "E": 16.0}


def compared(
    observed: list[float],
    exact: list[float],
    *,
    radius: float = 0.0,
    declared: Letter = "B",
    counts: list[int] | None = None,
    bounds: dict[str, float] = BOUNDS,
    **options: Any,
) -> BlockComparison:
    sizes = np.array(counts or [1] * len(exact), dtype=np.intp)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.intp)
    return compare(
        np.array(observed), Enclosure.of(np.array(exact), radius), lambda letter: np.full(len(exact), bounds[letter]),
        Segments(starts, sizes), dtype=options.pop("dtype", "float32"), declared=declared, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "letter", "conforms"),
    [(0.0, "A", True), (1.0, "A", True), (1.5, "B", True), (2.0, "B", True), (3.0, "C", False), (99.0, "F", False)],
)
def test_each_problem_is_in_the_best_class_that_holds_it(error: float, letter: str, conforms: bool) -> None:
    made = compared([100.0 + error], [100.0])
    assert (made.letters, made.conforms.tolist()) == ([letter], [conforms])
    assert made.ratio[0] == error / BOUNDS["B"] and made.ulp[0] == error / 2.0**-17


def test_a_problem_is_as_good_as_its_worst_element() -> None:
    made = compared([100.0, 101.5, 100.0, 100.5, 130.0], [100.0] * 5, counts=[2, 0, 3])
    assert made.letters == ["B", "A", "F"] and made.conforms.tolist() == [True, True, False]
    assert made.worst.tolist() == [1, -1, 4]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_special_value_is_right_or_wrong_and_nothing_between(value: float) -> None:
    assert compared([value], [value]).letters == ["A"]
    other = -value if math.isinf(value) else 1.0
    made = compared([other], [value])
    assert made.letters == ["F"] and made.ratio[0] == math.inf and not made.conforms[0]
    assert compared([value], [1.0]).ratio[0] > 1.0


def test_an_infinity_is_as_far_as_the_point_from_which_rounding_gives_it() -> None:
    largest = float(np.finfo(np.float32).max)
    made = compared([math.inf], [largest], bounds={**BOUNDS, "A": 1e32, "B": 1e33})
    assert made.letters == ["A"] and made.conforms[0] and 0.0 < made.ratio[0] < 1.0


def test_where_an_interval_straddles_a_bound_it_is_asked_to_be_narrower() -> None:
    asked: list[list[int]] = []

    def refine(index: np.ndarray[Any, np.dtype[np.intp]]) -> Enclosure:
        asked.append(index.tolist())
        return Enclosure.of(np.full(len(index), 100.0), 0.0)

    made = compared([100.0, 101.0], [100.0, 100.0], radius=0.25, refine=refine)
    assert asked == [[1]] and made.letters == ["A", "A"]


def test_admitted_elements_are_right() -> None:
    made = compared([100.0, 999.0], [100.0, 100.0], counts=[2], admitted=np.array([False, True]))
    assert made.letters == ["A"] and made.conforms[0]


def test_a_bound_that_is_infinite_promises_nothing() -> None:
    made = compared([5.0], [100.0], bounds={**BOUNDS, "A": math.inf, "B": math.inf})
    assert made.vacuous[0] and not made.conforms[0]


def test_a_class_between_does_not_stand_for_a_wider_one() -> None:
    """C permits more than a half type's own roundings far from zero: D is asked by itself."""
    bounds = {**BOUNDS, "C": 32.0}
    made = compared([100.0 + 20.0], [100.0], declared="D", dtype="float16", bounds=bounds)
    assert not made.conforms[0]
