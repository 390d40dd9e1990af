"""The derivatives in a direction: both tiers against differences and each other, and where they are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.model.problem import Problem
from conformance.numerics.formats import round_to
from tests.support.problems import problem, truth

LOSSES = ("cross_entropy", "nll_loss_of_log_softmax")
fixed = settings(derandomize=True, deadline=None, database=None, max_examples=60)


def directed(seed: int, operation: Any, **changes: Any) -> Problem:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, 4)) * 2
    targets = None if operation in ("softmax", "log_softmax") else rng.integers(0, 4, 3)
    made = problem(operation, x, targets, seed=seed, **changes)
    return replace(made, tangent=round_to(rng.normal(size=(3, 4)), made.dtype))


def moved(made: Problem, step: float) -> Problem:
    assert made.tangent is not None
    return replace(made, logits=made.logits + step * made.tangent)  # type: ignore[operator]


@given(st.integers(0, 10**6), st.sampled_from(("softmax", "log_softmax", *LOSSES)))
@fixed
def test_both_are_the_limits_of_differences(seed: int, operation: Any) -> None:
    weight = [0.5, 2.0, 1.25, 3.0] if operation in LOSSES else None
    smoothing = 0.25 if operation == "cross_entropy" else 0.0
    made = directed(seed, operation, weight=weight, smoothing=smoothing)
    step = 2.0**-17
    for reduction in made.reductions:
        for plain, derived in (("value", "jvp"), ("gradient", "hvp")):
            up, down = (getattr(truth(moved(made, sign * step)), plain)(reduction).mid for sign in (1, -1))
            exact = getattr(truth(made), derived)(reduction).mid
            np.testing.assert_allclose((up - down) / (2 * step), exact, rtol=1e-7, atol=1e-7)


@given(st.integers(0, 10**6), st.sampled_from(("softmax", "log_softmax", "nll_loss", *LOSSES)))
@fixed
def test_the_first_tier_contains_the_second(seed: int, operation: Any) -> None:
    made = directed(seed, operation, dtype="float32")
    fast, exact = truth(made, "fast"), truth(made, "exact")
    for reduction in made.reductions:
        for what in ("jvp", "hvp") if operation != "nll_loss" else ("jvp",):
            near, sharp = getattr(fast, what)(reduction), getattr(exact, what)(reduction)
            assert (near.distance(sharp.mid) <= near.rad + sharp.rad + 1e-15 * np.abs(sharp.mid)).all()


@pytest.mark.parametrize("operation", ["softmax", "log_softmax", "cross_entropy"])
def test_a_common_direction_moves_no_probability(operation: Any) -> None:
    made = replace(directed(5, operation), tangent=np.ones((3, 4)))
    assert np.abs(truth(made).jvp("none").mid).max() < 1e-20
    assert np.abs(truth(made).hvp("none").mid).max() < 1e-20


def test_ignored_positions_have_neither_jvp_nor_hvp() -> None:
    made = replace(
        problem("cross_entropy", [[np.nan, np.inf], [1.0, 2.0]], [0, 1], ignore_index=0, dtype="float32"),
        tangent=np.ones((2, 2), np.float32) * np.array([[3], [1]], np.float32),
    )
    for tier in ("fast", "exact"):
        found = truth(made, tier)  # type: ignore[arg-type]
        assert found.jvp("none").mid[0] == 0.0 and found.jvp("sum").mid[0] == pytest.approx(0.0, abs=1e-7)
        assert (found.hvp("none").mid[0] == 0.0).all()


def test_a_class_at_minus_infinity_contributes_nothing() -> None:
    made = replace(
        problem("cross_entropy", [[1.0, -np.inf, 2.0]], [0], dtype="float32"),
        tangent=np.array([[0.0, 5.0, 1.0]], np.float32),
    )
    p = np.exp(2.0) / (np.exp(1.0) + np.exp(2.0))
    assert truth(made).jvp("none").mid[0] == pytest.approx(p, rel=1e-12)
    assert truth(made).hvp("none").mid[0, 1] == 0.0


def softened(seed: int, *, weighted: bool, smoothing: float, dtype: Any = "float64") -> Problem:
    rng = np.random.default_rng(seed)
    weight = [0.5, -2.0, 1.25, 3.0] if weighted else None
    q = rng.uniform(-0.25, 1, size=(3, 4))
    return problem("cross_entropy", rng.normal(size=(3, 4)) * 2, q, weight=weight, smoothing=smoothing, dtype=dtype)


@given(st.integers(0, 10**6), st.booleans(), st.sampled_from((0.0, 0.25, 1.0)), st.integers(0, 11))
@fixed
def test_the_gradient_by_the_targets_is_the_limit_of_differences(
    seed: int, weighted: bool, smoothing: float, place: int
) -> None:
    made = softened(seed, weighted=weighted, smoothing=smoothing)
    step = np.zeros((3, 4))
    step.flat[place] = 2.0**-10  # the loss is linear in the targets
    for reduction in made.reductions:
        up, down = (
            truth(replace(made, targets=np.asarray(made.targets) + sign * step)).value(reduction).mid
            for sign in (1, -1)
        )
        change = float(((up - down) * np.asarray(made.upstream[reduction])).sum() / 2.0**-9)
        exact = truth(made).target_gradient(reduction).mid.flat[place]
        assert exact == pytest.approx(change, rel=1e-9, abs=1e-9)


@given(st.integers(0, 10**6), st.booleans(), st.sampled_from((0.0, 0.25, 1.0)))
@fixed
def test_the_first_tier_contains_the_gradient_by_the_targets(seed: int, weighted: bool, smoothing: float) -> None:
    made = softened(seed, weighted=weighted, smoothing=smoothing, dtype="float32")
    fast, exact = truth(made, "fast"), truth(made, "exact")
    for reduction in made.reductions:
        near, sharp = fast.target_gradient(reduction), exact.target_gradient(reduction)
        assert (near.distance(sharp.mid) <= near.rad + sharp.rad + 1e-15 * np.abs(sharp.mid)).all()


@pytest.mark.parametrize("tier", ["fast", "exact"])
def test_an_impossible_class_has_an_infinite_gradient_by_its_probability(tier: Any) -> None:
    made = problem("cross_entropy", [[1.0, -np.inf, 2.0]], [[0.5, 0.0, 0.5]], upstream=-1.5, dtype="float32")
    assert truth(made, tier).target_gradient("none").mid[0, 1] == -np.inf
