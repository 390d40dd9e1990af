"""The coefficients where a mean weight multiplies a loss: each is its exact value, rounded once."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.policies import Policies
from conformance.oracle.block import Block
from conformance.oracle.coefficients import Coefficients
from tests.support.problems import problem

Mass = Literal["all-classes", "other-classes"]
CLASSES = 3
WEIGHTS = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=CLASSES, max_size=CLASSES)
SHARES = st.lists(st.floats(0, 2, width=32), min_size=CLASSES, max_size=CLASSES)
LABELS = st.integers(0, CLASSES - 1)


def coefficients(targets: object, weights: list[float], smoothing: float, mass: Mass) -> Coefficients:
    policies = Policies(label_smoothing_weights="product-of-sums", label_smoothing_mass=mass)
    asked = problem("cross_entropy", np.zeros((1, CLASSES)), np.array([targets]), weight=weights, smoothing=smoothing)
    return Coefficients(Block((asked,)), policies)


@pytest.mark.parametrize("mass", ["all-classes", "other-classes"])
@given(weights=WEIGHTS, targets=st.one_of(LABELS, SHARES), smoothing=st.floats(0.0, 1.0, exclude_min=True))
def test_every_coefficient_is_rounded_once(
    mass: Mass, weights: list[float], targets: int | list[float], smoothing: float
) -> None:
    by_index = isinstance(targets, int)
    q = [Fraction(c == targets) for c in range(CLASSES)] if by_index else [Fraction(each) for each in targets]
    e = Fraction(smoothing)
    share = [e / CLASSES if mass == "all-classes" else e * (1 - each) / (CLASSES - 1) for each in q]
    label = [(1 - e) * each for each in q]
    mean = sum((Fraction(w) * (a + b) for w, a, b in zip(weights, label, share, strict=True)), Fraction(0))
    found = coefficients(targets, weights, smoothing, mass)
    assert found.target_weight.tolist() == [float(mean)]
    dense = share if by_index else [a + b for a, b in zip(label, share, strict=True)]
    assert found.dense is not None and found.dense.tolist() == [[float(mean * each) for each in dense]]
    if by_index:
        assert found.spike.tolist() == [float(mean * (1 - e))]


def test_what_is_not_finite_is_as_floating_point_has_it() -> None:
    found = coefficients([np.inf, 0.0, 0.0], [1.0, 2.0, 3.0], 0.5, "all-classes")
    assert found.target_weight.tolist() == [np.inf]
    assert np.isnan(coefficients([np.nan, 0.0, 1.0], [1.0, 2.0, 3.0], 0.5, "other-classes").target_weight).all()
