"""JAX with the classes divided over several devices of the processor, by a sharding of the logits."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Array, Setup, Tensor, Unsupported
from conformance.backends.runtimes.jax import JaxRuntime

if TYPE_CHECKING:
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = ["JaxRanksRuntime"]

#: By their number of devices. Not the runtime's: whatever code a backend holds counts as its own.
_MESHES: dict[int, Mesh] = {}


class JaxRanksRuntime(JaxRuntime):
    """As many devices as there are ranks, which XLA makes of one processor; without that word, JAX as it is."""

    rank_counts: ClassVar[tuple[str, ...]] = ("2-ranks", "4-ranks")

    def __init__(self, *, device: str, execution: str, threads: int, precision: str = "", ranks: str = "") -> None:
        global jax, Mesh, NamedSharding, PartitionSpec, np
        super().__init__(device=device, execution=execution, threads=threads, precision=precision)
        import jax
        import numpy as np
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        self._count, devices = int(ranks.partition("-")[0] or 1), jax.devices(device)
        if len(devices) < self._count:
            raise RuntimeError(f"JAX has {len(devices)} devices of {device}, not {self._count}")
        if ranks:
            _MESHES[self._count] = Mesh(np.array(devices[: self._count]), ("classes",))

    @property
    def mesh(self) -> Mesh | None:
        """The devices, as JAX names them for a sharding; None of one."""
        return _MESHES.get(self._count)

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        super().prepare(setup)
        if setup.ranks:
            os.environ["JAX_NUM_CPU_DEVICES"] = setup.ranks.partition("-")[0]

    def settings(self) -> dict[str, str]:
        return super().settings() | ({"ranks": str(self.mesh.size)} if self.mesh is not None else {})

    def tensor(self, array: Array | Any) -> Tensor:
        tensor = super().tensor(array)
        if self.mesh is None or not isinstance(array, np.ndarray):
            return tensor
        return jax.device_put(tensor, NamedSharding(self.mesh, PartitionSpec()))  # each device has it whole

    def divided(self, tensor: Tensor, axis: int) -> Tensor:
        """With the classes on ``axis`` divided over the devices, if there are several.

        Raises Unsupported where JAX would refuse to: outside ``jit``, equal parts are all that a constraint can make.
        """
        if self.mesh is None or not tensor.ndim:
            return tensor
        if not self.compiles and tensor.shape[axis] % self.mesh.size:
            raise Unsupported("eagerly, JAX divides only an axis that its devices divide")
        places: list[str | None] = [None] * tensor.ndim
        places[axis] = "classes"
        return jax.lax.with_sharding_constraint(tensor, NamedSharding(self.mesh, PartitionSpec(*places)))

    def left_out(self, function: Any, arguments: tuple[Any, ...], results: Any) -> Collection[str] | None:
        found = super().left_out(function, arguments, results)
        if self.mesh is None or found is None:
            return found
        return {*found} - {f"the result lies on {each}" for each in self.mesh.devices.flat}
