"""Seeded tensors: recorded bytes hold on every machine; ranges, sums and signs are as promised."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.cases.tensors import default_upstream, materialise
from conformance.model.case import Generator
from conformance.numerics.formats import DTYPES, round_to, widen

RECORDED = {
    "uniform": ("-0x1.bc8a4085f4b19p+0", "1ad5ee3960fb59ac"),
    "normal": ("-0x1.37e50270f2611p+1", "4fb4338fb2b18d43"),
    "constant": ("0x1.3333333333333p-2", "35924a9f1291af2e"),
    "labels": ("0x1.0000000000000p+0", "07db6aa222f5b357"),
    "ramp": ("-0x1.b32fbd470e67ap+1", "5ddd8401aa021ebb"),
    "one-hot": ("0x1.3333333333333p-2", "36f89cd074b323fd"),
    "simplex": ("0x1.d7a1dfbd848a4p-12", "f8f4768255376647"),
}


@pytest.mark.parametrize(("distribution", "digest"), RECORDED.items())
def test_bytes_are_those_recorded(distribution: Any, digest: tuple[str, str]) -> None:
    classes = 7 if distribution == "labels" else None
    values = materialise(
        Generator(distribution=distribution, shape=[70, 1001], scale=3.7, offset=0.3, seed=42, classes=classes)
    )
    assert float(values.flat[1]).hex() == digest[0]
    assert hashlib.sha256(values.tobytes()).hexdigest()[:16] == digest[1]


def test_upstream_bytes_are_those_recorded() -> None:
    assert default_upstream((2, 3), "some-case").tolist() == [[-1.5, -1.375, 1.75], [1.625, -1.125, 1.375]]


def test_literals_keep_their_numbers_and_shape() -> None:
    assert materialise([[1, 2.5], [-math.inf, 3]]).tolist() == [[1.0, 2.5], [-math.inf, 3.0]]
    assert materialise(4).shape == ()
    assert materialise([[], []]).shape == (2, 0)


def test_uniform_stays_within_and_normal_has_its_moments() -> None:
    uniform = materialise(Generator(distribution="uniform", shape=[100_000], scale=2, offset=5))
    assert 3 <= uniform.min() < 3.001
    assert 6.999 < uniform.max() <= 7
    normal = materialise(Generator(distribution="normal", shape=[100_000], scale=2, offset=5))
    assert abs(normal.mean() - 5) < 0.03
    assert abs(normal.std() - 2) < 0.03


def test_ramp_is_even_and_symmetric() -> None:
    ramp = materialise(Generator(distribution="ramp", shape=[5], scale=2, offset=1))
    assert ramp.tolist() == [-1, 0, 1, 2, 3]
    assert materialise(Generator(distribution="ramp", shape=[1], offset=1)).tolist() == [1]


def test_labels_cover_their_classes() -> None:
    labels = materialise(Generator(distribution="labels", seed=3), shape=(1000,), classes=5)
    assert set(labels.tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_hot_and_simplex_lie_along_the_class_axis(axis: int) -> None:
    one_hot = materialise(Generator(distribution="one-hot", shape=[3, 4, 5]), class_axis=axis)
    assert (one_hot.sum(axis=axis) == 1).all()
    assert set(one_hot.flat) == {0, 1}
    simplex = materialise(Generator(distribution="simplex", shape=[3, 4, 5]), class_axis=axis)
    assert simplex.min() > 0
    assert np.allclose(simplex.sum(axis=axis), 1, rtol=1e-15)


@pytest.mark.parametrize("distribution", ["uniform", "normal", "constant", "ramp", "one-hot", "simplex"])
@pytest.mark.parametrize("shape", [[0, 3], [3, 0]])
def test_empty_shapes(distribution: Any, shape: list[int]) -> None:
    values = materialise(Generator(distribution=distribution, shape=shape), class_axis=1)
    assert values.shape == tuple(shape)


def test_an_empty_upstream() -> None:
    assert default_upstream((0, 2), "x").shape == (0, 2)


def test_a_prefix_is_the_same_whatever_the_length() -> None:
    long = materialise(Generator(distribution="normal", shape=[70_000], seed=9))
    assert (materialise(Generator(distribution="normal", shape=[100], seed=9)) == long[:100]).all()


def test_a_shape_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="shape"):
        materialise(Generator(distribution="uniform"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=4), st.text(max_size=20))
def test_upstream_has_both_signs_no_ones_and_no_equal_neighbours(shape: list[int], key: str) -> None:
    values = default_upstream(shape, key)
    flat = values.ravel()
    assert values.shape == tuple(shape)
    assert ((abs(flat) >= 0.5) & (abs(flat) < 2) & (abs(flat) != 1)).all()
    assert (flat[1:] != flat[:-1]).all()
    assert flat.size < 2 or (flat.min() < 0 < flat.max())
    for dtype in DTYPES:
        assert (widen(round_to(values, dtype)) == values).all()
    assert (default_upstream(shape, key) == values).all()
