"""Predicted probabilities and the loss of them in Arb's balls: the formulas of ``predictions.py``, line by line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from operator import mul

from flint import arb

from conformance.model.policies import Policies
from conformance.oracle.block import Block
from conformance.oracle.predictions import Predictions

__all__ = ["ExactPredictions", "scaled_by"]

ZERO = arb(0)


@dataclass(frozen=True)
class _Row:
    """One position: what the clip is given or, where the division comes after it, what comes of it; its sum.

    ``passes`` says which classes the clip leaves as they are, ``predicted`` is what the logarithm is taken of.
    """

    q: list[arb]
    passes: list[bool]
    total: arb
    predicted: list[arb]


@dataclass(frozen=True, eq=False)
class ExactPredictions:
    """What log_loss needs of each position of a block; the caller sets the working precision."""

    block: Block
    policies: Policies

    @cached_property
    def _first(self) -> Predictions:
        """The first tier's, for the policies, and for which side of an end of the clip a number lies on."""
        return Predictions(self.block, self.policies)

    def row(self, row: int) -> _Row:
        """The position as the policies have it."""
        first = self._first
        given = list(map(arb, first.given[row].tolist()))
        passes: list[bool] = first.passes[row].tolist()
        if first.normalisation == "exact":
            return _Row(given, passes, arb(1), self._clipped(given))
        if first.normalisation == "normalised":
            total = sum(given, ZERO)
            q = [_quotient(each, total) for each in given]
            return _Row(q, passes, total, self._clipped(q))
        q = self._clipped(given)
        total = sum(q, ZERO)
        return _Row(q, passes, total, [_quotient(each, total) for each in q])

    def _clipped(self, values: list[arb]) -> list[arb]:
        clip = self._first.clip
        if not clip:
            return values
        # Arb's minimum and maximum of balls that overlap enclose both; of NaN they give it.
        low = [each if each.is_nan() else each.max(arb(clip.low)) for each in values]
        return low if math.isinf(clip.high) else [each if each.is_nan() else each.min(arb(clip.high)) for each in low]

    def terms(self, row: int) -> list[arb]:
        """−ln p of every class."""
        return [_minus_log(each) for each in self.row(row).predicted]

    def term(self, row: int, c: int) -> arb:
        """−ln p of one class."""
        if self._first.normalisation != "exact":
            return self.terms(row)[c]
        return _minus_log(self._clipped([arb(float(self._first.given[row, c]))])[0])

    def slope(self, row: int, a: list[arb]) -> list[arb]:
        """∂ℓ/∂p of every class."""
        at, normalisation = self.row(row), self._first.normalisation
        own = [-_over(each, q) if passes else ZERO for each, q, passes in zip(a, at.q, at.passes, strict=True)]
        if normalisation == "exact":
            return own
        if normalisation == "normalised":
            mass = sum((each for each, passes in zip(a, at.passes, strict=True) if passes), ZERO)
            return [_quotient(mass + each, at.total) for each in own]
        mass = _quotient(sum(a, ZERO), at.total)
        return [mass + each if passes else ZERO for each, passes in zip(own, at.passes, strict=True)]

    def bend(self, row: int, a: list[arb], t: list[arb]) -> list[arb]:
        """The derivative of :meth:`slope` in the direction ``t``."""
        at, normalisation = self.row(row), self._first.normalisation
        p = list(map(arb, self._first.given[row].tolist())) if normalisation == "normalised" else at.q
        own = [
            _over(scaled_by(u, _over(each, q)), q) if passes else ZERO
            for each, q, u, passes in zip(a, p, t, at.passes, strict=True)
        ]
        if normalisation == "exact":
            return own
        last = normalisation == "clipped-and-normalised"
        mass = sum((each for each, passes in zip(a, at.passes, strict=True) if last or passes), ZERO)
        moved = sum((u for u, passes in zip(t, at.passes, strict=True) if passes or not last), ZERO)
        shared = _quotient(mass * moved, at.total * at.total)
        return [each - shared if passes or not last else ZERO for each, passes in zip(own, at.passes, strict=True)]


def scaled_by(scale: arb, value: arb) -> arb:
    """Their product; signs of infinities are taken here, for Arb makes [±inf] of a·∞."""
    if scale.is_finite() and value.is_finite():
        return mul(scale, value)
    if scale.is_nan() or value.is_nan() or scale.is_zero() or value.is_zero():
        return arb.nan()
    positive = (scale > 0) == (value > 0)
    return arb.pos_inf() if positive else arb.neg_inf()


def _over(a: arb, p: arb) -> arb:
    """a/p, and 0 where ``a`` is 0."""
    return ZERO if a.is_zero() else _quotient(a, p)


def _quotient(a: arb, b: arb) -> arb:
    if a.is_nan() or b.is_nan():
        return arb.nan()
    if b.is_zero():
        return arb.nan() if a.is_zero() else arb.pos_inf() if a > 0 else arb.neg_inf()
    if not b.is_finite():
        return arb(0) if a.is_finite() else arb.nan()
    if not a.is_finite():
        return a if b > 0 else -a
    return a / b


def _minus_log(p: arb) -> arb:
    if p.is_zero():
        return arb.pos_inf()
    if p.is_nan() or p < 0:
        return arb.nan()
    return -p.log() if p.is_finite() else arb.neg_inf()
