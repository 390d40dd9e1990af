"""Keras on TensorFlow."""

from __future__ import annotations

from conformance.backends.adapters.keras import Keras
from conformance.backends.runtimes.tensorflow import TensorFlowRuntime

__all__ = ["KerasTensorFlow"]


class KerasTensorFlow(Keras):
    """As KERAS_BACKEND=tensorflow runs it."""

    profile = "keras_tensorflow"
    engine = "tensorflow"
    requires = ("tensorflow",)
    runs_on = TensorFlowRuntime
    variables = ("KERAS", *TensorFlowRuntime.variables)
