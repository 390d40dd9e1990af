"""No sound evaluation of a derivative in a direction exceeds its bound, in any arrangement; wrong ones do."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.model.case import OperationName
from conformance.model.classes import Letter
from conformance.numerics.formats import DtypeName, round_to
from tests.support.bounds.machine import EXTENDED, long
from tests.support.bounds.search import Trial, combinations, inputs, mutate, random_trial
from tests.support.bounds.sound_directions import Arrangement, Directed
from tests.support.problems import problem, truth
from tests.support.turns import alternating

pytestmark = pytest.mark.slow

COMBINATIONS = list(combinations())
ARRANGEMENTS: tuple[Arrangement, ...] = get_args(Arrangement)
fixed = settings(derandomize=True, deadline=None, database=None, max_examples=400)


def directed(rng: np.random.Generator, trial: Trial) -> Trial:
    """The trial's problem with a direction: at random, along one class, the same for all, or across scales."""
    shape = trial.made.logits.shape
    t = rng.normal(size=shape) * 10.0 ** rng.uniform(-2, 1)
    pattern = rng.integers(0, 5)
    if pattern == 0:
        t = np.where(np.arange(shape[1]) == rng.integers(shape[1]), t, 0.0)
    elif pattern == 1:
        t = np.ones(shape) + rng.normal(size=shape) * 1e-3
    return replace(trial, made=replace(trial.made, tangent=round_to(t, trial.made.dtype)))


def ratios(trial: Trial, arrangement: Arrangement) -> dict[str, float]:
    """Error over tolerance of every result."""
    source = truth(trial.made)
    tolerance = Tolerance(source, arithmetic(trial.letter, trial.made.dtype), trial.flushed)
    found: dict[str, float] = {}
    with np.errstate(all="ignore"):
        made = Directed(source.block, trial.machine(), trial.form, arrangement)
        for reduction in trial.made.reductions:
            for what in ("jvp", "hvp"):
                if what == "hvp" and trial.made.operation == "nll_loss":
                    continue
                exact = getattr(source, what)(reduction)
                bound = getattr(tolerance, what)(reduction)
                observed = getattr(made, what)(reduction)
                assert observed.shape == exact.mid.shape == bound.shape
                judged = np.isfinite(exact.mid) & np.isfinite(bound)
                if what == "hvp" or not trial.made.takes_targets:
                    judged &= source.judged(reduction)[:, None]
                elif not source.judged(reduction).all():
                    continue
                if trial.made.dtype == "float16" or trial.made.operation == "log_loss":
                    # An intermediate beyond the range, such as 1/p², is a policy of its own.
                    judged &= np.isfinite(observed)
                distance = np.abs(observed - long(exact.mid) - long(0.0 if exact.tail is None else exact.tail))
                beyond = (distance - long(exact.rad))[judged]
                ratio = np.where(beyond <= 0, long(0.0), beyond / long(bound)[judged])
                found[f"{what}.{reduction}"] = float(ratio.max(initial=0.0))
    return found


def require_within(trial: Trial, arrangement: Arrangement) -> dict[str, float]:
    if trial.made.dtype == "float64" and not EXTENDED:
        pytest.skip("this platform's long double is float64")
    found = ratios(trial, arrangement)
    assert all(each <= 1.0 for each in found.values()), (found, arrangement, trial)  # NaN is not
    return found


@given(st.sampled_from(COMBINATIONS), st.sampled_from(ARRANGEMENTS), st.integers(0, 2**32 - 1))
@fixed
def test_random_evaluations_are_within(
    combination: tuple[OperationName, DtypeName, Letter], arrangement: Arrangement, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    require_within(directed(rng, random_trial(rng, *combination)), arrangement)


@pytest.mark.parametrize(("operation", "dtype", "letter"), alternating(COMBINATIONS))
def test_the_worst_stays_within_and_comes_near(operation: OperationName, dtype: DtypeName, letter: Letter) -> None:
    rng = np.random.default_rng([11, len(operation), len(dtype), ord(letter)])
    largest: dict[str, float] = {}
    for _ in range(16):
        trial = directed(rng, random_trial(rng, operation, dtype, letter))
        for arrangement in ARRANGEMENTS:
            for name, ratio in require_within(mutate(rng, trial), arrangement).items():
                largest[name] = max(largest.get(name, 0.0), ratio)
    # A bound that no sound evaluation comes within a factor of a thousand of would be of no use.
    assert min(largest.values()) > 1e-3, largest


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_missing_mean_is_beyond_every_class(dtype: DtypeName) -> None:
    rng = np.random.default_rng(3)
    made = problem("cross_entropy", inputs(rng, dtype, 1, 5) * 0 + rng.normal(size=(1, 5)), [2], dtype=dtype)
    made = replace(made, tangent=round_to(rng.normal(size=(1, 5)), dtype))
    source = truth(made)
    p, t = source.fast.positions.p, source.block.tangent
    bound = Tolerance(source, arithmetic("E" if dtype == "float16" else "C", dtype))
    assert np.abs(-t[0, 2] - source.jvp("none").mid[0]) > bound.jvp("none")[0]
    diagonal = source.fast.scale("sum").mid[:, None] * p * t
    assert (np.abs(diagonal - source.hvp("sum").mid) > bound.hvp("sum")).any()
