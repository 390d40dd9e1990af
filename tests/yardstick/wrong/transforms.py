"""Forward mode and the vectorised map gone wrong while value and gradient are right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call
from tests.yardstick.kernel import Ask, Kernel
from tests.yardstick.looped import example, looped

# -- forward mode -----------------------------------------------------------------------------------------------------


class TangentWithoutTheMean(Kernel):
    """The mean of the direction is forgotten in the tangent of the loss."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        return self.nll_jvp(ask, t)


class LogSoftmaxTangentWithoutTheMean(Kernel):
    """The tangent of log_softmax is the direction."""

    def log_softmax_jvp(self, p: Any, t: Any) -> Any:
        return t


class SoftmaxTangentWithoutTheMean(Kernel):
    """The tangent of softmax is p·t; its derivatives of other orders are right."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return (value, (value * tangent).astype(value.dtype)) if call.operation == "softmax" else (value, found)


class TangentWithoutWeight(Kernel):
    """Forward mode drops the weights."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        return super().loss_jvp(replace(ask, weight=None), t)


class NllTangentWithoutWeight(Kernel):
    """The tangent of nll_loss drops the weights."""

    def nll_jvp(self, ask: Ask, t: Any) -> Any:
        return super().nll_jvp(replace(ask, weight=None), t)


class TangentWithoutSmoothing(Kernel):
    """Forward mode drops the label smoothing."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        return super().loss_jvp(replace(ask, smoothing=0.0), t)


class TangentOfIgnoredPositions(Kernel):
    """Ignored positions move in forward mode, as if their label were class 0."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        everywhere = replace(ask, valid=np.ones_like(ask.valid), labels=ask.index)
        return super().loss_jvp(everywhere, t) if ask.by_index else super().loss_jvp(ask, t)


class TangentTimesLogProbability(Kernel):
    """The tangent of the labels, 0, is multiplied by a log-probability of -inf: NaN (optax#1762)."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        return super().loss_jvp(ask, t) + self.total(0 * self.log_probabilities(ask.x))


class NanInNoDirection(Kernel):
    """A direction is normalised by its length first: a direction of zero gives NaN."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        length = np.sqrt(np.square(t).sum())
        return super().loss_jvp(ask, t / length) * length


class TangentOfTheSum(Kernel):
    """The tangent of the mean is that of the sum."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        options = dict(call.options)
        if options.get("reduction") != "mean":
            return value, found
        whole = Call(call.operation, call.operands, tuple((options | {"reduction": "sum"}).items()))
        return value, super().jvp(whole, logits, tangent)[1]


class TangentOfThePlainMean(Kernel):
    """Where no reduction is stated, the tangent of a weighted loss is divided by the number of its positions."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        options = dict(call.options)
        if "weight" not in call.operands or options.get("reduction") is not None:
            return value, found
        whole = Call(call.operation, call.operands, tuple((options | {"reduction": "sum"}).items()))
        total = super().jvp(whole, logits, tangent)[1]
        return value, (total / np.size(call.operands["targets"])).astype(found.dtype)


class TangentInTheDirectionOfOnes(Kernel):
    """The direction is never read: ones are taken in its place."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        return super().loss_jvp(ask, np.ones_like(t))


class TangentWithoutSign(Kernel):
    """The magnitude of the direction is used."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        return super().loss_jvp(ask, np.abs(t))


class TangentAlongTheLastAxis(Kernel):
    """The direction is read with the classes on the last axis, wherever they are."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        axis = dict(call.options)["axis"]
        moved = np.moveaxis(tangent.reshape(np.moveaxis(logits, axis, -1).shape), -1, axis)
        return super().jvp(call, logits, np.ascontiguousarray(moved))


class ValueBesideTheTangentNotReduced(Kernel):
    """The value that comes with the tangent is the sum where the mean was asked for."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        mean = dict(call.options).get("reduction") == "mean"
        return (value * value.dtype.type(len(logits)) if mean else value), found


class TangentInFloat32(Kernel):
    """The tangent comes in float32, whatever the type of the logits."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        return value, found.astype(np.float32)


class TangentAccumulates(Kernel):
    """What the first call leaves behind is added at the second."""

    _left: Any = 0

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, found = super().jvp(call, logits, tangent)
        left, self._left = self._left, 0 if np.ndim(self._left) else found
        same = np.shape(left) == found.shape and np.ndim(left) > 0
        return value, (found + left).astype(found.dtype) if same else found


class TangentScaledInPlace(Kernel):
    """The direction is multiplied in place."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        result = super().jvp(call, logits, tangent)
        if tangent.flags.writeable:
            tangent *= tangent.dtype.type(0.5)
        return result


# -- vectorised map ---------------------------------------------------------------------------------------------------


class MapSharesTheFirstTarget(Kernel):
    """Every example of a map is given the target of the first one."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        operands = {
            name: item if name == "weight" else np.broadcast_to(item[:1], item.shape)
            for name, item in call.operands.items()
        }
        return looped(self, Call(call.operation, operands, call.options), logits, upstream)


class MapSharesTheFirstUpstream(Kernel):
    """Every example of a map is given the upstream gradient of the first one."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        return looped(self, call, logits, np.broadcast_to(upstream[:1], upstream.shape))


class MapInReverse(Kernel):
    """The examples come back in reverse."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = looped(self, call, logits, upstream)
        return np.ascontiguousarray(value[::-1]), np.ascontiguousarray(gradient[::-1])


class MapOverTheLastAxis(Kernel):
    """The examples of the gradient are stacked along the last axis."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = looped(self, call, logits, upstream)
        return value, np.ascontiguousarray(np.moveaxis(gradient, 0, -1))


class MapSqueezesOneExample(Kernel):
    """A mapped axis of extent 1 is gone."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = looped(self, call, logits, upstream)
        return (value[0], gradient[0]) if len(logits) == 1 else (value, gradient)


class MapWithoutWeight(Kernel):
    """What is not mapped over, the weight, is left out."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        operands = {name: item for name, item in call.operands.items() if name != "weight"}
        return looped(self, Call(call.operation, operands, call.options), logits, upstream)


class MapForgetsTheIgnored(Kernel):
    """The guard for ignored labels is not mapped: such an example gets the loss of class 0 (pytorch#106118)."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        targets = call.operands.get("targets")
        ignored = dict(call.options).get("ignore_index")
        if targets is None or ignored is None:
            return looped(self, call, logits, upstream)
        operands = {**call.operands, "targets": np.where(targets == ignored, 0, targets)}
        options = tuple((dict(call.options) | {"ignore_index": None}).items())
        return looped(self, Call(call.operation, operands, options), logits, upstream)


class MapReduces(Kernel):
    """The values of the examples are added up."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = looped(self, call, logits, upstream)
        return value.sum(dtype=value.dtype), gradient


class MapOfTheFirstExample(Kernel):
    """The first example is computed, and broadcast."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = self.differentiate(example(call, 0), logits[0], np.asarray(upstream[0]))
        return np.stack([value] * len(logits)), np.stack([gradient] * len(logits))


class MapDividesByTheFirst(Kernel):
    """A map of a mean divides every example's sum by the divisor of the first example."""

    def vmap(self, call: Call, logits: Any, upstream: Any) -> tuple[Any, Any]:
        value, gradient = super().vmap(call, logits, upstream)
        if dict(call.options).get("reduction") != "mean" or value.ndim != 1:
            return value, gradient
        total = Call(call.operation, call.operands, tuple({**dict(call.options), "reduction": "sum"}.items()))
        value, gradient = super().vmap(total, logits, upstream)
        divisor = value[0] / super().vmap(call, logits, upstream)[0][0]
        return (value / divisor).astype(value.dtype), (gradient / divisor).astype(gradient.dtype)
