"""The tiers of the oracle against each other, an independent library, and the definition's special cases."""

from __future__ import annotations

import math
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.cases.checks import SMOOTHED
from conformance.model.case import OPERATIONS, OperationName
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Problem
from conformance.numerics.formats import DTYPES, DtypeName
from conformance.oracle import exact
from conformance.oracle.block import Block, blocks
from conformance.oracle.elementary import EXP_CUTOFF, EXP_ERROR, LOG_ERROR, TINY, exp_negative, log, log1p_sum
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.exact_directions import ExactTruth
from conformance.oracle.truth import Truth
from tests.support import mpmath_truth
from tests.support.problems import problem, truth

INF, NAN = float("inf"), float("nan")
LN2 = math.log(2)
fixed = settings(derandomize=True, deadline=None, database=None, max_examples=150)
seeds = st.integers(0, 2**32 - 1)


def draw(seed: int, operation: OperationName, dtype: DtypeName, specials: bool = True, scale: float = 5.0) -> Problem:
    """A random problem of a few rows: weights and targets of both signs, ignored rows, infinities and NaN."""
    rng = np.random.default_rng(seed)
    rows, classes = int(rng.integers(1, 5)), int(rng.integers(1, 8))
    scale = min(10.0 ** rng.uniform(-4, scale), 2e4 if dtype == "float16" else INF)
    x = rng.normal(size=(rows, classes)) * scale + rng.choice([0.0, 100.0])
    if operation == "log_loss":
        x = rng.choice([rng.uniform(size=x.shape), 2.0 ** -rng.uniform(0, 40, size=x.shape), 1 - 2.0**-20 * x])
        x = np.where(rng.random(x.shape) < 0.1, rng.choice([0.0, 1.0]), x) if specials else np.abs(x)
    for special in (-INF, NAN, INF):
        if specials and rng.random() < 0.15:
            x[rng.random(x.shape) < 0.2] = special
    if operation in ("softmax", "log_softmax"):
        return problem(operation, x, dtype=dtype, seed=seed)
    y: npt.ArrayLike = rng.integers(0, classes, rows)
    weight = rng.normal(size=classes) if rng.random() < 0.5 else None
    ignore = int(rng.integers(classes)) if rng.random() < 0.3 else None
    smoothing = 0.0
    if operation in SMOOTHED:
        smoothing = float(rng.choice([0.0, 0.0, 0.1, 0.9, 1.0]))
        if rng.random() < 0.5:
            ignore = None
            y = rng.normal(size=x.shape) if rng.random() < 0.5 else rng.dirichlet(np.ones(classes), rows)
            y = np.where(rng.random(x.shape) < 0.3, 0.0, y)
    return problem(operation, x, y, weight=weight, smoothing=smoothing, ignore_index=ignore, dtype=dtype, seed=seed)


def results(source: Truth, made: Problem) -> list[tuple[str, str, Enclosure]]:
    """Every value, and every gradient where it is defined."""
    with np.errstate(all="ignore"):
        found: list[tuple[str, str, Enclosure]] = [("value", r, source.value(r)) for r in made.reductions]
        return found + [("gradient", r, source.gradient(r)[source.judged(r)]) for r in made.reductions]


def encloses(wide: Enclosure, narrow: Enclosure) -> bool:
    special = ~np.isfinite(wide.mid) | ~np.isfinite(narrow.mid)
    same = (np.isnan(wide.mid) & np.isnan(narrow.mid)) | (wide.mid == narrow.mid)
    with np.errstate(invalid="ignore"):
        tail = 0.0 if narrow.tail is None else narrow.tail
        inside = np.abs(wide.mid - narrow.mid - tail) + narrow.rad <= wide.rad
    return bool(np.where(special, same, inside).all())


# -- tiers ------------------------------------------------------------------------------------------------------------


@given(seeds, st.sampled_from(OPERATIONS), st.sampled_from(DTYPES))
@fixed
def test_the_first_tier_encloses_the_second(seed: int, operation: OperationName, dtype: DtypeName) -> None:
    made = draw(seed, operation, dtype)
    fast, exact = truth(made, "fast"), truth(made, "exact")
    for (what, reduction, a), (_, _, b) in zip(results(fast, made), results(exact, made), strict=True):
        assert encloses(a, b), (what, reduction, a, b)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("seed", range(60))
def test_the_first_tier_encloses_the_second_seeded(seed: int, operation: OperationName) -> None:
    made = draw(10_000 + seed, operation, "float32", scale=30.0)
    for (what, reduction, a), (_, _, b) in zip(
        results(truth(made, "fast"), made), results(truth(made, "exact"), made), strict=True
    ):
        assert encloses(a, b), (what, reduction, a, b)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_first_tier_is_narrow(operation: OperationName) -> None:
    """Below 2^-36 of the sizes that enter, for a large vocabulary too."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 50_000)) * 3
    y = None if operation in ("softmax", "log_softmax") else [3, 49_999]
    v = np.eye(1, 100_000).reshape(x.shape) if y is None else None
    made = problem(operation, np.exp(x / 9) if operation == "log_loss" else -np.abs(x), y, dtype="float32", upstream=v)
    for what, _, found in results(truth(made, "fast"), made):
        largest = max(float(np.abs(found.mid).max()), 1e-30)
        assert found.rad.max() <= 2.0**-36 * largest, what


@given(seeds, st.sampled_from(OPERATIONS), st.sampled_from(["fast", "exact"]))
@fixed
def test_an_independent_library_agrees(seed: int, operation: OperationName, tier: Any) -> None:
    made = draw(seed, operation, "float64", specials=False, scale=1.5)
    source = truth(made, tier)
    for what in ("value", "gradient"):
        for reduction in made.reductions:
            found: Enclosure = getattr(source, what)(reduction)
            if reduction == "mean" and not np.isfinite(source.value("mean").mid).all():
                continue  # without a denominator: a policy
            expected = getattr(mpmath_truth, what)(made, reduction)
            tail = np.zeros(found.mid.shape) if found.tail is None else found.tail
            flat = zip(found.mid.ravel(), tail.ravel(), found.rad.ravel(), expected, strict=True)
            for mid, low, rad, sure in flat:
                with mpmath.workdps(60):
                    off = abs(mpmath.mpf(mid) + mpmath.mpf(low) - sure)
                    assert off <= mpmath.mpf(rad) + mpmath.mpf(10) ** -50, (what, reduction, mid, sure)


def test_blocks_agree_with_single_problems() -> None:
    made = [draw(seed, "cross_entropy", "float32") for seed in range(40)]
    for block in blocks(made):
        together = Truth(block)
        start, row = 0, 0
        for single in block.problems:
            alone = truth(single)
            count = len(alone.value("none").mid)
            for reduction in ("none", "sum", "mean"):
                part = slice(row, row + count) if reduction == "none" else slice(start, start + 1)
                np.testing.assert_array_equal(together.value(reduction).mid[part], alone.value(reduction).mid)
            np.testing.assert_array_equal(together.gradient("mean").mid[row : row + count], alone.gradient("mean").mid)
            start, row = start + 1, row + count


def test_a_block_too_large_for_the_cache_is_worked_on_in_pieces() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3000, 20)), rng.integers(0, 20, 3000)
    whole = truth(problem("cross_entropy", x, y, dtype="float32", smoothing=0.1, upstream=0.5))
    part = truth(problem("cross_entropy", x[:7], y[:7], dtype="float32", smoothing=0.1, upstream=0.5))
    np.testing.assert_array_equal(whole.value("none").mid[:7], part.value("none").mid)
    np.testing.assert_array_equal(whole.gradient("sum").mid[:7], part.gradient("sum").mid)


# -- elementary functions ---------------------------------------------------------------------------------------------


def test_exp_negative_keeps_its_proven_bound() -> None:
    rng = np.random.default_rng(4)
    d = np.concatenate([rng.uniform(0, 1, 3000), rng.uniform(0, EXP_CUTOFF, 3000), 10.0 ** rng.uniform(-320, 2, 2000)])
    d = np.concatenate([d, (np.arange(64) + 0.5) * np.log(2) / 64, [0.0, EXP_CUTOFF]])
    found = exp_negative(d)
    with ctx.workprec(120):
        for value, argument in zip(found.tolist(), d.tolist(), strict=True):
            exact = (-arb(argument)).exp()
            assert abs(arb(value) - exact) <= exact * EXP_ERROR
    assert exp_negative(np.array([0.0]))[0] == 1.0
    beyond = exp_negative(np.array([np.nextafter(EXP_CUTOFF, INF), 1e308, INF]))
    assert (beyond == 0.0).all() and np.exp(-EXP_CUTOFF) < TINY


def test_log1p_sum_keeps_its_bound() -> None:
    rng = np.random.default_rng(5)
    t = np.concatenate([10.0 ** rng.uniform(-300, 11, 4000), rng.uniform(0, 1, 2000), [0.0, 2.0**-7]])
    t = np.append(t, np.nextafter(2.0**-7, 0))
    found, error = log1p_sum(t)
    assert error <= 2.0**-40
    with ctx.workprec(200):
        for value, argument in zip(found.tolist(), t.tolist(), strict=True):
            exact = arb(argument).log1p()
            assert abs(arb(value) - exact) <= abs(exact) * error


def test_log_keeps_its_bound() -> None:
    rng = np.random.default_rng(6)
    x = np.concatenate(
        [rng.uniform(0.4, 2.1, 3000), 10.0 ** rng.uniform(-323, 308, 2000), 1 + 1e-9 * rng.normal(size=500)]
    )
    x = np.concatenate([x, 2.0 ** np.array([-1074.0, -1022.0, -1.5, -0.5, 0.5, 1.5]), np.nextafter(1.0, [0.0, 2.0])])
    found = log(x)
    with ctx.workprec(200):
        for value, argument in zip(found.tolist(), x.tolist(), strict=True):
            exact = arb(argument).log()
            assert abs(arb(value) - exact) <= abs(exact) * LOG_ERROR
    special = log(np.array([1.0, 0.0, -0.0, INF, -1.0, NAN]))
    assert special[:4].tolist() == [0.0, -INF, -INF, INF] and np.isnan(special[4:]).all()


# -- digits, reductions, ignored rows ---------------------------------------------------------------------------------


def test_a_loss_far_below_float64_keeps_its_digits() -> None:
    made = problem("cross_entropy", [[1000.0, 0.0]], [0])
    source = ExactTruth(Block((made,)), NORMATIVE)
    with ctx.workprec(120):
        (ball,) = source.value_balls("none")
        assert ball.str(17, radius=False) == "5.0759588975494568e-435"
        gradient = source.gradient_balls("sum")
        assert all(g.rel_accuracy_bits() > 60 for g in gradient)
    (sure,) = mpmath_truth.value(made, "none", digits=500)
    with mpmath.workdps(30):
        assert abs(mpmath.mpf(ball.str(25, radius=False)) / sure - 1) < mpmath.mpf(10) ** -16
    enclosed = truth(made).value("none")
    assert enclosed.mid[0] == 0.0 and 0.0 < enclosed.rad[0] <= 5e-324


def test_the_worked_numbers() -> None:
    assert truth(problem("cross_entropy", [[0.2, 0.7, 0.1]], [1])).value("mean").mid == [0.76794954890362488]
    loss = truth(problem("cross_entropy", [[1.2, 2.4, 3.6]], [1])).value("mean").mid
    assert loss == pytest.approx(1.5306, abs=1e-4)


def test_reductions_and_ignored_rows() -> None:
    x = [[1.0, 2.0], [NAN, INF], [0.5, -1.0]]
    made = problem("cross_entropy", x, [0, -100, 1], weight=[2.0, 3.0], ignore_index=-100, upstream=None)
    for tier in ("fast", "exact"):
        source = truth(made, tier)
        none = source.value("none").mid
        assert none[1] == 0.0
        np.testing.assert_allclose(source.value("sum").mid, none.sum(), rtol=1e-15)
        np.testing.assert_allclose(source.value("mean").mid, none.sum() / 5.0, rtol=1e-15)
        for reduction in ("none", "sum", "mean"):
            assert source.judged(reduction).all()
            gradient = source.gradient(reduction).mid
            assert (gradient[1] == 0.0).all() and np.isfinite(gradient).all()
            np.testing.assert_allclose(gradient[[0, 2]].sum(axis=1), 0.0, atol=1e-15)


# -- special values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_special_logits_by_definition(tier: Any) -> None:
    x = [[-INF, 0.0], [-INF, -INF], [NAN, 0.0], [INF, 0.0]]
    made = problem("cross_entropy", x, [0, 0, 1, 1])
    source = truth(made, tier)
    np.testing.assert_array_equal(source.value("none").mid, [INF, NAN, NAN, NAN])
    np.testing.assert_array_equal(source.judged("none"), [True, False, False, False])
    finite = source.gradient("none").mid[0]
    v = float(made.upstream["none"][0])
    np.testing.assert_array_equal(finite, [-v, v])
    for operation, first in (("softmax", [0.0, 1.0]), ("log_softmax", [-INF, 0.0])):
        made = problem(operation, x)  # type: ignore[arg-type]
        found = truth(made, tier).value("none").mid
        np.testing.assert_array_equal(found[0], first)
        assert np.isnan(found[1:]).all()


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_a_zero_coefficient_at_minus_infinity(tier: Any) -> None:
    made = problem("cross_entropy", [[-INF, 0.0]], [[0.0, 1.0]])
    for policy, expected in (("zero", 0.0), ("nan", NAN)):
        source = Truth(Block((made,)), Policies(zero_coefficient_at_minus_infinity=policy), tier)  # type: ignore[arg-type]
        np.testing.assert_array_equal(source.value("none").mid, [expected])
    weighted = problem("cross_entropy", [[-INF, 0.0]], [0], weight=[0.0, 1.0])
    np.testing.assert_array_equal(truth(weighted, tier).value("none").mid, [0.0])
    given = problem("nll_loss", [[-INF, 0.0], [INF, 0.0], [NAN, 0.0]], [0, 0, 0], weight=[0.0, 1.0])
    np.testing.assert_array_equal(truth(given, tier).value("none").mid, [0.0, NAN, NAN])


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_a_coefficient_that_is_nan_at_minus_infinity(tier: Any) -> None:
    """Of a class whose probability, or weight, is NaN: whatever is impossible, the product is not infinite."""
    soft = problem("cross_entropy", [[-INF, 0.0]], [[NAN, 1.0]])
    labelled = problem("cross_entropy", [[-INF, 0.0], [0.0, 0.0]], [0, 1], weight=[NAN, 1.0])
    given = problem("nll_loss", [[-INF, 0.0], [0.0, 0.0]], [0, 1], weight=[NAN, 1.0])
    for made in (soft, labelled, given):
        for reduction in ("none", "sum", "mean"):
            assert np.isnan(truth(made, tier).value(reduction).mid[0]), (made.operation, reduction)


@pytest.mark.parametrize(
    ("weight", "denominator", "mean"),
    [([1e308, 1e308], INF, LN2), ([-1e308, -1e308], -INF, LN2), ([1e308, -1e308], 1e308, LN2), ([INF, -INF], NAN, NAN)],
)
def test_weights_whose_sum_is_beyond_the_range(weight: list[float], denominator: float, mean: float) -> None:
    made = problem("cross_entropy", [[0.0, 0.0]] * 3, [0, 0, 1], weight=weight, dtype="float64")
    np.testing.assert_array_equal(truth(made, "exact").fast.denominator.mid, [denominator])
    np.testing.assert_allclose(truth(made, "exact").value("mean").mid, [mean])


@pytest.mark.parametrize("tier", ["fast", "exact"])
@pytest.mark.parametrize(("policy", "loss"), [("nan", [NAN, NAN]), ("inf", [NAN, INF]), ("limit", [0.0, INF])])
def test_plus_infinity(tier: Any, policy: Any, loss: list[float]) -> None:
    made = problem("cross_entropy", [[INF, 0.0], [INF, 0.0]], [0, 1])
    source = Truth(Block((made,)), Policies(plus_infinity=policy), tier)
    np.testing.assert_array_equal(source.value("none").mid, loss)


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_two_plus_infinities_share_the_limit(tier: Any) -> None:
    made = problem("cross_entropy", [[INF, INF, 0.0]], [1])
    source = Truth(Block((made,)), Policies(plus_infinity="limit"), tier)
    assert source.value("none").mid[0] == pytest.approx(np.log(2), rel=1e-15)


# -- means without a denominator --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["fast", "exact"])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [("nan", NAN), ("zero", 0.0), ("inf", INF), ("-inf", -INF), ("raise", NAN), (-1, -1.0), (0.1, 0.1)],
)
def test_degenerate_means(tier: Any, policy: Any, expected: float) -> None:
    ignored = problem("cross_entropy", [[1.0, 2.0]], [1], ignore_index=1)
    weightless = problem("cross_entropy", [[1.0, 2.0]], [1], weight=[1.0, 0.0])
    empty = problem("cross_entropy", np.empty((0, 2)), np.empty(0, dtype=np.int64))
    names = ("mean_of_all_ignored", "mean_of_zero_weight", "mean_of_empty_batch")
    for made, name in zip((ignored, weightless, empty), names, strict=True):
        source = Truth(Block((made,)), Policies(**{name: policy}), tier)
        np.testing.assert_array_equal(source.value("mean").mid, [expected])
        np.testing.assert_array_equal(source.value("sum").mid, [0.0])


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_gradients_without_a_denominator(tier: Any) -> None:
    made = problem("cross_entropy", [[1.0, 2.0]], [1], ignore_index=1)
    np.testing.assert_array_equal(truth(made, tier).gradient("mean").mid, [[0.0, 0.0]])
    nan = Truth(Block((made,)), Policies(gradient_of_all_ignored="nan"), tier)
    assert np.isnan(nan.gradient("mean").mid).all()
    weightless = problem("cross_entropy", [[1.0, 2.0]], [1], weight=[1.0, 0.0])
    assert not truth(weightless, tier).judged("mean").any()


@pytest.mark.parametrize("tier", ["fast", "exact"])
@pytest.mark.parametrize(("policy", "size"), [("sum-of-weights", 5.0), ("valid-count", 2.0), ("all-count", 3.0)])
def test_denominators(tier: Any, policy: Any, size: float) -> None:
    made = problem("cross_entropy", np.eye(3), [0, 1, 2], weight=[2.0, 3.0, 9.0], ignore_index=2)
    source = Truth(Block((made,)), Policies(mean_denominator=policy), tier)
    np.testing.assert_allclose(source.value("mean").mid * size, source.value("sum").mid, rtol=1e-14)


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_weights_that_cancel_leave_an_exact_denominator(tier: Any) -> None:
    made = problem("cross_entropy", np.eye(3), [0, 1, 2], weight=[1.0, 2.0**-40, -1.0])
    source = truth(made, tier)
    assert source.value("mean").mid[0] == pytest.approx(source.value("sum").mid[0] * 2.0**40, rel=1e-12)


def test_the_losses_of_a_large_problem_are_made_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [draw(seed, operation, "float64") for seed in range(12) for operation in ("cross_entropy", "nll_loss")]
    names = ("none", "sum", "mean")
    whole = [truth(each).value(name) for each in made for name in names]
    monkeypatch.setattr(exact, "PIECE", 1)
    pieces = [truth(each).value(name) for each in made for name in names]
    for one, other in zip(whole, pieces, strict=True):
        assert (one.mid.tobytes(), one.rad.tobytes()) == (other.mid.tobytes(), other.rad.tobytes())


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_a_label_whose_own_share_is_nothing_costs_its_classes_part_of_the_smoothing(tier: Any) -> None:
    made = problem("log_loss", [[INF, 0.5], [0.0, 0.5]], [0, 1], smoothing=1.0, dtype="float32")
    assert truth(made, tier).value("none").mid.tolist() == [-INF, INF]
