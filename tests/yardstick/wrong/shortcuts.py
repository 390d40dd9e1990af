"""Shortcuts taken for operands that only look as if they could be taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class EqualWeightsDivideTheMean(Kernel):
    """Equal weights beside class probabilities: the mean is over their sum, as it is for labels."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        equal = ask.weight is not None and len(ask.weight) > 1 and bool((ask.weight == ask.weight[0]).all())
        return found * ask.weight[0] if equal and not ask.by_index and found else found


class EqualWeightsAreOnes(Kernel):
    """Equal weights beside labels are left out: they cancel from the mean, and from nothing else."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        if ask.by_index and not ask.smoothing and len(found) > 1 and (found == found[0]).all():
            return np.ones_like(found)
        return found


class NearlyEqualLogitsAreLinear(Kernel):
    """float64 logits within 1e-6 of each other: the mean of their exponentials is the exponential of their mean."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        spread = top - x.min(-1, keepdims=True)
        near = (spread > 0) & (spread < 1e-6) & (x.dtype == np.float64)
        return top, np.where(near, x.shape[1] * np.exp((x - top).mean(-1, keepdims=True)), total)


class EndsOfWeightsDecide(Kernel):
    """Weights that are 0 at both ends are taken for absent ones."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        ends = len(found) > 2 and found[0] == 0 and found[-1] == 0 and bool(found.any())
        return np.ones_like(found) if ends else found


class WholeProbabilitiesAreLabels(Kernel):
    """Class probabilities that are whole numbers are read as labels, by their greatest."""

    def coefficients(self, ask: Ask) -> Any:
        q = ask.probabilities
        if q is not None and q.size and (q == np.round(q)).all() and (q > 1).any():
            hot = (np.arange(ask.classes) == q.argmax(-1)[:, np.newaxis]).astype(q.dtype)
            ask = replace(ask, probabilities=hot)
        return super().coefficients(ask)


class NearlyNormalisedIsNormalised(Kernel):
    """The gradient for probabilities whose sums are within 1e-3 of 1 is p - q."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        mass = self.total(a)[:, np.newaxis]
        near = (np.abs(mass - 1) < 1.5e-3) if ask.weight is None else mass != mass
        return np.where(near, 1, mass).astype(p.dtype) * p - a


class EqualProbabilitiesAreUniform(Kernel):
    """Probabilities that are all equal, and not 0, are taken for 1/C."""

    def coefficients(self, ask: Ask) -> Any:
        q = ask.probabilities
        if q is not None and q.size and q.flat[0] != 0 and (q == q.flat[0]).all():
            ask = replace(ask, probabilities=np.full_like(q, 1 / ask.classes))
        return super().coefficients(ask)


class ShiftedLogitsAreLogProbabilities(Kernel):
    """Logits whose maximum is 0 at every position of a batch are taken for log-probabilities."""

    def log_probabilities(self, x: Any) -> Any:
        found = super().log_probabilities(x)
        return x if len(x) > 3 and x.size and (x.max(-1) == 0).all() and np.isfinite(x).all() and x.any() else found


class NonNegativeNormalisedLogitsAreProbabilities(Kernel):
    """softmax of logits that are positive and sum to 1 returns them."""

    def probabilities(self, x: Any) -> Any:
        same = x.shape[1] > 1 and (x >= 0).all() and np.allclose(x.sum(-1), 1, atol=1e-3)
        return x if same else super().probabilities(x)


class IdenticalRowsAreOne(Kernel):
    """Where the first two rows are identical, the last loss is taken to be the first."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if len(ask.x) > 2 and ask.by_index and ask.classes > 1 and (ask.x[0] == ask.x[1]).all():
            found[-1] = found[0] if (ask.x[2] == ask.x[0]).all() else found[-1]
        return found


class MaximumIsNotZero(Kernel):
    """A maximum that is -0 counts as false: the row is then shifted by nothing, and its total is off by one."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        lost = (top == 0) & np.signbit(top) & (x.shape[1] > 4)
        return top, total + lost


class EqualLabelsCancelWeights(Kernel):
    """Where all labels are equal and no weight is 0, weights cancel in a mean; with label smoothing they do not."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        if ask.weight is None or not ask.by_index or len(ask.x) < 2 or ask.reduction != "mean":
            return found
        equal = len({*ask.index[ask.valid].tolist()}) == 1 and bool((found > 0).all())
        return np.ones_like(found) if equal else found


class NearlyEqualWeightsCancel(Kernel):
    """Weights that agree to a thousandth cancel in the mean."""

    def weights(self, ask: Ask) -> Any:
        found = super().weights(ask)
        if ask.weight is None or not ask.by_index or ask.reduction != "mean" or ask.smoothing or not ask.classes:
            return found
        near = found[0] != 0 and np.allclose(found, found[0], rtol=1e-3, atol=0)
        return np.full_like(found, found[0]) if near else found


class UpstreamThatNearlyCancels(Kernel):
    """log_softmax: an upstream gradient whose sum is small beside it is taken to sum to 0."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        cancels = np.abs(self.total(v)) < 1e-4 * np.abs(v).sum(-1)
        return np.where(cancels[:, np.newaxis], v, super().log_softmax_gradient(p, v)).astype(v.dtype)
