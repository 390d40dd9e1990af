"""Sound evaluations of every operation, in the arrangements that real implementations use, on a machine that errs.

Each takes a block of one problem and gives what a backend would return, in extended precision, shaped as the truth is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from conformance.oracle.block import Block
from tests.support.bounds.machine import Long, Machine, long

__all__ = ["STAGES", "Evaluation", "Form"]

#: Where a machine's errors may have directions of their own.
STAGES = ("diff", "exp", "exp_top", "sum", "log", "add", "mul", "div", "coef", "rows", "weights", "store", "sub")


ONE = long(1.0)


@dataclass(frozen=True)
class Form:
    """One arrangement of the formulas."""

    logsum: Literal["two-pass", "online"] = "two-pass"
    loss: Literal["shift", "lse"] = "shift"
    softmax: Literal["division", "reciprocal", "exp"] = "division"
    smoothing: Literal["split", "combined", "gathered"] = "combined"
    flat: bool = False
    mean: Literal["quotient", "reciprocal", "scaled"] = "quotient"
    gradient: Literal["formula", "backprop", "product"] = "formula"
    stored: bool = False


@dataclass(eq=False)
class Evaluation:
    block: Block
    machine: Machine
    form: Form

    def store(self, y: Long) -> Long:
        """A result in the output's format."""
        kind = self.machine.kind
        return y if kind.store is kind.compute else self.machine.round(y, "store", kind.store)

    # -- one position -------------------------------------------------------------------------------------------------

    @cached_property
    def x(self) -> Long:
        return self.machine.load(self.block.x)

    @cached_property
    def top(self) -> Long:
        return np.asarray(np.max(self.x, axis=1, keepdims=True))

    @cached_property
    def d(self) -> Long:
        return self.machine.round(self.top - self.x, "diff")

    @cached_property
    def e(self) -> Long:
        return self.machine.exp(-self.d)

    @cached_property
    def s(self) -> Long:
        return (self.machine.sum(self.e) if self.form.logsum == "two-pass" else self._online())[:, None]

    def _online(self) -> Long:
        """One pass over the classes: the sum so far is rescaled whenever the maximum grows."""
        m = self.machine
        top = self.x[:, 0]
        total = np.where(top > -np.inf, ONE, np.longdouble(0))
        for c in range(1, self.x.shape[1]):
            new = np.maximum(top, self.x[:, c])
            base = np.where(new > -np.inf, new, np.longdouble(0))  # nothing has come yet
            factor = m.exp(-m.round(base - top, "diff"), "exp")
            term = m.exp(-m.round(base - self.x[:, c], "diff"), "exp_top")
            total = m.mul(total, np.where(new > top, factor, ONE))
            total, top = m.add(total, term, "sum"), new
        return total

    @cached_property
    def n(self) -> Long:
        """−ln p_c."""
        m, log = self.machine, self.machine.log(self.s)
        if self.form.loss == "lse":
            return m.add(m.add(self.top, log), -self.x, "sub")
        return m.add(self.d, log)

    @cached_property
    def p(self) -> Long:
        m = self.machine
        if self.form.stored and m.kind.u_store:  # what the forward pass stored is where the backward pass starts
            return self.store(self._p()) if self.block.operation == "softmax" else m.exp(-self.store(self.n), "exp")
        return self._p()

    def _p(self) -> Long:
        m = self.machine
        if self.form.softmax == "exp":
            return m.exp(-self.n, "exp")
        if self.form.softmax == "division":
            return m.div(self.e, self.s)
        return m.mul(self.e, m.div(ONE, self.s))

    # -- coefficients -------------------------------------------------------------------------------------------------

    @cached_property
    def _epsilon(self) -> tuple[Long, Long]:
        """1 − ε and ε/C, from an ε and a C that are rounded first."""
        m, smoothing = self.machine, self.block.smoothing
        epsilon = m.round(long(0.0 if smoothing is None else smoothing[0]), "coef")
        share = m.div(epsilon, m.round(long(self.block.classes), "coef"))
        return m.add(ONE, -epsilon, "coef"), share

    @cached_property
    def q(self) -> Long:
        if not self.block.by_index:
            return self.machine.load(self.block.probabilities)
        hot = np.zeros_like(self.x)
        hot[np.arange(len(hot)), self.block.targets] = 1
        return hot

    @cached_property
    def w(self) -> Long:
        weight = self.block.weight
        return np.ones((1, self.block.classes), dtype=np.longdouble) if weight is None else self.machine.load(weight)

    @cached_property
    def valid(self) -> Long:
        return long(~self.block.ignored)[:, None]

    @cached_property
    def a(self) -> Long:
        m = self.machine
        keep, share = self._epsilon
        q = self.q
        if self.block.smoothing is not None:
            q = m.add(m.mul(keep, q, "coef"), share, "coef")
        return self.valid * m.mul(q, self.w, "coef")

    # -- losses -------------------------------------------------------------------------------------------------------

    @cached_property
    def _log_terms(self) -> Long:
        if self.block.operation == "log_loss":
            return np.where(self.x > 0, -self.machine.log(np.where(self.x > 0, self.x, ONE)), 0)
        n = -self.x if self.block.operation == "nll_loss" else self.n
        if self.block.operation == "nll_loss_of_log_softmax":
            n = self.store(n)
        return np.where(np.isfinite(self.block.x), n, 0)

    @property
    def stores_terms(self) -> bool:
        """Are the probabilities or their logarithms an input, or stored on their way?"""
        return self.block.operation in ("nll_loss", "nll_loss_of_log_softmax", "log_loss")

    @cached_property
    def products(self) -> Long:
        """a_c·n_c, (P, C)."""
        return self.machine.mul(self.a, self._log_terms)

    @cached_property
    def loss(self) -> Long:
        m = self.machine
        if self.form.smoothing == "gathered" and self.form.loss == "lse" and not self.stores_terms:  # A·lse − Σ a·x
            lse, x = m.add(self.top, m.log(self.s))[:, 0], np.where(np.isfinite(self.x), self.x, 0)
            return m.add(m.mul(m.sum(self.a, "coef"), lse), -m.sum(m.mul(self.a, x)), "sub")
        if self.block.smoothing is None or self.form.smoothing != "split":
            return m.sum(self.products)
        keep, share = self._epsilon
        weighted = m.mul(self.valid * self.w, self._log_terms)
        chosen = m.sum(m.mul(self.valid * m.mul(self.q, self.w, "coef"), self._log_terms))
        return m.add(m.mul(keep, chosen, "coef"), m.mul(share, m.sum(weighted)))

    @cached_property
    def denominator(self) -> Long:
        if not self.block.by_index:
            return self.machine.round(long([len(self.x)]), "weights")
        weight = self.valid[:, 0] * (self.w[0][self.block.targets])
        return self.machine.sum(weight[None, :], "weights")

    def value(self, reduction: str) -> Long:
        m = self.machine
        if self.block.operation == "softmax":
            return self.store(self._p())
        if self.block.operation == "log_softmax":
            return -self.store(self.n)
        if reduction == "none":
            return self.store(self.loss)
        rows = self.products.reshape(1, -1) if self.form.flat else self.loss[None, :]
        if reduction == "sum":
            return self.store(m.sum(rows, "rows"))
        if self.form.mean == "scaled":
            return self.store(m.sum(m.mul(rows, m.div(ONE, self.denominator)), "rows"))
        total = m.sum(rows, "rows")
        if self.form.mean == "quotient":
            return self.store(m.div(total, self.denominator))
        return self.store(m.mul(total, m.div(ONE, self.denominator)))

    # -- gradients ----------------------------------------------------------------------------------------------------

    def gradient(self, reduction: str) -> Long:
        v = self.machine.load(self.block.upstream(reduction))
        if self.block.operation == "softmax":
            return self.store(self._softmax_gradient(v))
        if self.block.operation == "log_softmax":
            return self.store(self._chain(v))
        v = v[:, None] if reduction == "none" else np.broadcast_to(v, (len(self.x), 1))
        return self.store(self.valid * self._loss_gradient(v, reduction == "mean"))

    def _loss_gradient(self, v: Long, mean: bool) -> Long:
        m = self.machine
        if self.block.operation == "nll_loss":
            return -self._upstream(v, mean)
        if self.block.operation == "log_loss":
            return -self._by_probabilities(v, mean)
        if self.block.operation == "nll_loss_of_log_softmax":
            stored = m.exp(-self.store(self.n), "exp")
            return self._chain(self.store(-self._upstream(v, mean)), stored)
        if self.form.gradient != "formula":
            return self._chain(-self._upstream(v, mean))
        scale = m.div(v, self.denominator) if mean else v
        mass = m.sum(self.a, "coef")[:, None]
        return m.mul(scale, m.add(m.mul(mass, self.p), -self.a, "sub"), "rows")

    def _by_probabilities(self, v: Long, mean: bool) -> Long:
        """s·a_c/p_c: the quotient last or first, or by the reciprocal."""
        m = self.machine
        p = np.where(self.a == 0, ONE, self.x)
        if self.form.gradient == "formula":
            return m.div(self._upstream(v, mean), p)
        if self.form.gradient == "backprop":
            return m.mul(self._upstream(v, mean), m.div(ONE, p))
        return m.mul(m.div(v, self.denominator) if mean else v, m.div(self.a, p), "rows")

    def _upstream(self, v: Long, mean: bool) -> Long:
        """s·a_c, the division last or first."""
        m = self.machine
        if not mean:
            return m.mul(v, self.a, "rows")
        if self.form.gradient == "product":
            return m.div(m.mul(v, self.a, "rows"), self.denominator)
        return m.mul(m.div(v, self.denominator), self.a, "rows")

    def _chain(self, v: Long, p: Long | None = None) -> Long:
        """Back through log_softmax."""
        m = self.machine
        p = self.p if p is None else p
        return m.add(v, -m.mul(p, m.sum(v, "coef")[:, None]), "sub")

    def _softmax_gradient(self, v: Long) -> Long:
        m = self.machine
        products = m.mul(self.p, v)
        centre = m.sum(products)[:, None]
        if self.form.gradient == "product":
            return m.add(products, -m.mul(self.p, centre), "sub")
        return m.mul(self.p, m.add(v, -centre, "sub"), "rows")
