"""JAX, by ``jax.jit`` or eagerly, on the processor or on CUDA; 64-bit types are enabled, but for ``x64-off``.

The library is imported when the runtime is made, not when this file is: what :meth:`JaxRuntime.prepare` sets must be
there first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from conformance.backends.contract import Array, Compilations, Device, Setup, Tensor, Unsupported
from conformance.backends.runtimes.base import BEYOND_CACHES, TRANSFORMS, Function, Runtime

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import numpy as np

__all__ = ["JaxDevice", "JaxRuntime"]

#: Primitives that have Python compute something.
CALLBACKS = frozenset({"pure_callback", "io_callback"})
#: Traced functions that are held at most: each takes 2 MiB with what was compiled of it.
HELD = 300


class JaxRuntime(Runtime):
    """JAX's own transforms, jitted as one function each."""

    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    executions: ClassVar[tuple[str, ...]] = ("jit", "eager")
    precisions: ClassVar[tuple[str, ...]] = ("x64-off",)
    compiled: ClassVar[frozenset[str]] = frozenset({"jit"})
    # Compiled as one function, the first of two backward passes has no effect, and XLA leaves it out.
    compiled_whole: ClassVar[frozenset[str]] = TRANSFORMS - {"second_vjp"}
    variables: ClassVar[tuple[str, ...]] = ("JAX",)
    distributions: ClassVar[tuple[str, ...]] = ("jax", "jaxlib", "numpy")
    device: JaxDevice

    def __init__(self, *, device: str, execution: str, threads: int, precision: str = "") -> None:
        global jax, jnp, np
        import jax
        import jax.numpy as jnp
        import numpy as np

        super().__init__(device=device, execution=execution, threads=threads)
        self._wide = precision != "x64-off"
        jax.config.update("jax_enable_x64", self._wide)
        # To take JAX's own frames out of a traceback asks the file system about each; a run refuses thousands of calls.
        jax.config.update("jax_traceback_filtering", "off")
        chosen = os.environ.get("JAX_PLATFORMS") or device
        names = chosen.replace("gpu", "cuda").split(",")  # either names NVIDIA's
        if device not in names:  # JAX says this in an assertion without a message
            raise RuntimeError(f"JAX_PLATFORMS={chosen} leaves out {device}")
        self._tidied = 0  # graphs, when what was compiled was last let go of
        self.device = JaxDevice(jax.devices(device)[0])
        if self.compiles:
            _cache_hits()

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        # The CPU client reads the size of its thread pool from here, and from nowhere else.
        os.environ["NPROC"] = str(setup.threads)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Calls that lower to the same program are compiled once, also in the processes that follow in the same run.
        if setup.cache is not None:
            os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(setup.cache / "jax"))
            os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        # By default a process takes three quarters of a GPU's memory when it begins, and several share the GPU.
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

    def settings(self) -> dict[str, str]:
        place = self.device.place
        return {
            "threads": os.environ.get("NPROC", "default"),
            "x64": str(jax.config.jax_enable_x64).lower(),
            "matmul precision": str(jax.config.jax_default_matmul_precision or "default"),
            "platform": place.platform,
            "flush to zero": str(float(self.tensor(np.array(1e-40, np.float32)) * 1) == 0).lower(),
            **({"device": place.device_kind} if place.platform != "cpu" else {}),
        }

    @property
    def tensor_types(self) -> tuple[type, ...]:
        """The class of concrete arrays, which ``jax.Array`` stands for."""
        return (type(jnp.zeros(())),)

    def tensor(self, array: Array | Any) -> Tensor:
        """A copy in the device's own layout; targets that are not an array stay what they are.

        Raises Unsupported for float64 where 64-bit types are off; integers of 64 bits JAX makes ones of 32 then.
        """
        if not isinstance(array, np.ndarray):
            return array
        if not self._wide and array.dtype == np.float64:
            raise Unsupported("without 64-bit types JAX makes float32 of float64")
        return jax.device_put(array, self.device.place)

    def array(self, tensor: Tensor) -> Array:
        return np.asarray(tensor)

    def synchronize(self, *results: Tensor) -> None:
        jax.block_until_ready(results)

    def compile(self, function: Function, execution: str) -> Function:
        compiled: Function = jax.jit(function) if execution == "jit" else function
        return compiled

    def watched(self, function: Function) -> Function:
        counted = self.counted

        def watched(*arguments: Any) -> Any:
            if isinstance(arguments[0], jax.core.Tracer):
                counted.graphs += 1
            else:  # jax.disable_jit, for one
                counted.uncompiled += 1
            return function(*arguments)

        return watched

    def left_out(self, function: Function, arguments: tuple[Any, ...], results: Any) -> Collection[str] | None:
        """Callbacks, for which XLA waits for Python; a print of debugging is none. Nothing is traced again."""
        if not hasattr(function, "trace"):  # a compile of one's own gives what it likes
            return None
        traced = cast("jax.stages.Wrapped", function).trace(*arguments)
        found = {each for each in _primitives(traced.jaxpr) if each in CALLBACKS}
        leaves = [each for each in jax.tree.leaves(results) if not isinstance(each, jax.core.Tracer)]  # in a transform
        places = {place for each in leaves for place in each.devices()}
        return found | {f"the result lies on {place}" for place in places - {self.device.place}}

    def compilations(self) -> Compilations | None:
        """A function's own code runs when it is traced, and not when what was compiled of it is executed."""
        self.counted.breaks = sum(self.counted.reasons.values())  # what cannot be traced raises
        self.counted.cached = len(_cache_hits())
        return self.counted

    def tidy(self) -> None:
        if self.counted.graphs - self._tidied >= HELD:
            jax.clear_caches()  # what is needed again comes from the cache of the run's own folder
            self._tidied = self.counted.graphs

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        value, pullback = jax.vjp(function, x)
        return value, pullback(_as(value, cotangent))[0]

    def jvp(self, function: Function, x: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, jvp = jax.jvp(function, (x,), (tangent,))
        return value, jvp

    def hvp(self, function: Function, x: Tensor, cotangent: Tensor, direction: Tensor) -> Tensor:
        """Forward over reverse, as JAX's documentation advises."""
        return self.jvp(lambda x: self.vjp(function, x, cotangent)[1], x, direction)[1]

    def second_vjp(self, function: Function, x: Tensor, former: Tensor, cotangent: Tensor) -> Tensor:
        value, pullback = jax.vjp(function, x)
        pullback(_as(value, former))
        return pullback(_as(value, cotangent))[0]

    def vmap(self, function: Function, *arguments: Any) -> Any:
        return jax.vmap(function)(*arguments)

    def save(self, function: Function, x: Tensor) -> tuple[Tensor, Any]:
        value, pullback = jax.vjp(function, x)
        return value, pullback

    def bytes_accessed(self, function: Function, *arguments: Any) -> float | None:
        if not self.compiles:
            return None
        found = (_executable(function, *arguments).cost_analysis() or {}).get("bytes accessed")
        return None if found is None else float(found)

    def planned_bytes(self, function: Function, *arguments: Any) -> int | None:
        plan = _executable(function, *arguments).memory_analysis() if self.compiles else None
        if plan is None:
            return None
        return int(plan.temp_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes)


class JaxDevice(Device):
    """A device of JAX's own, ``place``. JAX has no clock of a device and no peak of its memory."""

    def __init__(self, place: Any) -> None:
        self.place = place

    def streams(self, size: int) -> Mapping[str, Sequence[Callable[[], Tensor]]]:
        whole = jnp.full((size // 4,), 0.5, jnp.float32, device=self.place)
        half = jnp.full((size // 8,), 0.5, jnp.float32, device=self.place)
        loops: dict[str, tuple[Tensor, list[Any]]]
        loops = {"read": (whole, [jnp.max, jnp.sum]), "copy": (half, [jnp.negative]), "exp": (half, [jnp.exp])}
        return {kind: [partial(jax.jit(each), of) for each in functions] for kind, (of, functions) in loops.items()}

    def evict(self) -> int:
        jax.block_until_ready(jnp.ones((BEYOND_CACHES,), jnp.uint8, device=self.place))
        return BEYOND_CACHES


def _as(value: Tensor, cotangent: Tensor) -> Tensor:
    """The upstream gradient in the dtype of a value that is wider: JAX takes no other, and PyTorch casts it itself."""
    dtype = getattr(value, "dtype", cotangent.dtype)
    if dtype == cotangent.dtype or jnp.promote_types(dtype, cotangent.dtype) != dtype:
        return cotangent
    return cotangent.astype(dtype)


@cache
def _cache_hits() -> list[str]:
    """The executables that this process has taken from a persistent cache, by the events that JAX reports."""
    import jax.monitoring

    events: list[str] = []

    def listener(event: str, **_: Any) -> None:
        if event == "/jax/compilation_cache/cache_hits":
            events.append(event)

    jax.monitoring.register_event_listener(listener)
    return events


def _primitives(traced: Any) -> Iterator[str]:
    """The primitives of a jaxpr and of all within it."""
    if hasattr(traced, "eqns"):
        for each in traced.eqns:
            yield each.primitive.name
            yield from _primitives([*each.params.values()])
    elif hasattr(traced, "jaxpr"):
        yield from _primitives(traced.jaxpr)
    elif isinstance(traced, list | tuple):
        for each in traced:
            yield from _primitives(each)


def _executable(function: Any, *arguments: Any) -> Any:
    return function.lower(*arguments).compile()
