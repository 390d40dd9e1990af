"""The derivation of a problem's exact value, step by step, with the numbers of every line.

Value objects of plain text: whoever shows them needs no arithmetic. Every number comes from Arb at 256 bits, so all its
digits are right; the results themselves are those that the judge uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import ctx

from conformance.cases.expand import input_values
from conformance.cases.resolve import resolve
from conformance.model.policies import NORMATIVE, DefaultAxis, Policies, default_axis
from conformance.model.problem import Problem
from conformance.numerics.formats import Float64Array, round_to, widen
from conformance.oracle.block import Block, to_rows
from conformance.oracle.exact_directions import ExactTruth
from conformance.oracle.rows import CLASSES, row_steps
from conformance.oracle.steps import (
    PRECISION,
    AxisChoice,
    Derivation,
    DerivedResult,
    Position,
    Step,
    in_dtype,
    number,
    plain,
)
from conformance.oracle.text import expected_text
from conformance.oracle.truth import Truth
from conformance.plain import plural

__all__ = ["POSITIONS", "derive"]

#: Positions that are derived in full; the others are counted.
POSITIONS = 3
#: Numbers of a result that are shown.
SHOWN = 8
#: Above this many logits the digits come from the first tier, and elements of arrays are not shown.
LARGE = 1 << 18
#: Above this many numbers an array's exact text is not worth its time.
MOST_TEXTS = 64
_AXES: tuple[DefaultAxis, ...] = (1, -1, 0, "all", "implicit")


def derive(problem: Problem, reductions: Sequence[str] | None = None, policies: Policies = NORMATIVE) -> Derivation:
    """How the value of ``problem`` comes about, for each of ``reductions`` (default: the problem's own).

    A problem that must raise has no steps: its ``refusal`` says why.
    """
    resolution = resolve(problem, policies)
    resolved = resolution.problem
    choices = _axis_choices(problem) if problem.axis is None else ()
    refusal = resolution.must_raise or ("the policies leave the result open" if resolution.undefined else "")
    positions: tuple[Position, ...] = ()
    results: tuple[DerivedResult, ...] = ()
    count = 0
    classes: tuple[int, ...] = ()
    if not refusal:
        block = Block((resolved,))
        count = len(block.x)
        classes = _shown_classes(block)
        with ctx.workprec(PRECISION):
            positions = tuple(_position(block, row, classes, policies) for row in range(min(count, POSITIONS)))
            results = tuple(
                _result(Truth(block, policies), problem, reduction) for reduction in (reductions or problem.reductions)
            )
    return Derivation(
        case=problem.case.id,
        why=problem.case.why,
        operation=problem.operation,
        dtype=problem.dtype,
        layout=problem.layout,
        shape=problem.logits.shape,
        class_axis=resolved.class_axis,
        axis_stated=problem.axis,
        axis_choices=choices,
        extent=int(problem.logits.shape[resolved.class_axis or 0]) if problem.logits.ndim and not refusal else 0,
        classes=classes,
        refusal=refusal,
        warning=(problem.case.expect.warning or "") if problem.case.expect else "",
        positions=positions,
        count=count,
        results=results,
    )


def _axis_choices(problem: Problem) -> tuple[AxisChoice, ...]:
    """What each policy makes of an axis that the caller leaves out."""
    rank = problem.logits.ndim
    return tuple(AxisChoice(str(policy), default_axis(policy, rank)) for policy in _AXES)


def _shown_classes(block: Block) -> tuple[int, ...]:
    """All classes, or of many the first ones and, of the derived positions, the greatest and the target's."""
    if block.classes <= CLASSES:
        return tuple(range(block.classes))
    rows = range(min(len(block.x), POSITIONS))
    special = {int(np.argmax(block.x[row])) for row in rows}
    if block.reduces and block.by_index:
        special |= {int(block.targets[row]) for row in rows}
    return tuple(sorted({*range(CLASSES - len(special)), *special}))


# -- positions --------------------------------------------------------------------------------------------------------


def _position(block: Block, row: int, classes: tuple[int, ...], policies: Policies) -> Position:
    """The steps of one row of the block's only problem."""
    problem = block.problems[0]
    axis = problem.class_axis or 0
    shape = problem.logits.shape
    where = shape[:axis] + shape[axis + 1 :]
    index = tuple(int(i) for i in np.unravel_index(row, where)) if where else ()
    written = _as_written(problem)
    steps = _mask(problem, row, classes)
    steps += _logits(written[row] if written is not None else None, block.x[row], classes, problem.dtype)
    if block.reduces and block.ignored[row]:
        why = f"the target is ignore_index ({problem.ignore_index})"
        note = f"{why}: the position counts for nothing, whatever its logits"
        steps = [Step("ignored", "ℓ = 0", ("0",), note)]
    else:
        alone = block.slice(row, row + 1)
        steps += row_steps(alone, classes, ExactTruth(alone, policies, PRECISION))
    return Position(index, _target(block, row), tuple(steps))


def _as_written(problem: Problem) -> Float64Array | None:
    """The logits before they were rounded to the dtype, as rows; None where a transformed problem has none."""
    given = problem.case.input
    if given is None:
        return None
    values = input_values(problem.case, given)
    if problem.where is not None and problem.where.shape == values.shape:
        values = np.where(problem.where, values, -np.inf)
    return widen(to_rows(values, problem.class_axis or 0)) if values.shape == problem.logits.shape else None


def _logits(written: Float64Array | None, x: Float64Array, classes: tuple[int, ...], dtype: str) -> list[Step]:
    """The logits as written and, if rounding to the dtype changed them, as they are there."""
    values = tuple(plain(float(x[c])) for c in classes)
    if written is None or np.array_equal(written, x, equal_nan=True):
        return [Step("input", "x", values)]
    before = tuple(plain(float(written[c])) for c in classes)
    return [
        Step("as written", "", before),
        Step(f"in {dtype}", "x", values, "the truth is taken for these rounded numbers"),
    ]


def _mask(problem: Problem, row: int, classes: tuple[int, ...]) -> list[Step]:
    """Which classes take part; nothing where all do."""
    if problem.where is None:
        return []
    taken = to_rows(problem.where, problem.class_axis or 0)[row]
    note = "a class that takes no part is impossible: its logit counts as −inf"
    return [Step("takes part", "", tuple("yes" if taken[c] else "no" for c in classes), note)]


def _target(block: Block, row: int) -> str:
    if not block.reduces:
        return ""
    if not block.by_index:
        return "class probabilities"
    return str(int(np.asarray(block.problems[0].targets).reshape(-1)[row]))


# -- results ----------------------------------------------------------------------------------------------------------


def _result(truth: Truth, problem: Problem, reduction: str) -> DerivedResult:
    """How the losses are reduced, and the exact outcome."""
    named = truth.policies.default_reduction if reduction == "default" else reduction
    steps = tuple(_reduction_steps(truth, named)) if truth.block.reduces else ()
    exact, more = _exact(truth, problem, named)
    rounded = widen(round_to(np.array([float(text) for text in exact]), problem.dtype)).tolist()
    nearest = tuple(in_dtype(value, problem.dtype) for value in rounded)
    note = f"the reduction is left to the framework; {named} is the normative default" if reduction == "default" else ""
    return DerivedResult(reduction, steps, exact, nearest, more, note)


def _reduction_steps(truth: Truth, reduction: str) -> list[Step]:
    block = truth.block
    count = len(block.x)
    if reduction == "none":
        return []
    with np.errstate(all="ignore"):
        total = _number(truth, "sum")
    steps = [Step("sum", f"Σ ℓ over {plural(count, 'position')}", (total,))]
    if reduction == "mean":
        size = float(truth.fast.denominator.mid[0])
        steps.append(Step("divide by W", _denominator(truth), (plain(size),), _degenerate(truth)))
    return steps


def _number(truth: Truth, reduction: str) -> str:
    """A scalar result in ten digits."""
    if truth.block.x.size > LARGE:
        return f"{float(truth.value(reduction).mid[0]):.10g}"
    return number(ExactTruth(truth.block, truth.policies, PRECISION).value_balls(reduction)[0])


def _denominator(truth: Truth) -> str:
    block = truth.block
    if not block.by_index:
        return "W = N, the number of positions (probability targets)"
    ignored = int(block.ignored.sum())
    but = f" but the {ignored} ignored" if ignored else ""
    if block.weight is None:
        return f"W = number of positions{but}"
    return f"W = Σ w[target] over all positions{but}"


def _degenerate(truth: Truth) -> str:
    names = ("mean-of-empty-batch", "mean-of-all-ignored", "mean-of-zero-weight")
    for name, (mask, value) in zip(names, truth.degenerate, strict=True):
        if mask.any():
            return f"0/0: the policy {name} says {value}"
    return ""


def _exact(truth: Truth, problem: Problem, reduction: str) -> tuple[tuple[str, ...], int]:
    """The first exact results with 17 digits, flat, and how many more there are."""
    block = truth.block
    size = block.x.size if not block.reduces else len(block.x) if reduction == "none" else 1
    if block.x.size > LARGE or size > MOST_TEXTS:
        values = truth.value(reduction).mid[:SHOWN] if block.reduces else _first_values(truth)
        return tuple(f"{float(value):.17g}" for value in values), max(size - SHOWN, 0)
    text = expected_text(problem, "none" if not block.reduces else reduction, truth.policies)
    texts = _flat(text)
    return tuple(texts[:SHOWN]), max(len(texts) - SHOWN, 0)


def _first_values(truth: Truth) -> Float64Array:
    """The first results of an operation that does not reduce, from the rows that hold them."""
    block = truth.block
    shape, axis = block.problems[0].logits.shape, block.problems[0].class_axis or 0
    index = np.unravel_index(np.arange(min(SHOWN, block.x.size)), shape)
    classes, others, positions = index[axis], index[:axis] + index[axis + 1 :], shape[:axis] + shape[axis + 1 :]
    rows = np.ravel_multi_index(others, positions) if others else np.zeros_like(classes)
    values = {row: Truth(block.slice(row, row + 1), truth.policies).value("none").mid[0] for row in {*rows.tolist()}}
    return np.array([values[row][c] for row, c in zip(rows.tolist(), classes.tolist(), strict=True)])


def _flat(text: Any) -> list[str]:
    if text is None:
        return []
    return [leaf for item in text for leaf in _flat(item)] if isinstance(text, list) else [str(text)]
