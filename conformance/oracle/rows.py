"""The derivation of one position: shift, exp, sum, logarithm, log_softmax, pick or weighted sum."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from flint import arb

from conformance.oracle.block import Block
from conformance.oracle.exact_directions import ExactTruth
from conformance.oracle.steps import Step, number, plain

__all__ = ["CLASSES", "row_steps"]

#: Columns: of more classes only some are shown.
CLASSES = 8


def row_steps(block: Block, classes: tuple[int, ...], truth: ExactTruth) -> list[Step]:
    """What follows on the input of ``block``'s only row, for the shown ``classes``.

    The caller sets the working precision.
    """
    x = block.x[0]
    operation = block.operation
    if operation == "nll_loss":
        return _pick(block, -arb(float(x[block.targets[0]])), truth)
    if operation == "log_loss":
        return _of_predictions(block, classes, truth)
    special = _special(block, truth)
    if special is not None:
        return special
    parts = _Parts(x.tolist())
    made = (parts.difference, parts.power, parts.softmax, parts.log_softmax)
    shift, powers, softmax, logs = (_shown(map(each, classes)) for each in made)
    steps = [
        Step("max", "a = max x", (plain(parts.high),)),
        Step("shift", "x − a", shift, "changes nothing in exact arithmetic, and keeps exp from overflowing"),
        Step("exp", "e^(x − a)", powers),
        Step("sum", "s = Σ e^(x − a)", (number(parts.total),)),
        Step("softmax", "p = e^(x − a) / s", softmax, "between 0 and 1, and sums to 1"),
    ]
    if operation == "softmax":
        return steps
    steps += [
        Step("log", "ln s", (number(parts.log_total),), "the natural logarithm, to base e"),
        Step("log_softmax", "ln p = (x − a) − ln s", logs),
    ]
    if operation == "log_softmax":
        return steps
    if block.by_index and block.smoothing is None:
        return steps + _pick(block, -parts.log_softmax(int(block.targets[0])), truth)
    return steps + _weighted_sum(block, parts, classes, truth)


def _of_predictions(block: Block, classes: tuple[int, ...], truth: ExactTruth) -> list[Step]:
    """The logarithms of probabilities that are given, and what is made of them."""
    given = _Predicted(truth)
    logs = _shown(map(given.log_probability, classes))
    steps = [Step("log", "ln p", logs, "of the probabilities as they are: nothing is clipped, or divided by a sum")]
    if block.by_index and block.smoothing is None:
        return steps + _pick(block, -given.log_probability(int(block.targets[0])), truth)
    return steps + _weighted_sum(block, given, classes, truth)


class _Predicted:
    """The logarithms of the probabilities of one position, as balls, of the class that is asked for."""

    def __init__(self, truth: ExactTruth) -> None:
        self.truth = truth
        self.x: list[float] = truth.block.x[0].tolist()

    def log_probability(self, c: int) -> arb:
        return -self.truth.predictions.term(0, c)

    def is_impossible(self, c: int) -> bool:
        return self.x[c] == 0.0


class _Parts:
    """Everything between the logits of one position and their log_softmax, as balls, of the class that is asked for."""

    def __init__(self, x: list[float]) -> None:
        self.x = x
        self.high = max(x)
        top = x.index(self.high)
        rest = sum((self.power(c) for c in range(len(x)) if c != top), arb(0))
        self.total = 1 + rest
        self.log_total = rest.log1p()  # keeps the digits of a sum that hardly exceeds 1

    def difference(self, c: int) -> arb:
        return arb(self.x[c]) - arb(self.high)

    def power(self, c: int) -> arb:
        return self.difference(c).exp()

    def softmax(self, c: int) -> arb:
        return self.power(c) / self.total

    def log_softmax(self, c: int) -> arb:
        return self.difference(c) - self.log_total

    def log_probability(self, c: int) -> arb:
        return self.log_softmax(c)

    def is_impossible(self, c: int) -> bool:
        return self.x[c] == -np.inf


def _shown(balls: Iterable[arb]) -> tuple[str, ...]:
    return tuple(map(number, balls))


def _special(block: Block, truth: ExactTruth) -> list[Step] | None:
    """Rows that the formula does not reach: NaN, +inf, or nothing above −inf."""
    x = block.x[0]
    high = float(np.max(x)) if x.size else -np.inf
    if np.isfinite(high):
        return None
    if np.isnan(high):
        why = "a logit is NaN: so is everything that it takes part in"
    elif not x.size:
        why = "there are no classes"
    elif high > 0:
        why = "a logit is +inf: inf − inf has no value"
    else:
        why = "every logit is −inf: nothing has any probability, and 0/0 has no value"
    if not block.reduces:
        return [Step("special", "", (), why)]
    return [Step("loss", "ℓ", (number(truth.value_balls("none")[0]),), why)]


def _pick(block: Block, term: arb, truth: ExactTruth) -> list[Step]:
    """The target's term, and its weight."""
    y = int(block.targets[0])
    name = {"nll_loss": "log_probabilities", "log_loss": "ln p"}.get(block.operation, "log_softmax")
    steps = [Step("pick", f"−{name}[{y}]", (number(term),), "only the target's class enters the loss")]
    if block.weight is not None:
        weight = plain(float(block.target_weight[0]))
        loss = number(truth.value_balls("none")[0])
        steps.append(Step("weight", f"ℓ = w[{y}] × that, w[{y}] = {weight}", (loss,)))
    return steps


def _weighted_sum(block: Block, parts: _Parts | _Predicted, classes: tuple[int, ...], truth: ExactTruth) -> list[Step]:
    """The terms of smoothing or of probability targets: every class enters with its coefficient."""
    coefficients = list(truth.dense(0) or [])
    steps = []
    if block.by_index:
        coefficients[int(block.targets[0])] += truth.spikes[0]
    else:
        given = tuple(plain(float(block.probabilities[0, c])) for c in classes)
        steps.append(Step("targets", f"q (in {block.dtype})", given))
    steps.append(Step("coefficients", _coefficient_formula(block), _shown(coefficients[c] for c in classes)))
    terms = _shown(truth.product(coefficients[c], -parts.log_probability(c)) for c in classes)
    steps.append(Step("terms", "a × (−ln p)", terms, _silence(coefficients, parts)))
    steps.append(Step("loss", "ℓ = Σ a × (−ln p)", (number(truth.value_balls("none")[0]),), "every class enters"))
    return steps


def _coefficient_formula(block: Block) -> str:
    epsilon = plain(block.problems[0].label_smoothing)
    q = f"[c = {int(block.targets[0])}]" if block.by_index else "q"
    inner = q if block.smoothing is None else f"(1 − {epsilon}) {q} + {epsilon}/{block.classes}"
    if block.weight is None:
        return f"a = {inner}"
    return f"a = w ({inner})" if block.smoothing is not None else f"a = w {inner}"


def _silence(coefficients: list[arb], parts: _Parts | _Predicted) -> str:
    silent = any(parts.is_impossible(c) and a.is_zero() for c, a in enumerate(coefficients))
    return "a coefficient of 0 silences an infinite term (0 · ln 0 = 0)" if silent else ""
