"""The definition of the operations, line by line in mpmath: an independent check, without shifts or any other care.

Finite results only; the working precision makes up for the cancellation.
"""

from __future__ import annotations

from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np

from conformance.model.problem import Problem
from conformance.numerics.formats import widen

__all__ = ["gradient", "value"]


class Rows:
    """One problem with the class axis moved last: rows of ``mpf``."""

    def __init__(self, made: Problem) -> None:
        axis = made.class_axis or 0
        self.made = made
        self.x = self._rows(made.logits, axis)
        self.rows, self.classes = len(self.x), len(self.x[0])
        weight = np.ones(self.classes) if made.weight is None else widen(made.weight)
        self.weight = list(map(mpmath.mpf, weight.tolist()))
        self.by_index = made.target_kind == "indices"
        self.y: Any = None
        if made.targets is not None:
            self.y = np.asarray(made.targets).reshape(-1) if self.by_index else self._rows(made.targets, axis)
        ignored = made.ignore_index if self.by_index else None
        self.valid = [ignored is None or int(self.y[r]) != ignored for r in range(self.rows)]

    @staticmethod
    def _rows(array: Any, axis: int) -> list[list[Any]]:
        moved = np.moveaxis(widen(np.asarray(array)), axis, -1)
        return [list(map(mpmath.mpf, row)) for row in moved.reshape(-1, moved.shape[-1]).tolist()]

    def softmax(self, r: int) -> list[Any]:
        powers = [mpmath.exp(v) for v in self.x[r]]
        total = mpmath.fsum(powers)
        return [p / total for p in powers]

    def log_softmax(self, r: int) -> list[Any]:
        lse = mpmath.log(mpmath.fsum(mpmath.exp(v) for v in self.x[r]))
        return [v - lse for v in self.x[r]]

    def coefficients(self, r: int) -> list[Any]:
        epsilon = mpmath.mpf(self.made.label_smoothing)
        if not self.valid[r]:
            return [mpmath.mpf(0)] * self.classes
        hot = [mpmath.mpf(int(self.by_index and c == int(self.y[r]))) for c in range(self.classes)]
        q = hot if self.by_index else self.y[r]
        return [w * ((1 - epsilon) * v + epsilon / self.classes) for w, v in zip(self.weight, q, strict=True)]

    def logarithms(self, r: int) -> list[Any]:
        if self.made.operation == "log_loss":
            return [mpmath.log(p) if p else mpmath.mpf("-inf") for p in self.x[r]]
        return self.x[r] if self.made.operation == "nll_loss" else self.log_softmax(r)

    def losses(self) -> list[Any]:
        result = []
        for r in range(self.rows):
            logs = self.logarithms(r)
            terms = zip(self.coefficients(r), logs, strict=True)
            result.append(-mpmath.fsum(a * n for a, n in terms if a != 0))
        return result

    def denominator(self) -> Any:
        if not self.by_index:
            return mpmath.mpf(self.rows)
        return mpmath.fsum(self.weight[int(self.y[r])] for r in range(self.rows) if self.valid[r])


def value(made: Problem, reduction: str, digits: int = 60) -> list[Any]:
    """Flat, in row order."""
    with mpmath.workdps(digits):
        w = Rows(made)
        if made.operation in ("softmax", "log_softmax"):
            function = w.softmax if made.operation == "softmax" else w.log_softmax
            return [v for r in range(w.rows) for v in function(r)]
        losses = w.losses()
        if reduction == "none":
            return losses
        total = mpmath.fsum(losses)
        return [total if reduction == "sum" else total / w.denominator()]


def gradient(made: Problem, reduction: str, digits: int = 60) -> list[Any]:
    """With respect to the logits, flat in row order, by the definition's formulas."""
    with mpmath.workdps(digits):
        w = Rows(made)
        upstream = widen(made.upstream[reduction])  # type: ignore[index]
        result: list[Any] = []
        for r in range(w.rows):
            if made.operation in ("softmax", "log_softmax"):
                v = w._rows(made.upstream["none"], made.class_axis or 0)[r]
                p = w.softmax(r)
                total = mpmath.fsum(v) if made.operation == "log_softmax" else mpmath.fsum(map(mpmath.fmul, p, v))
                log = made.operation == "log_softmax"
                result += [a - b * total if log else b * (a - total) for a, b in zip(v, p, strict=True)]
                continue
            scale = mpmath.mpf(float(upstream.reshape(-1)[r if reduction == "none" else 0]))
            if reduction == "mean":
                scale /= w.denominator()
            a = w.coefficients(r)
            if made.operation == "nll_loss":
                result += [-scale * v for v in a]
                continue
            if made.operation == "log_loss":
                result += [-scale * v / p if v else mpmath.mpf(0) for v, p in zip(a, w.x[r], strict=True)]
                continue
            mass = mpmath.fsum(a)
            result += [scale * (mass * p - v) for p, v in zip(w.softmax(r), a, strict=True)]
        return result
