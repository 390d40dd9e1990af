"""The truth of a block: the right tier for its dtype, and the policies that a formula cannot give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from conformance.model.policies import NORMATIVE, Degenerate, Policies, for_operation, number_given
from conformance.numerics.formats import DtypeName, nearest
from conformance.oracle.block import Block
from conformance.oracle.directions import FastTruth
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.exact_directions import ExactTruth
from conformance.oracle.infinite_upstream import chained, infinite_rows, product

__all__ = ["Tier", "Truth", "without_denominator"]

Tier = Literal["fast", "exact"]
Booleans = npt.NDArray[np.bool_]


def without_denominator(value: Degenerate, dtype: DtypeName) -> float:
    """What a mean without a denominator is by a policy's value, in ``dtype``; NaN stands for one that raises."""
    number = number_given(value)
    return np.nan if number is None else nearest(number, dtype)


@dataclass(frozen=True, eq=False)
class Truth:
    """What every problem of ``block`` must give under ``policies``.

    ``tier`` is chosen by dtype unless stated: vectorised float64 with proven radii for 32 bits and below, Arb for
    float64.
    """

    block: Block
    policies: Policies = NORMATIVE
    tier: Tier | None = None

    @cached_property
    def fast(self) -> FastTruth:
        """The first tier; its magnitudes serve the bounds whatever the dtype."""
        return FastTruth(self.block, self.policies)

    @cached_property
    def _source(self) -> FastTruth | ExactTruth:
        tier = self.tier or ("exact" if self.block.dtype == "float64" else "fast")
        return self.fast if tier == "fast" else ExactTruth(self.block, self.policies)

    def value(self, reduction: str) -> Enclosure:
        """(P,) or (P, C) for ``none``, (n,) for ``sum`` and ``mean``."""
        result = self._source.value(reduction)
        if reduction != "mean":
            return result
        for mask, policy in self.degenerate:
            if mask.any():
                result = result.where(mask, without_denominator(policy, self.block.dtype))
        return result

    def gradient(self, reduction: str) -> Enclosure:
        """(P, C); rows that :meth:`judged` excludes are NaN."""
        with np.errstate(all="ignore"):
            result = self._source.gradient(reduction)
        if reduction == "mean" and self.policies.gradient_of_all_ignored == "nan" and self.all_ignored.any():
            rows = self.all_ignored[self.block.problem_of_row]
            result = result.where(np.broadcast_to(rows[:, None], result.mid.shape), np.nan)
        if not infinite_rows(self.block, reduction).any():
            return result
        if for_operation(self.policies.infinite_upstream_gradient, self.block.operation, "product") == "chained":
            return chained(result, self.block, reduction)
        if self._source is self.fast:
            return result
        with np.errstate(all="ignore"):
            return product(result, self.block, reduction, self.fast.gradient(reduction))

    def jvp(self, reduction: str) -> Enclosure:
        """In the value's shape: its derivative in the problems' directions; NaN where it is not judged."""
        with np.errstate(all="ignore"):
            return self._source.jvp(reduction)

    def hvp(self, reduction: str) -> Enclosure:
        """(P, C): the gradient's derivative in the problems' directions; NaN where it is not judged."""
        with np.errstate(all="ignore"):
            return self._source.hvp(reduction)

    def target_gradient(self, reduction: str) -> Enclosure:
        """(P, C): the gradient with respect to the class probabilities; NaN where it is not judged."""
        with np.errstate(all="ignore"):
            return self._source.target_gradient(reduction)

    def judged(self, reduction: str) -> Booleans:
        """Rows whose gradient is defined, (P,): not those with a NaN loss, nor those of a mean without denominator."""
        rows = self.fast.judged
        if reduction == "mean":
            undefined = (self.fast.denominator.mid == 0.0) & ~self.all_ignored
            rows = rows & ~undefined[self.block.problem_of_row]
        return rows

    @cached_property
    def all_ignored(self) -> Booleans:
        """Problems of which every position is ignored, (n,)."""
        block = self.block
        return (block.counts > 0) & (block.total((~block.ignored).astype(np.float64)) == 0)

    @cached_property
    def degenerate(self) -> list[tuple[Booleans, Degenerate]]:
        """The means that have no value by the formula, (n,), and the policy's value, which says what they give."""
        empty = self.block.counts == 0
        weightless = (self.fast.denominator.mid == 0.0) & ~empty & ~self.all_ignored
        policies = self.policies
        return [
            (empty, policies.mean_of_empty_batch),
            (self.all_ignored, policies.mean_of_all_ignored),
            (weightless, policies.mean_of_zero_weight),
        ]
