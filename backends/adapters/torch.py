"""PyTorch: ``torch.nn.functional``, or the modules of ``torch.nn``, also within ``torch.autocast``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Call, CrossEntropyOptions, NllLossOptions, Tensor, given
from conformance.backends.runtimes.torch import TorchRuntime

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F

__all__ = ["Torch"]


class Torch(Adapter):
    """``torch.nn.functional``; composition ``module`` is the classes of ``torch.nn``.

    The forward pass alone runs within ``torch.autocast``, as its documentation says.
    """

    framework = "torch"
    profile = "torch"
    runs_on = TorchRuntime
    compositions = ("module",)
    precisions = ("autocast-bfloat16", "autocast-float16")
    offers = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy"), "native"),
        weight="native",
        ignore_index="native",
        label_smoothing="native",
        probability_targets="native",
        reductions="native",
    )

    @classmethod
    def imports(cls) -> None:
        global torch, F
        import torch
        import torch.nn.functional as F

    def operate(self, call: Call, logits: Tensor, operands: Mapping[str, Tensor] | None = None) -> Tensor:
        if not self.precision:
            return super().operate(call, logits, operands)
        with self._autocast():
            return super().operate(call, logits, operands)

    def settings(self) -> dict[str, str]:
        with self._autocast():
            on = torch.is_autocast_enabled(self.device)
            dtype = str(torch.get_autocast_dtype(self.device)).removeprefix("torch.") if on else "off"
        return {**super().settings(), "autocast": dtype}

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if not self.precision:
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=getattr(torch, self.precision.removeprefix("autocast-")))

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        if self.composition == "module":
            return torch.nn.Softmax(**given(dim=axis))(logits)
        return F.softmax(logits, **given(dim=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        if self.composition == "module":
            return torch.nn.LogSoftmax(**given(dim=axis))(logits)
        return F.log_softmax(logits, **given(dim=axis))

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        log_probabilities = _class_axis_second(log_probabilities, options.pop("axis"))
        if self.composition == "module":
            return torch.nn.NLLLoss(**given(**options))(log_probabilities, targets)
        return F.nll_loss(log_probabilities, targets, **given(**options))

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        axis = options.pop("axis")
        if torch.is_tensor(targets) and targets.dim() == logits.dim():  # class probabilities have a class axis, too
            targets = _class_axis_second(targets, axis)
        logits = _class_axis_second(logits, axis)
        if self.composition == "module":
            return torch.nn.CrossEntropyLoss(**given(**options))(logits, targets)
        return F.cross_entropy(logits, targets, **given(**options))


def _class_axis_second(tensor: Tensor, axis: int | None) -> Tensor:
    """PyTorch's losses expect the class axis at 1, or at 0 where there is no other: a view with it there."""
    place = min(1, tensor.dim() - 1)
    return tensor if axis is None or axis == place else tensor.movedim(axis, place)
