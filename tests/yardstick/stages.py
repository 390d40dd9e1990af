"""The stages of a kernel in NumPy: precision, sums, coefficients, losses, gradients and derivatives of rows.

Positions are rows: (P, C), P positions of C classes, in the precision of the intermediates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.backends.adapters.numpy import Numpy
from tests.yardstick.ask import Ask

__all__ = ["Stages"]


class Stages(Numpy):
    """Two passes over the classes, shifted by the greatest logit, in float32 or wider."""

    # -- precision, order of summation, functions ---------------------------------------------------------------------

    def compute(self, dtype: Any) -> Any:
        """The dtype of the intermediates."""
        return np.promote_types(dtype, np.float32)

    def stored(self, result: Any, dtype: Any) -> Any:
        return np.asarray(result).astype(dtype)

    def total(self, terms: Any) -> Any:
        """The sum along the last axis."""
        return terms.sum(-1)

    def exp(self, x: Any) -> Any:
        return np.exp(x)

    def log(self, x: Any) -> Any:
        return np.log(x)

    # -- one position -------------------------------------------------------------------------------------------------

    def top(self, x: Any) -> Any:
        """What the logits are shifted by, (P, 1)."""
        return x.max(-1, keepdims=True)

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        """The shift and Σ exp(x − shift), (P, 1) each."""
        top = self.top(x)
        return top, self.total(self.exp(x - top))[:, np.newaxis]

    def log_probabilities(self, x: Any) -> Any:
        top, total = self.normaliser(x)
        return (x - top) - self.log(total)

    def probabilities(self, x: Any) -> Any:
        top, total = self.normaliser(x)
        return self.exp(x - top) / total

    # -- a mask of classes --------------------------------------------------------------------------------------------

    def masked(self, logits: Any, where: Any) -> Any:
        """The logits, where a class that takes no part is impossible."""
        return np.where(where, logits, np.full((), -np.inf, logits.dtype))

    # -- losses -------------------------------------------------------------------------------------------------------

    def weights(self, ask: Ask) -> Any:
        return np.ones(ask.classes, ask.x.dtype) if ask.weight is None else ask.weight

    def coefficients(self, ask: Ask) -> Any:
        """a_c, (P, C)."""
        if not ask.by_index:
            return self.weights(ask) * ((1 - ask.smoothing) * ask.probabilities + ask.smoothing / max(ask.classes, 1))
        a = np.zeros_like(ask.x)
        if ask.classes:
            picked = (1 - ask.smoothing) * self.weights(ask)[ask.index]
            np.put_along_axis(a, ask.index[:, np.newaxis], picked[:, np.newaxis].astype(a.dtype), -1)
            if ask.smoothing:
                a = a + self.uniform(ask)
        return np.where(ask.valid[:, np.newaxis], a, 0)

    def uniform(self, ask: Ask) -> Any:
        """What label smoothing adds to every class, (C,) or (P, C)."""
        return (ask.smoothing * self.weights(ask) / ask.classes).astype(ask.x.dtype)

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        """−Σ a_c logp_c, (P,), where 0·ln 0 is 0 and an ignored position counts for nothing."""
        absent = (a == 0) & np.isneginf(log_probabilities)
        if ask.by_index and not ask.smoothing:  # only the target's own term enters
            absent |= np.arange(ask.classes) != ask.index[:, np.newaxis]
        terms = np.where(absent, 0, a * -log_probabilities)
        return np.where(ask.valid, self.total(terms), 0)

    def divisor(self, ask: Ask) -> Any:
        """What the sum is divided by for the mean."""
        if not ask.by_index:
            return ask.x.dtype.type(len(ask.x))
        if not ask.classes:
            return ask.x.dtype.type(0)
        return self.total(np.where(ask.valid, self.weights(ask)[ask.index], 0).astype(ask.x.dtype))

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction == "none":
            return losses.reshape(ask.shape)
        total = self.total(losses)
        return total if ask.reduction == "sum" else total / self.divisor(ask)

    # -- gradients ----------------------------------------------------------------------------------------------------

    def scale(self, ask: Ask, upstream: Any) -> Any:
        """What every position's slope is multiplied by: (P, 1), or (1, 1) for a reduced loss."""
        v = upstream.reshape(-1, 1)
        return v / self.divisor(ask) if ask.reduction == "mean" else v

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        """A·p_c − a_c, (P, C)."""
        return self.total(a)[:, np.newaxis] * p - a

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        a = self.coefficients(ask)
        gradient = self.scale(ask, upstream) * self.slope(ask, a, self.probabilities(ask.x))
        return np.where(ask.valid[:, np.newaxis], gradient, 0)

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        gradient = -self.scale(ask, upstream) * self.coefficients(ask)
        return np.where(ask.valid[:, np.newaxis], gradient, 0)

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        return p * (v - self.total(p * v)[:, np.newaxis])

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return v - p * self.total(v)[:, np.newaxis]

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        """s·w_c·(1 − ε)·(−ln p_c), (P, C): the gradient with respect to class probabilities."""
        factor = (self.weights(ask) * (1 - ask.smoothing)).astype(ask.x.dtype)
        slope = self.scale(ask, upstream) * factor * -self.log_probabilities(ask.x)
        return np.where(factor == 0, 0, slope).astype(slope.dtype)  # also of an impossible class

    # -- the loss of probabilities that are given ---------------------------------------------------------------------

    def predicted(self, p: Any) -> Any:
        """What the logarithm is taken of, (P, C)."""
        return p

    def given_logarithms(self, p: Any) -> Any:
        """ln p, (P, C)."""
        return self.log(self.predicted(p))

    def given_gradient(self, ask: Ask, upstream: Any) -> Any:
        """−s·a_c/p_c, and 0 where a_c is 0, (P, C)."""
        slope = -self.scale(ask, upstream) * self.coefficients(ask) / self.divided_by(ask)
        return np.where(ask.valid[:, np.newaxis], slope, 0)

    def divided_by(self, ask: Ask) -> Any:
        """p_c, and 1 where the class has no part in the loss, (P, C)."""
        return np.where(self.coefficients(ask) == 0, 1, ask.x)

    def given_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        """s·w_c·(1 − ε)·(−ln p_c), (P, C): the gradient with respect to class probabilities."""
        factor = (self.weights(ask) * (1 - ask.smoothing)).astype(ask.x.dtype)
        return np.where(factor == 0, 0, self.scale(ask, upstream) * factor * -self.given_logarithms(ask.x))

    def given_jvp(self, ask: Ask, t: Any) -> Any:
        """−Σ a_c·t_c/p_c of every position, (P,)."""
        return np.where(ask.valid, self.total(-self.coefficients(ask) * t / self.divided_by(ask)), 0)

    def given_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        """s·a_c·t_c/p_c², (P, C)."""
        p = self.divided_by(ask)
        hvp = self.scale(ask, upstream) * self.coefficients(ask) / p * (t / p)
        return np.where(ask.valid[:, np.newaxis], hvp, 0)

    # -- derivatives in a direction -----------------------------------------------------------------------------------

    def mean(self, p: Any, t: Any) -> Any:
        """Σ p_c·t_c, (P, 1)."""
        return self.total(p * t)[:, np.newaxis]

    def softmax_jvp(self, p: Any, t: Any) -> Any:
        return p * (t - self.mean(p, t))

    def log_softmax_jvp(self, p: Any, t: Any) -> Any:
        return t - self.mean(p, t)

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        """Σ a_c·(m − t_c) of every position, (P,)."""
        terms = self.coefficients(ask) * (self.mean(self.probabilities(ask.x), t) - t)
        return np.where(ask.valid, self.total(terms), 0)

    def nll_jvp(self, ask: Ask, t: Any) -> Any:
        return np.where(ask.valid, self.total(self.coefficients(ask) * -t), 0)

    def softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        products = (t - self.mean(p, t)) * (v - self.mean(p, v))
        return p * (products - self.mean(p, products))

    def log_softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        return -self.total(v)[:, np.newaxis] * self.softmax_jvp(p, t)

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        mass = self.total(self.coefficients(ask))[:, np.newaxis]
        hvp = self.scale(ask, upstream) * (mass * self.softmax_jvp(self.probabilities(ask.x), t))
        return np.where(ask.valid[:, np.newaxis], hvp, 0)
