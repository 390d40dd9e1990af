"""ONNX Runtime: the operators of ONNX, run by ``onnxruntime``."""

from __future__ import annotations

from conformance.backends.adapters.onnx import Onnx
from conformance.backends.runtimes.onnx import SessionRuntime

__all__ = ["OnnxRuntime"]


class OnnxRuntime(Onnx):
    """``onnxruntime.InferenceSession`` on a graph of one node, as :class:`.Onnx` makes it; inference alone."""

    framework = "onnxruntime"
    profile = "onnxruntime"
    library = "onnxruntime"
    runs_on = SessionRuntime
