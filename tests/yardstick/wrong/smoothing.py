"""Label smoothing gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


class SmoothedOverTheOthers(Kernel):
    """epsilon/(C-1) on the other classes instead of epsilon/C on all (timm#1040, fastai#1814)."""

    def uniform(self, ask: Ask) -> Any:
        share = np.full(ask.x.shape, ask.smoothing / max(ask.classes - 1, 1), ask.x.dtype)
        np.put_along_axis(share, ask.index[:, np.newaxis], 0, -1)
        return share * self.weights(ask)


class SmoothingCountsIgnoredRows(Kernel):
    """The uniform term is summed over ignored rows too (pytorch#73205, tinygrad#3568)."""

    def loss(self, ask: Ask) -> Any:
        found = super().loss(ask)
        if not ask.smoothing or not ask.by_index or ask.reduction == "none" or ask.valid.all():
            return found
        terms = self.total(self.uniform(ask) * -self.log_probabilities(ask.x))
        more = self.total(np.where(ask.valid, 0, terms))
        return found + (more if ask.reduction == "sum" else more / self.divisor(ask))


class SmallSmoothingDropped(Kernel):
    """A smoothing below 1e-5 is taken for none."""

    def given(self, given: Given) -> Given:
        small = given.label_smoothing is not None and 0 < given.label_smoothing < 1e-5
        return replace(given, label_smoothing=0.0) if small else given


class SmoothingNearOneIsOne(Kernel):
    """A smoothing above 0.999 leaves nothing to the label."""

    def given(self, given: Given) -> Given:
        large = given.label_smoothing is not None and 0.999 < given.label_smoothing < 1
        return replace(given, label_smoothing=1.0) if large else given


class SmoothingIgnoresWeights(Kernel):
    """The uniform term is not weighted (pytorch#104776)."""

    def uniform(self, ask: Ask) -> Any:
        return np.full(ask.classes, ask.smoothing / ask.classes, ask.x.dtype)


class SmoothingWeighedByTheTarget(Kernel):
    """The whole row is multiplied by the target's weight, the uniform term included (Paddle)."""

    def uniform(self, ask: Ask) -> Any:
        return (ask.smoothing / ask.classes * self.weights(ask)[ask.index])[:, np.newaxis]


class SmoothedTwice(Kernel):
    """Smoothing is applied by the caller and again in the kernel."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        return replace(found, smoothing=1 - (1 - found.smoothing) ** 2)


class SmoothingWithoutTheUniformTerm(Kernel):
    """Only the target's term shrinks; the mass is lost."""

    def uniform(self, ask: Ask) -> Any:
        return np.zeros(ask.classes, ask.x.dtype)


class SmoothingKeepsTheTarget(Kernel):
    """The uniform term is added, but the target keeps its full weight: coefficients sum to 1 + epsilon."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.smoothing:
            return super().coefficients(ask)
        extra = self.uniform(ask) if ask.by_index else ask.smoothing / ask.classes * self.weights(ask)
        return super().coefficients(replace(ask, smoothing=0.0)) + np.where(ask.valid[:, np.newaxis], extra, 0)


class SmoothingIgnoredForProbabilities(Kernel):
    """Label smoothing is not applied to probability targets."""

    def coefficients(self, ask: Ask) -> Any:
        return super().coefficients(ask if ask.by_index else replace(ask, smoothing=0.0))


class SmoothingScaledByK(Kernel):
    """epsilon is replaced by epsilon·C/(C-1) (NeMo, Megatron-LM#737)."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        return replace(found, smoothing=min(1.0, found.smoothing * found.classes / max(found.classes - 1, 1)))


class SmoothingOnlyInTheLoss(Kernel):
    """The gradient is that of hard targets."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        return super().loss_gradient(replace(ask, smoothing=0.0), upstream)


class SmoothingDividesByPositions(Kernel):
    """The number of classes is taken from the wrong axis: epsilon/N (tf#32231, keras#23437)."""

    def uniform(self, ask: Ask) -> Any:
        return (ask.smoothing * self.weights(ask) / max(len(ask.x), 1)).astype(ask.x.dtype)


class OffTargetMassSwapped(Kernel):
    """1 - epsilon is spread and epsilon stays on the target (aprender#2199)."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        return replace(found, smoothing=1 - found.smoothing) if found.smoothing else found


class SmoothingOfOneRefused(Kernel):
    """The range is taken as [0, 1): smoothing 1 raises (mlx)."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        if found.smoothing == 1:
            raise ValueError("label_smoothing must lie in [0, 1)")
        return found


class SmoothingOutOfRangeClamped(Kernel):
    """A smoothing outside [0, 1] is clamped instead of refused."""

    def given(self, given: Given) -> Given:
        return replace(given, label_smoothing=min(max(given.label_smoothing or 0.0, 0.0), 1.0))


class SmoothedThroughTheLogarithmOfSoftmax(Kernel):
    """The smoothing branch takes log of the normalised exponentials: inf for large gaps (Megatron-LM#5522)."""

    def loss(self, ask: Ask) -> Any:
        if not ask.smoothing or not ask.classes:
            return super().loss(ask)
        log_probabilities = self.log(self.probabilities(ask.x))
        return self.reduced(ask, self.losses(ask, self.coefficients(ask), log_probabilities))


class SmoothingOfProbabilitiesInFloat32(Kernel):
    """Beside class probabilities, the smoothing is passed as a float32."""

    def read(self, given: Given) -> Ask:
        ask = super().read(given)
        return ask if ask.by_index else replace(ask, smoothing=float(np.float32(ask.smoothing)))
