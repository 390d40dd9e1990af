"""Well-known unsound evaluations lie beyond the class that their author would claim."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.model.classes import Letter
from conformance.model.problem import Problem
from conformance.numerics.formats import DTYPES, round_to, widen
from tests.support.problems import problem, truth

Numbers = npt.NDArray[np.float64]
HALF = np.float16


def beyond(made: Problem, letter: Letter, observed: npt.ArrayLike, what: str = "value.none") -> bool:
    """Is the largest error beyond the class's bound, which promises something?"""
    name, reduction = what.split(".")
    source = truth(made)
    bound = getattr(Tolerance(source, arithmetic(letter, made.dtype)), name)(reduction)
    assert np.isfinite(bound).all()
    with np.errstate(invalid="ignore"):
        error = np.abs(np.asarray(observed, dtype=np.float64) - getattr(source, name)(reduction).mid)
    return bool((~(error <= bound)).any())


def single(x: npt.ArrayLike) -> npt.NDArray[np.float32]:
    return np.asarray(x, dtype=np.float32)


def test_without_a_shift() -> None:
    for x in ([[90.0, 0.0]], [[-104.0, -105.0]]):
        with np.errstate(all="ignore"):
            observed = np.log(np.exp(single(x)).sum()) - single(x)[0, 0]
        assert beyond(problem("cross_entropy", x, [0], dtype="float32"), "C", [observed])


def test_the_offset_is_subtracted_last() -> None:
    x = [[1e8, 1e8]]
    lse = single(1e8) + np.log(single(2.0))
    made = problem("cross_entropy", x, [0], dtype="float32")
    assert beyond(made, "B", [lse - single(1e8)])
    assert not beyond(made, "C", [lse - single(1e8)])


def test_base_two_and_base_ten() -> None:
    made = problem("cross_entropy", [[1.2, 2.4, 3.6]], [1], dtype="bfloat16")
    loss = truth(made).value("none").mid
    classes: tuple[Letter, ...] = ("B", "D", "E")
    for letter in classes:
        assert beyond(made, letter, loss / np.log(2)) and beyond(made, letter, loss / np.log(10))


def test_softmax_twice() -> None:
    made = problem("cross_entropy", [[1.2, 2.4, 3.6]], [1], dtype="float16")
    p = np.exp(-truth(made).fast.positions.n[0])
    assert beyond(made, "E", [np.log(np.exp(p).sum()) - p[1]])


def test_ignored_positions_are_counted() -> None:
    made = problem("cross_entropy", [[1.0, 2.0], [0.5, 0.0]], [0, 1], ignore_index=1, dtype="bfloat16")
    total = truth(made).value("sum").mid
    assert beyond(made, "D", total / 2, "value.mean")


def test_sums_accumulate_in_half_precision() -> None:
    made = problem("softmax", np.zeros((1, 4096)), dtype="bfloat16")
    assert beyond(made, "D", np.full((1, 4096), 1 / 256))  # a running sum of ones sticks at 256
    made = problem("cross_entropy", np.zeros((1, 4096)), [0], dtype="bfloat16")
    assert beyond(made, "D", [np.log(256.0)])


def test_intermediates_in_half_precision_are_not_class_b() -> None:
    made = problem("cross_entropy", [[8.5, 31.875, 26.25]], [1], dtype="bfloat16")
    assert beyond(made, "B", [0.0])
    assert not beyond(made, "D", [0.0])


def test_the_logarithm_of_a_probability_that_underflowed() -> None:
    made = problem("log_softmax", [[0.0, 90.0]], dtype="float32")
    p = np.exp(single([0.0, 90.0]) - single(90.0))
    with np.errstate(divide="ignore"):
        assert beyond(made, "C", np.log(p / p.sum() * single(1e-10) / single(1e-10))[None].astype(np.float16))


def test_smoothing_over_the_other_classes_only() -> None:
    made = problem("cross_entropy", [[9.0, 0.0, 1.0]], [0], smoothing=0.1, dtype="float16")
    n = truth(made).fast.positions.n[0]
    assert beyond(made, "D", [0.9 * n[0] + 0.1 / 2 * (n[1] + n[2])])


def test_a_gradient_for_targets_that_do_not_sum_to_one() -> None:
    q = [[1.0, 0.5, 0.5]]
    made = problem("cross_entropy", [[0.1, 0.2, 0.3]], q, dtype="bfloat16", upstream=1.0)
    p = truth(made).fast.positions.p
    assert beyond(made, "D", p - np.asarray(q), "gradient.none")


def test_a_correctly_rounded_result_is_in_class_a() -> None:
    rng = np.random.default_rng(2)
    for dtype in DTYPES[1:]:
        x, y = rng.normal(size=(40, 9)) * 5, rng.integers(0, 9, 40)
        made = problem("cross_entropy", x, y, smoothing=0.1, dtype=dtype)
        for what in ("value.none", "value.sum", "value.mean", "gradient.none", "gradient.mean"):
            name, reduction = what.split(".")
            exact: Numbers = getattr(truth(made), name)(reduction).mid
            assert not beyond(made, "A", widen(round_to(exact, dtype)), what)
