"""What each class's −log p is multiplied by in the loss, a_c, in float64: a spike at the label, and a dense part."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conformance.model.policies import Policies
from conformance.numerics.formats import Float64Array
from conformance.oracle.block import Block

__all__ = ["Coefficients"]

#: Of a row whose coefficients are products of sums: the mean weight, the spike, and the dense part.
_Product = tuple[float, float, list[float]]


@dataclass(frozen=True, eq=False)
class Coefficients:
    """The coefficients of every row of a block; P rows of C classes."""

    block: Block
    policies: Policies

    @cached_property
    def by_product(self) -> bool:
        """Whether a policy has the mean weight of a row's target, Σ w_c t_c, multiply its unweighted loss."""
        spread = self.block.smoothing is not None or not self.block.by_index
        product = self.policies.label_smoothing_weights == "product-of-sums"
        return self.block.reduces and self.block.weight is not None and spread and product

    @cached_property
    def target_weight(self) -> Float64Array:
        """w_y of every row, or the mean weight of its target, (P,); 0 where it is ignored. Rounded once at most."""
        return self._of_product[0] if self.by_product else self.block.target_weight

    @cached_property
    def class_weight(self) -> Float64Array | None:
        """The weight of each class in every row, (P, C); None without weights."""
        block = self.block
        if block.weight is None:
            return None
        return np.broadcast_to(self.target_weight[:, None], block.x.shape) if self.by_product else self._by_class

    @property
    def _by_class(self) -> Float64Array:
        assert self.block.weight is not None
        return self.block.weight[self.block.problem_of_row]

    @cached_property
    def _of_product(self) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Mean weight and spike, (P,), and dense part, (P, C), of every row: each is its exact value, rounded once."""
        block = self.block
        mean, spike, dense = np.zeros(len(block.x)), np.zeros(len(block.x)), np.zeros_like(block.x)
        smoothing = np.zeros(len(block.counts)) if block.smoothing is None else block.smoothing
        of_target: dict[tuple[int, bytes], _Product] = {}  # many rows have the label of another
        for row, (problem, labels) in enumerate(zip(block.problem_of_row.tolist(), block.shares, strict=True)):
            if block.ignored[row]:
                continue
            key = problem, labels.tobytes()
            if key not in of_target:
                assert block.weight is not None
                of_target[key] = self._product(block.weight[problem].tolist(), labels, float(smoothing[problem]))
            mean[row], spike[row], dense[row] = of_target[key]
        return mean, spike, dense

    def _product(self, weights: list[float], labels: Float64Array, smoothing: float) -> _Product:
        """(Σ w_c t_c)·t_c with t_c = (1−ε)q_c + ε/C, over common denominators: all of it is in whole numbers.

        With a smoothing of the other classes alone, t_c = (1−ε)q_c + ε(1−q_c)/(C−1).
        """
        if not np.isfinite([*weights, *labels]).all():
            return self._of_infinite(weights, labels, smoothing)
        (w, per_weight), (q, per_label), ((e,), one) = map(_whole, (weights, labels.tolist(), [smoothing]))
        if self.policies.label_smoothing_mass == "other-classes":
            others = max(len(q) - 1, 1)
            share = [e * (per_label - each) for each in q]
        else:
            others = len(q)
            share = [e * per_label] * len(q)
        label = [(one - e) * others * each for each in q]
        per_target = one * others * per_label
        weight = sum(each * (a + b) for each, a, b in zip(w, label, share, strict=True))
        per_mean = per_weight * per_target
        spread = share if self.block.by_index else [a + b for a, b in zip(label, share, strict=True)]
        spike = _quotient(weight * (one - e), per_mean * one) if self.block.by_index else 0.0
        dense = {each: _quotient(weight * each, per_mean * per_target) for each in {*spread}}
        return _quotient(weight, per_mean), spike, [dense[each] for each in spread]

    def _of_infinite(self, weights: list[float], labels: Float64Array, smoothing: float) -> _Product:
        """The same where NaN and infinity take part, which no fraction holds."""
        q = labels.tolist()
        share = [smoothing / len(q) for _ in q]
        if self.policies.label_smoothing_mass == "other-classes":
            share = [smoothing * (1.0 - each) / max(len(q) - 1, 1) for each in q]
        parts = [(1.0 - smoothing) * each for each in q]
        weight = sum((w * (a + b) for w, a, b in zip(weights, parts, share, strict=True)), 0.0)
        if self.block.by_index:
            return weight, weight * (1.0 - smoothing), [weight * each for each in share]
        return weight, 0.0, [weight * (a + b) for a, b in zip(parts, share, strict=True)]

    @cached_property
    def spike(self) -> Float64Array:
        """The part of a_c at c = y: (1−ε)·w_y, (P,); relative error 2u."""
        smoothing = self.block.smoothing
        if self.by_product:
            return self._of_product[1]
        if smoothing is None:
            return self.block.target_weight
        return self.block.target_weight * (1.0 - smoothing)[self.block.problem_of_row]

    @cached_property
    def dense(self) -> Float64Array | None:
        """The part of a_c on every class, (P, C): w_c((1−ε)q_c + ε/C), or ε·w_c/C; None where there is none.

        Policies may spread ε over the other classes alone, ε(1−q_c)/(C−1), leave the weights out of it, or have
        one weight for all classes of a row. Its error is at most 4u of :attr:`dense_magnitude`.
        """
        block = self.block
        if self.by_product:
            return self._of_product[2]
        row = block.problem_of_row
        weight = None if block.weight is None else block.weight[row]
        uniform = self._uniform
        if block.by_index:
            return None if uniform is None else uniform * ~block.ignored[:, None]
        q = block.probabilities if weight is None else block.probabilities * weight
        if uniform is None or block.smoothing is None:
            return q
        return (1.0 - block.smoothing[row, None]) * q + uniform

    @cached_property
    def _uniform(self) -> Float64Array | None:
        """The share of every class in the smoothing, with its weight, (P, C); None without smoothing."""
        block, row = self.block, self.block.problem_of_row
        if block.smoothing is None:
            return None
        share = np.broadcast_to(block.smoothing[row, None] / block.classes, block.x.shape)
        if self.policies.label_smoothing_mass == "other-classes":
            share = block.smoothing[row, None] * (1.0 - block.shares) / max(block.classes - 1, 1)
        weighted = block.weight is not None and self.policies.label_smoothing_weights == "weighted"
        return share * block.weight[row] if weighted and block.weight is not None else share

    @cached_property
    def dense_magnitude(self) -> Float64Array | None:
        """|w_c|((1−ε)|q_c| + ε/C), (P, C): what the coefficient's error is relative to."""
        block, uniform = self.block, self._uniform
        if self.dense is None:
            return None
        if uniform is None or block.smoothing is None or block.by_index:
            return np.abs(self.dense)
        row, weight = block.problem_of_row, self.class_weight
        q = block.probabilities if weight is None else block.probabilities * weight
        uniform = uniform * weight if self.by_product and weight is not None else uniform
        return (1.0 - block.smoothing[row, None]) * np.abs(q) + np.abs(uniform)

    @property
    def mass(self) -> Float64Array:
        """The sum of the dense part, (P,), by which probabilities enter the gradient.

        Where a policy takes the sum of the probabilities for 1 it is 1, or the mean weight that multiplies the loss.
        """
        assert self.dense is not None
        if not self.block.by_index and self.policies.unnormalised_probabilities == "normalised":
            return self.target_weight if self.by_product else np.ones(len(self.dense))
        return np.asarray(self.dense.sum(axis=1))

    @property
    def target_factor(self) -> Float64Array:
        """∂a_c/∂q_c, (P, C): w_c(1 − ε), less ε·w_c/(C−1) where smoothing spares the labelled class; error 4u."""
        block, row = self.block, self.block.problem_of_row
        factor = np.ones_like(block.x) if block.weight is None else block.weight[row]
        if block.smoothing is None:
            return factor
        smoothing = block.smoothing[row, None]
        spared = np.zeros_like(factor)
        if self.policies.label_smoothing_mass == "other-classes":
            weighted = self.policies.label_smoothing_weights == "weighted"
            spared = smoothing / max(block.classes - 1, 1) * (factor if weighted else 1.0)
        return (1.0 - smoothing) * factor - spared


def _whole(numbers: list[float]) -> tuple[list[int], int]:
    """Finite numbers as whole ones over one denominator, a power of two."""
    ratios = [each.as_integer_ratio() for each in numbers]
    largest = max((below for _, below in ratios), default=1)
    return [above * (largest // below) for above, below in ratios], largest


def _quotient(above: int, below: int) -> float:
    """Rounded once, as Python's quotient of whole numbers is."""
    try:
        return above / below
    except OverflowError:
        return math.copysign(math.inf, above)
