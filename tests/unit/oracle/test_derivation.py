"""The derivation of a large problem: the numbers that are shown, and no more memory than they need."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from conformance.cases.expand import reference_problem
from conformance.cases.load import load_suite
from conformance.oracle.block import from_rows
from conformance.oracle.derivation import SHOWN, derive
from conformance.places import CASES
from tests.support.problems import problem, truth


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(3, 5, 7), (70, 2, 1), (2, 3, 40)])
def test_the_first_results_lie_in_memory_order(axis: int, shape: tuple[int, ...]) -> None:
    made = problem("softmax", np.random.default_rng(1).normal(size=shape), axis=axis)
    whole = from_rows(truth(made).value("none").mid, shape, axis).reshape(-1)
    (shown,) = derive(made).results
    assert shown.exact == tuple(f"{value:.17g}" for value in whole[:SHOWN].tolist())
    assert shown.more == whole.size - SHOWN


def test_a_long_row_is_not_kept_step_by_step() -> None:
    classes = 1 << 14
    made = problem("cross_entropy", np.random.default_rng(1).normal(size=(20, classes)), [1] * 20, dtype="float32")
    tracemalloc.start()
    try:
        derive(made, ("mean",))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * made.logits.size  # bytes; with every step of three rows it is 26 for each logit


def test_what_is_written_is_what_was_drawn_along_the_stated_axis() -> None:
    entries = load_suite([CASES / "given-probabilities" / "shapes.yaml"]).entries
    (entry,) = (each for each in entries if each.case.id == "log-loss-along-axis-1-of-an-image")
    made = reference_problem(entry)
    assert made is not None and made.dtype == "float64"  # which holds what was drawn, so that nothing is rounded
    assert {step.label for each in derive(made).positions for step in each.steps[:1]} == {"input"}
