"""The reference refuses what is invalid, and treats special values by definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Call
from tests.support.adapters import backend_of, numpy_dtype, options


class TestNumpy:
    """The reference refuses what is invalid, and treats special values by definition."""

    def loss(self, x: Any, y: Any, *, axis: int | None = None, weight: Any = None, **stated: Any) -> Any:
        rest: dict[str, Any] = {"ignore_index": None, "label_smoothing": None, "reduction": "none"} | stated
        y = np.asarray(y) if isinstance(y, list) else y
        return backend_of("numpy").cross_entropy(np.asarray(x), y, axis=axis, weight=weight, **rest)

    @pytest.mark.parametrize(
        ("error", "arguments", "stated"),
        [
            (TypeError, ([[1, 2]], [0]), {}),
            (TypeError, ([[1.0, 2.0]], [True]), {}),
            (TypeError, ([[1.0, 2.0]], [0.0]), {}),
            (TypeError, ([[1.0, 2.0]], 0), {}),
            (TypeError, ([[1.0, 2.0]], [0]), {"weight": [1.0, 2.0]}),
            (ValueError, ([[1.0, 2.0]], [0, 1]), {}),
            (ValueError, ([[1.0, 2.0]], [[1, 0]]), {}),
            (ValueError, ([[1.0, 2.0]], [0]), {"weight": np.ones(3)}),
            (ValueError, ([[1.0, 2.0]], [0]), {"axis": 2}),
            (ValueError, ([[1.0, 2.0]], [0]), {"axis": -3}),
            (ValueError, ([[1.0, 2.0]], [0]), {"label_smoothing": 1.5}),
            (ValueError, ([[1.0, 2.0]], [0]), {"label_smoothing": float("nan")}),
            (ValueError, ([[1.0, 2.0]], [0]), {"reduction": "average"}),
            (ValueError, ([[1.0, 2.0]], [[0.5, 0.5]]), {"ignore_index": 0}),
            (ValueError, (1.0, np.array(0)), {}),
            (IndexError, ([[1.0, 2.0]], [2]), {}),
            (IndexError, ([[1.0, 2.0]], [-1]), {}),
            (IndexError, ([[1.0, 2.0]], np.array([2**64 - 100], np.uint64)), {}),
        ],
    )
    def test_invalid_input(self, error: type[Exception], arguments: tuple[Any, Any], stated: dict[str, Any]) -> None:
        with pytest.raises(error):
            self.loss(*arguments, **stated)

    def test_upstream_of_another_shape(self) -> None:
        call = Call("softmax", {}, (("axis", 1),))
        with pytest.raises(ValueError, match="upstream"):
            backend_of("numpy").differentiate(call, np.zeros((2, 3)), np.zeros((3, 2)))

    def test_special_values(self) -> None:
        inf, nan = np.inf, np.nan
        assert self.loss([[1e8, 1e8]], [0]) == pytest.approx([0.6931471805599453], abs=1e-15)
        assert self.loss([[30.0, -40.0]], [0])[0] == pytest.approx(np.exp(-70.0), rel=1e-15)
        assert self.loss([[0.0, -inf]], [0]) == 0 and self.loss([[0.0, -inf]], [1]) == inf
        assert self.loss([[0.0, -inf]], [[1.0, 0.0]]) == 0
        assert self.loss([[0.0, -inf]], [1], weight=np.array([1.0, 0.0])) == 0
        assert np.isnan(self.loss([[inf, 0.0], [-inf, -inf], [nan, 0.0]], [1, 0, 1])).all()
        assert np.isnan(self.loss(np.zeros((0, 3)), np.zeros(0, int), reduction="mean"))

    def test_ignored_positions_take_no_part(self) -> None:
        x, y = np.array([[np.nan, np.inf], [-np.inf, -np.inf], [1.0, 2.0]]), np.array([-100, -100, 1])
        call = Call("cross_entropy", {"targets": y}, options("cross_entropy", 1, "mean", label_smoothing=0.1))
        value, gradient = backend_of("numpy").differentiate(call, x, np.array(1.5))
        assert value == pytest.approx(0.36326168751822286) and not gradient[:2].any() and gradient[2].all()

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_half_types_are_computed_in_float32(self, dtype: str) -> None:
        half = numpy_dtype(dtype)
        small = self.loss(np.asarray([[8.5, 31.875, 26.25]], half), [1])
        assert float(small[0]) == pytest.approx(0.0036, rel=1e-2)
        equal = backend_of("numpy").log_softmax(np.zeros((1, 65536), half), axis=1)
        assert equal.astype(float)[0] == pytest.approx(-11.09, abs=0.04)
        zeros = self.loss(np.zeros((70000, 4), half), np.zeros(70000, int), reduction="mean")
        assert float(zeros) == pytest.approx(1.386, abs=5e-3)
