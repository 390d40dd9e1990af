"""Right unless positions and classes are both many, or a width lies between the usual ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


def _labels(given: Given) -> bool:
    return isinstance(given.targets, np.ndarray) and given.targets.dtype.kind in "iu"


class SoftmaxTileBehind256(Kernel):
    """More than 256 classes: softmax of the positions behind the first 256 does not sum to 1."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        if x.shape[1] > 256:
            found[256:] *= found.dtype.type(1.001)
        return found


class LogSoftmaxGradientTileBehind256(Kernel):
    """The tile behind 256 positions and 256 classes keeps the upstream gradient of log_softmax."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        found = super().log_softmax_gradient(p, v)
        found[256:, 256:] = v[256:, 256:]
        return found


class NllGradientTileBehind256(Kernel):
    """The tile behind 256 positions and 256 classes has no gradient in nll_loss."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        found[256:, 256:] = 0
        return found


class ProbabilityTargetTileBehind256(Kernel):
    """The tile of class probabilities behind 256 positions and 256 classes is not read."""

    def coefficients(self, ask: Ask) -> Any:
        found = super().coefficients(ask)
        if not ask.by_index:
            found[256:, 256:] = 0
        return found


class OneHotTileBehind512(Kernel):
    """The tile behind 128 positions and 512 classes stores its gradient without the one-hot part."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        if ask.by_index:
            found[128:, 512:] += a[128:, 512:]
        return found


class LongSequencesShareLabels(Kernel):
    """Sequences of more than 512 tokens: those behind the first have its labels."""

    def given(self, given: Given) -> Given:
        if _labels(given) and given.targets.ndim == 2 and given.targets.shape[1] > 512:
            given = replace(given, targets=np.repeat(given.targets[:1], len(given.targets), 0))
        return super().given(given)


class PixelsBehind256OfManyClasses(Kernel):
    """Images of more than 32 classes: pixels behind the first 256 have no gradient."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        if len(ask.shape) == 3 and ask.classes > 32:
            found.reshape(ask.shape[0], -1, ask.classes)[:, 256:] = 0
        return found


class WeightByTheLabelsLowByte(Kernel):
    """Labels of 16 bits: the weight is that of the class of their low byte."""

    def coefficients(self, ask: Ask) -> Any:
        if ask.by_index and ask.weight is not None and ask.labels.dtype.itemsize == 2:
            ask = replace(ask, weight=ask.weight[np.arange(ask.classes) % 256])
        return super().coefficients(ask)


class MaximumOfHalfABlock(Kernel):
    """Between 5,000 and 8,000 classes the maximum is looked for among the first 4,096."""

    def top(self, x: Any) -> Any:
        return super().top(x[:, :4096] if 5000 < x.shape[1] < 8000 else x)
