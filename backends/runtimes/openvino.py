"""OpenVINO: graphs of one operator of ONNX on NumPy's arrays, compiled for the processor.

The library is imported when a runtime is made, not when this file is.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Tensor
from conformance.backends.runtimes.onnx import GraphRuntime, Run

if TYPE_CHECKING:
    import ml_dtypes
    import onnx
    import openvino

__all__ = ["OpenVinoRuntime"]


class OpenVinoRuntime(GraphRuntime):
    """``openvino.Core().compile_model`` for the processor, with the properties that it has by default."""

    distributions: ClassVar[tuple[str, ...]] = ("openvino", "onnx", "numpy")
    variables: ClassVar[tuple[str, ...]] = ("OV_",)

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global ml_dtypes, openvino
        import ml_dtypes
        import openvino

        super().__init__(device=device, execution=execution, threads=threads)

    def settings(self) -> dict[str, str]:
        """The properties that it has by default: the precision hint depends on the processor."""
        hint = _core().get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        flushes = str(_core().get_property("CPU", "CPU_DENORMALS_OPTIMIZATION")).lower()
        return {"threads": str(self.threads), "flush to zero": flushes, "inference precision hint": hint}

    def prepared(self, model: onnx.ModelProto) -> Run:
        properties = {"INFERENCE_NUM_THREADS": self.threads}
        compiled = _core().compile_model(_core().read_model(model.SerializeToString()), "CPU", properties)
        bfloat16 = compiled.output(0).element_type == openvino.Type.bf16
        requests = _Requests(compiled)

        def run(inputs: Any) -> Tensor:
            result: Array = requests.own.infer(dict(inputs), share_inputs=True)[0]  # as `compiled(inputs)` has it
            return result.view(ml_dtypes.bfloat16) if bfloat16 else result  # NumPy's float16 stands for its bits

        return run


@cache
def _core() -> Any:
    return openvino.Core()


class _Requests(threading.local):
    """A request of a compiled model for each thread: one cannot be called by two at once."""

    def __init__(self, compiled: Any) -> None:
        self.own = compiled.create_infer_request()
