"""Derivatives gone wrong only where no reduction is stated: the value is the mean, and these are of another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call
from tests.yardstick.kernel import Ask, Kernel


def _of_the_sum(call: Call) -> Call:
    """The call with the sum in place of a reduction that is left out."""
    options = dict(call.options)
    if "reduction" not in options or options["reduction"] is not None:
        return call
    return Call(call.operation, call.operands, tuple((options | {"reduction": "sum"}).items()))


class GradientOfTheSumByDefault(Kernel):
    """The backward pass reads the reduction as it was stated: where none was, nothing is divided."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        whole = _of_the_sum(call)
        return value, gradient if whole is call else super().differentiate(whole, logits, upstream)[1]


class GradientOfThePlainMeanByDefault(Kernel):
    """Where no reduction is stated, the gradient of a weighted loss is divided by the number of its positions."""

    _left = False

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        self._left = dict(call.options).get("reduction", "none") is None
        return super().differentiate(call, logits, upstream)

    def scale(self, ask: Ask, upstream: Any) -> Any:
        if not self._left or not ask.by_index:
            return super().scale(ask, upstream)
        self._left = False
        return super().scale(replace(ask, reduction="sum"), upstream) / ask.x.dtype.type(np.sum(ask.valid) or 1)


class CurvatureOfTheSumByDefault(Kernel):
    """The second derivative knows only the reductions that are stated: by default it is that of the sum."""

    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        return super().hvp(_of_the_sum(call), logits, upstream, direction)


class TargetGradientOfTheSumByDefault(Kernel):
    """By default the gradient with respect to the probabilities is that of the sum."""

    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().target_gradient(_of_the_sum(call), logits, upstream)


class SecondBackwardOfTheSumByDefault(Kernel):
    """The first backward pass of a call without a reduction frees the divisor: the second divides by nothing."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        return super().second_vjp(_of_the_sum(call), logits, former, upstream)
