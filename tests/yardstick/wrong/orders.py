"""Derivatives of second order and in a direction that are wrong in one corner, while those of first order are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.backends.contract import Call
from tests.yardstick.kernel import Ask, Kernel


class _Curvature(Kernel):
    """Base: the second derivative is 5 % too large where :meth:`corner` says so."""

    def corner(self, call: Call, logits: Any) -> bool:
        raise NotImplementedError

    def hvp(self, call: Call, logits: Any, upstream: Any, direction: Any) -> Any:
        found = super().hvp(call, logits, upstream, direction)
        return (found * 1.05).astype(found.dtype) if self.corner(call, logits) else found


class CurvatureOfRankFour(_Curvature):
    """The second derivative of segmentation shapes is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.ndim >= 4)


class CurvatureOfManyClasses(_Curvature):
    """The second derivative of more than 512 classes is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return max(logits.shape, default=0) > 512


class SoftmaxCurvatureOffTheLastAxis(_Curvature):
    """The second derivative of softmax and log_softmax is off where the class axis is not the last."""

    def corner(self, call: Call, logits: Any) -> bool:
        axis = dict(call.options)["axis"]
        return "softmax" in call.operation and logits.ndim > 1 and self.axis(logits, axis) != logits.ndim - 1


class CurvatureOfHalfTypes(_Curvature):
    """The second derivative of bfloat16 and float16 is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.itemsize == 2)


class CurvatureOfProbabilitiesUnweighted(Kernel):
    """The second derivative of probability targets forgets the weights."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        if ask.by_index or ask.weight is None:
            return super().loss_hvp(ask, upstream, t)
        mass = self.total(ask.probabilities)[:, np.newaxis]
        return self.scale(ask, upstream) * (mass * self.softmax_jvp(self.probabilities(ask.x), t))


class UnbatchedTangentDoubled(Kernel):
    """Forward mode of softmax and log_softmax of rank 1 adds the tangent twice."""

    def jvp(self, call: Call, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return value, (found * 2).astype(found.dtype) if logits.ndim == 1 and "softmax" in call.operation else found


class TangentOfProbabilitiesHardened(Kernel):
    """Forward mode of probability targets takes the likeliest class for a label."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        if ask.by_index:
            return super().loss_jvp(ask, t)
        a = np.where(np.arange(ask.classes) == ask.probabilities.argmax(-1)[:, np.newaxis], self.coefficients(ask), 0)
        return self.total(a * (self.mean(self.probabilities(ask.x), t) - t))


class CurvatureUnbatched(_Curvature):
    """The second derivative of one unbatched position is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.ndim == 1)


class CurvatureOfManyRows(_Curvature):
    """The second derivative of more than 64 positions is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return logits.ndim > 1 and logits.size > 64 * logits.shape[self.axis(logits, dict(call.options)["axis"])]


class CurvatureUnreduced(_Curvature):
    """The second derivative of the losses without reduction is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return dict(call.options).get("reduction") == "none"


class CurvatureSmoothed(_Curvature):
    """The second derivative beside label smoothing and weights is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(dict(call.options).get("label_smoothing")) and call.operands.get("weight") is not None


class _Tangent(Kernel):
    """Base: the tangent is 5 % too large where :meth:`corner` says so."""

    def corner(self, call: Call, logits: Any) -> bool:
        raise NotImplementedError

    def jvp(self, call: Call, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return value, (found * 1.05).astype(found.dtype) if self.corner(call, logits) else found


class TangentOfImages(_Tangent):
    """Forward mode of segmentation shapes is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.ndim >= 4)


class TangentOfManyClasses(_Tangent):
    """Forward mode of more than 512 classes is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return max(logits.shape, default=0) > 512


class TangentOfManyRows(_Tangent):
    """Forward mode of more than 64 positions is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return logits.ndim > 1 and logits.size > 64 * logits.shape[self.axis(logits, dict(call.options)["axis"])]


class TangentOffTheLastAxis(_Tangent):
    """Forward mode of softmax and log_softmax is off where the class axis is not the last."""

    def corner(self, call: Call, logits: Any) -> bool:
        axis = dict(call.options)["axis"]
        return "softmax" in call.operation and logits.ndim > 1 and self.axis(logits, axis) != logits.ndim - 1


class TangentInHalfTypes(_Tangent):
    """Forward mode of the losses is off in bfloat16."""

    def corner(self, call: Call, logits: Any) -> bool:
        return logits.dtype.name == "bfloat16" and call.operation == "cross_entropy"


class NllTangentOfImages(_Tangent):
    """Forward mode of nll_loss is off for positions on more than one axis."""

    def corner(self, call: Call, logits: Any) -> bool:
        return call.operation == "nll_loss" and logits.ndim > 2


class _Mapped(Kernel):
    """Base: the gradients of a map are 5 % too large where :meth:`corner` says so."""

    def corner(self, call: Call, logits: Any) -> bool:
        raise NotImplementedError

    def vmap(self, call: Call, logits: Any, upstream: Any) -> Any:
        value, found = super().vmap(call, logits, upstream)
        return value, (found * 1.05).astype(found.dtype) if self.corner(call, logits) else found


class MapOfBatches(_Mapped):
    """A map over batches, logits of rank 3 and more, is off; over single positions it is right."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.ndim > 2)


class MapWithSmoothing(_Mapped):
    """A map beside label smoothing is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(dict(call.options).get("label_smoothing"))


class MapOfProbabilities(_Mapped):
    """A map of probability targets is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        targets = call.operands.get("targets")
        return targets is not None and targets.dtype.kind not in "iu"


class MapInFloat16(_Mapped):
    """A map of float16 is off: its batching rule accumulates in another dtype."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.dtype == np.float16)


class MapInBfloat16(_Mapped):
    """A map of bfloat16 is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.dtype.name == "bfloat16")


class MapInFloat64(_Mapped):
    """A map of float64 is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return bool(logits.dtype == np.float64)


class MapOfNllLoss(_Mapped):
    """A map of nll_loss is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return call.operation == "nll_loss"


class MapOfSoftmax(_Mapped):
    """A map of softmax is off."""

    def corner(self, call: Call, logits: Any) -> bool:
        return call.operation == "softmax"
