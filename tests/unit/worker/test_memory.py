"""Operands in the driver's memory: where a frame says that they lie, there they lie."""

from __future__ import annotations

import fcntl
import itertools
import mmap
import os
import sys
from typing import Any

import ml_dtypes
import msgspec
import numpy as np
import pytest

from conformance.model.layouts import BETWEEN, FAR_APART, LAYOUTS
from conformance.worker import wire
from conformance.worker.exchange import Request
from conformance.worker.memory import Region, place, room_for


def request(layout: str, dtype: Any = np.float32) -> Request:
    logits = np.stack([np.lib.stride_tricks.sliding_window_view(np.arange(6.0), 4)] * 2).astype(dtype)
    operands = {"targets": np.array([[1, 2, 0], [1, 0, 2]]), "weight": logits[1, 2]}
    return Request(0, "cross_entropy", logits, operands, (), layout, upstream=np.array(2, dtype), tangent=logits + 1)


def read(memory: Any, operand: wire.Operand) -> Any:
    return np.ndarray(operand.shape, np.dtype(operand.dtype), memory, operand.offset, operand.strides)


SOME = ["weight=within-logits", "tangent=beside-logits", "logits=padded+targets=sliced+weight=within-logits"]


@pytest.mark.parametrize("layout", [*(each for each in LAYOUTS if each not in (FAR_APART, *BETWEEN)), *SOME])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_a_second_map_of_the_memory_reads_what_was_placed(layout: str, dtype: Any) -> None:
    if layout == "byte-swapped" and dtype is ml_dtypes.bfloat16:
        pytest.skip("bfloat16 has one byte order in NumPy")
    region, asked = Region(shared=True), request(layout, dtype)
    region.begin(room_for(asked))
    placed = place(region, asked, 7, 0)
    assert region.used <= room_for(asked)
    theirs = mmap.mmap(region.descriptor, len(region.memory))
    call = placed.call
    assert call.upstream is not None and call.tangent is not None
    found = {"logits": call.logits, **call.operands, "upstream": call.upstream, "tangent": call.tangent}
    sent = {"logits": asked.logits, **asked.operands, "upstream": asked.upstream, "tangent": asked.tangent}
    for name, operand in found.items():
        assert isinstance(operand, wire.Operand)
        view = read(theirs, operand)
        assert view.astype(sent[name].dtype).tobytes() == sent[name].tobytes() and view.flags.writeable
        start, end = placed.spans[name]
        assert start % 64 == 0 and start <= operand.offset <= end
    spans = sorted(set(placed.spans.values()))
    assert all(end + 64 <= start for (_, end), (start, _) in itertools.pairwise(spans))
    region.close()


def test_each_operand_lies_as_its_own_layout_says() -> None:
    region, asked = Region(shared=False), request("logits=padded+targets=time-major+weight=within-logits")
    region.begin(room_for(asked))
    call = place(region, asked, 7, 0).call
    logits, targets, weight = call.logits, call.operands["targets"], call.operands["weight"]
    assert isinstance(targets, wire.Operand) and isinstance(weight, wire.Operand)
    assert (logits.strides, targets.strides, weight.strides) == ((84, 28, 4), (8, 16), (4,))
    assert weight.offset == logits.offset + 2 * 28 and weight.memory == logits.memory
    assert logits.exact and targets.exact and weight.exact
    assert call.upstream is not None and not call.upstream.exact and call.upstream.memory is None


def test_positions_far_apart_take_no_more_of_the_region_than_their_numbers() -> None:
    region, asked = Region(shared=False), request("far-apart")
    region.begin(room_for(asked))
    placed = place(region, asked, 7, 0)
    assert region.used <= room_for(asked) < 2000
    logits, targets = placed.call.logits, placed.call.operands["targets"]
    assert isinstance(targets, wire.Operand)
    assert (logits.strides, targets.strides) == ((4 << 31, 16, 4), (8 << 31, 8))
    assert logits.far_apart and logits.exact and targets.far_apart
    start, end = placed.spans["logits"]
    assert region.memory[start + 48 : end - 48] == asked.logits.tobytes()
    assert placed.call.upstream is not None and not placed.call.upstream.far_apart


def test_operands_beside_the_logits_share_their_rows() -> None:
    region, asked = Region(shared=False), request("tangent=beside-logits")
    region.begin(room_for(asked))
    placed = place(region, asked, 7, 0)
    logits, tangent = placed.call.logits, placed.call.tangent
    assert tangent is not None and tangent.offset == logits.offset + 16
    assert tangent.strides == logits.strides == (96, 32, 4)
    assert placed.spans["tangent"] == placed.spans["logits"]


def test_numbers_that_are_not_the_logits_do_not_lie_within_them() -> None:
    region = Region(shared=False)
    asked = msgspec.structs.replace(request("weight=within-logits"), operands={"weight": np.ones(4, np.float32)})
    region.begin(room_for(asked))
    with pytest.raises(ValueError, match="the logits, or one of their rows"):
        place(region, asked, 7, 0)


def test_memory_grows_and_is_used_anew() -> None:
    region = Region(shared=True)
    size = len(region.memory)
    region.begin(3 * size)
    assert len(region.memory) >= 3 * size and region.reserve(8) == 0 and region.reserve(8) == 128
    region.begin(8)
    assert len(region.memory) >= 3 * size and region.reserve(8) == 0
    region.close()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is sealed on Linux alone")
def test_who_shares_the_memory_cannot_make_it_shorter() -> None:
    region = Region(shared=True)
    size = len(region.memory)
    with pytest.raises(PermissionError):
        os.ftruncate(region.descriptor, 0)
    with pytest.raises(PermissionError):
        fcntl.fcntl(region.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    os.ftruncate(region.descriptor, 5 * size)
    region.begin(3 * size)
    assert len(region.memory) >= 3 * size
    region.close()


def test_python_objects_travel_as_they_are() -> None:
    region = Region(shared=False)
    asked = Request(0, "cross_entropy", np.zeros((1, 2)), {"targets": [1, 0.5, "a", None, True]}, ())
    region.begin(room_for(asked))
    plain = place(region, asked, 7, 0).call.operands["targets"]
    assert isinstance(plain, wire.Plain) and wire.unpack(plain.packed) == [1, 0.5, "a", None, True]
