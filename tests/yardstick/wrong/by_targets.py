"""Wrong gradients with respect to class probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class TargetGradientStopped(Kernel):
    """The gradient stops at the probabilities, as TensorFlow 1 had it by default."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return np.zeros_like(super().loss_target_gradient(ask, upstream))


class TargetGradientWithoutUpstream(Kernel):
    """The gradient by the probabilities takes the upstream gradient for 1."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return super().loss_target_gradient(ask, np.ones_like(upstream))


class TargetGradientOfTheSum(Kernel):
    """The gradient by the probabilities forgets that a mean divides."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_target_gradient(ask, upstream)
        return found * ask.x.dtype.type(len(ask.x)) if ask.reduction == "mean" else found


class TargetGradientWithoutSmoothing(Kernel):
    """The gradient by the probabilities lacks the factor 1 − ε."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return super().loss_target_gradient(ask, upstream) / ask.x.dtype.type(1 - ask.smoothing)


class TargetGradientWithoutWeights(Kernel):
    """The gradient by the probabilities lacks the class weights."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return super().loss_target_gradient(ask, upstream) / self.weights(ask)


class TargetGradientOfPresentClassesOnly(Kernel):
    """A class of probability 0 is skipped, as a guard for 0·ln 0 does, and so has no gradient."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return np.where(ask.probabilities == 0, 0, super().loss_target_gradient(ask, upstream))


class TargetGradientOfNormalisedTargets(Kernel):
    """The probabilities are divided by their sum first, which centres their gradient."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_target_gradient(ask, upstream)
        return found - self.total(found * ask.probabilities)[:, np.newaxis]


class TargetGradientOfUnshiftedLogits(Kernel):
    """The gradient by the probabilities is lse − x with both at their full size, where the value is shifted."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        top, _ = self.normaliser(ask.x)
        lse = (top - np.take_along_axis(self.log_probabilities(ask.x), ask.x.argmax(-1)[:, np.newaxis], -1)).astype(
            ask.x.dtype
        )
        factor = (self.weights(ask) * (1 - ask.smoothing)).astype(ask.x.dtype)
        return self.scale(ask, upstream) * factor * (lse - ask.x)


class TargetGradientClamped(Kernel):
    """The logarithm in the gradient by the probabilities is that of a probability kept above 1e-7."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_target_gradient(ask, upstream)
        scale = self.scale(ask, upstream) * self.weights(ask) * (1 - ask.smoothing)
        most = np.abs(scale * np.log(1e-7))
        return np.clip(found, -most, most).astype(found.dtype)


class TargetGradientIsTheLogitsGradient(Kernel):
    """The gradient by the logits is handed out for that by the probabilities."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return self.loss_gradient(ask, upstream)


class TargetGradientOfTheFirstBlock(Kernel):
    """The gradient by the probabilities is written for the first 1,024 classes only."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_target_gradient(ask, upstream)
        return np.where(np.arange(ask.classes) < 1024, found, 0)


class TargetGradientClassesLast(Kernel):
    """The gradient by the probabilities comes back as if the class axis were the last one."""

    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        found = super().target_gradient(call, logits, upstream)
        axis = dict(call.options)["axis"]
        return np.moveaxis(found, axis, -1).reshape(found.shape)


class TargetGradientReversedOnOtherAxes(Kernel):
    """Where the class axis is not 1, the positions of the gradient by the probabilities come back in reverse."""

    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        found = super().target_gradient(call, logits, upstream)
        return found if dict(call.options)["axis"] == 1 else found[::-1].copy()
