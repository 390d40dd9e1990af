from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.model.layouts import BETWEEN, LAYOUTS
from conformance.worker.layouts import arrange, can_broadcast, owner

SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4), (0, 3), (3, 0)]
DTYPES: list[Any] = [np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int8, np.bool_]


OF_SOME_NUMBERS = ("broadcast", "overlapping", "expanded")
ALWAYS = [each for each in LAYOUTS if each not in (*OF_SOME_NUMBERS, *BETWEEN)]


@pytest.mark.parametrize("layout", ALWAYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_numbers_in_memory_of_its_own(layout: str, shape: tuple[int, ...], dtype: Any) -> None:
    array = np.random.default_rng(5).integers(0, 2, shape).astype(dtype)
    if layout == "byte-swapped" and dtype is ml_dtypes.bfloat16:
        with pytest.raises(ValueError, match="bfloat16 has one byte order"):
            arrange(array, layout)
        return
    view = arrange(array, layout)
    assert view.shape == array.shape and view.astype(dtype).tobytes() == array.tobytes()
    assert (view.dtype == array.dtype) == (layout != "byte-swapped" or array.itemsize == 1)
    assert view.flags.writeable == (layout != "read-only") and not np.shares_memory(view, array)


def test_strides_are_what_the_layout_says() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert arrange(array, "transposed").flags.f_contiguous
    assert arrange(array, "sliced").strides == (96, 32, 8)
    assert arrange(array, "reversed").strides == (-48, -16, -4)
    misaligned = arrange(array, "misaligned")
    assert misaligned.flags.c_contiguous and misaligned.__array_interface__["data"][0] % 64 == 4


@pytest.mark.parametrize("layout", ["sliced", "reversed", "broadcast", "misaligned"])
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_a_kernel_that_ignores_strides_meets_garbage(layout: str, dtype: Any) -> None:
    array = np.ones((3, 4), dtype)
    view = arrange(array, layout)
    start = view.__array_interface__["data"][0] - owner(view).__array_interface__["data"][0]
    flat = owner(view)[start : start + array.nbytes].view(dtype).astype(float)
    if layout == "misaligned":
        assert (flat == 1).all()
    else:
        assert len(flat) == array.size and np.isnan(flat).any()


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.int64])
def test_positions_far_apart_lie_among_garbage_and_zeros(dtype: Any) -> None:
    """Where an offset of int32 leads, negative or of another row, and nothing else is held."""
    array = np.arange(1, 13).reshape(3, 4).astype(dtype)
    view = arrange(array, "far-apart")
    whole = owner(view)
    assert view.strides == (array.itemsize << 31, array.itemsize) and len(whole) == 5 << 31
    place = (view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // array.itemsize
    assert place == 1 << 31 and (whole[place : place + 4] == array[0]).all() and not whole[place + 4 : place + 99].any()
    before = whole[:4]
    assert np.isnan(before.astype(float)).all() if array.dtype.kind != "i" else (before == np.iinfo(dtype).max).all()


def test_too_little_address_space() -> None:
    with pytest.raises(OSError, match=r"\w"):
        arrange(np.zeros((1 << 20, 1)), "far-apart")


def test_broadcast_needs_equal_positions() -> None:
    row = np.array([1.0, np.nan, 3.0])
    view = arrange(np.stack([row, row]), "broadcast")
    assert view.strides == (0, 8) and view.flags.writeable and view.tobytes() == np.stack([row, row]).tobytes()
    assert arrange(np.zeros((0, 3)), "broadcast").shape == (0, 3)
    assert not can_broadcast(np.array([0.0, -0.0]))
    with pytest.raises(ValueError, match="equal at all positions"):
        arrange(np.eye(2), "broadcast")


def test_unknown_layout() -> None:
    with pytest.raises(ValueError, match="unknown layout 'spiral'"):
        arrange(np.eye(2), "spiral")
