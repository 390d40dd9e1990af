"""The truth as decimal text: 17 significant digits, correctly rounded, as case files carry it.

Arb's balls are made narrower until both of their ends round to the same digits, so that no digit is a guess. Values far
below the range of float64, such as 4.57e-434, keep their digits.
"""

from __future__ import annotations

from decimal import MAX_EMAX, ROUND_HALF_EVEN, Decimal, Inexact, localcontext
from typing import Any

import numpy as np
from flint import arb, ctx

from conformance.cases.resolve import resolve
from conformance.model.errors import HarnessError
from conformance.model.policies import NORMATIVE, Policies
from conformance.model.problem import Problem
from conformance.oracle.block import Block, from_rows
from conformance.oracle.exact_directions import ExactTruth
from conformance.oracle.truth import Truth, without_denominator

__all__ = ["DIGITS", "Undecided", "decimal_text", "expected_text"]

DIGITS = 17  # as many as distinguish every float64
#: Working precisions in bits, tried in turn. The last is for sums whose terms all but cancel.
_PRECISIONS = (128, 256, 1024, 4096, 16384)
#: Values with more decimal places than this have no text: an exponent of this size helps no reader.
_MOST_PLACES = 20_000


class Undecided(Exception):
    """A ball too wide to decide the digits, or a value beyond what decimal text is written for."""


def expected_text(problem: Problem, key: str, policies: Policies = NORMATIVE) -> str | list[Any] | None:
    """The value of ``problem`` for ``key``: a reduction, ``value`` (softmax, log_softmax), or ``gradient``.

    Decimal text for a scalar, nested lists of it in the result's shape for an array; ``inf``, ``-inf`` and ``nan`` by
    name. ``gradient`` is that of the first reduction, for the problem's own upstream gradient. None where the call must
    raise, where the policies leave its result open, and where a number is smaller than 1e-20000. Raises HarnessError
    where no precision decides the digits.
    """
    resolution = resolve(problem, policies)
    if resolution.must_raise or resolution.undefined or resolution.marked is not None:
        return None
    truth = Truth(Block((resolution.problem,)), policies, tier="exact")
    reduction = problem.reductions[0] if key == "gradient" else "none" if key == "value" else key
    reduction = policies.default_reduction if reduction == "default" else reduction
    flat: list[str] = []
    for index, ball in enumerate(_balls(truth, key == "gradient", reduction, _PRECISIONS[0])):
        try:
            flat.append(_decided(truth, key == "gradient", reduction, index, ball))
        except Undecided:
            return None
    return _shaped(flat, resolution.problem, key == "gradient", reduction)


def _balls(truth: Truth, gradient: bool, reduction: str, precision: int) -> list[arb]:
    """The results at a working precision, flat in row order, with the policies' values where the formula has none."""
    exact = ExactTruth(truth.block, truth.policies, precision)
    with ctx.workprec(precision):
        if gradient:
            return exact.gradient_balls(reduction)
        balls = exact.value_balls(reduction)
        if reduction == "mean":
            for mask, policy in truth.degenerate:
                given = arb(without_denominator(policy, truth.block.dtype))
                balls = [given if here else ball for ball, here in zip(balls, mask.tolist(), strict=True)]
    return balls


def _decided(truth: Truth, gradient: bool, reduction: str, index: int, ball: arb) -> str:
    """The text of one result, at the precision that it takes."""
    for precision in _PRECISIONS[1:]:
        text = decimal_text(ball)
        if text is not None:
            return text
        ball = _balls(truth, gradient, reduction, precision)[index]
    text = decimal_text(ball)
    if text is None and ball.contains(0):
        return "0"  # signed terms that cancel: what is left is below 2^-16000 of them
    if text is None:
        case = truth.block.problems[0].case.id
        raise HarnessError(f"case {case}: {_PRECISIONS[-1]} bits do not decide {DIGITS} digits of {reduction}")
    return text


def decimal_text(ball: arb) -> str | None:
    """17 significant digits on which both ends of ``ball`` agree, None where they do not.

    A number that is known exactly and needs fewer digits is written with fewer. Raises Undecided below 1e-20000.
    """
    if ball.is_nan():
        return "nan"
    if not ball.is_finite():
        if not ball.rad().is_finite():
            return None
        return "inf" if ball.mid() > 0 else "-inf"  # an infinity plus a finite ball is that infinity
    if ball.is_exact():
        return _rounded(ball, exact=True)
    with ctx.workprec(ball.bits() + 64):  # the ends are rounded outwards
        low, high = _rounded(ball.lower(), exact=False), _rounded(ball.upper(), exact=False)
    return low if low == high else None


def _rounded(number: arb, *, exact: bool) -> str:
    """A dyadic number to 17 significant digits, ties to even; trailing zeros are dropped where it is ``exact``."""
    mantissa, exponent = (int(part) for part in number.mid().man_exp())
    if mantissa == 0:
        return "0"
    if abs(exponent) > _MOST_PLACES * 4:
        raise Undecided(f"{number} has too many places")
    with localcontext(prec=DIGITS, rounding=ROUND_HALF_EVEN, Emin=-MAX_EMAX, Emax=MAX_EMAX) as context:
        # A quotient of whole numbers, of any size, is rounded once.
        decimal = Decimal(abs(mantissa) << max(exponent, 0)) / Decimal(1 << max(-exponent, 0))
        digits = "".join(map(str, decimal.as_tuple().digits))
        digits = digits.rstrip("0") if exact and not context.flags[Inexact] else digits.ljust(DIGITS, "0")
    return ("-" if mantissa < 0 else "") + _placed(digits, decimal.adjusted())


def _placed(digits: str, power: int) -> str:
    """The digits with their point: plain from 1e-5 to 1e16, else with an exponent."""
    if not -5 <= power < DIGITS:
        return f"{digits[0]}.{digits[1:] or '0'}e{power}"
    if power < 0:
        return f"0.{'0' * (-power - 1)}{digits}"
    whole = digits[: power + 1].ljust(power + 1, "0")
    return f"{whole}.{digits[power + 1 :]}" if len(digits) > power + 1 else whole


def _shaped(flat: list[str], problem: Problem, gradient: bool, reduction: str) -> str | list[Any]:
    axis = problem.class_axis or 0
    array = np.array(flat, dtype=object)
    if gradient or not problem.takes_targets:
        array = from_rows(array, problem.logits.shape, axis)
    else:
        array = array.reshape(problem.value_shape(reduction))
    result: str | list[Any] = array.tolist()
    return result
