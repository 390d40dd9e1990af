"""tinygrad: lazy tensors, whose kernels a C compiler makes when they are first asked for.

The library is imported when the runtime is made, not when this file is: what :meth:`TinygradRuntime.prepare` sets must
be there first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Setup, Tensor, Unsupported
from conformance.backends.runtimes.base import Function, Runtime

if TYPE_CHECKING:
    import numpy as np
    import tinygrad

__all__ = ["TinygradRuntime"]


class TinygradRuntime(Runtime):
    """``Tensor.gradient``, which builds a graph that can be differentiated again; no forward mode, no map."""

    variables: ClassVar[tuple[str, ...]] = ("DEV", "CACHEDB", "DEFAULT_FLOAT", "SUM_DTYPE", "NOOPT", "BEAM")
    distributions: ClassVar[tuple[str, ...]] = ("tinygrad", "numpy")

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global np, tinygrad
        import numpy as np
        import tinygrad

        super().__init__(device=device, execution=execution, threads=threads)

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        os.environ.setdefault("DEV", "CPU")
        os.environ["PARALLEL"] = "0"
        if setup.cache is not None:
            os.environ["CACHEDB"] = str(setup.cache / "tinygrad.db")

    def settings(self) -> dict[str, str]:
        tiny = tinygrad.Tensor(np.array([1e-40], np.float32))
        return {
            "device": tinygrad.Device.DEFAULT,
            "default dtype": tinygrad.dtypes.default_float.name,
            "flush to zero": str(float((tiny * 3).numpy()[0]) == 0).lower(),
        }

    @property
    def tensor_types(self) -> tuple[type, ...]:
        return (tinygrad.Tensor,)

    def tensor(self, array: Array | Any) -> Tensor:
        """A copy in row-major order; targets that are not an array stay what they are.

        Raises Unsupported for a foreign byte order.
        """
        if not isinstance(array, np.ndarray):
            return array
        if not array.dtype.isnative:
            raise Unsupported("tinygrad takes no foreign byte order")
        if array.dtype.kind == "V":  # bfloat16
            return tinygrad.Tensor(array.view(np.uint16).copy()).bitcast(tinygrad.dtypes.bfloat16)
        return tinygrad.Tensor(array.copy())

    def array(self, tensor: Tensor) -> Array:
        if tensor.dtype == tinygrad.dtypes.bfloat16:
            import ml_dtypes

            return np.asarray(tensor.bitcast(tinygrad.dtypes.uint16).numpy()).view(ml_dtypes.bfloat16)
        return np.array(tensor.numpy())

    def synchronize(self, *results: Tensor) -> None:
        tinygrad.Tensor.realize(*results)

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        value = function(x)
        return value, value.gradient(x, gradient=cotangent)[0]

    def second_vjp(self, function: Function, x: Tensor, former: Tensor, cotangent: Tensor) -> Tensor:
        value = function(x)
        value.gradient(x, gradient=former)[0].realize()
        return value.gradient(x, gradient=cotangent)[0]
