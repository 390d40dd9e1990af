"""Second order gone wrong while value and gradient are right: the curvature in a direction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class CurvatureOfTheDiagonal(Kernel):
    """The Hessian is diag(p): the outer product p pᵀ is missing."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        mass = self.total(self.coefficients(ask))[:, np.newaxis]
        return self.scale(ask, upstream) * mass * self.probabilities(ask.x) * t


class CurvatureOfSigmoids(Kernel):
    """The Hessian is diag(p(1 - p)), as if every class were a question of its own."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        p = self.probabilities(ask.x)
        mass = self.total(self.coefficients(ask))[:, np.newaxis]
        return self.scale(ask, upstream) * mass * p * (1 - p) * t


class CurvatureFromStaleProbabilities(Kernel):
    """The second derivative uses the softmax of the first call that had the same shape."""

    _last: Any = None

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        if self._last is None or self._last.shape != ask.x.shape:
            self._last = ask.x
        return super().loss_hvp(replace(ask, x=self._last), upstream, t)


class GradientDetached(Kernel):
    """The gradient is a constant to a second differentiation."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        return np.zeros_like(ask.x)


class CurvatureWithoutUpstream(Kernel):
    """The upstream gradient is taken for ones in the second pass."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        return super().loss_hvp(ask, np.ones_like(upstream), t)


class CurvatureOfIgnoredPositions(Kernel):
    """Ignored positions have a gradient of 0 and a curvature as if they counted."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        found = super().loss_hvp(ask, upstream, t)
        stray = self.scale(ask, upstream) * self.softmax_jvp(self.probabilities(ask.x), t)
        return np.where(ask.valid[:, np.newaxis], found, stray)


class CurvatureWithoutWeight(Kernel):
    """The weight of the label is missing from the second derivative, though not from the divisor."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        if ask.weight is None:
            return super().loss_hvp(ask, upstream, t)
        hvp = self.scale(ask, upstream) * self.softmax_jvp(self.probabilities(ask.x), t)
        return np.where(ask.valid[:, np.newaxis], hvp, 0)


class CurvatureOfTheSum(Kernel):
    """The second derivative of the mean is that of the sum."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        return super().loss_hvp(replace(ask, reduction="sum"), upstream, t)


class CurvatureDividedByAllPositions(Kernel):
    """The second derivative of the mean is divided by N, not by the weights of the valid positions."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        found = super().loss_hvp(replace(ask, reduction="sum"), upstream, t)
        return found / len(ask.x) if ask.reduction == "mean" else super().loss_hvp(ask, upstream, t)


class CurvatureWithoutTheUniformPart(Kernel):
    """Label smoothing takes ε from the label's curvature and gives it to nobody."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        return super().loss_hvp(ask, upstream, t) * ask.x.dtype.type(1 - ask.smoothing)


class CurvatureOfDistributionsOnly(Kernel):
    """Probability targets are taken to sum to 1 in the second derivative alone."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        if ask.by_index or ask.weight is not None:
            return super().loss_hvp(ask, upstream, t)
        return self.scale(ask, upstream) * self.softmax_jvp(self.probabilities(ask.x), t)


class CurvatureFilteredWhereConfident(Kernel):
    """Positions whose largest probability exceeds 0.99 have no curvature."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        found = super().loss_hvp(ask, upstream, t)
        return np.where(self.probabilities(ask.x).max(-1, keepdims=True) > 0.99, 0, found).astype(found.dtype)


class CurvatureThroughTheShift(Kernel):
    """The second derivative goes through the shift: tied maxima get a share of it."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        found = super().loss_hvp(ask, upstream, t)
        tied = ask.x == ask.x.max(-1, keepdims=True)
        return np.where(tied.sum(-1, keepdims=True) > 1, found + tied * found.dtype.type(4e-3), found)


class CurvatureFromProbabilityTimesLogit(Kernel):
    """A term p·x that should cancel is formed first: 0 times -inf is NaN."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        product = self.probabilities(ask.x) * ask.x
        return super().loss_hvp(ask, upstream, t) + (product - product)


class CurvatureUnshifted(Kernel):
    """The second pass exponentiates the logits as they are."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        e = self.exp(ask.x)
        p = e / self.total(e)[:, np.newaxis]
        mass = self.total(self.coefficients(ask))[:, np.newaxis]
        found = self.scale(ask, upstream) * (mass * p * (t - self.mean(p, t)))
        return np.where(ask.valid[:, np.newaxis], found, 0)


class CurvatureInBfloat16(Kernel):
    """The second derivative starts from probabilities with 8 bits of precision."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        mantissa, exponent = np.frexp(ask.x)
        rounded = np.ldexp(np.round(mantissa * 256) / 256, exponent).astype(ask.x.dtype)
        return super().loss_hvp(replace(ask, x=rounded), upstream, t)


class CurvatureWrongAtTheSecondCall(Kernel):
    """A buffer of the first call is added to at the second."""

    _calls = 0

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        self._calls += 1
        return super().loss_hvp(ask, upstream, t) * (1 if self._calls % 2 else 2)


class CurvatureTailMissing(Kernel):
    """Classes beyond the 128th take no part in the mean of the direction."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        cut = t.copy()
        cut[:, 128:] = 0
        return super().loss_hvp(ask, upstream, cut)


class LogSoftmaxCurvatureWithoutUpstream(Kernel):
    """The second derivative of log_softmax takes the sum of the upstream gradient to be 1."""

    def log_softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        return -self.softmax_jvp(p, t)


class SoftmaxCurvatureUncentred(Kernel):
    """The second derivative of softmax lacks its last term, the average of the centred product."""

    def softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        return p * (t - self.mean(p, t)) * (v - self.mean(p, v))


class SoftmaxCurvatureOfAConstantMean(Kernel):
    """The mean of the upstream gradient is held constant in the second derivative of softmax."""

    def softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        return self.softmax_jvp(p, t) * (v - self.mean(p, v))
