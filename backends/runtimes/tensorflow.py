"""TensorFlow, run eagerly, as a graph, or compiled by XLA, on the processor or on CUDA.

The library is imported when the runtime is made, not when this file is: what :meth:`TensorFlowRuntime.prepare` sets
must be there first.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar, cast

from conformance.backends.contract import Array, Compilations, Setup, Tensor
from conformance.backends.runtimes.base import TRANSFORMS, Function, Runtime

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

__all__ = ["TensorFlowRuntime"]

#: Operations that have Python compute something, eagerly.
CALLBACKS = frozenset({"EagerPyFunc", "PyFunc", "PyFuncStateless"})
#: The attribute of a graph that XLA must compile. It is private: a later TensorFlow may have another.
MUST_COMPILE = "_XlaMustCompile"


class TensorFlowRuntime(Runtime):
    """Gradient tapes and forward accumulators; ``graph`` wraps ``tf.function``, ``xla`` with ``jit_compile=True``.

    ``dynamic`` is ``xla`` of a function whose signature leaves all extents open: it is traced once for all shapes.
    Autograph is off: it rewrites Python's own branches and loops on tensors, and there are none in adapters.
    """

    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    executions: ClassVar[tuple[str, ...]] = ("eager", "graph", "xla", "dynamic")
    compiled: ClassVar[frozenset[str]] = frozenset({"graph", "xla", "dynamic"})
    # Of two backward passes in one graph the first has no effect, and is left out.
    compiled_whole: ClassVar[frozenset[str]] = TRANSFORMS - {"save", "second_vjp"}
    #: Each by itself: ``TF_VAR_`` is Terraform's, and may be a secret.
    variables: ClassVar[tuple[str, ...]] = tuple(
        f"TF_{word}_" for word in ["CPP", "CUDNN", "DETERMINISTIC", "ENABLE", "FORCE", "GPU", "NUM", "USE", "XLA"]
    )
    distributions: ClassVar[tuple[str, ...]] = ("tensorflow", "numpy")

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global np, tf
        import numpy as np
        import tensorflow as tf

        super().__init__(device=device, execution=execution, threads=threads)
        tf.get_logger().setLevel("ERROR")  # a new shape is a new graph, as it must be: no advice on that
        self._place = "gpu" if device == "cuda" else device
        if self._place == "gpu" and not tf.config.list_physical_devices("GPU"):
            raise RuntimeError("this build of TensorFlow sees no CUDA device")

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            os.environ[name] = str(setup.threads)

    def settings(self) -> dict[str, str]:
        tiny = self.tensor(np.array(1e-40, np.float32))
        return {
            "threads": os.environ.get("TF_NUM_INTRAOP_THREADS", "default"),
            "tf32": str(tf.config.experimental.tensor_float_32_execution_enabled()).lower(),
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
            "flush to zero": str(float(tf.multiply(tiny, 1.0)) == 0).lower(),
        }

    @property
    def tensor_types(self) -> tuple[type, ...]:
        """The class of eager tensors, which ``tf.Tensor`` is an ancestor of."""
        return (type(tf.constant(0)),)

    def tensor(self, array: Array | Any) -> Tensor:
        """A copy in TensorFlow's own layout; targets that are not an array stay what they are."""
        if not isinstance(array, np.ndarray):
            return array
        with tf.device(self._place):
            return tf.convert_to_tensor(array)

    def array(self, tensor: Tensor) -> Array:
        return np.asarray(tensor.numpy())

    def synchronize(self, *results: Tensor) -> None:
        """Fetch one number: the gradient stays where it is."""
        first = results[0]
        if len(first.shape):
            first = tf.reshape(first, [-1])[:1]
        first.numpy()
        if self._place == "gpu":  # the value may be there before the gradient is
            tf.test.experimental.sync_devices()

    def compile(self, function: Function, execution: str) -> Function:
        if execution == "eager":
            return function
        if execution == "dynamic":
            return _OfAnyExtents(function)
        # None lets TensorFlow decide whether XLA compiles, as it does by default.
        compiled: Function = tf.function(function, autograph=False, jit_compile=True if execution == "xla" else None)
        return compiled

    def watched(self, function: Function) -> Function:
        counted = self.counted

        def watched(*arguments: Any) -> Any:
            if tf.executing_eagerly():  # tf.config.run_functions_eagerly, for one
                counted.uncompiled += 1
            else:
                counted.graphs += 1
            return function(*arguments)

        return watched

    def left_out(self, function: Function, arguments: tuple[Any, ...], results: Any) -> Collection[str] | None:
        """Operations of the graph, and of the functions that it calls, which call Python; all, if XLA need not compile.

        Nothing is traced again.
        """
        if not hasattr(function, "get_concrete_function"):  # a compile of one's own gives what it likes
            return None
        traced = cast("tf.types.experimental.PolymorphicFunction", function).get_concrete_function(*arguments)
        whole = traced.graph.as_graph_def()
        nodes = itertools.chain(whole.node, *(each.node_def for each in whole.library.function))
        places = {each.device.rpartition("device:")[2] for each in tf.nest.flatten(results)}
        elsewhere = {f"the result lies on {place}" for place in places if not place.lower().startswith(self._place)}
        found = elsewhere | {each.op for each in nodes if each.op in CALLBACKS}
        if self.execution == "graph" or _must_compile(traced):
            return found
        asked = tf.function(tf.identity, autograph=False, jit_compile=True)
        if not _must_compile(asked.get_concrete_function(tf.TensorSpec([]))):  # this TensorFlow does not say so
            return found or None
        return found | {"XLA is not asked to compile it"}

    def compilations(self) -> Compilations | None:
        """A function's own code runs when it is traced; with ``jit_compile`` a graph that XLA cannot compile raises."""
        self.counted.breaks, self.counted.cached = sum(self.counted.reasons.values()), 0
        return self.counted

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return value, tape.gradient(value, x, output_gradients=cotangent)

    def jvp(self, function: Function, x: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        with tf.autodiff.ForwardAccumulator(x, tangent) as accumulator:
            value = function(x)
        return value, accumulator.jvp(value)

    def second_vjp(self, function: Function, x: Tensor, former: Tensor, cotangent: Tensor) -> Tensor:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            value = function(x)
        tape.gradient(value, x, output_gradients=former)
        return tape.gradient(value, x, output_gradients=cotangent)

    def vmap(self, function: Function, *arguments: Any) -> Any:
        return tf.vectorized_map(lambda example: function(*example), arguments)

    def save(self, function: Function, x: Tensor) -> tuple[Tensor, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return value, tape


class _OfAnyExtents:
    """A function that XLA compiles, traced once for each structure of its arguments, their dtypes and ranks.

    Arguments that are not tensors have no such signature: with them it is traced for the extents, too.
    """

    def __init__(self, function: Function) -> None:
        self._compiled = functools.partial(tf.function, function, autograph=False, jit_compile=True)
        self._traced: dict[str, tf.types.experimental.PolymorphicFunction] = {}

    def __call__(self, *arguments: Any) -> Any:
        return self._of(arguments)(*arguments)

    def get_concrete_function(self, *arguments: Any) -> tf.types.experimental.ConcreteFunction:
        return self._of(arguments).get_concrete_function(*arguments)

    def _of(self, arguments: tuple[Any, ...]) -> tf.types.experimental.PolymorphicFunction:
        tensors = all(map(tf.is_tensor, tf.nest.flatten(arguments)))
        signature = tf.nest.map_structure(_of_any_extents, arguments) if tensors else None
        if repr(signature) not in self._traced:
            self._traced[repr(signature)] = self._compiled(input_signature=signature)
        return self._traced[repr(signature)]


def _of_any_extents(tensor: Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([None] * len(tensor.shape), tensor.dtype)


def _must_compile(traced: tf.types.experimental.ConcreteFunction) -> bool:
    """Whether TensorFlow says of a graph that XLA must compile it."""
    attributes = traced.function_def.attr
    return MUST_COMPILE in attributes and bool(attributes[MUST_COMPILE].b)
