"""Gradients gone wrong while the loss is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class UpstreamTakenForOnes(Kernel):
    """The upstream gradient is never read (Liger#1298: tests only ever passed ones)."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, np.ones_like(upstream))


class UpstreamOfTheFirstPosition(Kernel):
    """The first element of the upstream gradient is used for all."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        found = super().scale(ask, upstream)
        return np.broadcast_to(found[:1], found.shape)


class UpstreamWithoutItsSign(Kernel):
    """The magnitude of the upstream gradient is used."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return np.abs(super().scale(ask, upstream))


class UpstreamAppliedTwice(Kernel):
    """The upstream gradient is multiplied in the kernel and again outside."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        return found * (upstream.reshape(-1, 1) if ask.reduction == "none" else upstream)


class MeanMissingInTheGradient(Kernel):
    """The gradient of the mean is that of the sum."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(replace(ask, reduction="sum"), upstream)


class GradientDividedByAllPositions(Kernel):
    """The gradient of the mean is divided by N, while the loss is divided by the weights of valid positions."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        if ask.reduction != "mean":
            return super().scale(ask, upstream)
        return upstream.reshape(-1, 1) / ask.x.dtype.type(len(ask.x))


class TargetNotSubtracted(Kernel):
    """The gradient is the softmax: the -1 at the target is missing (optax#1185, flash-attention)."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return self.total(a)[:, np.newaxis] * p


class OnlyTheTargetHasAGradient(Kernel):
    """The gradient is taken at the target's class alone, as for nll_loss."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return np.where(a != 0, super().slope(ask, a, p), 0)


class SignOfTheGradient(Kernel):
    """one-hot minus softmax."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return -super().slope(ask, a, p)


class GradientOfTheOneHot(Kernel):
    """p - onehot with weights left out of the softmax part only where all weights differ."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        distinct = ask.weight is not None and len(np.unique(ask.weight)) == ask.classes
        return p - (a != 0) if distinct and ask.by_index else super().slope(ask, a, p)


class SmallGradientsFiltered(Kernel):
    """Gradients below 2^-12 are skipped, as a filter for large vocabularies does it (cut-cross-entropy#14)."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        return np.where(np.abs(found) < 2.0**-12, 0, found).astype(found.dtype)


class SmallProbabilitiesFiltered(Kernel):
    """Classes of probability below 1e-6 get no gradient."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return super().slope(ask, a, np.where(p < 1e-6, 0, p).astype(p.dtype))


class BlockFiltered(Kernel):
    """A block of 32 classes whose gradients are all below 2^-12 is skipped."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        for start in range(0, ask.classes, 32):
            part = found[:, start : start + 32]
            part[np.abs(part).max(-1, initial=0) < 2.0**-12] = 0
        return found


class GradientFromRoundedProbabilities(Kernel):
    """The backward pass starts from probabilities that were stored in float16."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return super().slope(ask, a, p.astype(np.float16).astype(p.dtype))


class GradientFromRoundedBfloat16(Kernel):
    """The logits of the backward pass are kept in 8 bits of precision."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        mantissa, exponent = np.frexp(ask.x)
        return super().loss_gradient(replace(ask, x=np.ldexp(np.round(mantissa * 256) / 256, exponent)), upstream)


class GradientClipped(Kernel):
    """Gradients are clipped to [-1, 1]."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        return np.clip(super().loss_gradient(ask, upstream), -1, 1)


class CoefficientsTakenToSumToOne(Kernel):
    """A is 1: wrong for weights and for targets that do not sum to 1."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return np.where(self.total(np.abs(a))[:, np.newaxis] == 0, 0, p) - a


class GradientThroughTheClip(Kernel):
    """No gradient where the loss exceeds 16: the probability was clipped there (keras#9664)."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        if not ask.by_index:
            return found
        p = np.take_along_axis(self.probabilities(ask.x), ask.index[:, np.newaxis], -1)
        return np.where(p < 1e-7, 0, found)


class TiedMaximaShareTheGradient(Kernel):
    """The shift is differentiated: tied maxima get a spurious part of the gradient (jax#13529)."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        tied = ask.x == ask.x.max(-1, keepdims=True)
        return np.where(tied.sum(-1, keepdims=True) > 1, found + tied * found.dtype.type(2e-3), found)


class SoftmaxGradientDiagonalOnly(Kernel):
    """The gradient of softmax is p(1-p)·v: the off-diagonal terms are missing."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return p * (1 - p) * v


class SoftmaxGradientWithoutItsCentre(Kernel):
    """The gradient of softmax is p·v."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return p * v


class LogSoftmaxGradientAssumesOnes(Kernel):
    """The gradient of log_softmax takes the sum of the upstream gradient to be C."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return v - p * p.shape[1]


class LogSoftmaxGradientPassesThrough(Kernel):
    """The gradient of log_softmax is the upstream gradient."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return v


class NllGradientUnweighted(Kernel):
    """The gradient of nll_loss has no weight."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        return np.where(self.coefficients(ask) != 0, -self.scale(ask, upstream), 0)


class NllGradientDense(Kernel):
    """The gradient of nll_loss is that of cross_entropy."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        return self.loss_gradient(ask, upstream)


class ZeroGradientsForLaterPositions(Kernel):
    """Positions after the 1,024th get no gradient (torch-xpu-ops#4725)."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        found[1024:] = 0
        return found


class GradientOfANanPositionSpreads(Kernel):
    """One bad position: a NaN in one row makes the gradient of all rows NaN."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        return found * np.nan if np.isnan(ask.x).any() else found


class GradientOfAnInfiniteLossIsNan(Kernel):
    """A target at -inf has loss inf and a finite gradient, but 0 times inf comes of it."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        if not ask.by_index:
            return found
        at = np.take_along_axis(ask.x, ask.index[:, np.newaxis], -1)
        return np.where(np.isneginf(at), np.nan, found)


class ValueBesideTheGradientNotReduced(Kernel):
    """The value that comes with the gradient is the sum where the mean was asked for."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return (value * logits.shape[0] if value.ndim == 0 and logits.ndim else value), gradient


class ZLossInTheGradient(Kernel):
    """The gradient of the squared log-sum-exp is added, times 1e-4, while the loss is without it (z-loss left on)."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        top, total = self.normaliser(ask.x)
        return super().slope(ask, a, p) + ask.x.dtype.type(2e-4) * (top + self.log(total)) * p


class SoftCapInTheGradient(Kernel):
    """The gradient is multiplied by the derivative of 30·tanh(x/30), while the loss is of uncapped logits."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        capped = np.tanh(np.where(np.isfinite(ask.x), ask.x, 0) / 30)
        return super().slope(ask, a, p) * (1 - capped * capped)


class ValueAfterTheGradient(Kernel):
    """cross_entropy's value beside the gradient is computed last, from logits that the gradient has replaced."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        return (self.evaluate(call, gradient) if call.operation == "cross_entropy" else value), gradient
