"""ONNX: the operators of the standard, evaluated by ``onnx.reference``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, NllLossOptions, Tensor, Unsupported, given
from conformance.backends.runtimes.base import Runtime
from conformance.backends.runtimes.onnx import EvaluatorRuntime, GraphRuntime

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Onnx"]


class Onnx(Adapter):
    """``onnx.reference.ReferenceEvaluator`` on a graph of one node; it has no differentiation.

    By default each operator is that of its newest version (opset 22). Composition ``opset13`` is before NLL took
    bfloat16; ``opset12`` has the first losses, and a softmax that takes all axes from the named one on as classes.
    """

    framework = "onnx"
    profile = "onnx"
    library = "onnx.reference"
    runs_on: ClassVar[type[Runtime]] = EvaluatorRuntime
    compositions = ("opset13", "opset12")
    runtime: GraphRuntime
    offers = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy"), "native"),
        weight="native",
        ignore_index="native",
        reductions="native",
        gradient="unsupported",
    )

    @classmethod
    def imports(cls) -> None:
        global np
        import numpy as np

    def operator(self, name: str, *inputs: Tensor, **attributes: Any) -> Tensor:
        """The output of the operator in the opset that was chosen."""
        return self.runtime.output(name, int(self.composition.removeprefix("opset") or 22), *inputs, **attributes)

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return self.operator("Softmax", logits, **self._axis(logits, axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return self.operator("LogSoftmax", logits, **self._axis(logits, axis))

    def _axis(self, logits: Tensor, axis: int | None) -> dict[str, int]:
        if self.composition == "opset12" and (
            axis not in (-1, logits.ndim - 1) if axis is not None else logits.ndim != 2
        ):
            raise Unsupported("before opset 13 all axes from the named one on are the classes")
        return given(axis=axis)

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        return self._loss("NegativeLogLikelihoodLoss", log_probabilities, targets, **options)

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return self._loss("SoftmaxCrossEntropyLoss", logits, targets, **options)

    def _loss(self, name: str, values: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        axis, weight, *attributes = self.only(options, "axis", "weight", "ignore_index", "reduction")
        if values.ndim < 2:
            raise Unsupported(f"{name} needs a batch")
        if axis not in (None, 1):  # the operators have their classes on axis 1
            values = np.moveaxis(values, axis, 1)
        inputs = (values, targets) if weight is None else (values, targets, weight)
        return self.operator(name, *inputs, **given(ignore_index=attributes[0], reduction=attributes[1]))
