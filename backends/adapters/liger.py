"""Liger-Kernel: its Triton kernels on PyTorch; on the processor they run in Triton's interpreter."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Call, CrossEntropyOptions, Setup, Tensor, Unsupported, given
from conformance.backends.runtimes.torch import TorchRuntime

if TYPE_CHECKING:
    from liger_kernel.transformers import functional, softmax

__all__ = ["Liger"]

#: Positions, each of which is a program of its own: the interpreter takes minutes for more.
INTERPRETED = 1 << 10


class Liger(Adapter):
    """``liger_cross_entropy`` of positions by classes, and ``LigerSoftmax`` along the last axis."""

    framework = "liger_kernel"
    profile = "liger"
    library = "Liger-Kernel"
    runs_on = TorchRuntime
    executions = ("eager",)
    variables = (*TorchRuntime.variables, "TRITON")
    thread_safe = False  # the interpreter puts its own functions into Triton's modules while it runs
    offers = Offers(
        operations={"softmax": "native", "cross_entropy": "native"},
        weight="unsupported",
        ignore_index="native",
        label_smoothing="native",
        probability_targets="unsupported",
        reductions="native",
    )

    @classmethod
    def prepare(cls, setup: Setup) -> None:
        super().prepare(setup)
        if setup.device == "cpu":
            os.environ["TRITON_INTERPRET"] = "1"

    @classmethod
    def imports(cls) -> None:
        global functional, softmax
        from liger_kernel.transformers import functional, softmax

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        if axis not in (None, -1, logits.dim() - 1):
            raise Unsupported("LigerSoftmax takes the last axis")
        self._bounded(logits.numel() // max(1, logits.shape[-1]) if logits.dim() else 1)
        return softmax.LigerSoftmax()(logits)

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        self.refuse(weight=options.pop("weight", None))
        if options.pop("axis") not in (None, -1, 1) or logits.dim() != 2 or getattr(targets, "ndim", 1) == 2:
            raise Unsupported("liger_cross_entropy takes logits of positions by classes, and class indices")
        self._bounded(len(logits))
        return functional.liger_cross_entropy(logits, targets, **given(**options))

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        raise Unsupported("the library's autograd functions have no rule for maps")

    def _bounded(self, positions: int) -> None:
        if positions > INTERPRETED and self.device == "cpu":
            raise Unsupported("so many positions take minutes in Triton's interpreter")
