"""NumPy: arrays on the processor; there is no differentiation and no compiler.

The library is imported when the runtime is made, not when this file is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Memory, Tensor
from conformance.backends.runtimes.base import Runtime

if TYPE_CHECKING:
    import numpy as np

__all__ = ["NumpyRuntime"]


class NumpyRuntime(Runtime):
    """Arrays are the tensors."""

    distributions: ClassVar[tuple[str, ...]] = ("numpy",)

    def __init__(self, *, device: str, execution: str, threads: int) -> None:
        global np
        import numpy as np

        super().__init__(device=device, execution=execution, threads=threads)

    def settings(self) -> dict[str, str]:
        return {"threads": "1", "flush to zero": str(float(np.float32(1e-40) * np.float32(1)) == 0).lower()}

    @property
    def tensor_types(self) -> tuple[type, ...]:
        """A reduction to one number gives a scalar."""
        return (np.ndarray, np.generic)

    def tensor(self, array: Array | Any) -> Tensor:
        return array

    def fill(self, tensor: Tensor, array: Array) -> None:
        tensor[...] = array

    def memory(self, tensor: Tensor) -> Memory | None:
        return Memory.of(tensor)

    def array(self, tensor: Tensor) -> Array:
        return np.asarray(tensor)

    def synchronize(self, *results: Tensor) -> None:
        """NumPy computes when it is called."""
