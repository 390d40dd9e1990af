"""Results of the wrong shape or dtype in one corner."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class SoftmaxInFloat32(Kernel):
    """softmax of half types is returned in float32."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        return found.astype(np.float32) if found.itemsize == 2 else found


class LogSoftmaxInFloat64(Kernel):
    """log_softmax of float32 is returned in float64."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        return found.astype(np.float64) if found.dtype == np.float32 else found


class SumInFloat32(Kernel):
    """The sum of half types is returned in float32, the mean is not."""

    def cross_entropy(self, logits: Any, targets: Any, *, reduction: Any = None, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, reduction=reduction, **options)
        return found.astype(np.float32) if reduction == "sum" and found.itemsize == 2 else found


class Bfloat16BecomesFloat16(Kernel):
    """Losses of bfloat16 come back in float16."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        with np.errstate(all="ignore"):
            return found.astype(np.float16) if found.dtype.name == "bfloat16" else found


class WeightedLossInTheWeightsDtype(Kernel):
    """With weights the loss is promoted to float32."""

    def cross_entropy(self, logits: Any, targets: Any, *, weight: Any = None, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, weight=weight, **options)
        return found.astype(np.promote_types(np.float32, found.dtype)) if weight is not None else found


class SmoothedLossInFloat64(Kernel):
    """With smoothing the loss is promoted to float64 by a Python scalar."""

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: Any = None, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, label_smoothing=label_smoothing, **options)
        return found.astype(np.float64) if label_smoothing else found


class NllLossInFloat32(Kernel):
    """nll_loss of half types is returned in float32."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        return found.astype(np.float32) if found.itemsize == 2 else found


class GradientInFloat64(Kernel):
    """The gradient of float32 is returned in float64."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, gradient.astype(np.float64) if gradient.dtype == np.float32 else gradient


class GradientFlattened(Kernel):
    """The gradient comes back as (positions, classes) for more than two axes."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, gradient.reshape(gradient.shape[0], -1) if gradient.ndim > 2 else gradient


class GradientSqueezed(Kernel):
    """Unit axes are squeezed out of the gradient."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return value, np.squeeze(gradient)


class UnbatchedLossKeepsAnAxis(Kernel):
    """One unbatched position without reduction gives shape (1,)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        return found.reshape(1) if ask.reduction == "none" and ask.shape == () else found


class OneClassSqueezed(Kernel):
    """softmax of a single class loses its axis."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        return np.squeeze(found) if logits.ndim and logits.shape[self.axis(logits, axis)] == 1 else found


class LogSoftmaxClassAxisLast(Kernel):
    """log_softmax comes back with the class axis last."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        return np.moveaxis(found, self.axis(logits, axis), -1) if logits.ndim else found


class MeanOfShapeOfTheBatch(Kernel):
    """mean is taken over all axes but the first."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        if ask.reduction != "mean" or len(ask.shape) < 2:
            return found
        return np.broadcast_to(found, ask.shape[:1])
