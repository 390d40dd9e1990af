"""Class-probability targets gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


def _are_probabilities(logits: Any, targets: Any) -> bool:
    floating = isinstance(targets, np.ndarray) and targets.dtype.kind in "fV"
    return floating and np.shape(logits) == targets.shape


class ProbabilitiesInTheLogitsDtype(Kernel):
    """Class probabilities are rounded to the dtype of the logits before anything is computed."""

    def given(self, given: Given) -> Given:
        if not _are_probabilities(given.logits, given.targets):
            return super().given(given)
        with np.errstate(all="ignore"):
            return super().given(replace(given, targets=given.targets.astype(given.logits.dtype)))


class LossInTheProbabilitiesDtype(Kernel):
    """The loss comes in the dtype of the class probabilities, where that of the logits is declared."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        loss = super().cross_entropy(logits, targets, **options)
        return loss.astype(targets.dtype) if _are_probabilities(logits, targets) else loss


class GradientInTheProbabilitiesDtype(Kernel):
    """The gradient comes in the dtype of the class probabilities."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        targets = call.operands.get("targets")
        return value, gradient.astype(targets.dtype) if _are_probabilities(logits, targets) else gradient


class NormalisedSilently(Kernel):
    """Targets are divided by their sum before use (keras from_logits=False)."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index:
            return super().coefficients(ask)
        return super().coefficients(
            replace(ask, probabilities=ask.probabilities / self.total(ask.probabilities)[:, None])
        )


class ArgmaxOfTheTargets(Kernel):
    """Soft targets are hardened to their largest class."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index or not ask.classes:
            return super().coefficients(ask)
        hot = np.zeros_like(ask.probabilities)
        np.put_along_axis(hot, ask.probabilities.argmax(-1)[:, np.newaxis], 1, -1)
        return super().coefficients(replace(ask, probabilities=hot))


class TransposedTargets(Kernel):
    """Square targets are read with their axes swapped."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index or len(ask.x) != ask.classes:
            return super().coefficients(ask)
        return super().coefficients(replace(ask, probabilities=ask.probabilities.T))


class LogSumExpMinusProduct(Kernel):
    """lse - sum q·x: another loss where the targets do not sum to 1 (mlx dense targets)."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.by_index or ask.weight is not None:
            return super().losses(ask, a, log_probabilities)
        x = np.where(a == 0, 0, ask.x)
        top, total = self.normaliser(ask.x)
        return (top + self.log(total))[:, 0] - self.total(a * x)


class SoftmaxMinusLabels(Kernel):
    """The gradient is p - q whatever the targets sum to (tf.nn.softmax_cross_entropy_with_logits)."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return super().slope(ask, a, p) if ask.by_index else p - a


class ZeroTimesInfinity(Kernel):
    """A probability of 0 at a logit of -inf gives 0 times inf, NaN, where 0 is declared (optax#896)."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.by_index:
            return super().losses(ask, a, log_probabilities)
        return self.total(a * -log_probabilities)


class TargetsClippedToOne(Kernel):
    """Targets are clamped to [0, 1]: unnormalised ones change."""

    def coefficients(self, ask: Ask) -> Any:
        return super().coefficients(
            ask if ask.by_index else replace(ask, probabilities=np.clip(ask.probabilities, 0, 1))
        )


class NegativeTargetsDropped(Kernel):
    """Targets below 0 count as 0."""

    def coefficients(self, ask: Ask) -> Any:
        return super().coefficients(
            ask if ask.by_index else replace(ask, probabilities=np.maximum(ask.probabilities, 0))
        )


class ProbabilityMeanOverClasses(Kernel):
    """With probability targets the mean is taken over all elements: divided by N times C."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return found if ask.by_index else found * max(ask.classes, 1)


class KullbackLeibler(Kernel):
    """The divergence instead of the cross entropy: sum q·ln q is subtracted."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if ask.by_index:
            return found
        return found + self.total(np.where(a > 0, a * np.log(np.where(a > 0, a, 1)), 0))


class TargetsRoundedToFloat16(Kernel):
    """Probability targets are cast to float16 with the activations (mixed precision)."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index:
            return super().coefficients(ask)
        return super().coefficients(
            replace(ask, probabilities=ask.probabilities.astype(np.float16).astype(ask.x.dtype))
        )


class ProbabilityTargetsAlongTheLastAxis(Kernel):
    """Probability targets are read along the last axis, while the logits follow the class axis."""

    def ask(self, logits: Any, targets: Any, weight: Any, axis: int | None, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, weight, axis, *rest, **named)
        if found.by_index or targets.shape[self.axis(logits, axis)] != targets.shape[-1]:
            return found
        return replace(found, probabilities=self.rows(targets, -1, found.x.dtype))
