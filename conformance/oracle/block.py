"""Problems of one kind, stacked: every position a row, the class axis last."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from conformance.model.problem import Array, Problem
from conformance.numerics.formats import DtypeName, Float64Array, widen

__all__ = ["Block", "block_key", "blocks", "from_rows", "to_rows"]

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
#: Elements of the logits that one block holds at most, unless one problem alone is larger.
BLOCK_ELEMENTS = 1 << 14


def to_rows(array: Array, axis: int) -> Array:
    """An array with the logits' shape, of any dtype, as (positions, classes)."""
    if array.ndim == 0:
        return array.reshape(1, 1)
    if axis != array.ndim - 1:
        array = np.moveaxis(array, axis, -1)
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def from_rows(rows: Array, shape: tuple[int, ...], axis: int) -> Array:
    """The inverse of :func:`to_rows` for logits of ``shape``, of any dtype."""
    if not shape:
        return rows.reshape(())
    moved = (*shape[:axis], *shape[axis + 1 :], shape[axis])
    return np.moveaxis(rows.reshape(moved), -1, axis)


def block_key(problem: Problem) -> tuple[object, ...]:
    """Problems with equal keys can share a block."""
    axis = problem.class_axis or 0
    classes = problem.logits.shape[axis] if problem.logits.ndim else 1
    smooth = problem.label_smoothing != 0.0
    weighted = problem.weight is not None
    kind = (problem.target_kind, problem.probability_dtype)
    return (problem.operation, problem.dtype, classes, kind, weighted, smooth, problem.reductions)


@dataclass(frozen=True, eq=False)
class Block:
    """A stack of valid problems with equal :func:`block_key`: P rows of C classes from n problems.

    Every problem has a class axis and targets in range (or ignored). All numbers are the very values under test,
    widened to float64 exactly.
    """

    problems: tuple[Problem, ...]

    @cached_property
    def operation(self) -> str:
        """The operation of every problem."""
        return self.problems[0].operation

    @cached_property
    def dtype(self) -> DtypeName:
        """The dtype under test."""
        return self.problems[0].dtype

    @cached_property
    def reduces(self) -> bool:
        """Whether the operation is a loss."""
        return self.problems[0].takes_targets

    @cached_property
    def by_index(self) -> bool:
        """Whether targets are class indices."""
        return self.problems[0].target_kind == "indices"

    @cached_property
    def classes(self) -> int:
        """C."""
        return self.x.shape[1]

    @cached_property
    def axes(self) -> tuple[int, ...]:
        """The class axis of each problem."""
        return tuple(problem.class_axis or 0 for problem in self.problems)

    @cached_property
    def x(self) -> Float64Array:
        """Logits, (P, C); log-probabilities for nll_loss, probabilities for log_loss.

        A class that takes no part is impossible.
        """
        return self._of_those_that_take_part(self.rows([problem.logits for problem in self.problems]), -np.inf)

    @cached_property
    def _hidden(self) -> Booleans | None:
        """The classes that take no part, (P, C); None where all do."""
        if all(problem.where is None for problem in self.problems):
            return None
        masks = [np.ones(p.logits.shape, np.bool_) if p.where is None else p.where for p in self.problems]
        return self.rows(masks) == 0.0

    def _of_those_that_take_part(self, rows: Float64Array, otherwise: float) -> Float64Array:
        return rows if self._hidden is None else np.where(self._hidden, otherwise, rows)

    @cached_property
    def masked_target(self) -> Booleans:
        """Rows with a target that takes no part: an infinite loss that no logit moves, (P,)."""
        if not self.reduces or self._hidden is None:
            return np.zeros(len(self.x), dtype=np.bool_)
        if self.by_index:
            return self._hidden[np.arange(len(self._hidden)), self.targets] & ~self.ignored
        return np.asarray((self._hidden & (self.probabilities != 0.0)).any(axis=1))

    @cached_property
    def counts(self) -> Integers:
        """Positions of each problem, (n,)."""
        shapes = [(problem.logits.shape, axis) for problem, axis in zip(self.problems, self.axes, strict=True)]
        return np.array([math.prod(shape[:axis] + shape[axis + 1 :]) for shape, axis in shapes], dtype=np.int64)

    @cached_property
    def starts(self) -> Integers:
        """The first row of each problem, (n,)."""
        return np.concatenate(([0], np.cumsum(self.counts)[:-1])).astype(np.int64)

    @cached_property
    def problem_of_row(self) -> Integers:
        """The problem that each row belongs to, (P,)."""
        return np.repeat(np.arange(len(self.problems)), self.counts)

    @cached_property
    def _labels(self) -> Integers:
        return np.concatenate([np.asarray(p.targets).reshape(-1).astype(np.int64) for p in self.problems])

    @cached_property
    def targets(self) -> Integers:
        """Class of each row, (P,); 0 where the row is ignored."""
        return np.where(self.ignored, 0, self._labels)

    @cached_property
    def ignored(self) -> Booleans:
        """Rows whose label is the ignored one, (P,)."""
        if not self.by_index or all(problem.ignore_index is None for problem in self.problems):
            return np.zeros(len(self.x), dtype=np.bool_)
        stated = np.array([p.ignore_index is not None for p in self.problems])
        index = np.array([0 if p.ignore_index is None else p.ignore_index for p in self.problems], dtype=np.int64)
        return stated[self.problem_of_row] & (self._labels == index[self.problem_of_row])

    @cached_property
    def probabilities(self) -> Float64Array:
        """Class-probability targets, (P, C)."""
        return self.rows([np.asarray(p.targets) for p in self.problems])

    @property
    def shares(self) -> Float64Array:
        """What each class has of the targets, (P, C): their probabilities, or all at the label."""
        if not self.by_index:
            return self.probabilities
        shares = np.zeros(self.x.shape)
        shares[np.arange(len(shares)), self.targets] = 1.0
        return shares

    @cached_property
    def weight(self) -> Float64Array | None:
        """Class weights of each problem, (n, C)."""
        if self.problems[0].weight is None:
            return None
        return np.stack([widen(p.weight) for p in self.problems if p.weight is not None])

    @cached_property
    def target_weight(self) -> Float64Array:
        """w_y of each row, 0 where it is ignored, (P,)."""
        if self.weight is None:
            return np.where(self.ignored, 0.0, 1.0)
        return np.where(self.ignored, 0.0, self.weight[self.problem_of_row, self.targets])

    @cached_property
    def smoothing(self) -> Float64Array | None:
        """ε of each problem, (n,); None where every one is 0."""
        if self.problems[0].label_smoothing == 0.0:
            return None
        return np.array([p.label_smoothing for p in self.problems])

    def slice(self, first: int, last: int) -> Block:
        """The rows from ``first`` to ``last`` as a block of their own, for work by the row; it has no totals."""
        piece = Block(self.problems)
        names = ["x", "problem_of_row"]
        if self.by_index:
            names += ["targets", "ignored", "target_weight"]
        elif self.reduces:
            names += ["probabilities", "ignored"]
        piece.__dict__.update({name: getattr(self, name)[first:last] for name in names})
        piece.__dict__.update({name: getattr(self, name) for name in ("weight", "smoothing")})
        if not self.reduces:
            piece.__dict__["_upstream"] = {"none": self.upstream("none")[first:last]}
        return piece

    @cached_property
    def _upstream(self) -> dict[str, Float64Array]:
        return {}

    def upstream(self, reduction: str) -> Float64Array:
        """(P, C) for operations that do not reduce; (P,) for ``none``; (n,) for ``sum`` and ``mean``."""
        found = self._upstream.get(reduction)
        if found is None:
            arrays = [problem.upstream[reduction] for problem in self.problems]  # type: ignore[index]
            if self.reduces:
                found = widen(np.concatenate([a.reshape(-1) for a in arrays]))
            else:  # what is constant passes nothing on
                found = self._of_those_that_take_part(self.rows(arrays), 0.0)
            self._upstream[reduction] = found
        return found

    @cached_property
    def tangent(self) -> Float64Array:
        """The direction of the derivatives, (P, C)."""
        return self.rows([problem.tangent for problem in self.problems if problem.tangent is not None])

    def rows(self, arrays: Iterable[Array]) -> Float64Array:
        """Arrays with the logits' shapes, one a problem, stacked as (P, C) in float64."""
        stacked = [to_rows(a, axis) for a, axis in zip(arrays, self.axes, strict=True)]
        return widen(np.concatenate(stacked) if len(stacked) > 1 else stacked[0])

    def total(self, rows: Float64Array) -> Float64Array:
        """Sums over the rows of each problem: (P,) to (n,)."""
        return self._by_problem(np.add, rows)

    def largest(self, rows: Float64Array) -> Float64Array:
        """The largest over the rows of each problem: (P,) to (n,); 0 where it has none."""
        return self._by_problem(np.maximum, rows)

    def _by_problem(self, reduce: np.ufunc, rows: Float64Array) -> Float64Array:
        """0 for a problem without rows; ``reduceat`` sees only the others, for it has no empty pieces."""
        result = np.zeros(len(self.problems))
        filled = self.counts > 0
        if filled.any():
            with np.errstate(over="ignore", invalid="ignore"):
                result[filled] = reduce.reduceat(rows, self.starts[filled])
        return result


def blocks(problems: Iterable[Problem]) -> Iterator[Block]:
    """Stack valid problems by kind, in order of first appearance; a block stays below the size limit where it can."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    sizes: dict[tuple[object, ...], int] = {}
    for problem in problems:
        key = block_key(problem)
        if sizes.get(key, 0) + problem.logits.size > BLOCK_ELEMENTS and groups.get(key):
            yield Block(tuple(groups.pop(key)))
            sizes[key] = 0
        groups.setdefault(key, []).append(problem)
        sizes[key] = sizes.get(key, 0) + problem.logits.size
    for group in groups.values():
        yield Block(tuple(group))
