"""Numbers as a script's text."""

from __future__ import annotations

import math

import numpy as np
import pytest

from conformance.numerics.formats import numpy_dtype
from conformance.repro.literals import number_text, wrapped


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_nan_keeps_its_sign(dtype: str) -> None:
    numbers = np.array([math.nan, float("-nan"), -math.inf]).astype(numpy_dtype(dtype))
    texts = [number_text(number, dtype) for number in numbers]
    assert texts == ['float("nan")', 'float("-nan")', 'float("-inf")']


def test_a_long_line_of_such_numbers_is_broken() -> None:
    assert len(wrapped("x = [" + ", ".join(['float("-nan")', 'float("nan")', "1.0"] * 9) + "]")) > 1
