"""Sound evaluations of the derivatives in a direction, in the arrangements that differentiation comes to.

``rule`` is the formula; ``forward`` differentiates exp, sum and quotient in turn; ``reverse`` goes twice backwards;
``gradient`` (of a loss's tangent) is the product of gradient and direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from tests.support.bounds.machine import Long
from tests.support.bounds.sound import Evaluation

__all__ = ["Arrangement", "Directed"]

Arrangement = Literal["rule", "forward", "reverse", "gradient"]


@dataclass(eq=False)
class Directed(Evaluation):
    """An evaluation that can be differentiated once more."""

    arrangement: Arrangement = "rule"

    @cached_property
    def t(self) -> Long:
        return self.machine.load(self.block.tangent)

    def _counted(self, values: Long) -> Long:
        """0 at ignored positions, whatever they hold."""
        return np.where(self.valid > 0, values, 0)

    def _mean(self, values: Long) -> Long:
        """Σ p·values, or Σ e·values / s, (P, 1)."""
        m = self.machine
        if self.arrangement == "forward" and self.block.operation != "log_softmax" and not self.stores_terms:
            return m.div(m.sum(m.mul(self.e, values))[:, None], self.s)
        return m.sum(m.mul(self._q, values))[:, None]

    @cached_property
    def _q(self) -> Long:
        """p; where log-probabilities are stored on their way, from these."""
        stored = self.block.operation == "nll_loss_of_log_softmax"
        return self.machine.exp(-self.store(self.n), "exp") if stored else self.p

    def _centred(self, values: Long) -> Long:
        return self.machine.add(values, -self._mean(values), "sub")

    def _moved(self, values: Long) -> Long:
        """p∘(values − <p, values>): by the rule, by the quotient rule, or expanded."""
        m = self.machine
        if self.arrangement == "rule":
            return m.mul(self._q, self._centred(values))
        if self.arrangement == "forward" and not self.stores_terms:
            rises = m.mul(self.e, values)
            total = m.sum(rises)[:, None]
            slope = m.mul(self.e, m.div(total, m.mul(self.s, self.s)))
            return m.add(m.div(rises, self.s), -slope, "sub")
        products = m.mul(self._q, values)
        return m.add(products, -m.mul(self._q, m.sum(products)[:, None]), "sub")

    # -- forward mode -------------------------------------------------------------------------------------------------

    def jvp(self, reduction: str) -> Long:
        m, operation = self.machine, self.block.operation
        if operation == "softmax":
            return self.store(self._moved(self.t))
        if operation == "log_softmax":
            return self.store(self._centred(self.t))
        terms = self._terms()
        if reduction == "none":
            return self.store(m.sum(terms))
        total = m.sum(m.sum(terms)[None, :], "rows")
        return self.store(total if reduction == "sum" else m.div(total, self.denominator))

    def _terms(self) -> Long:
        """Of every position, (P, C): what the tangent of its loss is the sum of."""
        m, a = self.machine, self.a
        if self.block.operation == "nll_loss":
            return m.mul(a, -self.t)
        if self.block.operation == "log_loss":
            return self._counted(self._log_loss_terms())
        if self.arrangement == "gradient" and not self.stores_terms:
            mass = m.sum(a, "coef")[:, None]
            return self._counted(m.mul(m.add(m.mul(mass, self._q), -a, "sub"), self.t))
        centred = self._centred(self.t)
        centred = self.store(centred) if self.stores_terms else centred
        return self._counted(m.mul(a, -centred))

    def _log_loss_terms(self) -> Long:
        """−a_c·t_c/p_c, the quotient first or last, or by the gradient."""
        m, p = self.machine, np.where(self.a == 0, np.longdouble(1), self.x)
        if self.arrangement == "rule":
            return m.mul(self.a, -m.div(self.t, p))
        if self.arrangement == "forward":
            return m.div(m.mul(self.a, -self.t), p)
        return m.mul(-m.div(self.a, p), self.t)

    # -- second order -------------------------------------------------------------------------------------------------

    def hvp(self, reduction: str) -> Long:
        v = self.machine.load(self.block.upstream(reduction))
        if self.block.operation == "softmax":
            return self.store(self._softmax_hvp(v))
        if self.block.operation == "log_softmax":
            return self.store(self._chained(v))
        v = v[:, None] if reduction == "none" else np.broadcast_to(v, (len(self.x), 1))
        return self.store(self._counted(self._loss_hvp(v, reduction == "mean")))

    def _loss_hvp(self, v: Long, mean: bool) -> Long:
        m = self.machine
        if self.block.operation == "log_loss":
            return self._log_loss_hvp(self._upstream(v, mean))
        if self.arrangement == "reverse" or self.stores_terms:
            chained = -self._upstream(v, mean)
            return self._chained(self.store(chained) if self.stores_terms else chained)
        scale = m.div(v, self.denominator) if mean else v
        mass = m.sum(self.a, "coef")[:, None]
        if self.arrangement == "gradient":
            return m.mul(m.mul(scale, mass), self._moved(self.t))
        return m.mul(scale, m.mul(mass, self._moved(self.t)), "rows")

    def _log_loss_hvp(self, g: Long) -> Long:
        """s·a_c·t_c/p_c²."""
        m, p = self.machine, np.where(self.a == 0, np.longdouble(1), self.x)
        if self.arrangement == "rule":
            return m.div(m.mul(g, self.t), m.mul(p, p))
        if self.arrangement == "forward":
            return m.mul(m.div(g, p), m.div(self.t, p))
        if self.arrangement == "reverse":
            return m.div(m.mul(m.div(g, p), self.t), p)
        return m.mul(m.mul(g, m.div(np.longdouble(1), m.mul(p, p))), self.t)

    def _chained(self, v: Long) -> Long:
        """Of v − p·Σv: its derivative −Σv·p∘(t − <p,t>), or backwards through log_softmax once more."""
        m = self.machine
        mass = m.sum(v, "coef")[:, None]
        if self.arrangement != "reverse":
            return m.mul(-mass, self._moved(self.t))
        again = -m.mul(m.mul(self._q, self.t), mass)
        return m.add(again, -m.mul(self._q, m.sum(again)[:, None]), "sub")

    def _softmax_hvp(self, v: Long) -> Long:
        m = self.machine
        if self.arrangement == "reverse":  # the gradient of <(v − <p,v>)∘p, t>, and back through softmax
            first = m.mul(self.t, m.add(v, -self._mean(v), "sub"))
            again = m.add(first, -m.mul(v, self._mean(self.t)), "sub")
            return m.mul(self._q, m.add(again, -m.sum(m.mul(self._q, again))[:, None], "sub"))
        if self.arrangement == "rule":
            products = m.mul(self._centred(self.t), self._centred(v))
            return m.mul(self._q, self._centred(products))
        moved = self._moved(self.t)  # forward over reverse
        return m.add(m.mul(moved, self._centred(v)), -m.mul(self._q, m.sum(m.mul(moved, v))[:, None]), "sub")
