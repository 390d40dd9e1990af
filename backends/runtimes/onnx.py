"""ONNX: graphs of one operator on NumPy's arrays, run by the reference evaluator or by ONNX Runtime.

The libraries are imported when a runtime is made, not when this file is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Tensor, Unsupported
from conformance.backends.runtimes.numpy import NumpyRuntime

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import onnxruntime

__all__ = ["EvaluatorRuntime", "GraphRuntime", "SessionRuntime"]

Run = Callable[[Mapping[str, Array]], Tensor]
#: Graphs that are held: of static shapes there is one for each call.
HELD = 512


class GraphRuntime(NumpyRuntime):
    """Graphs of one node, each built once: their inputs have a rank and no extents, or in ``static`` these, too."""

    executions: ClassVar[tuple[str, ...]] = ("dynamic", "static")
    distributions: ClassVar[tuple[str, ...]] = ("onnx", "numpy")

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global np, onnx
        import numpy as np
        import onnx

        super().__init__(device=device, execution=execution, threads=threads)
        self.threads = threads
        self._graphs: dict[tuple[Any, ...], Run] = {}

    def output(self, operator: str, opset: int, /, *inputs: Tensor, **attributes: Any) -> Tensor:
        """The first output of ``operator``, as ``opset`` defines it, whose type is that of the first input.

        The dtype is the first input's, the shape what the operator says. An input that is not an array is passed as
        it is. Raises what the library does.
        """
        described = tuple(self._described(each) for each in inputs)
        key = (operator, opset, described, tuple(attributes.items()))
        if key not in self._graphs:
            if len(self._graphs) >= HELD:
                self._graphs.clear()
            self._graphs[key] = self.prepared(_model(operator, opset, described, attributes))
        return self._graphs[key](dict(zip(_names(inputs), inputs, strict=True)))

    def _described(self, tensor: Tensor) -> tuple[int, tuple[int | None, ...]]:
        """The type of an element, in ONNX's numbers, and the shape."""
        array = np.asarray(tensor)
        shape = array.shape if self.execution == "static" else (None,) * array.ndim
        return onnx.helper.np_dtype_to_tensor_dtype(array.dtype.newbyteorder("=")), shape

    @abstractmethod
    def prepared(self, model: onnx.ModelProto) -> Run:
        """A function from the inputs by name to the output of ``model``, a tensor of the output's shape and dtype."""


class EvaluatorRuntime(GraphRuntime):
    """``onnx.reference.ReferenceEvaluator``."""

    def prepared(self, model: onnx.ModelProto) -> Run:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(model)
        return lambda inputs: evaluator.run(None, dict(inputs))[0]


class SessionRuntime(GraphRuntime):
    """``onnxruntime.InferenceSession`` on the processor, with the optimisations of graphs that it has by default."""

    distributions: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx", "numpy")
    variables: ClassVar[tuple[str, ...]] = ("ORT_",)

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global onnxruntime
        import onnxruntime

        super().__init__(device=device, execution=execution, threads=threads)
        onnxruntime.set_default_logger_severity(4)  # errors are raised: they need not be printed, too

    def settings(self) -> dict[str, str]:
        return super().settings() | {"threads": str(self.threads), "providers": "CPUExecutionProvider"}

    def prepared(self, model: onnx.ModelProto) -> Run:
        """A session of the model. Raises Unsupported where it has no kernel for an operator or dtype."""
        from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = self.threads
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        except NoKernel as error:
            raise Unsupported(f"ONNX Runtime has no kernel on the processor: {error}") from None
        return lambda inputs: session.run(None, dict(inputs))[0]


def _names(inputs: tuple[Any, ...]) -> list[str]:
    return [f"input{place}" for place, _ in enumerate(inputs)]


def _model(
    operator: str, opset: int, inputs: tuple[tuple[int, tuple[int | None, ...]], ...], attributes: Mapping[str, Any]
) -> onnx.ModelProto:
    helper, names = onnx.helper, _names(inputs)
    infos = [helper.make_tensor_value_info(name, *each) for name, each in zip(names, inputs, strict=True)]
    rank = len(inputs[-1][1]) if len(inputs) == 1 else len(inputs[1][1]) * (attributes.get("reduction") == "none")
    output = helper.make_tensor_value_info("output", inputs[0][0], [None] * rank)  # which onnx.checker asks for
    graph = helper.make_graph([helper.make_node(operator, names, ["output"], **attributes)], "graph", infos, [output])
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))
