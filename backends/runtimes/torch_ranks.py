"""PyTorch in several processes, over gloo: tensors are divided over them as ``DTensor``."""

from __future__ import annotations

import contextlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.backends.contract import Setup, Tensor, Unsupported
from conformance.backends.runtimes.base import TRANSFORMS, Function
from conformance.backends.runtimes.ranks import Ranks
from conformance.backends.runtimes.torch import TorchRuntime

if TYPE_CHECKING:
    import torch
    from torch.distributed import tensor as dtensor

__all__ = ["TorchRanksRuntime"]

#: A collective operation waits as long as a call may take, and longer: a hang is to be seen as one.
PATIENCE = timedelta(hours=1)
#: Of this process, as the library's own group is. Not the runtime's: whatever code a backend holds counts as its own.
_ranks: Ranks
_mesh: Any


class TorchRanksRuntime(TorchRuntime):
    """A function is given logits that are divided along :meth:`class_axis`.

    What it gives, and the gradient, are put together again. ``within`` is the library's context, if it has one, in
    which both passes are made.
    """

    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    executions: ClassVar[tuple[str, ...]] = ("eager",)
    memory_formats: ClassVar[tuple[str, ...]] = ()
    rank_counts: ClassVar[tuple[str, ...]] = ("2-ranks", "4-ranks")
    compiled: ClassVar[frozenset[str]] = frozenset()
    compiled_whole: ClassVar[frozenset[str]] = TRANSFORMS

    def __init__(self, *, device: str, execution: str, threads: int, ranks: str = "") -> None:
        global dtensor, torch, _ranks, _mesh
        _ranks = Ranks.start(ranks)  # the others import the library while this one does
        super().__init__(device=device, execution=execution, threads=threads)
        import torch
        import torch.distributed
        from torch.distributed import tensor as dtensor

        torch.distributed.init_process_group(
            "gloo",
            init_method=_ranks.meeting.as_uri(),
            rank=_ranks.rank,
            world_size=_ranks.count,
            timeout=PATIENCE,
        )
        _mesh = torch.distributed.init_device_mesh("cpu", (_ranks.count,))

    @property
    def ranks(self) -> Ranks:
        """The processes, and which of them this is."""
        return _ranks

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        super().prepare(setup)
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        Ranks.choose(setup)

    def settings(self) -> dict[str, str]:
        return super().settings() | {"ranks": str(self.ranks.count), "collectives": "gloo"}

    def within(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext()

    def divided(self, tensor: Tensor) -> Tensor:
        """The part of a tensor that is this rank's; each has the whole. Raises Unsupported where there is no axis."""
        if not tensor.dim():
            raise Unsupported("what has no axis is not divided")
        shards = [dtensor.Shard(self.class_axis(tensor))]
        return dtensor.distribute_tensor(tensor.detach(), _mesh, shards, src_data_rank=None)

    @staticmethod
    def class_axis(tensor: Tensor) -> int:
        """Axis 1, or 0 where there is no other."""
        return min(1, int(tensor.dim()) - 1)

    def leaves_a_rank_empty(self, extent: int) -> bool:
        """Whether a rank has nothing of an axis of this extent: all but the last parts are as large as the first."""
        part = -(-extent // self.ranks.count)
        return part * (self.ranks.count - 1) >= extent

    def same(self, tensor: Tensor) -> Tensor:
        """A tensor that each rank has whole."""
        return dtensor.DTensor.from_local(tensor, _mesh, [dtensor.Replicate()], run_check=False)

    def value(self, function: Function, x: Tensor) -> Tensor:
        with self.within():
            return function(self.divided(x)).full_tensor()

    def vjp(self, function: Function, x: Tensor, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        x = self.divided(x).requires_grad_()
        with self.within():
            value = function(x)
            (gradient,) = torch.autograd.grad(value, x, self.same(cotangent))
        return value.full_tensor().detach(), gradient.full_tensor()

    def jvp(self, function: Function, x: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        with self.within():
            value, jvp = torch.func.jvp(function, (self.divided(x),), (self.divided(tangent),))
        return value.full_tensor(), jvp.full_tensor()

    def hvp(self, function: Function, x: Tensor, cotangent: Tensor, direction: Tensor) -> Tensor:
        x = self.divided(x).requires_grad_()
        with self.within():
            (gradient,) = torch.autograd.grad(function(x), x, self.same(cotangent), create_graph=True)
            (product,) = torch.autograd.grad(gradient, x, self.divided(direction))
        return product.full_tensor()

    def second_vjp(self, function: Function, x: Tensor, former: Tensor, cotangent: Tensor) -> Tensor:
        x = self.divided(x).requires_grad_()
        with self.within():
            value = function(x)
            torch.autograd.grad(value, x, self.same(former), retain_graph=True)
            (gradient,) = torch.autograd.grad(value, x, self.same(cotangent))
        return gradient.full_tensor()
