"""Sound evaluations that broke an earlier draft of the bounds (kept in earlier.py); each is within the present one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.model.classes import Letter
from conformance.model.problem import Problem
from tests.support.bounds.earlier import Earlier
from tests.support.bounds.machine import long
from tests.support.bounds.search import PLAIN, Trial
from tests.support.bounds.sound import Evaluation, Form
from tests.support.problems import problem, truth


def require_repaired(made: Problem, letter: Letter, result: str, form: Form = PLAIN, **how: Any) -> None:
    """The evaluation's error is beyond the earlier bound and within the present one."""
    trial = Trial(made, letter, form, **how)
    what, reduction = result.split(".")
    source, kind = truth(made), arithmetic(letter, made.dtype)
    with np.errstate(all="ignore"):
        observed = getattr(Evaluation(source.block, trial.machine(), form), what)(reduction)
    exact = getattr(source, what)(reduction)
    error = np.abs(observed - long(exact.mid) - long(0.0 if exact.tail is None else exact.tail)).astype(np.float64)
    before = getattr(Earlier(source, kind, trial.flushed), what)(reduction)
    after = getattr(Tolerance(source, kind, trial.flushed), what)(reduction)
    assert (error / before).max() > 1.0
    assert (error <= after).all()


def test_one_minus_epsilon_from_a_rounded_epsilon() -> None:
    """1 − ε is off by u·ε, which is not small beside a_y = 1 − ε + ε/C when both are tiny."""
    x = np.zeros((1, 4096))
    x[0, 0] = -1e4
    made = problem("cross_entropy", x, [0], smoothing=0.999999, dtype="float32")
    require_repaired(made, "A", "value.none", adverse=False)


def test_targets_of_both_signs_cancel_in_a_coefficient() -> None:
    """(1 − ε)·q_c + ε/C is almost 0 while its parts, and their roundings, are not."""
    made = problem("cross_entropy", [[0.0, 3.0, 1.0]], np.full((1, 3), -1 / 27), smoothing=0.1, dtype="float32")
    require_repaired(made, "A", "value.none", adverse=False)


def test_the_uniform_share_underflows() -> None:
    """ε/C = 1.5e-7 is two or three spacings of float16; the share of 32,767 classes carries the whole loss."""
    x = np.full((1, 32768), -100.0)
    x[0, 0] = 0.0
    made = problem("cross_entropy", x, [0], smoothing=0.005, dtype="float16")
    require_repaired(made, "D", "value.none", adverse=False)


@pytest.mark.parametrize(("classes", "depth", "flushed"), [(65536, 12.0, True), (1 << 18, 17.0, False)])
def test_exponentials_underflow_together(classes: int, depth: float, flushed: bool) -> None:
    """Each is negligible; all of them are not."""
    x = np.full((1, classes), -depth)
    x[0, 0] = 0.0
    require_repaired(
        problem("cross_entropy", x, [0], dtype="float16"), "D", "value.none", adverse=False, flushed=flushed
    )


def test_a_flat_sum_over_rows_and_classes() -> None:
    """100,000 equal terms in a row, as compilers that fuse the two sums form them: the height is N·C − 1, not N + C."""
    made = problem("cross_entropy", np.zeros((100, 1000)), np.full((100, 1000), 0.1), dtype="float32")
    require_repaired(made, "B", "value.mean", Form(flat=True), adverse=False)


def test_a_wide_sum_is_not_exact() -> None:
    """60,000 losses of 1.4985 spacings of float32 each, added to 300: each addition drops a third."""
    x = np.full((60000, 1), -1.4985 * 2.0**-15)
    x[0] = -300.0
    made = problem("nll_loss", x, np.zeros(60000, dtype=int), dtype="float16")
    require_repaired(made, "D", "value.mean", adverse=False)


@pytest.mark.parametrize("adverse", [False, True])
def test_a_sum_that_is_rescaled_at_every_class(adverse: bool) -> None:
    """One pass over rising logits: the first terms pass through C − 1 exponentials and products besides additions."""
    made = problem("cross_entropy", np.arange(256)[None] * 2.0**-20, [255], dtype="float32")
    require_repaired(made, "B", "value.none", Form(logsum="online"), adverse=adverse)


def test_the_scale_underflows_before_it_meets_the_weight() -> None:
    """v/W = 3.3e-8 rounds to the least subnormal float16, 6e-8; the weight 30,000 makes a visible number of it."""
    for operation in ("nll_loss", "cross_entropy"):
        x = [[-1.0]] if operation == "nll_loss" else [[-1.0, 0.0]]
        weight = [30000.0] if operation == "nll_loss" else [30000.0, 1.0]
        made = problem(operation, x, [0], weight=weight, dtype="float16", upstream=1e-3)
        require_repaired(made, "D", "gradient.mean", adverse=False)


def test_a_weighted_loss_underflows_before_it_meets_the_denominator() -> None:
    """w·ℓ = 1e-7 is off by a quarter; dividing by W = 1e-4 brings that back into view."""
    made = problem("nll_loss", [[-1e-3, 0.0]], [0], weight=[1e-4, 1.0], dtype="float16")
    require_repaired(made, "D", "value.mean", adverse=False)


def test_a_weighted_upstream_gradient_underflows_before_it_meets_the_denominator() -> None:
    made = problem("cross_entropy", [[0.0, 0.0]], [0], weight=[1e-4, 1.0], dtype="float16", upstream=1e-3)
    require_repaired(made, "D", "gradient.mean", Form(gradient="product"), adverse=False)


def test_the_gradient_of_stored_log_probabilities_is_stored_too() -> None:
    """The composed operation keeps −s·w in half precision; at another class p_c → 1 carries its rounding whole."""
    made = problem("nll_loss_of_log_softmax", [[0.0, 8.0]], [0], weight=[1.1, 1.0], dtype="bfloat16", upstream=1.5)
    require_repaired(made, "B", "gradient.none")


def test_subnormal_log_probabilities_are_flushed_together() -> None:
    """Each loss of 5e-5 is lost where subnormal inputs count as zero; their sum is not a subnormal number."""
    made = problem("nll_loss", np.full((20, 1), -5e-5), np.zeros(20, dtype=int), dtype="float16")
    require_repaired(made, "D", "value.sum", adverse=False, flushed=True)


def test_deep_probabilities_of_float64() -> None:
    """Below exp(−700) the magnitudes were cut to 0, so that 1e-306 was held to the last subnormal bit."""
    made = problem("softmax", [[0.0, -705.0]], dtype="float64")
    bound = Tolerance(truth(made), arithmetic("B", "float64")).value("none")
    assert bound[0, 1] >= 705.0 * 2.0**-53 * np.exp(-705.0)


def test_growth_factors_of_float64_do_not_vanish() -> None:
    """(1 + u)³ − 1 is 0 when it is computed in float64 for u = 2^-53."""
    made = problem("nll_loss", [[-1.0, -2.0]], [1], weight=[0.3, 0.7], dtype="float64")
    bound = Tolerance(truth(made), arithmetic("A", "float64"))
    slope = np.abs(truth(made).gradient("sum").mid[0, 1])
    assert bound.gradient("sum")[0, 1] >= 2.0**-53 * slope
    assert bound.value("mean")[0] >= 2.0**-53 * 2.0
