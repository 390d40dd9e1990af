"""JAX: ``jax.nn`` for softmax and log_softmax; the losses as the compositions that its users write.

JAX has no loss functions. The labelled log-probability is picked with ``jnp.take_along_axis``; class probabilities are
multiplied, as in JAX's training cookbook. The framework is imported when the backend is made, not when this file is:
what :meth:`Jax.prepare` sets must be there first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.backends.contract import Array, Backend, Call, Reduction, Tensor, Unsupported, given

if TYPE_CHECKING:
    from pathlib import Path

    import jax
    import jax.numpy as jnp

__all__ = ["Jax", "are_probabilities"]


class Jax(Backend):
    """``jax.nn``, jitted by default.

    Two modes hold another composition of cross_entropy, jitted, and nothing else: ``logsumexp`` is
    ``logsumexp(x) - x_y``; ``one-hot`` is the training cookbook's product with one-hot labels.
    """

    framework: ClassVar[str] = "jax"
    profile: ClassVar[str] = "jax"
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    modes: ClassVar[tuple[str, ...]] = ("jit", "eager", "logsumexp", "one-hot")
    compiled_modes: ClassVar[tuple[str, ...]] = ("jit", "logsumexp", "one-hot")
    script: ClassVar[Mapping[str, str]] = {
        "tensor": "jnp.array({values}, jnp.{dtype})",
        "constant": "jnp.full({shape}, {value}, jnp.{dtype})",
        "setup": 'jax.config.update("jax_enable_x64", True)',
    }

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        global jax, jnp
        import jax
        import jax.numpy as jnp

        super().__init__(device=device, mode=mode, threads=threads)
        jax.config.update("jax_enable_x64", True)
        # To take JAX's own frames out of a traceback asks the file system about each; a run refuses thousands of calls.
        jax.config.update("jax_traceback_filtering", "off")
        chosen = os.environ.get("JAX_PLATFORMS") or self.device
        names = chosen.replace("gpu", "cuda").split(",")  # either names NVIDIA's
        if self.device not in names:  # JAX says this in an assertion without a message
            raise RuntimeError(f"JAX_PLATFORMS={chosen} leaves out {self.device}")
        self._place = jax.devices(self.device)[0]
        self._functions: dict[tuple[Any, ...], Callable[..., Any]] = {}

    @classmethod
    def prepare(cls, *, threads: int, cache: Path | None = None) -> None:
        # The CPU client reads the size of its thread pool from here, and from nowhere else.
        os.environ["NPROC"] = str(threads)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Calls that lower to the same program are compiled once, also in the processes that follow in the same run.
        if cache is not None:
            os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache / "jax"))
            os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

    def versions(self) -> dict[str, str]:
        import jaxlib

        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__, "numpy": np.__version__}

    def settings(self) -> dict[str, str]:
        return {
            "threads": os.environ.get("NPROC", "default"),
            "x64": str(jax.config.jax_enable_x64).lower(),
            "matmul precision": str(jax.config.jax_default_matmul_precision or "default"),
            "platform": self._place.platform,
            "flush to zero": str(float(self.tensor(np.array(1e-40, np.float32)) * 1) == 0).lower(),
            **({"device": self._place.device_kind} if self.device != "cpu" else {}),
        }

    def tensor(self, array: Array | Any) -> Tensor:
        """A copy in the device's own layout; targets that are no array stay what they are."""
        return jax.device_put(array, self._place) if isinstance(array, np.ndarray) else array

    def array(self, tensor: Tensor) -> Array:
        return np.asarray(tensor)

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        self._only_class_indices_have_another_composition()
        return jax.nn.softmax(logits, **given(axis=axis, where=where))

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        self._only_class_indices_have_another_composition()
        return jax.nn.log_softmax(logits, **given(axis=axis, where=where))

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
        self._only_class_indices_have_another_composition()
        _refuse(weight=weight, ignore_index=ignore_index)
        return _reduced(-_picked(log_probabilities, targets, -1 if axis is None else axis), reduction)

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
        where: Tensor | None = None,
    ) -> Tensor:
        _refuse(weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing or None)
        axis = -1 if axis is None else axis
        masked = given(where=where)
        if masked or are_probabilities(targets, logits):
            self._only_class_indices_have_another_composition()
        if self.mode == "logsumexp":
            losses = jax.nn.logsumexp(logits, axis=axis) - _picked(logits, targets, axis)
        elif are_probabilities(targets, logits):
            losses = -(targets * jax.nn.log_softmax(logits, axis=axis, **masked)).sum(axis=axis)
        elif self.mode == "one-hot":
            labels = jax.nn.one_hot(targets, logits.shape[axis], dtype=logits.dtype, axis=axis)
            losses = -(labels * jax.nn.log_softmax(logits, axis=axis)).sum(axis=axis)
        else:
            losses = -_picked(jax.nn.log_softmax(logits, axis=axis, **masked), targets, axis)
        return _reduced(losses, reduction)

    def evaluate(self, call: Call, logits: Tensor) -> Tensor:
        return self._function(call, self._value)(logits, dict(call.operands))

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._function(call, self._value_and_gradient)(logits, dict(call.operands), upstream)
        return value, gradient

    def save_for_backward(self, call: Call, logits: Tensor) -> tuple[Tensor, Any]:
        value, pullback = self._function(call, self._value_and_pullback)(logits, dict(call.operands))
        return value, pullback

    def synchronize(self, *results: Tensor) -> None:
        jax.block_until_ready(results)

    def bytes_accessed(self, call: Call, logits: Tensor, upstream: Tensor | None = None) -> float | None:
        if not self.compiles:
            return None
        told = (self._executable(call, logits, upstream).cost_analysis() or {}).get("bytes accessed")
        return None if told is None else float(told)

    def planned_bytes(self, call: Call, logits: Tensor, upstream: Tensor | None = None) -> int | None:
        if not self.compiles:
            return None
        told = self._executable(call, logits, upstream).memory_analysis()
        if told is None:
            return None
        return int(told.temp_size_in_bytes + told.output_size_in_bytes - told.alias_size_in_bytes)

    def _executable(self, call: Call, logits: Tensor, upstream: Tensor | None) -> Any:
        form: Any = self._value if upstream is None else self._value_and_gradient
        function: Any = self._function(call, form)
        return function.lower(logits, dict(call.operands), *() if upstream is None else (upstream,)).compile()

    def device_streams(self, size: int) -> Mapping[str, Sequence[Callable[[], Tensor]]]:
        whole = jnp.full((size // 4,), 0.5, jnp.float32, device=self._place)
        half = jnp.full((size // 8,), 0.5, jnp.float32, device=self._place)
        loops: dict[str, tuple[Tensor, list[Any]]]
        loops = {"read": (whole, [jnp.max, jnp.sum]), "copy": (half, [jnp.negative]), "exp": (half, [jnp.exp])}
        return {kind: [partial(jax.jit(each), of) for each in functions] for kind, (of, functions) in loops.items()}

    def device_evict(self) -> int:
        self.synchronize(jnp.ones((_BEYOND_CACHES,), jnp.uint8, device=self._place))
        return _BEYOND_CACHES

    def _value(self, call: Call) -> Callable[..., Tensor]:
        return lambda logits, operands: call.apply(self, logits, operands)

    def _value_and_gradient(self, call: Call) -> Callable[..., tuple[Tensor, Tensor]]:
        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> tuple[Tensor, Tensor]:
            value, pullback = jax.vjp(lambda logits: call.apply(self, logits, operands), logits)
            return value, pullback(upstream)[0]

        return function

    def directional(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, derivative = self._function(call, self._forward)(logits, dict(call.operands), tangent)
        return value, derivative

    def hessian_product(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        return self._function(call, self._forward_over_reverse)(logits, dict(call.operands), upstream, direction)

    def mapped(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._function(call, self._mapped)(logits, dict(call.operands), upstream)
        return value, gradient

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        return self._function(call, self._by_targets)(logits, dict(call.operands), upstream)

    def _by_targets(self, call: Call) -> Callable[..., Tensor]:
        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> Tensor:
            def value(targets: Tensor) -> Tensor:
                return call.apply(self, logits, {**operands, "targets": targets})

            return jax.vjp(value, operands["targets"])[1](upstream)[0]

        return function

    def _forward(self, call: Call) -> Callable[..., tuple[Tensor, Tensor]]:
        def function(logits: Tensor, operands: dict[str, Tensor], tangent: Tensor) -> tuple[Tensor, Tensor]:
            value, derivative = jax.jvp(lambda logits: call.apply(self, logits, operands), (logits,), (tangent,))
            return value, derivative

        return function

    def _forward_over_reverse(self, call: Call) -> Callable[..., Tensor]:
        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor, direction: Tensor) -> Tensor:
            def gradient(logits: Tensor) -> Tensor:
                return jax.vjp(lambda logits: call.apply(self, logits, operands), logits)[1](upstream)[0]

            return jax.jvp(gradient, (logits,), (direction,))[1]

        return function

    def _mapped(self, call: Call) -> Callable[..., tuple[Tensor, Tensor]]:
        one = self._value_and_gradient(call)

        def function(logits: Tensor, operands: dict[str, Tensor], upstream: Tensor) -> tuple[Tensor, Tensor]:
            axes = {name: None if name == "weight" else 0 for name in operands}
            value, gradient = jax.vmap(one, in_axes=(0, axes, 0))(logits, operands, upstream)
            return value, gradient

        return function

    def _value_and_pullback(self, call: Call) -> Callable[..., tuple[Tensor, Any]]:
        return lambda logits, operands: jax.vjp(lambda logits: call.apply(self, logits, operands), logits)

    def _function(self, call: Call, form: Callable[[Call], Callable[..., Any]]) -> Callable[..., Any]:
        """``call`` as a function, jitted once for all calls that differ in nothing but their arrays.

        Only the call's operation and options enter the function; the arrays are its arguments.
        """
        key = (call.operation, call.options, form.__name__)
        if key not in self._functions:
            function = form(Call(call.operation, {}, call.options))
            self._functions[key] = function if self.mode == "eager" else jax.jit(function)
        return self._functions[key]

    def _only_class_indices_have_another_composition(self) -> None:
        if self.mode in ("logsumexp", "one-hot"):
            raise Unsupported(
                f"mode {self.mode} is a composition of cross_entropy with class indices, and no mask of classes, only"
            )


#: More than the cache of any device so far: 256 MiB.
_BEYOND_CACHES = 1 << 28


def are_probabilities(targets: Tensor, logits: Tensor) -> bool:
    """Whether targets are class probabilities: floating, and of the logits' rank."""
    return jnp.ndim(targets) == jnp.ndim(logits) and jnp.issubdtype(targets.dtype, jnp.floating)


def _picked(values: Tensor, targets: Tensor, axis: int) -> Tensor:
    return jnp.take_along_axis(values, jnp.expand_dims(targets, axis), axis=axis).squeeze(axis)


def _reduced(losses: Tensor, reduction: Reduction | None) -> Tensor:
    if reduction in (None, "none"):
        return losses
    if reduction not in ("mean", "sum"):
        raise Unsupported("JAX has no reductions to name: its users call mean or sum")
    return losses.mean() if reduction == "mean" else losses.sum()


def _refuse(**arguments: Any) -> None:
    for name in given(**arguments):
        raise Unsupported(f"jax.nn has no {name}")
