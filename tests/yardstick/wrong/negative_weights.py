"""Value and gradient are right: a derivative in a direction takes the sum of the weights for positive."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Directions(Kernel):
    """``underway`` is the transform that is being evaluated."""

    underway: str = ""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value = self.evaluate(call, logits)
        self.underway = f"jvp of {call.operation}"
        try:
            return value, super().jvp(call, logits, tangent)[1]
        finally:
            self.underway = ""

    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        self.underway = f"hvp of {call.operation}"
        try:
            return super().hvp(call, logits, upstream, direction)
        finally:
            self.underway = ""


class CurvatureByAbsoluteWeights(_Directions):
    """Second order divides by the absolute sum of the weights."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return abs(found) if self.underway.startswith("hvp") else found


class DirectionByAbsoluteWeights(_Directions):
    """Forward mode divides by the absolute sum of the weights."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return abs(found) if self.underway.startswith("jvp") else found


class NllDirectionByWeightsAboveNothing(_Directions):
    """Forward mode of nll_loss divides by the sum of the weights, or by no less than 1e-6."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return np.maximum(found, np.asarray(1e-6, found.dtype)) if self.underway == "jvp of nll_loss" else found


class SecondBackwardByAbsoluteWeights(Kernel):
    """The second backward pass through a forward pass divides by the absolute sum of the weights."""

    absolute = False

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        self.absolute = True
        try:
            return super().second_vjp(call, logits, former, upstream)
        finally:
            self.absolute = False

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return abs(found) if self.absolute else found
