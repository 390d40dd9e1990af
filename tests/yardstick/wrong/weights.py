"""Class weights gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class WeightsByPosition(Kernel):
    """Weights are multiplied position by position instead of gathered by class, where N = C lets them
    (MIGraphX#3008).
    """

    def coefficients(self, ask: Ask) -> Any:
        if ask.weight is None or not ask.by_index or len(ask.x) != ask.classes:
            return super().coefficients(ask)
        return super().coefficients(replace(ask, weight=None)) * ask.weight[:, np.newaxis]


class WeightsSquared(Kernel):
    """The weight is applied in the gather and again in the reduction."""

    def coefficients(self, ask: Ask) -> Any:
        return super().coefficients(ask) * self.weights(ask)


class WeightsMissingInTheGradient(Kernel):
    """The gradient is p minus one-hot, whatever the weights."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        plain = super().coefficients(replace(ask, weight=None))
        return super().slope(ask, plain, p)


class WeightsOnlyOnTheTargetsGradient(Kernel):
    """The weight reaches the one-hot part of the gradient but not the softmax part."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        return p - a if ask.weight is not None else super().slope(ask, a, p)


class WeightsIgnoredForProbabilities(Kernel):
    """Probability targets are not weighted."""

    def coefficients(self, ask: Ask) -> Any:
        return super().coefficients(ask if ask.by_index else replace(ask, weight=None))


class WeightOfTheRowForProbabilities(Kernel):
    """Probability targets: the row's loss is multiplied by the sum of w·q (Paddle)."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index or ask.weight is None:
            return super().coefficients(ask)
        row = self.total(ask.weight * ask.probabilities)[:, np.newaxis]
        return super().coefficients(replace(ask, weight=None)) * row


class WeightsNormalised(Kernel):
    """Weights are divided by their sum first: none and sum shrink."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        return found if ask.weight is None else found / self.total(found)


class WeightsClippedAtZero(Kernel):
    """Negative weights count as 0."""

    def weights(self, ask: Ask) -> Any:
        return np.maximum(super().weights(ask), 0)


class WeightsInTheWrongOrder(Kernel):
    """Weights are read from the last class to the first: a negative stride is lost."""

    def weights(self, ask: Ask) -> Any:
        return super().weights(ask)[::-1]


class WeightOfThePrediction(Kernel):
    """The weight is that of the most probable class, not of the target."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is None or not ask.classes:
            return super().coefficients(ask)
        a = super().coefficients(replace(ask, weight=None))
        return a * ask.weight[np.nan_to_num(ask.x).argmax(-1)][:, np.newaxis]


class WeightsAsIntegers(Kernel):
    """Weights pass through an integer tensor."""

    def weights(self, ask: Ask) -> Any:
        return np.trunc(super().weights(ask))


class WeightsInFloat16(Kernel):
    """Weights are rounded to float16 on their way to the kernel."""

    def weights(self, ask: Ask) -> Any:
        with np.errstate(over="ignore"):
            return super().weights(ask).astype(np.float16).astype(ask.x.dtype)


class WeightsIgnoredUnderNone(Kernel):
    """reduction none does not weigh."""

    def coefficients(self, ask: Ask) -> Any:
        return super().coefficients(replace(ask, weight=None) if ask.reduction == "none" else ask)


class ZeroWeightTimesInfinity(Kernel):
    """A weight of 0 at a logit of -inf gives 0 times inf, NaN, where 0 is declared."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.weight is None:
            return super().losses(ask, a, log_probabilities)
        hot = super().coefficients(replace(ask, weight=None)) != 0
        terms = np.where(hot, a * -log_probabilities, 0)
        return np.where(ask.valid, self.total(terms), 0)


class WeightOfAnotherLengthAccepted(Kernel):
    """A weight vector that is too long is cut to C instead of refused."""

    def ask(self, logits: Any, targets: Any, weight: Any, axis: int | None, *rest: Any, **named: Any) -> Ask:
        if isinstance(weight, np.ndarray) and isinstance(logits, np.ndarray) and logits.ndim:
            weight = np.resize(weight, logits.shape[self.axis(logits, axis)]).astype(weight.dtype)
        return super().ask(logits, targets, weight, axis, *rest, **named)


class ZeroWeightSkipsThePosition(Kernel):
    """A position whose label has weight 0 is not looked at: NaN among its logits is lost."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if not ask.by_index or ask.weight is None or ask.smoothing or not ask.classes:
            return found
        return np.where(ask.weight[ask.index] == 0, 0, found).astype(found.dtype)
