"""Truth and bounds of a block, computed once and shared by every backend that is held against them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from conformance.bounds.classes import Letter, arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.judge.comparison import Comparison, Segments, compare
from conformance.judge.resolve import Resolution
from conformance.numerics.formats import FORMATS, DtypeName, Float64Array
from conformance.oracle.block import Block
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.policies import NORMATIVE, Policies
from conformance.oracle.truth import Truth

__all__ = ["Prepared", "Quantity"]

T = TypeVar("T")
Quantity = str  # "value" or "gradient"


@dataclass(eq=False)
class Prepared:
    """A block with its truth under ``policies``; every array is flat and aligned with the block's rows."""

    block: Block
    policies: Policies = NORMATIVE
    flushed: bool = False
    resolutions: tuple[Resolution, ...] = ()
    _cache: dict[tuple[str, ...], object] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.truth = Truth(self.block, self.policies)

    @property
    def dtype(self) -> DtypeName:
        """The dtype under test."""
        return self.block.dtype

    def named(self, reduction: str) -> str:
        """The reduction that ``default`` stands for under the policies."""
        return self.policies.default_reduction if reduction == "default" else reduction

    def segments(self, quantity: Quantity, reduction: str) -> Segments:
        """Where each problem's elements lie in the flat arrays."""
        reduction = self.named(reduction)
        counts = self.block.counts.astype(np.intp)
        if quantity == "gradient" or not self.block.reduces:
            counts = counts * self.block.classes
        elif reduction != "none":
            counts = np.ones_like(counts)
        starts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.intp)
        return Segments(starts, counts)

    def exact(self, quantity: Quantity, reduction: str) -> Enclosure:
        """The enclosures, flat."""
        reduction = self.named(reduction)
        return self._once(("exact", quantity, reduction), lambda: self._exact(quantity, reduction))

    def tolerance(self, quantity: Quantity, reduction: str, letter: Letter) -> Float64Array:
        """The absolute bounds of a class, flat."""
        reduction = self.named(reduction)
        return self._once(
            ("tolerance", quantity, reduction, letter), lambda: self._tolerance(quantity, reduction, letter)
        )

    def adopt(self, letter: Letter, bounds: Tolerance) -> None:
        """Take ``bounds`` for those of a class: of positions that are part of a larger whole, say."""
        self._cache["kind", letter] = bounds

    def judged(self, reduction: str) -> npt.NDArray[np.bool_] | None:
        """Elements of the gradient that are defined, flat; None where all are."""
        rows = self._once(("judged", reduction), lambda: self._judged_rows(reduction))
        return None if rows.all() else np.repeat(rows, self.block.classes)

    def _judged_rows(self, reduction: str) -> npt.NDArray[np.bool_]:
        """Not the rows whose loss is NaN, by the formula or by a policy on bad labels."""
        rows = self.truth.judged(reduction)
        for resolution in self.resolutions:
            if resolution.marked is not None and np.isnan(resolution.mark):
                rows = rows & ~resolution.marked
        return rows

    def compare(self, quantity: Quantity, reduction: str, observed: Float64Array, declared: Letter) -> Comparison:
        """Flat observed numbers against the truth, as :func:`conformance.judge.comparison.compare` does."""
        return compare(
            observed,
            self.exact(quantity, reduction),
            lambda letter: self.tolerance(quantity, reduction, letter),
            self.segments(quantity, reduction),
            dtype=self.dtype,
            declared=declared,
            judged=self.judged(reduction) if quantity == "gradient" else None,
            refine=lambda index: self._refine(quantity, reduction, index),
        )

    def forgive_overflow(
        self, quantity: Quantity, reduction: str, observed: Float64Array, declared: Letter
    ) -> Float64Array:
        """Observed infinities that an overflowing intermediate of a sound evaluation explains, replaced by the truth.

        The intermediates are the difference of two logits, the sum of the terms or losses, and the sum of the
        weights, in the
        declared class's format. Where the terms have both signs either infinity, or NaN, may come of it.
        """
        exact = self.exact(quantity, reduction)
        largest = arithmetic(declared, self.dtype).compute.largest
        stressed, mixed = self._stress(reduction, largest)
        segments = self.segments(quantity, reduction)
        stressed, mixed = np.repeat(stressed, segments.counts), np.repeat(mixed, segments.counts)
        with np.errstate(invalid="ignore"):
            signed = np.isinf(observed) & (mixed | (np.sign(observed) == np.sign(exact.mid)))
        excused = stressed & np.isfinite(exact.mid) & (signed | (mixed & np.isnan(observed)))
        return np.where(excused, exact.mid, observed)

    def _stress(self, reduction: str, largest: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Problems whose intermediates may exceed ``largest``, and those whose terms have both signs, (n,)."""
        block, at = self.block, self.truth.fast.positions
        d = np.where(np.isfinite(block.x), at.d, 0.0).max(axis=1, initial=0.0)  # in float64 it may itself overflow
        gap = np.zeros(len(block.counts))
        np.maximum.at(gap, block.problem_of_row, d)
        stressed, mixed = gap > largest, np.zeros(len(gap), dtype=np.bool_)
        if block.operation == "nll_loss_of_log_softmax":  # which stores the log-probabilities
            stressed |= gap + at.log_s.max(initial=0.0) > FORMATS[self.dtype].largest
        if block.reduces:
            loss = np.where(np.isfinite(self.truth.fast.loss.mid), self.truth.fast.loss.mid, 0.0)
            positive, negative = block.total(np.maximum(loss, 0.0)), block.total(np.maximum(-loss, 0.0))
            weights = block.total(np.abs(block.target_weight)) if block.by_index else block.counts
            stressed |= (reduction != "none") & (((positive + negative) * 1.01 > largest) | (weights > largest))
            mixed = (positive > 0) & (negative > 0)
        return stressed, mixed

    def _once(self, key: tuple[str, ...], compute: Callable[[], T]) -> T:
        found: Any = self._cache.get(key)
        if found is None:
            with self._lock:
                found = self._cache.get(key)
                if found is None:
                    with np.errstate(all="ignore"):
                        found = compute()
                    self._cache[key] = found
        result: T = found
        return result

    def _exact(self, quantity: Quantity, reduction: str) -> Enclosure:
        result = self.truth.value(reduction) if quantity == "value" else self.truth.gradient(reduction)
        flat = Enclosure(
            result.mid.reshape(-1), result.rad.reshape(-1), None if result.tail is None else result.tail.reshape(-1)
        )
        if quantity == "value":
            return self._marked(flat, reduction)
        for resolution in self.resolutions:
            if resolution.marked is not None and not np.isnan(resolution.mark):
                flat = flat.where(np.repeat(resolution.marked, self.block.classes), 0.0)
        return flat

    def _marked(self, value: Enclosure, reduction: str) -> Enclosure:
        """Losses that a policy sets: those of labels out of range. Only single problems are resolved so."""
        marked = [(i, r) for i, r in enumerate(self.resolutions) if r.marked is not None]
        for _, resolution in marked:
            assert resolution.marked is not None and len(self.resolutions) == 1
            loss = self.truth.value("none").where(resolution.marked, resolution.mark)
            if reduction == "none":
                return loss
            total = float(loss.mid.sum())
            count = float(self.block.counts[0])
            total = total / count if reduction == "mean" else total
            return Enclosure.of(np.array([total]), np.array([float(loss.rad.sum()) + 1e-15 * abs(total)]))
        return value

    def _tolerance(self, quantity: Quantity, reduction: str, letter: Letter) -> Float64Array:
        kind = self._once(("kind", letter), lambda: Tolerance(self.truth, arithmetic(letter, self.dtype), self.flushed))
        result = kind.value(reduction) if quantity == "value" else kind.gradient(reduction)
        return result.reshape(-1)

    def _refine(self, quantity: Quantity, reduction: str, index: npt.NDArray[np.intp]) -> Enclosure:
        """Chosen elements anew in Arb at 200 bits, problem by problem."""
        from conformance.oracle.exact import ExactTruth

        reduction = self.named(reduction)
        segments = self.segments(quantity, reduction)
        owner = np.searchsorted(segments.starts + segments.counts, index, side="right")
        mid, rad, tail = (np.zeros(len(index)) for _ in range(3))
        for which in np.unique(owner):
            exact = ExactTruth(Block((self.block.problems[int(which)],)), self.policies, precision=200)
            result = exact.value(reduction) if quantity == "value" else exact.gradient(reduction)
            here = owner == which
            local = index[here] - segments.starts[which]
            mid[here] = result.mid.reshape(-1)[local]
            rad[here] = result.rad.reshape(-1)[local]
            if result.tail is not None:
                tail[here] = result.tail.reshape(-1)[local]
        return Enclosure(mid, rad, tail)
