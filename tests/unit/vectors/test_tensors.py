"""The files of tensors hold the very numbers, in each format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conformance.numerics.formats import numpy_dtype
from conformance.vectors.tensors import Store, json_numbers

NUMBERS = np.array([[0.1, -0.0], [np.nan, np.inf]])
ARRAYS = [
    NUMBERS.astype(numpy_dtype(name)) for name in ("float64", "float32", "float16", "bfloat16")
] + [np.array([1, -(2**62)]), np.array([True, False]), np.array([], dtype=np.float32), np.array(2.5)]  # fmt: skip


def test_what_json_has_not_is_in_words() -> None:
    assert json_numbers(np.array([0.1, -0.0, np.nan, np.inf, -np.inf])) == [0.1, "-0.0", "NaN", "Infinity", "-Infinity"]
    assert json_numbers(np.array([True, False])) == [1, 0]
    assert json_numbers(np.float32([0.1])) == [0.10000000149011612]


def test_all_in_the_json(tmp_path: Path) -> None:
    store = Store("json", 0)
    assert store.put(np.ones((2, 3))).data == [1.0] * 6
    assert store.write(tmp_path / "theme") is None and not [*tmp_path.iterdir()]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.ndim}")
def test_raw_numbers_lie_at_their_offset(array: np.ndarray, tmp_path: Path) -> None:
    store = Store("raw", 10**6)
    store.put(np.ones(3, np.float32))  # 12 bytes: the next begins at 16
    tensor = store.put(array)
    assert store.put(array) == tensor  # once
    assert store.write(tmp_path / "theme") == "theme.bin"
    data = (tmp_path / "theme.bin").read_bytes()
    assert int(tensor.tensor or "") == 16 and tensor.shape == [*array.shape] and tensor.dtype == array.dtype.name
    assert data[16 : 16 + array.nbytes] == array.astype(array.dtype.newbyteorder("<")).tobytes()
    assert len(data) % 8 == 0


def test_npz(tmp_path: Path) -> None:
    store = Store("npz", 1)
    tensors = [store.put(array) for array in ARRAYS]
    assert store.write(tmp_path / "theme") == "theme.npz"
    with np.load(tmp_path / "theme.npz", allow_pickle=False) as file:
        for array, tensor in zip(ARRAYS, tensors, strict=True):
            if array.size > 1:
                assert tensor.tensor is not None and tensor.data is None
                found = file[tensor.tensor]
                assert found.shape == array.shape and found.tobytes() == array.tobytes()
            else:
                assert tensor.data == array.reshape(-1).tolist()


def test_safetensors(tmp_path: Path) -> None:
    store = Store("safetensors", 0)
    names = [store.put(array).tensor for array in ARRAYS if array.size]
    store.write(tmp_path / "theme")
    data = (tmp_path / "theme.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    kinds = ["F64", "F32", "F16", "BF16", "I64", "BOOL", "F64"]
    assert [header[name]["dtype"] for name in names] == kinds
    for name, array in zip(names, [each for each in ARRAYS if each.size], strict=True):
        begin, end = header[name]["data_offsets"]
        assert data[8 + size + begin : 8 + size + end] == array.tobytes() and header[name]["shape"] == [*array.shape]
