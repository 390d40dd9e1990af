"""What common mistakes give for a problem, so that a reader recognises his own number.

Each is the definition with one thing changed, in float64: good for recognition, never for a verdict. Two re-create
what goes wrong inside, in the arithmetic of the dtype under test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from conformance.cases.resolve import resolve
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Problem
from conformance.numerics.formats import FORMATS, Float64Array, nearest, round_to, widen
from conformance.oracle.block import Block, from_rows, to_rows
from conformance.oracle.directions import FastTruth
from conformance.oracle.steps import plain

__all__ = ["Mistake", "mistakes"]

#: Numbers that are shown of a result with many.
SHOWN = 4
#: A mistake whose every number is this close to the truth does not show in the case.
SAME = 1e-9
#: Problems with more logits than this are not a reader's.
LARGE = 1 << 16


@dataclass(frozen=True)
class Mistake:
    """What was done wrong, and what that gives: the first numbers of the result, and how many more there are."""

    name: str
    values: tuple[str, ...]
    more: int = 0


def mistakes(problem: Problem, reduction: str, policies: Policies = NORMATIVE) -> tuple[Mistake, ...]:
    """Every common mistake that shows in ``problem``; none where there is no result to mistake, or it is large."""
    resolution = resolve(problem, policies)
    if resolution.must_raise or resolution.undefined or not 0 < resolution.problem.logits.size <= LARGE:
        return ()
    reduction = policies.default_reduction if reduction == "default" else reduction
    block = Block((resolution.problem,))
    if not np.isfinite(np.max(_rows(block), axis=1)).all():
        return ()
    with np.errstate(all="ignore"):
        made = _Losses(block, reduction) if block.reduces else _Normalised(block)
        truth = made.value()
        return tuple(_shown(name, value) for name, value in made.mistaken() if _differs(value, truth))


def _rows(block: Block) -> Float64Array:
    """The logits of every position, (P, C); zeros where the position is ignored, whatever it holds."""
    return np.where(block.ignored[:, None], 0.0, block.x) if block.reduces else block.x


def _differs(value: Float64Array, truth: Float64Array) -> bool:
    if value.shape != truth.shape:
        return True
    close = np.isclose(value, truth, rtol=SAME, atol=0.0, equal_nan=True)
    return not bool(close.all())


def _shown(name: str, value: Float64Array) -> Mistake:
    flat = value.reshape(-1).tolist()
    return Mistake(name, tuple(plain(float(f"{each:.8g}")) for each in flat[:SHOWN]), max(len(flat) - SHOWN, 0))


def _log_softmax(x: Float64Array, axis: int = -1) -> Float64Array:
    d = x - x.max(axis=axis, keepdims=True)
    shifted: Float64Array = d - np.log(np.exp(d).sum(axis=axis, keepdims=True))
    return shifted


def _other_axes(problem: Problem) -> Iterator[tuple[int, Float64Array]]:
    """For every axis but the class axis: −log_softmax along it, arranged as the block's rows."""
    axis = problem.class_axis or 0
    x = widen(problem.logits)
    for other in range(x.ndim):
        if other != axis:
            yield other, -widen(to_rows(_log_softmax(x, other), axis))


def _unshifted(block: Block) -> Float64Array:
    """−log softmax with exp taken of the logits as they are, every step rounded to the dtype."""
    powers = widen(round_to(np.exp(_rows(block)), block.dtype))
    total = widen(round_to(powers.sum(axis=1, keepdims=True), block.dtype))
    return -np.log(widen(round_to(powers / total, block.dtype)))


def _large_minus_large(block: Block) -> Float64Array:
    """−log softmax as (a + ln s) − x, each rounded to the dtype: digits are lost where the logits are large."""
    x = _rows(block)
    top = x.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(x - top).sum(axis=1, keepdims=True))
    whole = widen(round_to(top + log_sum, block.dtype))
    return widen(round_to(whole - x, block.dtype))


def _digits_lost(block: Block, n: Float64Array, exact: Float64Array) -> bool:
    """Whether more is wrong than rounding explains, so that it is worth telling."""
    scale = np.where(np.isfinite(exact), np.abs(exact), 0.0)
    return not bool((np.abs(n - exact) <= 1e-2 * scale)[np.isfinite(exact)].all())


@dataclass(frozen=True, eq=False)
class _Normalised:
    """softmax and log_softmax."""

    block: Block

    def value(self) -> Float64Array:
        return self._of(-_log_softmax(self.block.x))

    def _of(self, n: Float64Array) -> Float64Array:
        rows = np.exp(-n) if self.block.operation == "softmax" else -n
        problem = self.block.problems[0]
        return widen(from_rows(rows, problem.logits.shape, problem.class_axis or 0))

    def mistaken(self) -> Iterator[tuple[str, Float64Array]]:
        """Each mistake with its result."""
        block, n = self.block, -_log_softmax(self.block.x)
        yield "softmax applied twice", self._of(-_log_softmax(np.exp(-n)))
        for axis, other in _other_axes(block.problems[0]):
            yield f"classes along axis {axis}", self._of(other)
        whole = _log_softmax(block.x.reshape(1, -1)).reshape(block.x.shape)
        if len(block.x) > 1:
            yield "the whole array normalised at once", self._of(-whole)
        if block.operation == "log_softmax":
            yield "logarithm to base 2", self._of(n / np.log(2.0))
            yield "logarithm to base 10", self._of(n / np.log(10.0))
            yield "softmax without the logarithm", self._of(-np.exp(-n))
        else:
            yield "powers of 2 in place of e", self._of(-_log_softmax(block.x * np.log(2.0)))
        yield f"exp without the shift, in {block.dtype}", self._if_lost(_unshifted(block), n)
        yield f"(a + ln s) − x in {block.dtype}", self._if_lost(_large_minus_large(block), n)

    def _if_lost(self, n: Float64Array, exact: Float64Array) -> Float64Array:
        return self._of(n) if _digits_lost(self.block, n, exact) else self.value()


@dataclass(frozen=True, eq=False)
class _Losses:
    """Losses: the sum of coefficients times −log p, reduced."""

    block: Block
    reduction: str

    @property
    def _problem(self) -> Problem:
        return self.block.problems[0]

    @property
    def _n(self) -> Float64Array:
        """−log p, (P, C)."""
        x = _rows(self.block)
        if self.block.operation == "log_loss":
            return -np.log(x)
        return -x if self.block.operation == "nll_loss" else -_log_softmax(x)

    def _coefficients(
        self,
        *,
        weighted: bool = True,
        epsilon: float | None = None,
        ignored: bool = True,
        other_classes: bool = False,
        shift: int = 0,
    ) -> Float64Array:
        """a_c, (P, C), by the definition with something changed."""
        block, classes = self.block, self.block.classes
        epsilon = self._problem.label_smoothing if epsilon is None else epsilon
        if block.by_index:
            q = (np.arange(classes) == ((block.targets + shift) % classes)[:, None]).astype(np.float64)
        else:
            q = block.probabilities
        if other_classes and classes > 1:
            a = np.where(q > 0, 1.0 - epsilon, epsilon / (classes - 1))
        else:
            a = (1.0 - epsilon) * q + epsilon / classes
        if weighted and block.weight is not None:
            a = a * block.weight[0]
        return a * ~block.ignored[:, None] if ignored else a

    def _losses(self, a: Float64Array, n: Float64Array) -> Float64Array:
        return np.where(a == 0.0, 0.0, a * n).sum(axis=1)

    def _reduced(self, losses: Float64Array, size: float | None = None) -> Float64Array:
        if self.reduction == "none":
            return losses
        total = losses.sum()
        if self.reduction == "sum":
            return np.array([total])
        denominator = FastTruth(self.block, NORMATIVE).denominator.mid[0] if size is None else size
        return np.array([np.float64(total) / denominator])

    def value(self) -> Float64Array:
        return self._reduced(self._losses(self._coefficients(), self._n))

    def mistaken(self) -> Iterator[tuple[str, Float64Array]]:
        """Each mistake with its result."""
        a = self._coefficients()

        def of(n: Float64Array) -> Float64Array:
            return self._reduced(self._losses(a, n))

        if self.block.operation == "log_loss":
            yield from self._about_predictions(of)
        elif self.block.operation != "nll_loss":
            yield from self._about_softmax(of)
        yield "sign forgotten", -self.value()
        yield from self._about_coefficients()
        yield from self._about_reduction()

    def _about_softmax(self, of: Callable[[Float64Array], Float64Array]) -> Iterator[tuple[str, Float64Array]]:
        block, n, x = self.block, self._n, _rows(self.block)
        yield "softmax applied twice (the logits had been through softmax already)", of(-_log_softmax(np.exp(-n)))
        if (x >= 0.0).all() and (x <= 1.0).all():
            yield "−ln of the input, as if it were a probability", of(-np.log(x))
        yield "logarithm to base 2", of(n / np.log(2.0))
        yield "logarithm to base 10", of(n / np.log(10.0))
        yield "no logarithm: nll_loss fed with softmax", of(-np.exp(-n))
        yield "no softmax: nll_loss fed with the logits", of(-x)
        for axis, other in _other_axes(self._problem):
            yield f"classes along axis {axis}", of(other)
        for name, wrong in (
            (f"exp without the shift, in {block.dtype}", _unshifted(block)),
            (f"(a + ln s) − x in {block.dtype}", _large_minus_large(block)),
        ):
            if _digits_lost(block, wrong, n):
                yield name, of(wrong)

    def _about_predictions(self, of: Callable[[Float64Array], Float64Array]) -> Iterator[tuple[str, Float64Array]]:
        p, n, dtype = _rows(self.block), self._n, self.block.dtype
        yield "probabilities taken for logits", of(-_log_softmax(p))
        yield "probabilities taken for log-probabilities", of(-p)
        yield "logarithm to base 2", of(n / np.log(2.0))
        yield "logarithm to base 10", of(n / np.log(10.0))
        for name, least in (("1e-7", 1e-7), (f"the spacing of {dtype} at 1", 2.0 * FORMATS[dtype].unit_roundoff)):
            clipped = np.clip(p, nearest(least, dtype), nearest(1.0 - least, dtype))
            yield f"probabilities clipped by {name}", of(-np.log(clipped))
        yield "an epsilon of 1e-7 added to the probabilities", of(-np.log(p + 1e-7))
        yield "probabilities divided by their sum", of(-np.log(p / p.sum(axis=1, keepdims=True)))

    def _about_coefficients(self) -> Iterator[tuple[str, Float64Array]]:
        block, n = self.block, self._n
        if block.by_index and block.classes > 1:
            yield "targets counted from 1", self._reduced(self._losses(self._coefficients(shift=-1), n))
        if block.weight is not None:
            unweighted = self._losses(self._coefficients(weighted=False), n)
            yield "weight left out", self._reduced(unweighted, self._valid if block.by_index else None)
        if self._problem.label_smoothing:
            yield "label smoothing left out", self._reduced(self._losses(self._coefficients(epsilon=0.0), n))
            if block.by_index:
                shared = self._coefficients(other_classes=True)
                yield "ε shared by the other C − 1 classes", self._reduced(self._losses(shared, n))
        if block.by_index and block.ignored.any():
            counted = self._losses(self._coefficients(ignored=False), n)
            yield "ignored positions taken as class 0", self._reduced(counted, float(len(block.x)))

    @property
    def _valid(self) -> float:
        return float((~self.block.ignored).sum())

    def _about_reduction(self) -> Iterator[tuple[str, Float64Array]]:
        losses = self._losses(self._coefficients(), self._n)
        if self.reduction == "mean":
            yield "mean over N, all positions", self._reduced(losses, float(len(losses)))
            yield "mean over the valid positions, weights not counted", self._reduced(losses, self._valid)
            yield "mean over positions and classes", self._reduced(losses, float(self.block.x.size))
            yield "sum in place of mean", np.array([losses.sum()])
        elif self.reduction == "sum":
            yield "mean in place of sum", np.array([losses.sum() / max(len(losses), 1)])
