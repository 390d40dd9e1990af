"""The first tier: values and gradients of a block in float64, with proven radii.

For targets of 32 bits and below: its relative error is below 2^-36 for any vocabulary, against a unit roundoff of 2^-24
at best. Each radius is the sum of the propagated and the new errors of its line, to first order, times ``SLACK`` for
the second-order terms and for the rounding of the radii themselves (every first-order error here is below 2^-30).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from conformance.model.policies import Policies, denominator_of
from conformance.numerics.formats import Float64Array
from conformance.oracle.block import Block
from conformance.oracle.coefficients import Coefficients
from conformance.oracle.elementary import TINY, U
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.infinities import plus_infinity_terms, times, zero_times_infinity
from conformance.oracle.positions import Positions
from conformance.oracle.predictions import Predictions

__all__ = ["FastGradients"]

SLACK = 1.0 + 2.0**-20
INF = np.inf
#: Elements worked on at a time: the temporaries of one piece stay in the second-level cache.
PIECE = 1 << 14


@dataclass(frozen=True, eq=False)
class FastGradients:
    """Value and gradient of every problem of a block, as enclosures without tails."""

    block: Block
    policies: Policies

    @cached_property
    def positions(self) -> Positions:
        """Shifted logits, exponentials and their sums."""
        return Positions(self.block.x)

    @cached_property
    def predictions(self) -> Predictions:
        """The probabilities that log_loss is given."""
        return Predictions(self.block, self.policies)

    @property
    def n(self) -> Float64Array:
        """−ln p_c, (P, C), of the probabilities that a loss computes, or is given."""
        return self.predictions.n if self.block.operation == "log_loss" else self.positions.n

    def _by_piece(self, compute: Callable[[FastGradients, slice], Enclosure]) -> Enclosure:
        """``compute`` on as many rows at a time as the cache holds, put together again."""
        count, step = len(self.block.x), max(1, PIECE // max(self.block.classes, 1))
        if count <= step:
            return compute(self, slice(0, count))
        parts = []
        for first in range(0, count, step):
            rows = slice(first, min(first + step, count))
            parts.append(compute(FastGradients(self.block.slice(rows.start, rows.stop), self.policies), rows))
        return Enclosure(np.concatenate([p.mid for p in parts]), np.concatenate([p.rad for p in parts]))

    @cached_property
    def a(self) -> Coefficients:
        """The a_c: what each class's −log p is multiplied by."""
        return Coefficients(self.block, self.policies)

    # -- values -------------------------------------------------------------------------------------------------------

    @cached_property
    def loss(self) -> Enclosure:
        """ℓ of every row, (P,)."""
        return self._by_piece(lambda piece, _: piece._loss())

    def _loss(self) -> Enclosure:
        block = self.block
        rows = np.arange(len(block.x))
        if block.operation == "nll_loss":
            mid = zero_times_infinity(self.a.spike, -block.x[rows, block.targets], self.policies)
            return self._ignore(Enclosure.of(mid, U * np.abs(mid)))
        if block.operation == "log_loss":
            return self._ignore(self.predictions.loss())
        at = self.positions
        relative = at.n_error + 8 * U
        mid = np.zeros(len(rows))
        rad = np.zeros(len(rows))
        if block.by_index:
            mid = zero_times_infinity(self.a.spike, at.n[rows, block.targets], self.policies)
            rad = relative * np.abs(mid)
        if self.a.dense is not None:
            terms = zero_times_infinity(self.a.dense, at.n, self.policies)
            assert self.a.dense_magnitude is not None
            sizes = self.a.dense_magnitude * np.where(np.isfinite(at.n), at.n, 0.0)
            with np.errstate(invalid="ignore"):
                mid = mid + terms.sum(axis=1)
            rad = rad + (relative + (block.classes + 2) * U) * (sizes.sum(axis=1) + np.abs(np.nan_to_num(mid)))
        return self._ignore(self._special_rows(Enclosure.of(mid, SLACK * rad + self.block.classes * TINY)))

    def _ignore(self, loss: Enclosure) -> Enclosure:
        return loss.where(self.block.ignored, 0.0)

    def _special_rows(self, loss: Enclosure) -> Enclosure:
        at = self.positions
        if not at.special.any():
            return loss
        mid = np.where(at.special, np.nan, loss.mid)
        for row in np.flatnonzero(at.plus_infinity & ~at.nan):
            mid[row] = self._plus_infinity_loss(int(row))
        return Enclosure.of(mid, loss.rad)

    def _plus_infinity_loss(self, row: int) -> float:
        n = plus_infinity_terms(self.block.x[row], self.policies)
        total = 0.0
        if self.block.by_index:
            total = times(float(self.a.spike[row]), float(n[self.block.targets[row]]), self.policies)
        if self.a.dense is not None:
            total += sum(times(float(a), float(b), self.policies) for a, b in zip(self.a.dense[row], n, strict=True))
        return total

    def value(self, reduction: str) -> Enclosure:
        """``none``: (P,), or (P, C) for softmax and log_softmax; ``sum`` and ``mean``: (n,)."""
        block = self.block
        if not block.reduces:
            softmax = block.operation == "softmax"
            return self._by_piece(lambda piece, _: piece._softmax() if softmax else piece._log_softmax())
        return self.reduced(self.loss, reduction)

    def reduced(self, rows: Enclosure, reduction: str) -> Enclosure:
        """The sums or means of what is given of every row, (P,) to (n,)."""
        if reduction == "none":
            return rows
        return self._sum(rows) if reduction == "sum" else self._mean(rows)

    def _sum(self, rows: Enclosure) -> Enclosure:
        size = np.abs(np.where(np.isfinite(rows.mid), rows.mid, 0.0))
        with np.errstate(invalid="ignore", over="ignore"):
            mid = self.block.total(rows.mid)
        rad = self.block.total(rows.rad) + (self.block.counts + 1) * U * self.block.total(size)
        return Enclosure.of(mid, SLACK * rad)

    def _mean(self, rows: Enclosure) -> Enclosure:
        total, size = self._sum(rows), self.denominator
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            mid = total.mid / size.mid
            rad = (total.rad + np.abs(mid) * size.rad) / np.abs(size.mid) + 2 * U * np.abs(mid)
        return Enclosure.of(mid, SLACK * rad)

    @cached_property
    def denominator(self) -> Enclosure:
        """W of every problem, (n,): Σ w_y over the rows that are not ignored, or N for probability targets."""
        block = self.block
        counts = block.counts.astype(np.float64)
        if not block.by_index:
            if block.weight is not None and self.policies.weighted_probability_mean == "by-weight":
                if self.a.by_product:
                    mid, size = block.total(self.a.target_weight), block.total(np.abs(self.a.target_weight))
                    return Enclosure.of(mid, SLACK * (counts + 2) * U * size)
                assert self.a.dense is not None and self.a.dense_magnitude is not None
                mid = block.total(self.a.dense.sum(axis=1))
                rad = (counts + block.classes + 8) * U * block.total(self.a.dense_magnitude.sum(axis=1))
                return Enclosure.of(mid, SLACK * rad)
            return Enclosure.of(counts, 0.0)
        chosen = np.array([denominator_of(self.policies, problem) for problem in block.problems])
        mid, rad = np.where(chosen == "all-count", counts, 0.0), np.zeros_like(counts)
        if (chosen == "valid-count").any():
            mid = np.where(chosen == "valid-count", block.total((~block.ignored).astype(np.float64)), mid)
        weighed = chosen == "sum-of-weights"
        if weighed.any():
            sums = self._weights
            mid, rad = np.where(weighed, sums.mid, mid), np.where(weighed, sums.rad, rad)
        return Enclosure.of(mid, rad)

    @cached_property
    def _weights(self) -> Enclosure:
        """Σ w_y of every problem, (n,)."""
        block = self.block
        if block.weight is None:
            return Enclosure.of(block.total(block.target_weight), 0.0)
        # Weights of both signs may cancel: fsum rounds the exact sum once, and is 0 only where the sum is.
        ends = block.starts + block.counts
        sums = [_sum_of(self.a.target_weight[a:b]) for a, b in zip(block.starts, ends, strict=True)]
        mid = np.array(sums)
        rounded = block.total(np.abs(self.a.target_weight)) if self.a.by_product else 0.0
        return Enclosure.of(mid, SLACK * U * (np.abs(mid) + rounded) if self.a.by_product else U * np.abs(mid))

    def _softmax(self) -> Enclosure:
        at = self.positions
        mid = at.p
        rad = SLACK * at.p_error * mid + 2 * TINY
        return self._matrix(mid, rad, lambda row: np.exp(-plus_infinity_terms(row, self.policies)))

    def _log_softmax(self) -> Enclosure:
        at = self.positions
        rad = SLACK * at.n_error * at.n + self.block.classes * TINY
        return self._matrix(-at.n, rad, lambda row: -plus_infinity_terms(row, self.policies))

    def _matrix(self, mid: Float64Array, rad: Float64Array, plus_infinity: object) -> Enclosure:
        at = self.positions
        if at.special.any():
            mid = np.where(at.special[:, None], np.nan, mid)
            for row in np.flatnonzero(at.plus_infinity & ~at.nan):
                mid[row] = plus_infinity(self.block.x[row])  # type: ignore[operator]
        return Enclosure.of(mid, rad)

    # -- gradients ----------------------------------------------------------------------------------------------------

    @cached_property
    def judged(self) -> np.typing.NDArray[np.bool_]:
        """Rows whose gradient is defined, (P,): those whose loss is not NaN, and the ignored ones.

        A policy may give a row with a +inf logit a loss, but the formula gives it no gradient.
        """
        if not self.block.reduces:
            return ~self.positions.special
        defined = ~np.isnan(self.loss.mid) & ~self.block.masked_target
        if self.block.operation == "log_loss":
            defined &= ~self.predictions.at_an_end
        elif self.block.operation != "nll_loss":
            defined &= ~self.positions.plus_infinity
        return defined | self.block.ignored

    def scale(self, reduction: str) -> Enclosure:
        """s of every row, (P,): the upstream gradient, divided by W for ``mean``."""
        block = self.block
        v = block.upstream(reduction)
        if reduction == "none":
            return Enclosure.of(v, 0.0)
        if reduction == "mean":
            size = self.denominator
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                mid = v / size.mid
                rad = np.abs(mid) * (size.rad / np.abs(size.mid) + 2 * U)
            return Enclosure.of(mid[block.problem_of_row], SLACK * rad[block.problem_of_row])
        return Enclosure.of(v[block.problem_of_row], 0.0)

    def gradient(self, reduction: str) -> Enclosure:
        """With respect to the logits, (P, C), for the problems' own upstream gradients."""
        operation = self.block.operation
        if operation == "softmax":
            return self._by_piece(lambda piece, _: piece._softmax_gradient())
        if operation == "log_softmax":
            return self._by_piece(lambda piece, _: piece._log_softmax_gradient())
        scale = self.scale(reduction)
        return self._by_piece(lambda piece, rows: piece._scaled_slope(scale[rows]))

    def _scaled_slope(self, scale: Enclosure) -> Enclosure:
        return self.scaled(*self.unscaled(), scale)

    def scaled(self, unscaled: Float64Array, radius: Float64Array, scale: Enclosure) -> Enclosure:
        """What is of one unit of each row's loss, (P, C), times the rows' ``scale``, (P,); 0 where one is ignored."""
        with np.errstate(invalid="ignore", over="ignore"):
            mid = scale.mid[:, None] * unscaled
            rad = np.abs(scale.mid)[:, None] * radius + np.abs(unscaled) * scale.rad[:, None] + U * np.abs(mid)
        result = Enclosure.of(mid, SLACK * rad + TINY)
        return result.where(np.broadcast_to(self.block.ignored[:, None], mid.shape), 0.0)

    def unscaled(self) -> tuple[Float64Array, Float64Array]:
        """What the scale multiplies, (P, C), and its radius."""
        if self.block.operation == "log_loss":
            return self.predictions.slope()
        return self._nll_slope() if self.block.operation == "nll_loss" else self._slope

    def _nll_slope(self) -> tuple[Float64Array, Float64Array]:
        slope = np.zeros_like(self.block.x)
        slope[np.arange(len(slope)), self.block.targets] = -self.a.spike
        return slope, 2 * U * np.abs(slope)

    @cached_property
    def _slope(self) -> tuple[Float64Array, Float64Array]:
        """A·p_c − a_c, (P, C), and its radius.

        At the target, spike·(p_y − 1) is formed as −spike·(sum of the other probabilities), which does not cancel.
        """
        at, rows = self.positions, np.arange(len(self.block.x))
        tiny = (self.block.classes + 2) * TINY
        radius_p = at.p_error * at.p + tiny
        slope, radius = np.zeros_like(at.p), np.zeros_like(at.p)
        if self.block.by_index:
            y = self.block.targets
            spike = np.abs(self.a.spike)
            slope = self.a.spike[:, None] * at.p
            radius = spike[:, None] * radius_p + 3 * U * np.abs(slope)
            confident = at.argmax == y
            others = np.where(confident, at.t / at.s, 1.0 - at.p[rows, y])
            slope[rows, y] = -self.a.spike * others
            error = np.where(confident, 2 * at.sum_error + 2 * U, 2 * at.p_error + 2 * U) * others + tiny
            radius[rows, y] = spike * (error + 3 * U * others)
        if self.a.dense is not None:
            assert self.a.dense_magnitude is not None
            mass = self.a.mass[:, None]
            size = self.a.dense_magnitude.sum(axis=1, keepdims=True)
            part = mass * at.p
            with np.errstate(invalid="ignore"):
                radius = radius + np.abs(mass) * radius_p + (self.block.classes + 6) * U * size * at.p
                radius += 5 * U * self.a.dense_magnitude + U * (2 * np.abs(part) + np.abs(slope))
                slope = slope + (part - self.a.dense)
                radius += 2 * U * np.abs(slope)
        return slope, SLACK * radius

    def _log_softmax_gradient(self) -> Enclosure:
        at, v = self.positions, self.block.upstream("none")
        total = v.sum(axis=1, keepdims=True)
        size = np.abs(v).sum(axis=1, keepdims=True)
        part = at.p * total
        mid = v - part
        rad = at.p * (at.p_error * np.abs(total) + (self.block.classes + 1) * U * size) + U * (
            np.abs(part) + np.abs(mid)
        )
        return Enclosure.of(mid, SLACK * rad + 2 * TINY * (1 + size))

    def _softmax_gradient(self) -> Enclosure:
        at, v = self.positions, self.block.upstream("none")
        centre = (at.p * v).sum(axis=1, keepdims=True)
        size = (at.p * np.abs(v)).sum(axis=1, keepdims=True)
        rad_centre = (at.p_error + (self.block.classes + 2) * U) * size
        gap = v - centre
        mid = at.p * gap
        rad = at.p * (rad_centre + U * np.abs(gap)) + (at.p_error + 2 * U) * np.abs(mid)
        return Enclosure.of(mid, SLACK * rad + 4 * TINY * (1 + np.abs(v).max(axis=1, keepdims=True, initial=0.0)))


def _sum_of(numbers: Float64Array) -> float:
    """Their sum, rounded once; infinite beyond the range of float64, NaN where there is none."""
    try:
        return math.fsum(numbers)
    except ValueError:  # infinities of both signs
        return math.nan
    except OverflowError:  # perhaps of a part alone
        exact = sum(map(Fraction, numbers.tolist()))
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf
