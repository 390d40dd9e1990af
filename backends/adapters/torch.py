"""PyTorch: ``torch.nn.functional``, or the modules of ``torch.nn``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import Reduction, Tensor, given
from conformance.backends.runtimes.base import Runtime
from conformance.backends.runtimes.torch import TorchRuntime

if TYPE_CHECKING:
    import torch
    import torch.nn.functional as F
    from torch import nn

__all__ = ["Torch"]


class Torch(Adapter):
    """``torch.nn.functional``; composition ``module`` is the classes of ``torch.nn``."""

    framework: ClassVar[str] = "torch"
    profile: ClassVar[str] = "torch"
    runs_on: ClassVar[type[Runtime]] = TorchRuntime
    compositions: ClassVar[tuple[str, ...]] = ("module",)
    offers: ClassVar[Offers] = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy"), "native"),
        weight="native",
        ignore_index="native",
        label_smoothing="native",
        probability_targets="native",
        reductions="native",
    )

    @classmethod
    def imports(cls) -> None:
        global torch, F, nn
        import torch
        import torch.nn.functional as F
        from torch import nn

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        if self.composition == "module":
            return nn.Softmax(**given(dim=axis))(logits)
        return F.softmax(logits, **given(dim=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        if self.composition == "module":
            return nn.LogSoftmax(**given(dim=axis))(logits)
        return F.log_softmax(logits, **given(dim=axis))

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
        log_probabilities = _class_axis_second(log_probabilities, axis)
        options = given(weight=weight, ignore_index=ignore_index, reduction=reduction)
        if self.composition == "module":
            return nn.NLLLoss(**options)(log_probabilities, targets)
        return F.nll_loss(log_probabilities, targets, **options)

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
    ) -> Tensor:
        if torch.is_tensor(targets) and targets.dim() == logits.dim():  # class probabilities have a class axis, too
            targets = _class_axis_second(targets, axis)
        logits = _class_axis_second(logits, axis)
        options = given(weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing, reduction=reduction)
        if self.composition == "module":
            return nn.CrossEntropyLoss(**options)(logits, targets)
        return F.cross_entropy(logits, targets, **options)


def _class_axis_second(tensor: Tensor, axis: int | None) -> Tensor:
    """PyTorch's losses expect the class axis at 1, or at 0 where there is no other: a view with it there."""
    place = min(1, tensor.dim() - 1)
    return tensor if axis is None or axis == place else tensor.movedim(axis, place)
