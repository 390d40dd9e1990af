"""A bound never depends on numbers that its result does not use: of unused weights, and of ignored positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.model.classes import letters
from conformance.model.problem import Problem
from conformance.numerics.formats import Float64Array
from tests.support.problems import problem, truth

ROWS, CLASSES = 3, 4
#: In the place of what is not used: neither does any of it come out as 0 where it is multiplied by 0.
ANYTHING = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1e30, 1e-40, 7.0])
LOGITS = st.lists(
    st.lists(st.floats(-200, 200, width=16), min_size=CLASSES, max_size=CLASSES), min_size=ROWS, max_size=ROWS
)


def bounds(made: Problem, dtype: Any, letter: Any, *, flushed: bool) -> dict[str, Float64Array]:
    """Every bound on a loss, by name and reduction."""
    found = Tolerance(truth(made), arithmetic(letter, dtype), flushed)
    named = [(name, each) for name in ("value", "gradient") for each in ("none", "sum", "mean")]
    return {f"{name} {each}": getattr(found, name)(each) for name, each in named}


@given(
    operation=st.sampled_from(["cross_entropy", "nll_loss", "nll_loss_of_log_softmax"]),
    dtype=st.sampled_from(["float64", "float32", "bfloat16"]),
    x=LOGITS,
    targets=st.lists(st.sampled_from([0, 1, 2, -100]), min_size=ROWS, max_size=ROWS),
    other=st.lists(ANYTHING, min_size=CLASSES, max_size=CLASSES),
    flushed=st.booleans(),
)
def test_weights_of_no_target_and_logits_of_ignored_positions(
    operation: Any, dtype: Any, x: list[list[float]], targets: list[int], other: list[float], flushed: bool
) -> None:
    logits, weight = np.array(x), np.array([0.5, 2.0, 1e-3, 3.0])
    ignored = np.array(targets) == -100
    used = np.isin(np.arange(CLASSES), np.array(targets)[~ignored])
    changed = np.where(ignored[:, None], other, logits)
    if operation == "nll_loss":  # nor is any log-probability but the target's
        changed = np.where(np.arange(CLASSES) == np.array(targets)[:, None], logits, other)
    one = problem(operation, logits, targets, ignore_index=-100, dtype=dtype, weight=weight)
    two = problem(operation, changed, targets, ignore_index=-100, dtype=dtype, weight=np.where(used, weight, other))
    for letter in letters(dtype):
        before, after = (bounds(each, dtype, letter, flushed=flushed) for each in (one, two))
        for name, bound in before.items():
            np.testing.assert_array_equal(after[name], bound, err_msg=f"{letter} {name}")
