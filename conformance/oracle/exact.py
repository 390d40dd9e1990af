"""The second tier: values and gradients in Arb's ball arithmetic, at any precision.

It follows the definition line by line on python-flint's ``arb``, whose results are proven to contain the exact value;
specials are arb's own NaN and infinities. It serves float64, every result that the first tier cannot decide, decimal
digits, and the tests that hold the first tier against it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import sub
from typing import Any

import numpy as np
from flint import arb, ctx

from conformance.model.policies import Policies, denominator_of
from conformance.model.problem import Problem
from conformance.oracle.block import Block
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.exact_predictions import ExactPredictions, scaled_by
from conformance.oracle.infinities import plus_infinity_terms

__all__ = ["ExactGradients", "enclose", "matrix"]

#: Bits that suffice for float64 almost always: 27 beyond its significand.
PRECISION = 80
ZERO = arb(0)
#: Up to this magnitude exp(x) is taken unshifted: Arb's exponents do not overflow, and one subtraction a logit is
#: saved.
UNSHIFTED = 1e5
#: Logits whose balls are held at a time for the losses alone: they take some 100 bytes each.
PIECE = 1 << 20


def enclose(balls: Sequence[arb]) -> Enclosure:
    """N Arb balls as midpoint, tail and radius in float64, (N,); values beyond its range become infinite."""
    mids = list(map(float, balls))
    mid = np.array(mids, dtype=np.float64)
    tails = np.fromiter(map(float, map(sub, balls, mids)), np.float64, len(mids))
    if not np.isfinite(tails).all():
        tails = np.nan_to_num(tails)
    bits = np.fromiter(map(arb.rel_accuracy_bits, balls), np.float64, len(mids))
    # rad < |mid| 2^(1-bits) by the definition of rel_accuracy_bits; the tail's own rounding and underflow come on top.
    size = np.maximum(np.abs(mid), 5e-324)
    rad = np.where(bits > 4000, 0.0, size * np.exp2(np.clip(2.0 - bits, -1070, 1020)))
    rad = rad + np.abs(tails) * 2.0**-52
    rad = np.where((mid != 0) & (np.abs(mid) < 1e-290), rad + 5e-324, rad)
    lost = (
        (mid == 0.0) & np.array([not ball.is_zero() for ball in balls], dtype=np.bool_) if (mid == 0.0).any() else None
    )
    if lost is not None:
        rad = np.where(lost, np.maximum(rad, 5e-324), rad)
    return Enclosure.of(mid, rad, tails)


class _Row:
    """One position: exponentials scaled alike, their sum, and −log p without cancellation.

    ``top`` is the class of the first maximum of ``x``.
    """

    __slots__ = ("_log_sum", "powers", "rest", "top", "total", "x")

    def __init__(self, x: list[float], powers: list[arb], top: int) -> None:
        self.x = x
        self.powers = powers
        self.top = top
        highest = powers[top]
        self.total = sum(powers, ZERO)
        others = self.total - highest
        if others.rel_accuracy_bits() < 60:  # it cancelled: the maximum dominates
            others = sum(powers[:top], ZERO) + sum(powers[top + 1 :], ZERO)
        self.rest = others / highest
        self._log_sum: arb | None = None

    def n(self, c: int) -> arb:
        """−log p_c ≥ 0, with ln Σ exp(x − max) accurate however small."""
        if self._log_sum is None:
            self._log_sum = self.rest.log1p()
        return (arb(self.x[self.top]) - arb(self.x[c])) + self._log_sum

    def others(self, c: int) -> arb:
        """1 − p_c without cancellation."""
        if c == self.top:
            return self.rest / (1 + self.rest)
        return (self.total - self.powers[c]) / self.total


@dataclass(frozen=True, eq=False)
class ExactGradients:
    """Value and gradient of every problem of a block; the same interface as the first tier, and balls."""

    block: Block
    policies: Policies
    precision: int = PRECISION

    def value(self, reduction: str) -> Enclosure:
        """Shapes as in the first tier: (P,) or (P, C) for ``none``, (n,) for ``sum`` and ``mean``."""
        with ctx.workprec(self.precision):
            result = enclose(self.value_balls(reduction))
        return result if self.block.reduces else matrix(result, self.block.x.shape)

    def gradient(self, reduction: str) -> Enclosure:
        """(P, C)."""
        with ctx.workprec(self.precision):
            return matrix(enclose(self.gradient_balls(reduction)), self.block.x.shape)

    # -- positions ----------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> list[_Row | None]:
        """None for a row that holds NaN or +inf, or nothing above −inf."""
        block = self.block
        if not block.classes:
            return [None] * len(block.x)
        rows: list[_Row | None] = []
        with ctx.workprec(self.precision):
            for x, top in zip(block.x.tolist(), block.x.argmax(axis=1).tolist(), strict=True):
                high = x[top]
                if -UNSHIFTED <= high <= UNSHIFTED:
                    rows.append(_Row(x, list(map(arb.exp, map(arb, x))), top))
                elif math.isfinite(high):
                    rows.append(_Row(x, [(arb(v) - high).exp() for v in x], top))
                else:
                    rows.append(None)
        return rows

    @cached_property
    def predictions(self) -> ExactPredictions:
        """The probabilities that log_loss is given."""
        return ExactPredictions(self.block, self.policies)

    def terms(self, row: int) -> list[arb]:
        """−ln p of every class."""
        if self.block.operation == "log_loss":
            return self.predictions.terms(row)
        at = self.rows[row]
        if at is None:
            x = self.block.x[row]
            has_limit = x.max(initial=-np.inf) == np.inf  # False where there is NaN
            return [arb(v) for v in (plus_infinity_terms(x, self.policies) if has_limit else np.full_like(x, np.nan))]
        return [at.n(c) for c in range(self.block.classes)]

    @cached_property
    def _labels(self) -> list[int]:
        """The class of each row; one by one, elements of an array cost more than what is done with them."""
        labels: list[int] = self.block.targets.tolist()
        return labels

    @cached_property
    def _ignored(self) -> list[bool]:
        ignored: list[bool] = self.block.ignored.tolist()
        return ignored

    # -- coefficients -------------------------------------------------------------------------------------------------

    @cached_property
    def spikes(self) -> list[arb]:
        """The part of a_c at the target, of every row."""
        with ctx.workprec(self.precision):
            weights = self._target_weights
            if self.block.smoothing is None:
                return weights
            smoothing = self.block.smoothing[self.block.problem_of_row].tolist()
            return [(1 - arb(each)) * weight for each, weight in zip(smoothing, weights, strict=True)]

    @cached_property
    def _by_product(self) -> bool:
        """Whether a policy has the mean weight of a row's target multiply its unweighted loss."""
        product = self.policies.label_smoothing_weights == "product-of-sums"
        return product and self.block.weight is not None and not self._is_sparse

    @cached_property
    def _target_weights(self) -> list[arb]:
        """w_y of every row, or the mean weight of its target; 0 where it is ignored."""
        block = self.block
        if not self._by_product or block.weight is None:
            return list(map(arb, block.target_weight.tolist()))
        found = []
        for row, skip in enumerate(self._ignored):
            weights = block.weight[int(block.problem_of_row[row])].tolist()
            ones = [1.0] * block.classes
            problem = int(block.problem_of_row[row])
            epsilon = arb(0) if block.smoothing is None else arb(float(block.smoothing[problem]))
            share = [ZERO] * block.classes if block.smoothing is None else self._uniform(row, epsilon, ones)
            y = int(block.targets[row]) if block.by_index else -1
            q = [float(c == y) for c in range(block.classes)] if block.by_index else block.probabilities[row].tolist()
            terms = (arb(w) * ((1 - epsilon) * arb(p) + s) for w, p, s in zip(weights, q, share, strict=True))
            found.append(ZERO if skip else sum(terms, ZERO))
        return found

    @cached_property
    def _is_sparse(self) -> bool:
        """Whether the target alone has a coefficient."""
        return self.block.by_index and self.block.smoothing is None

    def dense(self, row: int) -> list[arb] | None:
        """The part of a_c on every class; None where there is none."""
        if self._is_sparse:
            return None
        block = self.block
        problem = int(block.problem_of_row[row])
        epsilon = None if block.smoothing is None else arb(block.smoothing[problem])
        weights: list[Any] = [1.0] * block.classes if block.weight is None else block.weight[problem].tolist()
        if self._by_product:
            weights = [self._target_weights[row]] * block.classes
        if block.by_index and epsilon is not None:
            if self._ignored[row]:
                return [arb(0)] * block.classes
            return self._uniform(row, epsilon, weights)
        a = [arb(q) * w for q, w in zip(block.probabilities[row].tolist(), weights, strict=True)]
        if epsilon is None:
            return a
        uniform = self._uniform(row, epsilon, weights)
        return [(1 - epsilon) * q + share for q, share in zip(a, uniform, strict=True)]

    def _uniform(self, row: int, epsilon: arb, weights: Sequence[Any]) -> list[arb]:
        """The share of every class in the smoothing, with its weight."""
        block = self.block
        share = [epsilon / block.classes] * block.classes
        if self.policies.label_smoothing_mass == "other-classes":
            y = int(block.targets[row]) if block.by_index else -1
            q = [float(c == y) for c in range(block.classes)] if block.by_index else block.probabilities[row].tolist()
            share = [epsilon * (1 - arb(each)) / max(block.classes - 1, 1) for each in q]
        if self.policies.label_smoothing_weights == "unweighted":
            return share
        return [each * weight for each, weight in zip(share, weights, strict=True)]

    def mass(self, row: int, dense: list[arb]) -> arb:
        """The sum of a row's dense part; with probabilities 1, or their mean weight, where a policy says so."""
        if self.block.by_index or self.policies.unnormalised_probabilities != "normalised":
            return sum(dense, ZERO)
        return self._target_weights[row] if self._by_product else arb(1)

    def product(self, a: arb, n: arb) -> arb:
        """a·n, by the policy where a is 0 and n infinite; signs are taken here, for Arb makes [±inf] of a·∞."""
        if n.is_finite():
            return a * n
        if a.is_nan() or n.is_nan():
            return arb.nan()
        if a.is_zero():
            # A logarithm of -inf, that is: no probability has one of +inf, which only nll_loss can be given.
            silent = n > 0 and self.policies.zero_coefficient_at_minus_infinity == "zero"
            return arb(0) if silent else arb.nan()
        return n if a > 0 else -n

    # -- values -------------------------------------------------------------------------------------------------------

    def value_balls(self, reduction: str) -> list[arb]:
        """The exact values in the order of :meth:`value`, flat; the caller sets the working precision."""
        if not self.block.reduces:
            rows = range(len(self.block.x))
            if self.block.operation == "log_softmax":
                return [-n for row in rows for n in self.terms(row)]
            return [p for row in rows for p in self.probabilities(row)]
        return self.reduced(self._losses, reduction)

    def reduced(self, rows: list[arb], reduction: str) -> list[arb]:
        """The sums or means of what is given of every row."""
        if reduction == "none":
            return rows
        sums = [sum(rows[a:b], ZERO) for a, b in self._spans()]
        if reduction == "sum":
            return sums
        return [_quotient(total, size) for total, size in zip(sums, self._denominators, strict=True)]

    def _spans(self) -> list[tuple[int, int]]:
        return [(int(a), int(a + n)) for a, n in zip(self.block.starts, self.block.counts, strict=True)]

    def probabilities(self, row: int) -> list[arb]:
        """p of every class."""
        at = self.rows[row]
        if at is None:
            return [(-n).exp() for n in self.terms(row)]
        inverse = 1 / at.total
        return [power * inverse for power in at.powers]

    @cached_property
    def _losses(self) -> list[arb]:
        block, step = self.block, max(1, PIECE // max(self.block.classes, 1))
        if len(block.x) > step:
            pieces = (block.slice(first, first + step) for first in range(0, len(block.x), step))
            return [loss for each in pieces for loss in ExactGradients(each, self.policies, self.precision)._losses]
        with ctx.workprec(self.precision):
            if block.operation == "log_loss" and not self._is_sparse:
                rows = enumerate(self._ignored)
                return [ZERO if skip else self._sum_of_terms(row) for row, skip in rows]
            losses = self._spike_losses() if block.by_index else [ZERO] * len(block.x)
            for row in () if self._is_sparse else np.flatnonzero(~block.ignored).tolist():
                losses[row] = sum(map(self.product, self.dense(row) or [], self.terms(row)), losses[row])
            return losses

    def _sum_of_terms(self, row: int) -> arb:
        """Σ a_c·(−ln p_c) of a row, the label's share being one with that of its class."""
        return sum(map(self.product, self.coefficients(row), self.terms(row)), ZERO)

    def _spike_losses(self) -> list[arb]:
        """The part of each row's loss that is its target's."""
        rows = enumerate(zip(self._ignored, self._labels, self.spikes, strict=True))
        if self.block.operation == "nll_loss":
            x = self.block.x
            return [ZERO if skip else self.product(a, -arb(float(x[row, y]))) for row, (skip, y, a) in rows]
        if self.block.operation == "log_loss":
            return [ZERO if skip else self.product(a, self.predictions.term(row, y)) for row, (skip, y, a) in rows]
        at = self.rows
        return [
            ZERO if skip else self.product(a, self.terms(row)[y] if (here := at[row]) is None else here.n(y))
            for row, (skip, y, a) in rows
        ]

    @cached_property
    def _denominators(self) -> list[arb]:
        block = self.block
        with ctx.workprec(max(self.precision, 2200)):  # weights of both signs may cancel: their sum is taken exactly
            if (
                not block.by_index
                and block.weight is not None
                and self.policies.weighted_probability_mean == "by-weight"
            ):
                if self._by_product:
                    return [sum(self._target_weights[first:last], ZERO) for first, last in self._spans()]
                return [sum((a for r in range(*span) for a in self.dense(r) or []), ZERO) for span in self._spans()]
            spans = zip(self._spans(), block.problems, strict=True)
            return [self._denominator(first, last, problem) for (first, last), problem in spans]

    def _denominator(self, first: int, last: int, problem: Problem) -> arb:
        """What the mean of a problem, the rows from ``first`` to ``last``, is divided by."""
        block = self.block
        policy = denominator_of(self.policies, problem) if block.by_index else "all-count"
        if policy == "all-count":
            return arb(last - first)
        if policy == "valid-count":
            return arb(int((~block.ignored[first:last]).sum()))
        return sum(self._target_weights[first:last], ZERO)

    # -- gradients ----------------------------------------------------------------------------------------------------

    def gradient_balls(self, reduction: str) -> list[arb]:
        """The exact gradient in row order, flat; the caller sets the working precision."""
        block = self.block
        if not block.reduces:
            v = block.upstream(reduction)
            return [g for row in range(len(block.x)) for g in self._softmax_gradient(row, v[row].tolist())]
        scales = self.scales(reduction)
        if block.operation == "nll_loss":
            return self._nll_gradient(scales)
        if block.operation == "log_loss":
            return self.given_gradient(scales)
        labels, spikes = (self._labels, self.spikes) if block.by_index else ([-1] * len(scales), [ZERO] * len(scales))
        rows = zip(self._ignored, scales, self.rows, labels, spikes, strict=True)
        result: list[arb] = []
        for row, (skip, scale, at, y, spike) in enumerate(rows):
            if skip or at is None:
                result += [ZERO if skip else arb.nan()] * block.classes
                continue
            scaled = scale * spike
            factor = scaled / at.total
            gradient = [power * factor for power in at.powers]
            if y >= 0:
                gradient[y] = -scaled * at.others(y)
            result += gradient if self._is_sparse else self._with_dense(gradient, row, at, scale)
        return result

    def scales(self, reduction: str) -> list[arb]:
        """s of every row."""
        v = list(map(arb, self.block.upstream(reduction).tolist()))
        if reduction == "none":
            return v
        if reduction == "mean":
            v = [_quotient(scale, size) for scale, size in zip(v, self._denominators, strict=True)]
        return [v[owner] for owner in self.block.problem_of_row.tolist()]

    def given_gradient(self, scales: list[arb], tangent: list[list[float]] | None = None) -> list[arb]:
        """The gradient of log_loss, or its derivative in the rows' directions, in row order, flat."""
        result: list[arb] = []
        for row, (skip, scale) in enumerate(zip(self._ignored, scales, strict=True)):
            if skip:
                result += [ZERO] * self.block.classes
                continue
            a, of = self.coefficients(row), self.predictions
            found = of.slope(row, a) if tangent is None else of.bend(row, a, list(map(arb, tangent[row])))
            result += [scaled_by(scale, each) for each in found]
        return result

    def coefficients(self, row: int) -> list[arb]:
        """a_c of every class of a row."""
        found = self.dense(row) or [ZERO] * self.block.classes
        if self.block.by_index:
            found[self._labels[row]] = found[self._labels[row]] + self.spikes[row]
        return found

    def _nll_gradient(self, scales: list[arb]) -> list[arb]:
        classes = self.block.classes
        result = [ZERO] * (classes * len(scales))
        rows = zip(self._ignored, self._labels, scales, self.spikes, strict=True)
        for row, (skip, y, scale, spike) in enumerate(rows):
            if not skip:
                result[row * classes + y] = -scale * spike
        return result

    def _with_dense(self, gradient: list[arb], row: int, at: _Row, scale: arb) -> list[arb]:
        """The gradient of a row's loss by its target alone, and that by all classes added."""
        dense = self.dense(row) or []
        factor = scale * self.mass(row, dense) / at.total
        return [g + (power * factor - scale * a) for g, power, a in zip(gradient, at.powers, dense, strict=True)]

    def _softmax_gradient(self, row: int, v: list[float]) -> list[arb]:
        at = self.rows[row]
        if at is None:
            return [arb.nan()] * self.block.classes
        p = self.probabilities(row)
        if self.block.operation == "log_softmax":
            total = sum(map(arb, v), ZERO)
            return [u - q * total for u, q in zip(v, p, strict=True)]
        centre = sum((q * u for q, u in zip(p, v, strict=True)), ZERO)
        return [q * (u - centre) for u, q in zip(v, p, strict=True)]


def _quotient(a: arb, b: arb) -> arb:
    if b.is_zero() or a.is_nan() or b.is_nan():
        return arb.nan()
    if not a.is_finite():
        return a if b > 0 else -a
    return a / b


def matrix(flat: Enclosure, shape: tuple[int, ...]) -> Enclosure:
    """A flat enclosure in ``shape``."""
    tail = None if flat.tail is None else flat.tail.reshape(shape)
    return Enclosure(flat.mid.reshape(shape), flat.rad.reshape(shape), tail)
