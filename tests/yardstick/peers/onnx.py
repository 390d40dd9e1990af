"""ONNX's node tests, as its backend test runner holds them: every test in turn, on one instance."""

from __future__ import annotations

import numpy as np

from conformance.backends.contract import Backend
from conformance.foreign import onnx
from tests.yardstick.peers.rule import Asked, Rule, quiet

__all__ = ["NodeTests"]


class NodeTests(Rule):
    """Shape, dtype, and ``assert_allclose`` with the tests' own rtol 1e-3 and atol 1e-7."""

    key = "onnx"
    title = "ONNX node tests, rtol 1e-3, atol 1e-7"
    source = "https://github.com/onnx/onnx/blob/main/onnx/backend/test/runner/__init__.py"

    def __init__(self) -> None:
        taken = onnx.take()
        self.versions, self._calls = taken.versions, taken.calls

    def failure(self, backend: Backend) -> str:
        for call in self._calls:
            try:
                with quiet():
                    value = Asked(call).value(backend)
                    np.testing.assert_array_equal(value.shape, call.value.shape)
                    np.testing.assert_equal(value.dtype, call.value.dtype)
                    np.testing.assert_allclose(value, call.value, rtol=call.rtol, atol=call.atol)
            except Exception:
                return call.source.test
        return ""
