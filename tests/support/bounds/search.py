"""Looks for the sound evaluation that comes closest to its bound; as a program it prints what docs/bounds.md quotes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from conformance.bounds.classes import arithmetic
from conformance.bounds.tolerance import Tolerance
from conformance.cases.checks import SMOOTHED
from conformance.model.case import OPERATIONS, OperationName
from conformance.model.classes import Letter, letters
from conformance.model.problem import Problem
from conformance.numerics.formats import DTYPES, FORMATS, DtypeName
from conformance.oracle.truth import Truth
from tests.support.bounds.machine import ORDERS, Long, Machine, long
from tests.support.bounds.sound import STAGES, Evaluation, Form
from tests.support.problems import problem, truth

PLAIN = Form()

__all__ = ["PLAIN", "Held", "Trial", "climb", "combinations", "hold", "inputs", "random_trial"]


@dataclass(frozen=True)
class Trial:
    """A problem and the way it is evaluated."""

    made: Problem
    letter: Letter
    form: Form = PLAIN
    adverse: bool = True
    flushed: bool = False
    order: Any = "sequential"
    signs: tuple[tuple[str, int], ...] = ()
    seed: int = 0

    def machine(self) -> Machine:
        kind = arithmetic(self.letter, self.made.dtype)
        return Machine(kind, self.adverse, self.flushed, self.order, dict(self.signs), self.seed)


@dataclass(frozen=True)
class Held:
    """The largest error over tolerance of each result; ``vacuous`` where some bound promises nothing."""

    ratios: dict[str, float]
    vacuous: bool

    @property
    def worst(self) -> float:
        return float(np.max([*self.ratios.values()], initial=0.0))  # NaN, too: an evaluation that has lost its number


def hold(trial: Trial, known: Truth | None = None) -> Held:
    """Hold every result of the evaluation against the bounds of its class."""
    source = known or truth(trial.made)
    tolerance = Tolerance(source, arithmetic(trial.letter, trial.made.dtype), trial.flushed)
    ratios: dict[str, float] = {}
    vacuous = False
    with np.errstate(all="ignore"):
        made = Evaluation(source.block, trial.machine(), trial.form)
        for reduction in trial.made.reductions:
            for what in ("value", "gradient"):
                exact = getattr(source, what)(reduction)
                bound = getattr(tolerance, what)(reduction)
                observed = getattr(made, what)(reduction)
                judged = np.isfinite(exact.mid) & np.isfinite(bound) & ~_overflowed(observed, trial)
                if what == "gradient":
                    judged &= source.judged(reduction)[:, None]
                    # What is ignored is multiplied by 0 here, which leaves 0/0, and rows without a finite logit, NaN.
                    judged &= np.isfinite(source.block.x.max(axis=1, initial=-np.inf))[:, None]
                    if reduction == "mean" and source.block.reduces:
                        judged &= bool(source.fast.denominator.mid.all())
                vacuous |= bool((np.isfinite(exact.mid) & ~np.isfinite(bound)).any())
                distance = np.abs(observed - long(exact.mid) - long(0.0 if exact.tail is None else exact.tail))
                beyond = (distance - long(exact.rad))[judged]
                ratio = np.where(beyond <= 0, long(0.0), beyond / long(bound)[judged])
                ratios[f"{what}.{reduction}"] = float(ratio.max(initial=0.0))
    return Held(ratios, vacuous)


def _overflowed(observed: Long, trial: Trial) -> npt.NDArray[np.bool_]:
    """Where a result or an intermediate left the range of float16: judged elsewhere. Others must not, at this size."""
    if trial.made.dtype != "float16":
        return np.zeros(observed.shape, dtype=np.bool_)
    return np.asarray(~np.isfinite(observed))


# -- inputs -----------------------------------------------------------------------------------------------------------


def inputs(rng: np.random.Generator, dtype: DtypeName, rows: int, classes: int) -> npt.NDArray[np.float64]:
    """Logits at their worst: scales, offsets, ties, ramps, a dominant class, many at d ~ ln C, near underflow."""
    largest = 3e4 if dtype == "float16" else 1e30
    scale = min(10.0 ** rng.uniform(-6, 4), largest / 8)
    x: npt.NDArray[np.float64] = rng.normal(size=(rows, classes)) * scale
    pattern = rng.integers(0, 9)
    if pattern == 0:
        x = np.zeros_like(x)
    elif pattern == 1:
        x = np.full_like(x, -np.log(classes) - rng.uniform(-2, 2)) + rng.normal(size=x.shape) * 0.01
        x[:, rng.integers(classes)] = 0.0
    elif pattern == 2:
        x[:, rng.integers(classes)] += min(20 * scale, largest / 4)
    elif pattern == 3:
        x = np.sort(x, axis=1)
    elif pattern == 4:
        x = np.cumsum(np.full_like(x, FORMATS[dtype].unit_roundoff * 2 ** rng.integers(1, 6)), axis=1)
    elif pattern == 5:
        depth = -np.log(FORMATS[dtype].least_normal)
        x = -rng.uniform(0.9, 1.07, size=x.shape) * depth
        x[:, rng.integers(classes)] = 0.0
    elif pattern == 6:
        x = rng.choice([0.0, -1.0, scale], size=x.shape)
    if rng.random() < 0.2:
        x = x + rng.choice([-1, 1]) * 10.0 ** rng.uniform(0, 4)
    if rng.random() < 0.15:
        x[rng.random(x.shape) < 0.3] = -np.inf
    return np.clip(x, -largest, largest) if np.isfinite(x).all() else x


def predicted(rng: np.random.Generator, x: npt.NDArray[np.float64], dtype: DtypeName) -> npt.NDArray[np.float64]:
    """Probabilities at their worst: of every size, about 1, equal, beyond 1, and 0."""
    depth = -np.log2(FORMATS[dtype].least_normal) * rng.choice([0.1, 0.5, 0.95])
    p: npt.NDArray[np.float64] = 2.0 ** -rng.uniform(0, depth, size=x.shape)
    pattern = rng.integers(0, 5)
    if pattern == 0:
        p = rng.dirichlet(np.ones(x.shape[1]), len(x))
    elif pattern == 1:
        p = 1.0 + FORMATS[dtype].unit_roundoff * rng.integers(-8, 9, size=x.shape)
    elif pattern == 2:
        p = np.full_like(p, rng.uniform(0.01, 1.5))
    if rng.random() < 0.15:
        p[rng.random(p.shape) < 0.3] = 0.0
    return p


def random_problem(
    rng: np.random.Generator, operation: OperationName, dtype: DtypeName, rows: int, classes: int
) -> Problem:
    x = inputs(rng, dtype, rows, classes)
    seed = int(rng.integers(1 << 30))
    if operation in ("softmax", "log_softmax"):
        return problem(operation, x, dtype=dtype, upstream=_upstream(rng, x.shape), seed=seed)
    if operation == "nll_loss":
        x = -np.abs(np.where(np.isfinite(x), x, 1.0))
    if operation == "log_loss":
        x = predicted(rng, x, dtype)
    weight = None
    if rng.random() < 0.5:
        weight = rng.normal(size=classes) * 10.0 ** rng.uniform(-4, 3)
        if rng.random() < 0.3:  # nearly cancelling sums
            weight = np.where(np.arange(classes) % 2, -1.0, 1.0) * weight[0] + weight * 1e-3
    y: npt.ArrayLike = rng.integers(0, classes, rows)
    smoothing = 0.0
    ignore = None
    if operation in SMOOTHED:
        smoothing = float(rng.choice([0.0, 0.0, 1e-9, 0.1, 0.5, 0.999999, 1.0]))
        if rng.random() < 0.4:
            y = rng.normal(size=x.shape) if rng.random() < 0.5 else rng.dirichlet(np.ones(classes), rows)
            if rng.random() < 0.4:
                y = np.where(rng.random(x.shape) < 0.7, 0.0, y)
            elif rng.random() < 0.2:  # (1−ε)·q and ε/C nearly cancel
                y = np.full_like(x, -0.1 / 0.9 / classes)
    if rng.random() < 0.25 and np.asarray(y).ndim == 1:
        ignore = int(rng.integers(classes))
    v = rng.normal() * 10.0 ** rng.uniform(-3, 2)
    return problem(
        operation, x, y, weight=weight, smoothing=smoothing, ignore_index=ignore, dtype=dtype, seed=seed,
        upstream=None if rng.random() < 0.5 else v if rows == 1 else None,
    )  # fmt: skip


def _upstream(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    v: npt.NDArray[np.float64] = rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 2)
    return v if rng.random() < 0.7 else v - v.mean() + 1e-3


# -- the search -------------------------------------------------------------------------------------------------------


def random_form(rng: np.random.Generator, trial: Trial) -> Form:
    hints = get_type_hints(Form)
    chosen: dict[str, Any] = {}
    for f in fields(Form):
        options = get_args(hints[f.name]) or (False, True)
        chosen[f.name] = options[int(rng.integers(len(options)))]
    kind = arithmetic(trial.letter, trial.made.dtype)
    if trial.letter != "C":
        chosen["loss"] = "shift"
    if kind.order != "any" or trial.made.logits.shape[1] > 300:
        chosen["logsum"] = "two-pass"
    if kind.compute.is_half and chosen["mean"] == "scaled":  # ℓ/W underflows: not covered
        chosen["mean"] = "quotient"
    if trial.made.operation not in ("softmax", "log_softmax"):  # only these hand their result to the backward pass
        chosen["stored"] = False
    if chosen["flat"] and kind.order == "pairwise":
        chosen["flat"] = False
    return Form(**chosen)


def random_trial(rng: np.random.Generator, operation: OperationName, dtype: DtypeName, letter: Letter) -> Trial:
    rows = int(rng.choice([1, 1, 2, 3, 17]))
    classes = int(rng.choice([1, 2, 2, 3, 5, 8, 31, 130]))
    made = random_problem(rng, operation, dtype, rows, classes)
    trial = Trial(made, letter, adverse=bool(rng.random() < 0.8), flushed=bool(rng.random() < 0.2))
    return mutate(rng, replace(trial, form=random_form(rng, trial), seed=int(rng.integers(1 << 30))), len(STAGES))


def mutate(rng: np.random.Generator, trial: Trial, flips: int = 2) -> Trial:
    """Other directions of the errors, another order of summation."""
    signs = dict(trial.signs)
    for stage in rng.choice(STAGES, size=flips, replace=False):
        signs[str(stage)] = int(rng.choice([-1, 1, 1, -1, 0]))
    order = ORDERS[int(rng.integers(len(ORDERS)))] if rng.random() < 0.3 or not trial.signs else trial.order
    return replace(trial, signs=tuple(sorted(signs.items())), order=order)


def climb(rng: np.random.Generator, trial: Trial, steps: int, which: int = 0) -> tuple[Trial, Held]:
    """Greedy ascent of error over tolerance of the ``which``-th result."""
    known = truth(trial.made)
    best, held = trial, hold(trial, known)
    name = list(held.ratios)[which % len(held.ratios)]
    for step in range(steps):
        candidate = mutate(rng, best, int(rng.integers(1, 4)))
        if step % 4 == 0:
            candidate = replace(candidate, form=random_form(rng, candidate))
        result = hold(candidate, known)
        if max(result.ratios[name], result.worst - 1.0) > held.ratios[name]:
            best, held = candidate, result
    return best, held


def combinations() -> Iterator[tuple[OperationName, DtypeName, Letter]]:
    for dtype in DTYPES:
        for letter in letters(dtype):
            for operation in OPERATIONS:
                yield operation, dtype, letter


def main() -> None:
    starts, steps = (int(a) for a in (sys.argv[1:] or ["40", "40"]))
    for operation, dtype, letter in combinations():
        rng = np.random.default_rng([starts, OPERATIONS.index(operation), DTYPES.index(dtype), ord(letter)])
        largest: dict[str, float] = {}
        for start in range(starts):
            _, held = climb(rng, random_trial(rng, operation, dtype, letter), steps, start)
            for name, ratio in held.ratios.items():
                largest[name] = max(largest.get(name, 0.0), ratio)
        ratios = "  ".join(f"{name} {ratio:.2f}" for name, ratio in largest.items())
        sys.stdout.write(f"{dtype:9} {letter} {operation:24} {ratios}\n")


if __name__ == "__main__":
    main()
