"""The second tier of the transforms: the formulas of ``directions.py`` line by line, in Arb's ball arithmetic."""

from __future__ import annotations

from flint import arb, ctx

from conformance.oracle.enclosure import Enclosure
from conformance.oracle.exact import ZERO, ExactGradients, enclose, matrix
from conformance.oracle.exact_predictions import scaled_by

__all__ = ["ExactTruth"]


class ExactTruth(ExactGradients):
    """With the derivatives in a direction, and those by the targets."""

    def jvp(self, reduction: str) -> Enclosure:
        """The derivative of :meth:`value` in the problems' directions, in its shape."""
        with ctx.workprec(self.precision):
            rows = [ball for row in range(len(self.block.x)) for ball in self._jvp(row)]
            if self.block.reduces:
                return enclose(self.reduced(rows, reduction))
            return matrix(enclose(rows), self.block.x.shape)

    def hvp(self, reduction: str) -> Enclosure:
        """The derivative of :meth:`gradient` in the problems' directions, (P, C)."""
        with ctx.workprec(self.precision):
            return matrix(enclose(self._hvp(reduction)), self.block.x.shape)

    def target_gradient(self, reduction: str) -> Enclosure:
        """The gradient with respect to the class probabilities, (P, C)."""
        with ctx.workprec(self.precision):
            return matrix(enclose(self._target_gradient(reduction)), self.block.x.shape)

    def _directions(self, row: int) -> tuple[list[arb], list[arb]] | None:
        """p and t − Σ p·t of a row; None for a special one."""
        if self.rows[row] is None:
            return None
        p = self.probabilities(row)
        t = list(map(arb, self.block.tangent[row].tolist()))
        return p, _centred(p, t)

    def _jvp(self, row: int) -> list[arb]:
        block = self.block
        if block.reduces and block.ignored[row]:
            return [ZERO]
        if block.operation == "nll_loss":
            return [-self.spikes[row] * arb(float(block.tangent[row, int(block.targets[row])]))]
        if block.operation == "log_loss":
            t = map(arb, block.tangent[row].tolist())
            slope = self.predictions.slope(row, self.coefficients(row))
            return [sum(map(scaled_by, t, slope), ZERO)]
        found = self._directions(row)
        if found is None:
            return [arb.nan()] * (1 if block.reduces else block.classes)
        p, gap = found
        if block.operation == "log_softmax":
            return gap
        if block.operation == "softmax":
            return [q * g for q, g in zip(p, gap, strict=True)]
        total = ZERO
        if block.by_index:
            total = -self.spikes[row] * gap[int(block.targets[row])]
        dense = self.dense(row)
        if dense is not None:
            # Σ a_c·(m − t_c) where A = Σ a_c; a policy's other A adds the difference times m.
            total = total - sum((a * g for a, g in zip(dense, gap, strict=True)), ZERO)
            mean = arb(float(block.tangent[row, 0])) - gap[0]
            total = total + (self.mass(row, dense) - sum(dense, ZERO)) * mean
        return [total]

    def _hvp(self, reduction: str) -> list[arb]:
        """The gradient's derivative in the direction, in row order, flat."""
        block = self.block
        scales = self.scales(reduction) if block.reduces else []
        if block.operation == "log_loss":
            return self.given_gradient(scales, block.tangent.tolist())
        result: list[arb] = []
        for row in range(len(block.x)):
            found = self._directions(row)
            if block.reduces and block.ignored[row]:
                result += [ZERO] * block.classes
            elif found is None:
                result += [arb.nan()] * block.classes
            elif block.reduces:
                spike = self.spikes[row] if block.by_index else ZERO
                dense = self.dense(row)
                mass = spike + (ZERO if dense is None else self.mass(row, dense))
                result += [scales[row] * mass * q * g for q, g in zip(*found, strict=True)]
            else:
                result += _normaliser(block.operation, *found, list(map(arb, block.upstream("none")[row].tolist())))
        return result

    def _target_gradient(self, reduction: str) -> list[arb]:
        """The gradient with respect to the class probabilities, in row order, flat."""
        result: list[arb] = []
        for row, scale in enumerate(self.scales(reduction)):
            if self.block.operation != "log_loss" and self.rows[row] is None:
                result += [arb.nan()] * self.block.classes
                continue
            factors = self._target_factors(row)
            result += [self.product(scale * f, n) for f, n in zip(factors, self.terms(row), strict=True)]
        return result

    def _target_factors(self, row: int) -> list[arb]:
        """∂a_c/∂q_c of every class."""
        block, policies = self.block, self.policies
        problem = int(block.problem_of_row[row])
        weights = [arb(1)] * block.classes if block.weight is None else list(map(arb, block.weight[problem].tolist()))
        epsilon = arb(0) if block.smoothing is None else arb(float(block.smoothing[problem]))
        spared = ZERO
        if policies.label_smoothing_mass == "other-classes":
            spared = epsilon / max(block.classes - 1, 1)
        shares = weights if policies.label_smoothing_weights == "weighted" else [arb(1)] * block.classes
        return [(1 - epsilon) * w - spared * share for w, share in zip(weights, shares, strict=True)]


def _centred(p: list[arb], values: list[arb]) -> list[arb]:
    mean = sum((q * u for q, u in zip(p, values, strict=True)), ZERO)
    return [u - mean for u in values]


def _normaliser(operation: str, p: list[arb], gap: list[arb], v: list[arb]) -> list[arb]:
    if operation == "log_softmax":
        mass = sum(v, ZERO)
        return [-mass * q * g for q, g in zip(p, gap, strict=True)]
    products = [g * u for g, u in zip(gap, _centred(p, v), strict=True)]
    return [q * u for q, u in zip(p, _centred(p, products), strict=True)]
