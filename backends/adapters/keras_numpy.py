"""Keras on NumPy."""

from __future__ import annotations

from dataclasses import replace

from conformance.backends.adapters.keras import Keras
from conformance.backends.runtimes.numpy import NumpyRuntime

__all__ = ["KerasNumpy"]


class KerasNumpy(Keras):
    """As KERAS_BACKEND=numpy runs it."""

    profile = "keras_numpy"
    engine = "numpy"
    runs_on = NumpyRuntime
    offers = replace(Keras.offers, gradient="unsupported")
    variables = ("KERAS", *NumpyRuntime.variables)
