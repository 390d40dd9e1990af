"""The two ends of what is right: the correctly rounded truth, and results that are off by just under the bound.

Both take every operation from the oracle, under the normative policies, and raise for everything that is invalid.
Whoever judges them must find no fault, in any case and dtype: each fault found is a false alarm.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from conformance.backends.contract import Array, Backend, Call, Operation, Tensor
from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.cases.resolve import resolve
from conformance.model.case import Case, TargetKind
from conformance.model.classes import default_class
from conformance.model.policies import NORMATIVE
from conformance.model.problem import Problem
from conformance.model.quantities import OF_LOGITS, Quantity
from conformance.numerics.formats import FORMATS, DtypeName, Float64Array, numpy_dtype, round_to, widen
from conformance.oracle.block import Block, from_rows
from conformance.oracle.enclosure import Enclosure
from conformance.oracle.exact_directions import ExactTruth
from conformance.oracle.truth import Truth
from tests.yardstick.looped import looped

__all__ = ["RIGHT", "Alternating", "AwayFromZero", "Exact", "TowardsZero", "WorstLegal"]

REDUCTIONS = ("none", "sum", "mean")
#: Of the bound: near enough to it that a bound which is 1 % too narrow shows.
NEARLY = 0.999
#: Logits of a call whose answer is kept for long, and whose enclosure is narrowed.
SMALL = 4096


class Exact(Backend):
    """The truth, rounded once to the dtype of the logits."""

    framework: ClassVar[str] = "numpy"
    profile: ClassVar[str] = ""
    thread_safe: ClassVar[bool] = False  # the precision of Arb is one of the process

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def tensor(self, array: Array) -> Tensor:
        return array

    def array(self, tensor: Tensor) -> Array:
        return np.asarray(tensor)

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        return self._result("softmax", logits, {"where": where}, {"axis": axis})

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        return self._result("log_softmax", logits, {"where": where}, {"axis": axis})

    def nll_loss(
        self, log_probabilities: Tensor, targets: Tensor, *, weight: Tensor | None = None, **options: Any
    ) -> Tensor:
        return self._result("nll_loss", log_probabilities, {"targets": targets, "weight": weight}, options)

    def cross_entropy(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        where: Tensor | None = None,
        **options: Any,
    ) -> Tensor:
        operands = {"targets": targets, "weight": weight, "where": where}
        return self._result("cross_entropy", logits, operands, options)

    def log_loss(
        self, probabilities: Tensor, targets: Tensor, *, weight: Tensor | None = None, **options: Any
    ) -> Tensor:
        return self._result("log_loss", probabilities, {"targets": targets, "weight": weight}, options)

    def nll_loss_of_log_softmax(
        self, logits: Tensor, targets: Tensor, *, weight: Tensor | None = None, **options: Any
    ) -> Tensor:
        return self._result("nll_loss_of_log_softmax", logits, {"targets": targets, "weight": weight}, options)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value = self._of(call, logits, "value", upstream)
        if not isinstance(upstream, np.ndarray) or upstream.shape != value.shape:
            raise ValueError(f"the upstream gradient must have the value's shape {value.shape}")
        return value, self._of(call, logits, "gradient", upstream)

    def jvp(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        return self.evaluate(call, logits), self._of(call, logits, "jvp", None, tangent)

    def hvp(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        return self._of(call, logits, "hvp", upstream, direction)

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        return self._of(call, logits, "target_gradient", upstream)

    def second_vjp(self, call: Call, logits: Tensor, former: Tensor, upstream: Tensor) -> Tensor:
        return self._of(call, logits, "gradient", upstream)

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        return looped(self, call, logits, upstream)

    def _of(
        self, call: Call, logits: Any, quantity: Quantity, upstream: Array | None, tangent: Array | None = None
    ) -> Array:
        return self._result(call.operation, logits, call.operands, dict(call.options), quantity, upstream, tangent)

    def _result(
        self,
        operation: Operation,
        logits: Any,
        operands: Mapping[str, Any],
        options: Mapping[str, Any],
        quantity: Quantity = "value",
        upstream: Array | None = None,
        tangent: Array | None = None,
    ) -> Array:
        """The quantity, for the upstream gradient and the direction that it takes."""
        reduces = "targets" in operands
        reduction = options.get("reduction") or "mean" if reduces else "none"
        # Answers are kept, and who calls may write to its arrays again.
        logits, upstream, tangent = (_copied(each) for each in (logits, upstream, tangent))
        operands = {name: _copied(each) for name, each in operands.items()}
        problem = replace(_problem(operation, logits, operands, options, reduction, upstream), tangent=tangent)
        with np.errstate(all="ignore"):
            flat = self._chosen(_answers(_Key(problem, reduction)).of(quantity))
        if quantity in OF_LOGITS or not problem.takes_targets:
            return np.array(from_rows(flat, problem.logits.shape, problem.class_axis or 0), order="C")
        axis, shape = problem.class_axis or 0, problem.logits.shape
        return flat.reshape(shape[:axis] + shape[axis + 1 :] if reduction == "none" else ())

    def _chosen(self, answer: _Answer) -> Array:
        """What is returned of all that would be right; in the order of the truth."""
        return answer.nearest.copy()


class WorstLegal(Exact):
    """Errs by 0.999 of the bound of class B (D for the half types), rounded so that it stays within."""

    def signs(self, answer: _Answer) -> Float64Array:
        """The direction of each error."""
        raise NotImplementedError

    def _chosen(self, answer: _Answer) -> Array:
        return answer.pushed(self.signs(answer))


class AwayFromZero(WorstLegal):
    """Every result too large."""

    def signs(self, answer: _Answer) -> Float64Array:
        return np.where(answer.exact.mid < 0, -1.0, 1.0)


class TowardsZero(WorstLegal):
    """Every result too small, and those near zero on the wrong side of it."""

    def signs(self, answer: _Answer) -> Float64Array:
        return np.where(answer.exact.mid < 0, 1.0, -1.0)


class Alternating(WorstLegal):
    """Too large and too small in turn, from a start that the call decides: neighbours, and calls, err against each
    other.
    """

    def signs(self, answer: _Answer) -> Float64Array:
        block = answer.truth.block
        start = zlib.crc32(block.x.tobytes(), zlib.crc32(block.operation.encode()))
        return np.where((np.arange(answer.exact.mid.size) + start) % 2 == 0, 1.0, -1.0).reshape(answer.exact.mid.shape)


RIGHT: tuple[type[Exact], ...] = (Exact, AwayFromZero, TowardsZero, Alternating)


@dataclass(frozen=True, eq=False)
class _Answer:
    """All that is known of one result of one call."""

    truth: Truth
    reduction: str
    quantity: Quantity
    narrower: ExactTruth

    def _of(self, source: Truth | ExactTruth | Tolerance) -> Any:
        return getattr(source, self.quantity)(self.reduction)

    @property
    def dtype(self) -> DtypeName:
        return self.truth.block.dtype

    @cached_property
    def exact(self) -> Enclosure:
        result: Enclosure = self._of(self.truth)
        return result

    @cached_property
    def nearest(self) -> Array:
        """The truth rounded to the dtype; where its enclosure does not decide that, a narrower one does.

        Of a large call the middle of the enclosure is rounded: a narrower one takes Arb over all its classes, and is
        nearer by far less than any bound.
        """
        mid, rad, dtype = self.exact.mid, self.exact.rad, self.dtype
        nearest = round_to(mid, dtype)
        if dtype == "float64" or self.truth.block.x.size > SMALL:
            return nearest
        undecided = (widen(round_to(mid - rad, dtype)) != widen(round_to(mid + rad, dtype))) & np.isfinite(mid)
        if not undecided.any():
            return nearest
        return np.where(undecided, round_to(self._of(self.narrower).mid, dtype), nearest)

    @cached_property
    def room(self) -> Float64Array:
        """How far a result may lie from the middle of the enclosure, or nearly; 0 where the bound promises nothing."""
        bound = self._of(Tolerance(self.truth, arithmetic(default_class(self.dtype), self.dtype)))
        room = NEARLY * bound - self.exact.rad
        usable = np.isfinite(self.exact.mid) & np.isfinite(bound) & (room > 0) & np.isfinite(widen(self.nearest))
        return np.where(usable, room, 0.0)

    def pushed(self, signs: Float64Array) -> Array:
        """``nearest`` moved as far as there is room, and back by a spacing where rounding overshot."""
        exact, room = self.exact, self.room
        pushed = round_to(np.where(room > 0, exact.mid + signs * room, exact.mid), self.dtype)
        for _ in range(2):
            far = ~(exact.distance(widen(pushed)) <= room)
            pushed = np.where(far, np.nextafter(pushed, self.nearest), pushed)
        legal = exact.distance(widen(pushed)) <= room
        return np.where(legal, pushed, self.nearest).astype(numpy_dtype(self.dtype))


# -- from a call to a problem -----------------------------------------------------------------------------------------


def _problem(
    operation: Operation,
    logits: Any,
    operands: Mapping[str, Any],
    options: Mapping[str, Any],
    reduction: str,
    upstream: Array | None,
) -> Problem:
    """The problem that the call states; raises for whatever is invalid."""
    if not isinstance(logits, np.ndarray) or logits.dtype.name not in FORMATS:
        raise TypeError("logits must be an array of floating-point numbers")
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be 'none', 'sum' or 'mean', not {reduction!r}")
    smoothing = options.get("label_smoothing") or 0.0
    if not 0.0 <= smoothing <= 1.0:
        raise ValueError(f"label_smoothing must lie in [0, 1], not {smoothing}")
    axis, targets, weight = options["axis"], operands.get("targets"), operands.get("weight")
    given = Problem(
        case=Case(id="call", why="a call", op=operation),
        theme="",
        dtype=logits.dtype.name,
        layout="contiguous",
        operation=operation,
        logits=logits,
        targets=targets,
        target_kind=_kind(targets, logits) if "targets" in operands else None,
        where=operands.get("where"),
        weight=weight,
        axis=axis,
        class_axis=_class_axis(axis, logits.ndim),
        ignore_index=options.get("ignore_index"),
        label_smoothing=smoothing,
        reductions=(reduction,),  # type: ignore[arg-type]
        upstream={reduction: np.zeros_like(logits) if upstream is None else upstream},  # type: ignore[dict-item]
    )
    resolution = resolve(given, NORMATIVE)
    if resolution.must_raise:
        raise ValueError(resolution.must_raise)
    problem = resolution.problem
    classes = problem.logits.shape[problem.class_axis or 0] if problem.logits.ndim else 1
    if weight is not None and (weight.shape != (classes,) or weight.dtype.name not in FORMATS):
        raise ValueError(f"weight must be floating-point numbers of shape {(classes,)}")
    return problem


def _copied(given: Any) -> Any:
    return np.array(given, order="C") if isinstance(given, np.ndarray) else given


def _kind(targets: Any, logits: Array) -> TargetKind:
    """Floating targets of the logits' shape are probabilities; other arrays are indices, right or wrong."""
    if not isinstance(targets, np.ndarray):
        return "python"
    floating = targets.dtype.name in FORMATS
    return "probabilities" if floating and targets.shape == logits.shape else "indices"


def _class_axis(axis: int | None, rank: int) -> int | None:
    """From 0; None where it is left out or out of range."""
    return axis % rank if axis is not None and -rank <= axis < rank else None


class _Key:
    """A call as a key: equal where every number is, so that the same call is not computed anew."""

    def __init__(self, problem: Problem, reduction: str) -> None:
        self.problem, self.reduction = problem, reduction
        arrays = [problem.logits, problem.targets, problem.weight, problem.tangent, problem.where]
        arrays += problem.upstream.values()
        texts = tuple((a.shape, a.dtype.name, a.tobytes()) for a in arrays if isinstance(a, np.ndarray))
        options = (problem.operation, problem.class_axis, problem.ignore_index, problem.label_smoothing)
        self._identity = (options, reduction, texts)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._identity == other._identity


class _Answers:
    """What is known of one call: its truth, and each quantity that was asked for."""

    def __init__(self, key: _Key) -> None:
        block = Block((key.problem,))
        self._truth, self._reduction = Truth(block), key.reduction
        self._narrower = ExactTruth(block, NORMATIVE, precision=200)
        self._known: dict[Quantity, _Answer] = {}

    def of(self, quantity: Quantity) -> _Answer:
        if quantity not in self._known:
            self._known[quantity] = _Answer(self._truth, self._reduction, quantity, self._narrower)
        return self._known[quantity]


#: Answers are kept for a while: for repetitions, for other quantities of a call, and for the other backends here.
_small = lru_cache(maxsize=4096)(_Answers)
_large = lru_cache(maxsize=8)(_Answers)


def _answers(key: _Key) -> _Answers:
    return _small(key) if key.problem.logits.size <= SMALL else _large(key)
