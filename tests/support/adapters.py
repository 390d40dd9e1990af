"""What the tests of adapters share: a backend of each library, NumPy dtypes by name, and the options of a call."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

import numpy as np
import pytest

from conformance.backends.contract import Backend
from conformance.backends.discovery import create, profile
from conformance.cases.checks import SMOOTHED

__all__ = ["backend_of", "numpy_dtype", "options"]


def backend_of(spec: str) -> Backend:
    """The backend, one for all tests of a process; skips the test where its framework is not installed."""
    framework = profile(spec.partition(":")[0])["framework"]
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    return _created(spec)


@cache
def _created(spec: str) -> Backend:
    return create(spec, threads=1)


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The dtype, bfloat16 too; skips the test where that is not installed."""
    ml_dtypes = pytest.importorskip("ml_dtypes") if name == "bfloat16" else None
    return np.dtype(ml_dtypes.bfloat16 if ml_dtypes else name)


def options(op: str, axis: int | None, reduction: str | None = None, **stated: Any) -> tuple[tuple[str, Any], ...]:
    """The options of a call of ``op``, each that is not ``stated`` left to the backend."""
    found: dict[str, Any] = {"axis": axis}
    if "softmax" not in op or "nll" in op:
        found |= {"ignore_index": None, "reduction": reduction}
    if op in SMOOTHED:
        found["label_smoothing"] = None
    return tuple((found | stated).items())
