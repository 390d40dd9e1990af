"""Sound evaluations: the same formulas in the orders of summation that real kernels use, in float32 (float64 for
float64).

Each is what a good implementation may do. Whoever judges them must find no fault.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from conformance.backends.adapters.numpy import Numpy
from conformance.profiles.profile import Declared
from tests.yardstick.kernel import Kernel

__all__ = [
    "SOUND",
    "Blocked",
    "CopiesStrided",
    "Descending",
    "Flushed",
    "FreedMemoryUsedAgain",
    "FromLogarithms",
    "Fused",
    "HalfIntermediates",
    "Halves",
    "InOneWorkspace",
    "Online",
    "Pairwise",
    "ResultsFromTheirEnd",
    "ResultsInFortranOrder",
    "ResultsThatCannotBeWrittenTo",
    "Reversed",
    "Sequential",
    "Streamed",
]

#: References to a block that nobody else holds: the pool's, the loop's and that of the call that counts them.
HELD_BY_THE_POOL = 3


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


class Halves(Pairwise):
    """Runs of eight terms in order, then each half by itself, and both."""

    def total(self, terms: Any) -> Any:
        runs = 1 << max(-(-terms.shape[-1] // 8) - 1, 0).bit_length()
        padding = np.zeros((*terms.shape[:-1], 8 * runs - terms.shape[-1]), terms.dtype)
        rows = np.concatenate([terms, padding], axis=-1).reshape(*terms.shape[:-1], runs, 8)
        return super().total(np.add.accumulate(rows, axis=-1, dtype=terms.dtype)[..., -1])


class Reversed(Sequential):
    """One accumulator, from the last term to the first."""

    def total(self, terms: Any) -> Any:
        return super().total(terms[..., ::-1])


class Fused(Kernel):
    """Products and the sums that they enter are rounded once, as by fused multiply-add."""

    def fused(self, a: Any, b: Any, c: Any) -> Any:
        """a·b + c, rounded once (float32 by way of float64: twice in one of 2^29 cases, which the bounds allow)."""
        wide = np.longdouble if a.dtype == np.float64 else np.float64
        return (a.astype(wide) * b.astype(wide) + c.astype(wide)).astype(a.dtype)

    def slope(self, ask: Any, a: Any, p: Any) -> Any:
        return self.fused(np.broadcast_to(self.total(a)[:, np.newaxis], p.shape), p, -a)

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        return self.fused(-p, np.broadcast_to(self.total(v)[:, np.newaxis], p.shape), v)

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        m = np.zeros_like(p[:, 0])
        for place in range(p.shape[1] if p.shape[1] <= 256 else 0):
            m = self.fused(p[:, place], v[:, place], m)
        m = m if p.shape[1] <= 256 else self.total(p * v)
        return p * (v - m[:, np.newaxis])


class HalfIntermediates(Kernel):
    """Half types: every intermediate is rounded to the half type, sums are wider; declares class D, and overflow."""

    classes: ClassVar[dict[str, dict[str, str]]] = {"all": {"float16": "D", "bfloat16": "D"}}
    policies: ClassVar[dict[str, Declared]] = {
        "intermediate-overflow": Declared(value="inf", documentation="undocumented")
    }
    narrow: Any = np.float32

    def compute(self, dtype: Any) -> Any:
        self.narrow = dtype
        return super().compute(dtype)

    def rounded(self, array: Any) -> Any:
        return np.asarray(array).astype(self.narrow).astype(np.asarray(array).dtype)

    def exp(self, x: Any) -> Any:
        return self.rounded(super().exp(self.rounded(x)))

    def log_probabilities(self, x: Any) -> Any:
        top, total = self.normaliser(x)
        return self.rounded(self.rounded(x - top) - self.rounded(self.log(total)))

    def losses(self, ask: Any, a: Any, log_probabilities: Any) -> Any:
        return self.rounded(super().losses(ask, a, log_probabilities))

    def slope(self, ask: Any, a: Any, p: Any) -> Any:
        return super().slope(ask, a, self.rounded(p))


class Flushed(Kernel):
    """float32 numbers below the least normal one are 0, inside bfloat16 results too; declares it."""

    policies: ClassVar[dict[str, Declared]] = {
        "subnormal-results": Declared(value={"float32": "flushed", "bfloat16": "flushed"}, documentation="undocumented")
    }

    def flushed(self, array: Any) -> Any:
        if array.dtype.name not in ("float32", "bfloat16"):  # whose least normal numbers are the same
            return array
        small = np.abs(array.astype(np.float32)) < np.finfo(np.float32).tiny
        return np.where(small, array.dtype.type(0), array)

    def exp(self, x: Any) -> Any:
        return self.flushed(super().exp(x))

    def stored(self, result: Any, dtype: Any) -> Any:
        return self.flushed(super().stored(result, dtype))


class CopiesStrided(Kernel):
    """Every operand that is not a contiguous block is copied into one first."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        return super().rows(np.ascontiguousarray(array).reshape(array.shape), axis, dtype)

    def given(self, given: Any) -> Any:
        arrays = {"targets": given.targets, "weight": given.weight}
        copies = {name: each.copy() for name, each in arrays.items() if isinstance(each, np.ndarray)}
        return replace(given, **copies)


class InOneWorkspace(Kernel):
    """Value and gradient are parts of one buffer, one behind the other, whose rows are padded."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        value, shape = np.asarray(value), gradient.shape
        if not gradient.size or not gradient.ndim:
            return value, gradient
        rows = (*shape[:-1], shape[-1] + 3)
        room = np.zeros(value.size + int(np.prod(rows)), gradient.dtype)
        first, second = room[: value.size].reshape(value.shape), room[value.size :].reshape(rows)[..., :-3]
        first[...], second[...] = value, gradient
        return first, second


class ResultsInFortranOrder(Kernel):
    """Results lie in Fortran order, as the transposed output of a product of matrices does."""

    def stored(self, result: Any, dtype: Any) -> Any:
        return np.array(super().stored(result, dtype), order="F")

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        return np.array(super().restored(rows, like, axis), order="F")


class ResultsThatCannotBeWrittenTo(Kernel):
    """Results are immutable, and those of equal numbers are the same object."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.known: dict[Any, Any] = {}

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        found = super().restored(rows, like, axis)
        if found.size > 64:
            return found
        found.flags.writeable = False
        return self.known.setdefault((found.tobytes(), found.shape, found.dtype), found)


class FreedMemoryUsedAgain(Kernel):
    """The memory of a result is used again once nobody holds it, as a caching allocator does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pool: dict[Any, list[Any]] = {}

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        found = super().restored(rows, like, axis)
        pool = self.pool.setdefault((found.shape, found.dtype), [])
        for block in pool:
            if sys.getrefcount(block) == HELD_BY_THE_POOL:
                block[...] = found
                return block
        if len(pool) < 64:
            pool.append(found)
        return found


class ResultsFromTheirEnd(Kernel):
    """Results lie in memory from their last number to their first."""

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        found = super().restored(rows, like, axis)
        if not found.ndim:
            return found
        backwards = np.empty_like(found)[(slice(None, None, -1),) * found.ndim]
        backwards[...] = found
        return backwards


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
    Halves,
    Reversed,
    Fused,
    HalfIntermediates,
    Flushed,
    CopiesStrided,
    InOneWorkspace,
    ResultsInFortranOrder,
    ResultsThatCannotBeWrittenTo,
    FreedMemoryUsedAgain,
    ResultsFromTheirEnd,
)
