"""No sound evaluation exceeds its class's bound, whatever its order of summation and the directions of its errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.model.case import OPERATIONS, OperationName
from conformance.model.classes import Letter, letters
from conformance.numerics.formats import DTYPES, DtypeName
from tests.support.bounds.machine import EXTENDED, ORDERS
from tests.support.bounds.search import Held, Trial, climb, combinations, hold, random_trial
from tests.support.bounds.sound import Form
from tests.support.problems import problem, truth
from tests.support.turns import alternating, covering

pytestmark = pytest.mark.slow

COMBINATIONS = list(combinations())
fixed = settings(derandomize=True, deadline=None, database=None, max_examples=250)


def require_within(trial: Trial) -> Held:
    if trial.made.dtype == "float64" and not EXTENDED:
        pytest.skip("this platform's long double is float64")
    held = hold(trial)
    assert held.worst <= 1.0, (held, trial)
    return held


@given(st.sampled_from(COMBINATIONS), st.integers(0, 2**32 - 1))
@fixed
def test_random_evaluations_are_within(combination: tuple[OperationName, DtypeName, Letter], seed: int) -> None:
    require_within(random_trial(np.random.default_rng(seed), *combination))


@pytest.mark.parametrize(("operation", "dtype", "letter"), alternating(COMBINATIONS))
def test_search_for_the_worst_stays_within_and_comes_near(
    operation: OperationName, dtype: DtypeName, letter: Letter
) -> None:
    rng = np.random.default_rng([7, OPERATIONS.index(operation), DTYPES.index(dtype), ord(letter)])
    largest: dict[str, float] = {}
    for start in range(12):
        trial, _ = climb(rng, random_trial(rng, operation, dtype, letter), 4, start)
        for name, ratio in require_within(trial).ratios.items():
            largest[name] = max(largest.get(name, 0.0), ratio)
    # A bound that no sound evaluation comes within a factor of a thousand of would be of no use.
    assert min(largest.values()) > 1e-3, largest


@pytest.mark.parametrize(
    ("dtype", "order", "smoothing"), covering(DTYPES, ORDERS, [0.0, 1e-9, 0.1, 0.5, 0.999999, 1.0])
)
def test_smoothing_in_every_order(dtype: DtypeName, order: str, smoothing: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 40)) * 4
    for letter in letters(dtype):
        for shape in ("split", "combined"):
            for weight in (None, rng.normal(size=40)):
                made = problem("cross_entropy", x, [0, 39, 7], weight=weight, smoothing=smoothing, dtype=dtype)
                require_within(Trial(made, letter, Form(smoothing=shape, flat=shape == "combined"), order=order))


# 65536 classes are beyond float16: a sum of as many ones has no class there.
@pytest.mark.parametrize(
    ("classes", "depth", "letter"), covering([4096, 65000], [0.0, 9.0, 11.0, 16.0, 17.2], ["B", "D"])
)
def test_large_vocabularies_near_underflow(classes: int, depth: float, letter: Letter) -> None:
    x = np.full((1, classes), -depth)
    x[0, 0] = 0.0
    for flushed in (False, True):
        for adverse in (False, True):
            for operation in ("cross_entropy", "softmax"):
                made = problem(operation, x, None if operation == "softmax" else [1], dtype="float16")
                for sign in (-1, 1):
                    form = Form(softmax="reciprocal")
                    require_within(
                        Trial(made, letter, form, adverse, flushed, "sequential", (("exp", sign), ("sum", sign)))
                    )


@pytest.mark.parametrize("rows", [1, 2, 257, 70000])
@pytest.mark.parametrize(("dtype", "letter"), [("float32", "A"), ("float32", "B"), ("bfloat16", "D"), ("float64", "B")])
def test_means_of_many_rows(rows: int, dtype: DtypeName, letter: Letter) -> None:
    if dtype == "float64":  # the exact tier takes its time
        rows = min(rows, 2000)
    rng = np.random.default_rng(rows)
    x = -rng.exponential(size=(rows, 2))
    y = rng.integers(0, 2, rows)
    for weight in (None, [1.0, -0.99]):
        made = problem("nll_loss", x, y, weight=weight, dtype=dtype)
        for form in (Form(), Form(mean="reciprocal", gradient="backprop")):
            for adverse in (False, True):
                require_within(Trial(made, letter, form, adverse, order="sequential"))


def test_a_single_class_has_no_loss() -> None:
    for dtype in DTYPES:
        made = problem("cross_entropy", [[3.0], [-7.0]], [0, 0], dtype=dtype)
        for letter in letters(dtype):
            require_within(Trial(made, letter))
        bound = Tolerance(truth(made), arithmetic("A", dtype)).value("none")
        assert bound.max() < 1e-6


def test_minus_infinity_takes_no_part() -> None:
    inf = float("inf")
    for dtype in DTYPES:
        made = problem("cross_entropy", [[3.0, -inf, 2.0], [-inf, -inf, 1.0]], [0, 2], dtype=dtype, smoothing=0.0)
        for letter in letters(dtype):
            assert np.isfinite(Tolerance(truth(made), arithmetic(letter, dtype)).value("mean")).all()
            require_within(Trial(made, letter))


def test_a_mean_without_a_denominator_is_a_policy_and_exact() -> None:
    ignored = problem("cross_entropy", [[1.0, 2.0]], [1], ignore_index=1, dtype="float32")
    empty = problem(
        "cross_entropy", np.empty((0, 3)), np.empty(0, dtype=np.int64), weight=[1.0, 2.0, 3.0], dtype="float32"
    )
    for made in (ignored, empty):
        bound = Tolerance(truth(made), arithmetic("B", "float32"))
        assert bound.value("mean").max() <= 2.0**-149
        assert bound.gradient("mean").max(initial=0.0) <= 2.0**-149


def test_vacuous_bounds_are_infinite() -> None:
    made = problem("cross_entropy", np.zeros((1, 4096)), [0], dtype="bfloat16")
    assert np.isinf(Tolerance(truth(made), arithmetic("E", "bfloat16")).value("none")).all()
    assert np.isfinite(Tolerance(truth(made), arithmetic("D", "bfloat16")).value("none")).all()
    cancelling = problem("cross_entropy", np.eye(3), [0, 1, 2], weight=[1.0, 2.0**-26, -1.0], dtype="float32")
    assert np.isinf(Tolerance(truth(cancelling), arithmetic("B", "float32")).value("mean")).all()


@given(st.sampled_from(OPERATIONS), st.sampled_from(DTYPES), st.integers(0, 2**32 - 1), st.booleans())
@fixed
def test_a_wider_class_allows_no_less(operation: OperationName, dtype: DtypeName, seed: int, flushed: bool) -> None:
    """But for one rounding of the output, and the count of underflows."""
    made = random_trial(np.random.default_rng(seed), operation, dtype, "A").made
    source = truth(made)
    chains: list[tuple[Letter, ...]] = [("A", "B", "C")]
    if "D" in letters(dtype):
        chains.append(("B", "D", "E"))
    for chain in chains:
        bounds = [Tolerance(source, arithmetic(letter, dtype), flushed) for letter in chain]
        for narrow, wide in itertools.pairwise(bounds):
            for reduction in made.reductions:
                for what in ("value", "gradient"):
                    a, b = getattr(narrow, what)(reduction), getattr(wide, what)(reduction)
                    assert (a <= b * (1 + 2.0**-7) + 100 * narrow.arithmetic.eta(flushed)).all(), (narrow, wide, what)


def test_the_bounds_of_a_block_are_those_of_its_problems() -> None:
    from conformance.oracle.block import Block
    from conformance.oracle.truth import Truth

    rng = np.random.default_rng(5)
    made = [
        problem(
            "cross_entropy",
            rng.normal(size=(n, 4)),
            rng.integers(0, 4, n),
            weight=rng.normal(size=4),
            smoothing=0.2,
            ignore_index=1,
            dtype="bfloat16",
            seed=n,
        )
        for n in (1, 5, 2, 9)
    ]
    together = Tolerance(Truth(Block(tuple(made))), arithmetic("B", "bfloat16"))
    for reduction in ("none", "sum", "mean"):
        for what in ("value", "gradient"):
            apart = [getattr(Tolerance(truth(m), arithmetic("B", "bfloat16")), what)(reduction) for m in made]
            np.testing.assert_allclose(getattr(together, what)(reduction), np.concatenate(apart), rtol=1e-12)
