"""Truth and bounds of a block, computed once and shared by every backend that is held against them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.cases.resolve import Marked, Resolution
from conformance.judge.comparison import BlockComparison, Segments, compare
from conformance.judge.indeterminate import indeterminate
from conformance.judge.overflow import overflown, stress
from conformance.model.classes import Letter
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Array, Problem
from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.numerics.formats import DtypeName, Float64Array, widen
from conformance.oracle.block import Block, to_rows
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.exact_directions import ExactTruth
from conformance.oracle.truth import Truth

__all__ = ["Prepared", "flattened", "in_row_order"]

Booleans = npt.NDArray[np.bool_]
T = TypeVar("T")
MOST_SHARP = 4096  # elements of a result that are worth Arb's time


def in_row_order(problem: Problem, array: Array, quantity: Quantity = "value") -> Float64Array:
    """A result flat in float64: position by position, the classes of each together where the result has them."""
    return widen(flattened(problem, array, quantity))


def flattened(problem: Problem, array: Array, quantity: Quantity) -> Array:
    """A result flat in its own dtype, in the order of :func:`in_row_order`."""
    axis = problem.class_axis or 0
    if axis != array.ndim - 1 and (quantity in OF_LOGITS or not problem.takes_targets):
        array = to_rows(array, axis)
    return array.reshape(-1)


@dataclass(eq=False)
class Prepared:
    """A block with its truth under ``policies``; every array is flat, in float64, and in the order of its rows."""

    block: Block
    policies: Policies = NORMATIVE
    flushed: bool = False
    resolutions: tuple[Resolution, ...] = ()
    _cache: dict[tuple[str, ...], object] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        assert len(self.resolutions) < 2 or all(each.marked is None for each in self.resolutions)
        self.truth = Truth(self.block, self.policies)

    @property
    def dtype(self) -> DtypeName:
        """The dtype under test."""
        return self.block.dtype

    def dtype_of(self, quantity: Quantity) -> DtypeName:
        """The dtype whose bounds a quantity is held to: that under test, unless a policy has the value be wider."""
        held_to = self.block.problems[0].held_to
        return self.dtype if held_to is None or quantity in OF_LOGITS else held_to

    def named(self, reduction: str) -> str:
        """The reduction that ``default`` stands for under the policies."""
        return self.policies.default_reduction if reduction == "default" else reduction

    def segments(self, quantity: Quantity, reduction: str) -> Segments:
        """Where each problem's elements lie in the flat arrays."""
        reduction = self.named(reduction)
        counts = self.block.counts.astype(np.intp)
        if quantity in OF_LOGITS or not self.block.reduces:
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

    def sharpest(self, quantity: Quantity, reduction: str, here: slice) -> Enclosure:
        """The enclosures of some elements, each that is finite as narrow as float64 has it, where they are few."""
        exact = self.exact(quantity, reduction)[here]
        loose = np.flatnonzero(np.isfinite(exact.mid) & (exact.rad > 0.0))
        if not len(loose) or self.dtype == "float64" or len(exact.mid) > MOST_SHARP or self._marked is not None:
            return exact
        sharp = self._refine(quantity, reduction, loose + here.start)
        mid, rad = exact.mid.copy(), exact.rad.copy()
        mid[loose], rad[loose] = sharp.mid, sharp.rad
        return Enclosure(mid, rad)

    @property
    def _marked(self) -> Marked | None:
        """The losses that a policy gives: those of labels out of range. Only single problems are resolved so."""
        return self.resolutions[0].marked if len(self.resolutions) == 1 else None

    def adopt(self, letter: Letter, bounds: Tolerance) -> None:
        """Take ``bounds`` for those of a class: of positions that are part of a larger whole, say."""
        self._cache["kind", letter] = bounds

    def judged(self, quantity: Quantity, reduction: str) -> Booleans | None:
        """Elements of a derivative that are defined, flat; None where all are, and for the value."""
        if quantity == "value":
            return None
        rows = self._once(("judged", reduction), lambda: self._judged_rows(reduction))
        if rows.all() and quantity != "jvp":
            return None
        if quantity in OF_LOGITS or not self.block.reduces:
            return np.repeat(rows, self.block.classes)
        if reduction == "none":
            return rows
        whole = self.block.total((~rows).astype(np.float64)) == 0.0
        return whole & (self.truth.fast.denominator.mid != 0.0) if reduction == "mean" else whole

    def _judged_rows(self, reduction: str) -> Booleans:
        """Not the rows whose loss is NaN, by the formula or by a policy on bad labels."""
        rows, marked = self.truth.judged(reduction), self._marked
        return rows if marked is None else rows & ~np.isnan(marked.loss)

    def compare(
        self, quantity: Quantity, reduction: str, observed: Float64Array, declared: Letter, *, overflow: bool = False
    ) -> BlockComparison:
        """Flat observed numbers against the truth, as :func:`conformance.judge.comparison.compare` does.

        ``overflow``: any intermediate may overflow, by a policy.
        """
        return compare(
            observed,
            self.exact(quantity, reduction),
            lambda letter: self.tolerance(quantity, reduction, letter),
            self.segments(quantity, reduction),
            dtype=self.dtype_of(quantity),
            declared=declared,
            admitted=self._admitted(quantity, reduction, observed, declared, overflow=overflow),
            refine=None if self._marked is not None else lambda index: self._refine(quantity, reduction, index),
        )

    def _admitted(
        self, quantity: Quantity, reduction: str, observed: Float64Array, declared: Letter, *, overflow: bool
    ) -> Booleans | None:
        """The elements that are right as they are, flat: where nothing is defined, and where sound evaluations differ.

        None: none.
        """
        exact, named = self.exact(quantity, reduction).mid, self.named(reduction)
        judged = self.judged(quantity, reduction)
        found = [None if judged is None else ~judged]
        if quantity == "value" and named == "mean" and self.block.reduces:
            found.append(self._divided_by_zero(observed, exact))
        with np.errstate(all="ignore"):
            found.append(indeterminate(self.truth, quantity, named, observed, exact, flushed=self.flushed))
        # The caller holds what the first of two functions gives in the dtype: that it is infinite is nobody's choice.
        if overflow or self.block.operation == "nll_loss_of_log_softmax":
            found.append(self.overflown(quantity, reduction, observed, declared, stored_only=not overflow))
        known = [each for each in found if each is not None]
        return np.logical_or.reduce(known) if known else None

    def _divided_by_zero(self, observed: Float64Array, exact: Float64Array) -> Booleans | None:
        """Means of which the weights sum to 0 and the losses do not (label smoothing): x/0 is an infinity.

        The policy's NaN is that of 0/0, and of an evaluation that adds two quotients; either is sound.
        """
        weightless = self.truth.degenerate[-1][0]
        if self.policies.mean_of_zero_weight != "nan" or not weightless.any():
            return None
        total = self.truth.value("sum").mid
        infinite = np.isinf(observed) & (np.sign(observed) == np.sign(total)) & (total != 0)
        return np.asarray(weightless & infinite & np.isnan(exact))

    def overflown(
        self, quantity: Quantity, reduction: str, observed: Float64Array, declared: Letter, *, stored_only: bool = False
    ) -> Booleans | None:
        """Elements, flat, that an overflowing intermediate of a sound evaluation explains; None: none.

        The intermediates are those of the declared class's format; with ``stored_only``, the result of the first of two
        functions alone.
        """
        if np.isfinite(observed).all():
            return None
        largest = arithmetic(declared, self.dtype_of(quantity)).compute.largest
        exact, counts = self.exact(quantity, reduction).mid, self.segments(quantity, reduction).counts
        with np.errstate(all="ignore"):
            return overflown(
                self.truth, quantity, self.named(reduction), observed, exact, counts, largest, stored_only=stored_only
            )

    def mean_raises(self, reduction: str) -> bool:
        """Whether a mean has no value, and the policies say that it raises."""
        if self.named(reduction) != "mean" or not self.block.reduces:
            return False
        return any(mask.any() and policy == "raise" for mask, policy in self.truth.degenerate)

    def is_stressed(self, reduction: str, largest: float) -> bool:
        """Whether an intermediate of some sound evaluation exceeds ``largest`` although every result is finite."""
        exact = np.abs(self.exact("value", reduction).mid)
        with np.errstate(all="ignore"):
            stressed, _ = stress(self.truth, self.named(reduction), largest)
        return bool(stressed.any() and (exact <= largest).all())

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
        result: Enclosure = getattr(self.truth, quantity)(reduction)
        flat = Enclosure(
            result.mid.reshape(-1), result.rad.reshape(-1), None if result.tail is None else result.tail.reshape(-1)
        )
        marked = self._marked
        if marked is None or quantity == "jvp":
            return flat
        if quantity == "value":
            losses = self.truth.value("none").where(marked.rows, marked.loss)
            return self.truth.fast.reduced(losses, reduction)
        return flat.where(np.repeat(marked.rows & ~np.isnan(marked.loss), self.block.classes), 0.0)

    def _tolerance(self, quantity: Quantity, reduction: str, letter: Letter) -> Float64Array:
        dtype = self.dtype_of(quantity)
        kind = self._once(
            ("kind", letter) if dtype == self.dtype else ("kind", letter, dtype),
            lambda: Tolerance(self.truth, arithmetic(letter, dtype), self.flushed, self._marked),
        )
        result: Float64Array = getattr(kind, quantity)(reduction)
        return result.reshape(-1)

    def _refine(self, quantity: Quantity, reduction: str, index: npt.NDArray[np.intp]) -> Enclosure:
        """Chosen elements anew in Arb at 200 bits, problem by problem."""
        reduction = self.named(reduction)
        segments = self.segments(quantity, reduction)
        owner = np.searchsorted(segments.starts + segments.counts, index, side="right")
        mid, rad, tail = (np.zeros(len(index)) for _ in range(3))
        for which in np.unique(owner):
            exact = ExactTruth(Block((self.block.problems[int(which)],)), self.policies, precision=200)
            result: Enclosure = getattr(exact, quantity)(reduction)
            here = owner == which
            local = index[here] - segments.starts[which]
            mid[here] = result.mid.reshape(-1)[local]
            rad[here] = result.rad.reshape(-1)[local]
            if result.tail is not None:
                tail[here] = result.tail.reshape(-1)[local]
        return Enclosure(mid, rad, tail)
