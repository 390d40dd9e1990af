"""MLX: arrays on the processor, run eagerly or by ``mx.compile``.

Arrays are computed when they are read, and only a thread that has made one may do so: what is not mapped or
differentiated once more is computed at once. The library is imported when the runtime is made, not when this file is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Memory, Tensor, Unsupported
from conformance.backends.runtimes.base import Function, Runtime

if TYPE_CHECKING:
    import mlx.core as mx
    import numpy as np

__all__ = ["MlxRuntime"]

#: Elements of memory, for each that a view of it has, that are copied with the view.
MOST_BETWEEN = 64
#: Views of which the memory that they view is known.
REMEMBERED = 64


class MlxRuntime(Runtime):
    """``mx.vjp``, ``mx.jvp`` and ``mx.vmap``; there is no second backward pass through one forward pass."""

    executions: ClassVar[tuple[str, ...]] = ("eager", "compile")
    compiled: ClassVar[frozenset[str]] = frozenset({"compile"})
    variables: ClassVar[tuple[str, ...]] = ("MLX_",)
    distributions: ClassVar[tuple[str, ...]] = ("mlx", "numpy")

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global mx, np
        import mlx.core as mx
        import numpy as np

        super().__init__(device=device, execution=execution, threads=threads)
        mx.set_default_device(mx.cpu)  # where float64 is
        self._viewed: dict[int, tuple[Tensor, Tensor]] = {}  # a view by its id, and all that it is a view of

    def settings(self) -> dict[str, str]:
        return {"flush to zero": str(float(mx.array(1e-40, mx.float32) * 1) == 0).lower()}

    @property
    def tensor_types(self) -> tuple[type, ...]:
        return (mx.array,)

    def tensor(self, array: Array | Any) -> Tensor:
        """A copy, with the array's strides where it is a view; targets that are not an array stay what they are.

        Raises Unsupported for what lies too far apart to be copied.
        """
        if not isinstance(array, np.ndarray):
            return array
        whole = array.base
        if not isinstance(whole, np.ndarray) or whole.dtype != array.dtype or whole.ndim != 1 or not array.size:
            return self._copy(array)
        if whole.size > MOST_BETWEEN * array.size:
            raise Unsupported("all that lies between the positions would be copied")
        copy = self._copy(whole)
        offset = Memory.of(array).offset // array.itemsize
        view = mx.as_strided(copy, array.shape, [step // array.itemsize for step in array.strides], offset)
        self._viewed[id(view)] = view, copy
        if len(self._viewed) > REMEMBERED:
            del self._viewed[next(iter(self._viewed))]
        return view

    def _copy(self, array: Array) -> Tensor:
        if not array.dtype.isnative:
            raise Unsupported("mx.array takes no foreign byte order")
        if array.dtype.name == "bfloat16":  # which versions before 0.31 take for no number
            return mx.array(array.view(np.uint16)).view(mx.bfloat16)
        return mx.array(array, mx.float64) if array.dtype == np.float64 else mx.array(array)  # by default, float32

    def memory(self, tensor: Tensor) -> Memory | None:
        there = _numbers(tensor)
        address = Memory.of(there).address
        whole = self._viewed[id(tensor)][1] if id(tensor) in self._viewed else tensor
        return Memory(address, address - Memory.of(_numbers(whole)).address, there.strides)

    def array(self, tensor: Tensor) -> Array:
        if tensor.dtype == mx.bfloat16:
            import ml_dtypes

            return np.array(tensor.view(mx.uint16)).view(ml_dtypes.bfloat16)
        return np.array(tensor)

    def synchronize(self, *results: Tensor) -> None:
        mx.eval(*results)

    def compile(self, function: Function, execution: str) -> Function:
        compiled: Function = mx.compile(function) if execution == "compile" else function
        return compiled

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self._computed(self.pure_vjp(function, x, cotangent))
        return value, gradient

    def _computed(self, results: Any) -> Any:
        """The same, computed by the thread that has made them, unless they are being compiled."""
        if not self.compiles:
            mx.eval(results)
        return results

    def pure_vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        (value,), (gradient,) = mx.vjp(function, [x], [cotangent])
        return value, gradient

    def hvp(self, function: Function, x: Tensor, cotangent: Tensor, direction: Tensor) -> Tensor:
        return self._computed(self.pure_vjp(lambda x: self.pure_vjp(function, x, cotangent)[1], x, direction)[1])

    def jvp(self, function: Function, x: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        (value,), (derivative,) = self._computed(mx.jvp(function, [x], [tangent]))
        return value, derivative

    def vmap(self, function: Function, *arguments: Any) -> Any:
        return self._computed(mx.vmap(function)(*arguments))


def _numbers(tensor: Tensor) -> Array:
    """The very memory of a tensor, as bytes are counted in it."""
    return np.array(tensor.view(mx.uint16) if tensor.dtype == mx.bfloat16 else tensor, copy=False)
