"""Sound evaluations: the same formulas in the orders of summation that real kernels use, in float32 (float64 for
float64).

Each is what a good implementation may do. Whoever judges them must find no fault.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.numpy import Numpy
from tests.yardstick.kernel import Kernel

__all__ = ["SOUND", "Blocked", "Descending", "FromLogarithms", "Online", "Pairwise", "Sequential", "Streamed"]


class Pairwise(Kernel):
    """Neighbours are added, then their sums, in a tree."""

    def total(self, terms: Any) -> Any:
        while terms.shape[-1] > 1:
            odd = terms[..., terms.shape[-1] // 2 * 2 :]
            terms = np.concatenate([terms[..., :-1:2] + terms[..., 1::2], odd], axis=-1)
        return terms[..., 0] if terms.shape[-1] else np.zeros(terms.shape[:-1], terms.dtype)


class Sequential(Kernel):
    """One accumulator, from the first term to the last."""

    def total(self, terms: Any) -> Any:
        if not terms.shape[-1]:
            return np.zeros(terms.shape[:-1], terms.dtype)
        return np.add.accumulate(terms, axis=-1, dtype=terms.dtype)[..., -1]


class Descending(Sequential):
    """One accumulator, the largest terms first: the small ones are lost against them."""

    def total(self, terms: Any) -> Any:
        return super().total(-np.sort(-terms, axis=-1))


class Blocked(Sequential):
    """Blocks of 32 terms, each summed in order, then the blocks."""

    def total(self, terms: Any) -> Any:
        count = -(-terms.shape[-1] // 32)
        padding = np.zeros((*terms.shape[:-1], 32 * count - terms.shape[-1]), terms.dtype)
        blocks = np.concatenate([terms, padding], axis=-1).reshape(*terms.shape[:-1], count, 32)
        return super().total(super().total(blocks))


class Online(Sequential):
    """One pass over blocks of classes: the sum so far is rescaled whenever a block raises the maximum."""

    def block(self, classes: int) -> int:
        """The width of a block of classes."""
        return 32 if classes <= 8192 else 1024

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        width = self.block(x.shape[1])
        top = np.full((len(x), 1), -np.inf, x.dtype)
        total = np.zeros((len(x), 1), x.dtype)
        for start in range(0, x.shape[1], width):
            part = x[:, start : start + width]
            higher = np.maximum(top, part.max(-1, keepdims=True))
            total = self.merged(total, top, higher) + self.part(part, higher)
            top = higher
        return top, np.where(np.isnan(top) | (np.abs(top) == np.inf), np.nan, total)

    def merged(self, total: Any, top: Any, higher: Any) -> Any:
        """The sum so far, relative to the new maximum; nothing so far is 0, whatever the maximum was."""
        return np.where(total == 0, 0, total * self.exp(top - higher)).astype(total.dtype)

    def part(self, part: Any, higher: Any) -> Any:
        """The block's own sum; a block of nothing but -inf contributes nothing."""
        d = np.where(np.isneginf(part), -np.inf, part - higher)
        return self.total(self.exp(d))[:, np.newaxis]


class Streamed(Online):
    """One pass, class by class, as far as that is bearable here."""

    def block(self, classes: int) -> int:
        return 1 if classes <= 256 else 64 if classes <= 8192 else 1024


class FromLogarithms(Kernel):
    """Softmax as the exponential of log-softmax, and 1/W as a factor."""

    def probabilities(self, x: Any) -> Any:
        return self.exp(self.log_probabilities(x))

    def reduced(self, ask: Any, losses: Any) -> Any:
        if ask.reduction != "mean":
            return super().reduced(ask, losses)
        return self.total(losses) * (losses.dtype.type(1) / self.divisor(ask))


SOUND: tuple[type[Numpy], ...] = (
    Numpy,
    Kernel,
    Pairwise,
    Sequential,
    Descending,
    Blocked,
    Online,
    Streamed,
    FromLogarithms,
)
