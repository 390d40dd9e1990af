"""Right for most operations: a rule of one operation under one transform lacks what the others have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class NllDirectionBehind1024(Kernel):
    """Forward mode of nll_loss: nothing comes of more than 1,024 classes."""

    def nll_jvp(self, ask: Ask, tangent: Any) -> Any:
        found = super().nll_jvp(ask, tangent)
        return found * 0 if ask.classes > 1024 else found


class SoftmaxCurvatureOfTheFirst1024(Kernel):
    """Second order of softmax: the mean of the products is that of the first 1,024 classes."""

    def softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        products = (t - self.mean(p, t)) * (v - self.mean(p, v))
        return p * (products - self.total((p * products)[:, :1024])[:, None])


class ConstantDirectionGivesNothing(Kernel):
    """A direction that is constant has derivative 0, which it has not for nll_loss."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        constant = bool(tangent.size) and bool((tangent == tangent.flat[0]).all())
        return value, np.zeros_like(found) if constant else found


class NllDirectionCountsIgnored(Kernel):
    """Forward mode of nll_loss: the mean divides by all positions, ignored ones too."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        targets = call.operands.get("targets")
        if (
            call.operation == "nll_loss"
            and dict(call.options).get("reduction") == "mean"
            and "weight" not in call.operands
        ):
            found = (found * ((targets != -100).sum() / max(targets.size, 1))).astype(found.dtype)
        return value, found


class SquareDirectionReadInMemoryOrder(Kernel):
    """Second order: a direction with as many rows as columns is read as it lies in memory."""

    def hvp(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        if direction.ndim == 2 and direction.shape[0] == direction.shape[1] and not direction.flags.c_contiguous:
            direction = direction.T
        return super().hvp(call, logits, upstream, direction)


class SecondBackwardOfNllForgetsWeights(Kernel):
    """The second backward pass of nll_loss has no weights."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        if call.operation == "nll_loss" and "weight" in call.operands:
            call = replace(call, operands={name: each for name, each in call.operands.items() if name != "weight"})
        return super().second_vjp(call, logits, former, upstream)


class SecondBackwardSmoothsTwice(Kernel):
    """The second backward pass with smoothing in bfloat16 gives twice the gradient."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        found = super().second_vjp(call, logits, former, upstream)
        smoothed = dict(call.options).get("label_smoothing") and "weight" not in call.operands
        return found + found if smoothed and logits.dtype.name == "bfloat16" else found


class MapOfNllForgetsWeights(Kernel):
    """A map of nll_loss in half types has no weights."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        if call.operation == "nll_loss" and logits.itemsize == 2 and "weight" in call.operands:
            call = replace(call, operands={name: each for name, each in call.operands.items() if name != "weight"})
        return super().vmap(call, logits, upstream)
