"""OpenVINO: the operators of ONNX, read by its frontend and compiled for the processor."""

from __future__ import annotations

from conformance.backends.adapters.onnx import Onnx
from conformance.backends.runtimes.openvino import OpenVinoRuntime

__all__ = ["OpenVino"]


class OpenVino(Onnx):
    """``openvino.Core().compile_model`` on a graph of one node, as :class:`.Onnx` makes it; inference alone."""

    framework = "openvino"
    profile = "openvino"
    library = "openvino"
    runs_on = OpenVinoRuntime
