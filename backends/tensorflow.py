"""TensorFlow: ``tf.nn``, eagerly, in a graph, or compiled by XLA.

The framework is imported when the backend is made, not when this file is: what :meth:`TensorFlow.prepare` sets must
be there first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.backends.contract import Array, Backend, Call, Reduction, Tensor, Unsupported, given

if TYPE_CHECKING:
    from pathlib import Path

    import tensorflow as tf

__all__ = ["TensorFlow"]


class TensorFlow(Backend):
    """``tf.nn``; mode ``graph`` wraps ``tf.function``, ``xla`` the same with ``jit_compile=True``.

    Autograph is off: it rewrites Python's own branches and loops on tensors, and there are none here.
    """

    framework: ClassVar[str] = "tensorflow"
    profile: ClassVar[str] = "tensorflow"
    devices: ClassVar[tuple[str, ...]] = ("cpu", "gpu")
    modes: ClassVar[tuple[str, ...]] = ("eager", "graph", "xla")
    compiled_modes: ClassVar[tuple[str, ...]] = ("graph", "xla")
    script: ClassVar[Mapping[str, str]] = {
        "tensor": "tf.constant({values}, tf.{dtype})",
        "constant": "tf.constant({value}, tf.{dtype}, {shape})",
    }

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        global tf
        import tensorflow as tf

        super().__init__(device=device, mode=mode, threads=threads)
        tf.get_logger().setLevel("ERROR")  # a new shape is a new graph, as it must be: no advice on that
        if self.device == "gpu" and not tf.config.list_physical_devices("GPU"):
            raise RuntimeError("this build of TensorFlow sees no GPU")
        self._functions: dict[tuple[Any, ...], Callable[..., Any]] = {}

    @classmethod
    def prepare(cls, *, threads: int, cache: Path | None = None) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            os.environ[name] = str(threads)

    def versions(self) -> dict[str, str]:
        return {"tensorflow": tf.__version__, "numpy": np.__version__}

    def settings(self) -> dict[str, str]:
        tiny = self.tensor(np.array(1e-40, np.float32))
        return {
            "threads": os.environ.get("TF_NUM_INTRAOP_THREADS", "default"),
            "tf32": str(tf.config.experimental.tensor_float_32_execution_enabled()).lower(),
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
            "flush to zero": str(float(tf.multiply(tiny, 1.0)) == 0).lower(),
        }

    def tensor(self, array: Array | Any) -> Tensor:
        """A copy in TensorFlow's own layout; targets that are no array stay what they are."""
        if not isinstance(array, np.ndarray):
            return array
        with tf.device(self.device):
            return tf.convert_to_tensor(array)

    def array(self, tensor: Tensor) -> Array:
        return np.asarray(tensor.numpy())

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return tf.nn.softmax(logits, **given(axis=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return tf.nn.log_softmax(logits, **given(axis=axis))

    def nll_loss(
        self,
        log_probabilities: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        reduction: Reduction | None,
    ) -> Tensor:
        raise Unsupported("tf.nn has no nll_loss, and its documentation shows no composition")

    def cross_entropy(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        label_smoothing: float | None,
        reduction: Reduction | None,
    ) -> Tensor:
        for name in given(weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing or None):
            raise Unsupported(f"tf.nn's softmax cross-entropies have no {name}")
        if _are_probabilities(targets, logits):
            losses = tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits, **given(axis=axis))
        else:
            if axis is not None and axis not in (-1, len(logits.shape) - 1):  # the sparse loss takes the last axis only
                logits = tf.experimental.numpy.moveaxis(logits, axis, -1)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
        if reduction in (None, "none"):
            return losses
        if reduction not in ("mean", "sum"):
            raise Unsupported("tf.nn's losses have no reductions to name: their users call reduce_mean or reduce_sum")
        return tf.reduce_mean(losses) if reduction == "mean" else tf.reduce_sum(losses)

    def evaluate(self, call: Call, logits: Tensor) -> Tensor:
        return self._function(call, self._value)(logits, dict(call.operands))

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._function(call, self._value_and_gradient)(logits, dict(call.operands), upstream)
        return value, gradient

    def save_for_backward(self, call: Call, logits: Tensor) -> tuple[Tensor, Any]:
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = self.evaluate(call, logits)
        return value, tape

    def synchronize(self, *results: Tensor) -> None:
        """Fetch one number: the gradient stays where it is."""
        first = results[0]
        if len(first.shape):
            first = tf.reshape(first, [-1])[:1]
        first.numpy()
        if self.device == "gpu":  # the value may be there before the gradient is
            tf.test.experimental.sync_devices()

    def _value(self, call: Call) -> Callable[..., Tensor]:
        return lambda logits, operands: call.apply(self, logits, operands)

    def _value_and_gradient(self, call: Call) -> Callable[..., tuple[Tensor, Tensor]]:
        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> tuple[Tensor, Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(logits)
                value = call.apply(self, logits, operands)
            return value, tape.gradient(value, logits, output_gradients=upstream)

        return function

    def directional(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, derivative = self._function(call, self._forward)(logits, dict(call.operands), tangent)
        return value, derivative

    def hessian_product(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        return self._function(call, self._nested_tapes)(logits, dict(call.operands), upstream, direction)

    def mapped(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._function(call, self._mapped)(logits, dict(call.operands), upstream)
        return value, gradient

    def _forward(self, call: Call) -> Callable[..., tuple[Tensor, Tensor]]:
        def function(logits: Tensor, operands: dict[str, Tensor], tangent: Tensor) -> tuple[Tensor, Tensor]:
            with tf.autodiff.ForwardAccumulator(logits, tangent) as accumulator:
                value = call.apply(self, logits, operands)
            return value, accumulator.jvp(value)

        return function

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        return self._function(call, self._by_targets)(logits, dict(call.operands), upstream)

    def _by_targets(self, call: Call) -> Callable[..., Tensor]:
        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> Tensor:
            with tf.GradientTape() as tape:
                tape.watch(operands["targets"])
                value = call.apply(self, logits, operands)
            return tape.gradient(value, operands["targets"], output_gradients=upstream)

        return function

    def _nested_tapes(self, call: Call) -> Callable[..., Tensor]:
        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor, direction: Tensor) -> Tensor:
            with tf.GradientTape() as outer:
                outer.watch(logits)
                with tf.GradientTape() as inner:
                    inner.watch(logits)
                    value = call.apply(self, logits, operands)
                gradient = inner.gradient(value, logits, output_gradients=upstream)
            return outer.gradient(gradient, logits, output_gradients=direction)

        return function

    def _mapped(self, call: Call) -> Callable[..., tuple[Tensor, Tensor]]:
        one = self._value_and_gradient(call)

        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> tuple[Tensor, Tensor]:
            value, gradient = tf.vectorized_map(lambda example: one(*example), (logits, operands, upstream))
            return value, gradient

        return function

    def _function(self, call: Call, form: Callable[[Call], Callable[..., Any]]) -> Callable[..., Any]:
        """``call`` as a function, traced once for all calls that differ in nothing but their tensors.

        Only the call's operation and options enter the function; the tensors are its arguments.
        """
        key = (call.operation, call.options, form.__name__)
        if key not in self._functions:
            function = form(Call(call.operation, {}, call.options))
            if self.mode != "eager":  # None lets TensorFlow decide whether XLA compiles, as it does by default
                function = tf.function(function, autograph=False, jit_compile=True if self.mode == "xla" else None)
            self._functions[key] = function
        return self._functions[key]


def _are_probabilities(targets: Tensor, logits: Tensor) -> bool:
    return tf.is_tensor(targets) and targets.dtype.is_floating and len(targets.shape) == len(logits.shape)
