"""Keras on JAX."""

from __future__ import annotations

from conformance.backends.adapters.keras import Keras
from conformance.backends.runtimes.jax import JaxRuntime

__all__ = ["KerasJax"]


class KerasJax(Keras):
    """As KERAS_BACKEND=jax runs it."""

    profile = "keras_jax"
    engine = "jax"
    requires = ("jax",)
    runs_on = JaxRuntime
    variables = ("KERAS", *JaxRuntime.variables)
