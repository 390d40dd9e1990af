"""tinygrad: the methods of ``tinygrad.Tensor``."""

from __future__ import annotations

from typing import Unpack

from conformance.backends.adapters.base import Adapter, Offers
from conformance.backends.contract import CrossEntropyOptions, NllLossOptions, Tensor, Unsupported, given
from conformance.backends.runtimes.tinygrad import TinygradRuntime

__all__ = ["Tinygrad"]


class Tinygrad(Adapter):
    """``Tensor.cross_entropy``; composition ``sparse`` is ``Tensor.sparse_categorical_crossentropy``."""

    framework = "tinygrad"
    profile = "tinygrad"
    library = "tinygrad.Tensor"
    runs_on = TinygradRuntime
    compositions = ("sparse",)
    composed = ("cross_entropy",)
    offers = Offers(
        operations=dict.fromkeys(("softmax", "log_softmax", "nll_loss", "cross_entropy"), "native"),
        weight="native",
        ignore_index="native",
        label_smoothing="native",
        probability_targets="native",
        reductions="native",
    )

    def softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return logits.softmax(**given(axis=axis))

    def log_softmax(self, logits: Tensor, *, axis: int | None) -> Tensor:
        return logits.log_softmax(**given(axis=axis))

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Unpack[NllLossOptions]) -> Tensor:
        return _with_classes_at(1, log_probabilities, options.pop("axis")).nll_loss(targets, **given(**options))

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Unpack[CrossEntropyOptions]) -> Tensor:
        self.refuse(weight=options.pop("weight", None))
        axis = options.pop("axis")
        probabilities = isinstance(targets, type(logits)) and targets.ndim == logits.ndim
        if self.composition == "sparse":
            if probabilities:
                raise Unsupported("sparse_categorical_crossentropy takes class indices")
            logits = _with_classes_at(-1, logits, axis)
            return logits.sparse_categorical_crossentropy(targets, **given(**options))
        self.refuse(ignore_index=options.pop("ignore_index"))
        if probabilities:
            targets = _with_classes_at(1, targets, axis)
        return _with_classes_at(1, logits, axis).cross_entropy(targets, **given(**options))


def _with_classes_at(place: int, tensor: Tensor, axis: int | None) -> Tensor:
    """The class axis where the method expects it; the one axis of a tensor of rank 1 stays where it is."""
    if axis is None:
        return tensor
    if not -tensor.ndim <= axis < tensor.ndim:  # no method of tinygrad's would see it
        raise IndexError(f"axis {axis} of a tensor of rank {tensor.ndim}")
    if tensor.ndim < 2 or axis % tensor.ndim == place % tensor.ndim:
        return tensor
    order = [each for each in range(tensor.ndim) if each != axis % tensor.ndim]
    order.insert(place % tensor.ndim, axis % tensor.ndim)
    return tensor.permute(*order)
