"""The second tier of the transforms: the formulas of ``directions.py`` line by line, in Arb's ball arithmetic."""

from __future__ import annotations

from typing import Protocol

from flint import arb

from conformance.model.policies import Policies
from conformance.oracle.block import Block

__all__ = ["curvature_balls", "tangent_row_balls", "target_slope_balls"]

ZERO = arb(0)


class Evaluated(Protocol):
    """What the derivatives are made of: the tier's own results for a block, row by row."""

    @property
    def block(self) -> Block: ...

    @property
    def policies(self) -> Policies: ...

    def is_special(self, row: int) -> bool: ...

    def probabilities(self, row: int) -> list[arb]: ...

    def terms(self, row: int) -> list[arb]: ...

    def dense(self, row: int) -> list[arb] | None: ...

    def spike(self, row: int) -> arb: ...

    def mass(self, row: int) -> arb: ...

    def scales(self, reduction: str) -> list[arb]: ...

    def product(self, a: arb, n: arb) -> arb: ...


def _directions(truth: Evaluated, row: int) -> tuple[list[arb], list[arb]] | None:
    """p and t − Σ p·t of a row; None for a special one."""
    if truth.is_special(row):
        return None
    p = truth.probabilities(row)
    t = list(map(arb, truth.block.tangent[row].tolist()))
    return p, _centred(p, t)


def _centred(p: list[arb], values: list[arb]) -> list[arb]:
    mean = sum((q * u for q, u in zip(p, values, strict=True)), ZERO)
    return [u - mean for u in values]


def tangent_row_balls(truth: Evaluated) -> list[arb]:
    """Of every row, flat: C numbers each for softmax and log_softmax, one for a loss."""
    result: list[arb] = []
    for row in range(len(truth.block.x)):
        result += _tangent(truth, row)
    return result


def _tangent(truth: Evaluated, row: int) -> list[arb]:
    block = truth.block
    if block.reduces and block.ignored[row]:
        return [ZERO]
    if block.operation == "nll_loss":
        return [-truth.spike(row) * arb(float(block.tangent[row, int(block.targets[row])]))]
    found = _directions(truth, row)
    if found is None:
        return [arb.nan()] * (1 if block.reduces else block.classes)
    p, gap = found
    if block.operation == "log_softmax":
        return gap
    if block.operation == "softmax":
        return [q * g for q, g in zip(p, gap, strict=True)]
    total = ZERO
    if block.by_index:
        total = -truth.spike(row) * gap[int(block.targets[row])]
    dense = truth.dense(row)
    if dense is not None:
        # Σ a_c·(m − t_c) where A = Σ a_c; a policy's other A adds the difference times m.
        total = total - sum((a * g for a, g in zip(dense, gap, strict=True)), ZERO)
        mean = arb(float(block.tangent[row, 0])) - gap[0]
        total = total + (truth.mass(row) - sum(dense, ZERO)) * mean
    return [total]


def curvature_balls(truth: Evaluated, reduction: str) -> list[arb]:
    """The gradient's derivative in the direction, in row order, flat."""
    block = truth.block
    scales = truth.scales(reduction) if block.reduces else []
    result: list[arb] = []
    for row in range(len(block.x)):
        found = _directions(truth, row)
        if block.reduces and block.ignored[row]:
            result += [ZERO] * block.classes
        elif found is None:
            result += [arb.nan()] * block.classes
        elif block.reduces:
            spike = truth.spike(row) if block.by_index else ZERO
            mass = spike + (ZERO if truth.dense(row) is None else truth.mass(row))
            result += [scales[row] * mass * q * g for q, g in zip(*found, strict=True)]
        else:
            result += _normaliser(block.operation, *found, list(map(arb, block.upstream("none")[row].tolist())))
    return result


def target_slope_balls(truth: Evaluated, reduction: str) -> list[arb]:
    """The gradient with respect to the class probabilities, in row order, flat."""
    result: list[arb] = []
    for row, scale in enumerate(truth.scales(reduction)):
        if truth.is_special(row):
            result += [arb.nan()] * truth.block.classes
            continue
        factors = _target_factors(truth, row)
        result += [truth.product(scale * f, n) for f, n in zip(factors, truth.terms(row), strict=True)]
    return result


def _target_factors(truth: Evaluated, row: int) -> list[arb]:
    """∂a_c/∂q_c of every class."""
    block, policies = truth.block, truth.policies
    problem = int(block.problem_of_row[row])
    weights = [arb(1)] * block.classes if block.weight is None else list(map(arb, block.weight[problem].tolist()))
    epsilon = arb(0) if block.smoothing is None else arb(float(block.smoothing[problem]))
    spared = ZERO
    if policies.label_smoothing_mass == "other-classes":
        spared = epsilon / max(block.classes - 1, 1)
    shares = weights if policies.label_smoothing_weights == "weighted" else [arb(1)] * block.classes
    return [(1 - epsilon) * w - spared * share for w, share in zip(weights, shares, strict=True)]


def _normaliser(operation: str, p: list[arb], gap: list[arb], v: list[arb]) -> list[arb]:
    if operation == "log_softmax":
        mass = sum(v, ZERO)
        return [-mass * q * g for q, g in zip(p, gap, strict=True)]
    products = [g * u for g, u in zip(gap, _centred(p, v), strict=True)]
    return [q * u for q, u in zip(p, _centred(p, products), strict=True)]
