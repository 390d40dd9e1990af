"""Backends on PyTorch whose loss is not compiled, or not as a whole, though it is to be."""

from __future__ import annotations

from typing import Unpack

import torch

from conformance.backends.adapters.torch import Torch
from conformance.backends.contract import Call, CrossEntropyOptions, Tensor
from conformance.backends.runtimes.base import Function
from conformance.backends.runtimes.torch import TorchRuntime


class Prints(Torch):
    """The graph is broken in front of the loss, which is compiled behind it."""

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        print(end="")
        return super().cross_entropy(logits, targets, **options)


class ReadsANumber(Torch):
    """The graph is broken by ``.item()``."""

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        if logits.sum().item() > 1e9:
            raise ValueError("too large")
        return super().cross_entropy(logits, targets, **options)


class Disabled(Torch):
    """The loss is left out of every graph."""

    @torch.compiler.disable
    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return super().cross_entropy(logits, targets, **options)


class DisabledViews(Torch):
    """Views and a copy of the logits are left out of every graph, and the loss behind them is compiled."""

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return super().cross_entropy(self._eagerly(logits), targets, **options)

    @torch.compiler.disable
    def _eagerly(self, logits: Tensor) -> Tensor:
        turned = logits.unsqueeze(0).transpose(1, 2).permute(2, 1, 0).contiguous()
        return turned.expand(*turned.shape)[:, :, 0].t().t().unfold(1, 1, 1).squeeze(2)[:].reshape(logits.shape)


class DisabledInPart(Torch):
    """A compiled graph doubles the logits, and a loss that is left out of every graph takes half of them."""

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return self._eagerly(logits * 2, targets, **options)

    @torch.compiler.disable
    def _eagerly(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        return super().cross_entropy(logits / 2, targets, **options)


class _Idle(TorchRuntime):
    def compile(self, function: Function, execution: str) -> Function:
        return function


class Identity(Torch):
    """What compiles a function gives it back as it was."""

    runs_on = _Idle


class OwnWay(Torch):
    """Compiles in a way of its own, of which the suite sees nothing."""

    def evaluate(self, call: Call, logits: Tensor) -> Tensor:
        return torch.compile(lambda x: call.apply(self, x), dynamic=False)(logits)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        return self.runtime.vjp(lambda x: self.evaluate(call, x), logits, upstream)
