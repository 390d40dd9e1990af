"""Keras on PyTorch."""

from __future__ import annotations

from conformance.backends.adapters.keras import Keras
from conformance.backends.runtimes.torch import TorchRuntime

__all__ = ["KerasTorch"]


class KerasTorch(Keras):
    """As KERAS_BACKEND=torch runs it."""

    profile = "keras_torch"
    engine = "torch"
    requires = ("torch",)
    runs_on = TorchRuntime
    variables = ("KERAS", *TorchRuntime.variables)
