"""Derivatives of second order and in a direction that are wrong in one corner, while those of first order are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.contract import Call
from tests.yardstick.kernel import Ask, Kernel


class _Curvature(Kernel):
    """Base: the second derivative is 5 % too large where :meth:`corner` says so."""

    def corner(self, call: Call, logits: Any) -> bool:
        raise NotImplementedError

    def hessian_product(self, call: Call, logits: Any, upstream: Any, direction: Any) -> Any:
        found = super().hessian_product(call, logits, upstream, direction)
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

    def loss_curvature(self, ask: Ask, upstream: Any, t: Any) -> Any:
        if ask.by_index or ask.weight is None:
            return super().loss_curvature(ask, upstream, t)
        mass = self.total(ask.probabilities)[:, np.newaxis]
        return self.scale(ask, upstream) * (mass * self.softmax_tangent(self.probabilities(ask.x), t))


class UnbatchedTangentDoubled(Kernel):
    """Forward mode of softmax and log_softmax of rank 1 adds the tangent twice."""

    def directional(self, call: Call, logits: Any, tangent: Any) -> Any:
        value, found = super().directional(call, logits, tangent)
        return value, (found * 2).astype(found.dtype) if logits.ndim == 1 and "softmax" in call.operation else found


class TangentOfProbabilitiesHardened(Kernel):
    """Forward mode of probability targets takes the likeliest class for a label."""

    def loss_tangent(self, ask: Ask, t: Any) -> Any:
        if ask.by_index:
            return super().loss_tangent(ask, t)
        a = np.where(np.arange(ask.classes) == ask.probabilities.argmax(-1)[:, np.newaxis], self.coefficients(ask), 0)
        return self.total(a * (self.mean(self.probabilities(ask.x), t) - t))
