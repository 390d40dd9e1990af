from __future__ import annotations

import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from conformance.worker.exchange import (
    Failure,
    Observation,
    Request,
    pack_observations,
    pack_requests,
    request_bytes,
    unpack_observations,
    unpack_requests,
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_requests_survive_packing(dtype: type) -> None:
    logits: Any = np.array([[1.5, -np.inf, np.nan], [-0.0, 2, 3]], dtype)
    requests = [
        Request(7, "cross_entropy", logits.T, {"targets": np.array([1, 0]), "weight": logits[0]}, (("axis", 1),)),
        Request(8, "nll_loss", logits, {"targets": [1, 0]}, (), "sliced", np.ones((), dtype), True),
        Request(9, "softmax", np.empty((0, 3), dtype), {}, ()),
    ]
    for sent, got in zip(requests, unpack_requests(pack_requests(requests)), strict=True):
        assert (sent.key, sent.operation, sent.options, sent.layout, sent.repeat) == (
            got.key, got.operation, got.options, got.layout, got.repeat,
        )  # fmt: skip
        assert got.logits.dtype == sent.logits.dtype and got.logits.shape == sent.logits.shape
        assert got.logits.tobytes() == sent.logits.tobytes()
        assert list(got.operands) == list(sent.operands)
    second = unpack_requests(pack_requests(requests))[1]
    assert second.operands["targets"] == [1, 0]
    assert second.upstream is not None and second.upstream.shape == () and second.upstream.dtype == dtype


def test_observations_survive_packing() -> None:
    full = Observation(
        3, np.array([1, 2], np.float32), np.zeros((2, 0)), np.array(5), None, Failure("raised", "E", "m", "f:1"),
        ("UserWarning: x",), ("logits",), False, 0.25,
    )  # fmt: skip
    got, empty = unpack_observations(pack_observations([full, Observation(4, failure=Failure("crash", "E", "m"))]))
    assert got.value is not None and got.value.tolist() == [1, 2] and got.value.dtype == np.float32
    assert got.gradient is not None and got.gradient.shape == (2, 0)
    assert got.value_with_gradient == 5
    assert (got.failure, got.gradient_failure) == (None, full.gradient_failure)
    assert (got.warnings, got.modified, got.repeatable, got.seconds) == (full.warnings, ("logits",), False, 0.25)
    assert empty.value is None and empty.failure is not None and empty.failure.kind == "crash"


def test_a_transform_survives_packing() -> None:
    tangent = np.array([[0.5, -2.0]], np.float32)
    request = Request(1, "softmax", tangent * 0, {}, (("axis", 1),), transform="forward-mode", tangent=tangent)
    (sent,) = unpack_requests(pack_requests([request]))
    assert sent.transform == "forward-mode" and sent.tangent is not None and sent.tangent.tolist() == tangent.tolist()
    assert request_bytes(request) == 16
    seen = Observation(1, tangent, repeatable=True, seconds=0.5, derivative=-tangent)
    (got,) = unpack_observations(pack_observations([seen]))
    assert got.derivative is not None and got.derivative.tolist() == (-tangent).tolist()
    assert (got.repeatable, got.seconds, got.gradient) == (True, 0.5, None)


def test_size_and_plain_pickling() -> None:
    request = Request(1, "softmax", np.zeros((2, 3)), {"targets": np.zeros(2, np.int32)}, (), upstream=np.zeros(1))
    assert request_bytes(request) == 48 + 8 + 8
    assert pickle.loads(pickle.dumps(request)).logits.shape == (2, 3)
