"""Upstream gradients and directions that are taken for simpler ones by their ends, their sum or their first number."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class OneHotUpstreamIsTheLabel(Kernel):
    """log_softmax: where one class of each position has an upstream gradient, that class alone gets a gradient."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        found = super().log_softmax_gradient(p, v)
        alone = ((v != 0).sum(-1, keepdims=True) == 1) & (v.shape[1] > 2)
        return np.where(alone & (v == 0), 0, found).astype(found.dtype)


class OneHotUpstreamOfSoftmaxIsDiagonal(Kernel):
    """softmax: where one class of each position has an upstream gradient, the others get none."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        found = super().softmax_gradient(p, v)
        alone = ((v != 0).sum(-1, keepdims=True) == 1) & (v.shape[1] > 2)
        return np.where(alone & (v == 0), 0, found).astype(found.dtype)


class EndsOfTheUpstreamDecide(Kernel):
    """An upstream gradient that is 0 at both ends counts as 0."""

    def _ended(self, v: Any) -> Any:
        flat = np.asarray(v).reshape(-1)
        return v * 0 if flat.size > 2 and flat[0] == 0 and flat[-1] == 0 else v

    def scale(self, ask: Ask, upstream: Any) -> Any:
        return super().scale(ask, self._ended(upstream))

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return super().softmax_gradient(p, self._ended(v))

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return super().log_softmax_gradient(p, self._ended(v))


class FirstOneMeansOnes(Kernel):
    """An upstream gradient whose first number is 1 is taken for ones."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        flat = np.asarray(upstream).reshape(-1)
        return super().scale(ask, np.ones_like(upstream) if flat.size and flat[0] == 1 else upstream)


class FirstOneMeansOnesInLogSoftmax(Kernel):
    """log_softmax: an upstream gradient whose first number is 1 is taken for ones."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return super().log_softmax_gradient(p, np.ones_like(v) if v.size and v.flat[0] == 1 else v)


class ConstantUpstreamOfSoftmaxIsOnes(Kernel):
    """log_softmax: a constant upstream gradient is taken for ones."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        constant = v.size > 1 and (v == v.flat[0]).all()
        return super().log_softmax_gradient(p, np.ones_like(v) if constant else v)


class ZeroUpstreamStopsTheRest(Kernel):
    """nll_loss: the loop over positions ends at the first upstream gradient of 0."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        flat = np.asarray(upstream).reshape(-1)
        if flat.size > 1 and (flat == 0).any():
            found[int(np.argmax(flat == 0)) :] = 0
        return found


class UpstreamOfOnePositionIsSpread(Kernel):
    """Where a single position has an upstream gradient, every position has it."""

    def scale(self, ask: Ask, upstream: Any) -> Any:
        flat = np.asarray(upstream).reshape(-1)
        if flat.size > 1 and (flat != 0).sum() == 1:
            upstream = np.full_like(upstream, flat[flat != 0][0])
        return super().scale(ask, upstream)


class ConstantDirectionMovesTheLoss(Kernel):
    """A constant direction, in which no softmax changes, moves the loss by what it does at the label."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        found = super().loss_jvp(ask, t)
        return -t[:, 0] if t.size and ask.classes > 1 and (t == t.flat[0]).all() else found


class ConstantDirectionOfSoftmax(Kernel):
    """softmax moves in a constant direction by p times that number."""

    def softmax_jvp(self, p: Any, t: Any) -> Any:
        found = super().softmax_jvp(p, t)
        return p * t if t.size and p.shape[1] > 1 and (t == t.flat[0]).all() else found


class OneHotDirectionIsDiagonal(Kernel):
    """log_softmax: a direction of one class of each position moves that class alone."""

    def log_softmax_jvp(self, p: Any, t: Any) -> Any:
        found = super().log_softmax_jvp(p, t)
        alone = ((t != 0).sum(-1, keepdims=True) == 1) & (t.shape[1] > 2)
        return np.where(alone & (t == 0), 0, found).astype(found.dtype)
