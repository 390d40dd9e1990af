"""Right in small: transforms behind their first block, labels whose type is too narrow, workspaces and buffers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel

#: Seconds for which a launch gives the other thread the interpreter.
LAUNCH = 2e-4


def _behind(result: Any, block: int) -> Any:
    """Zeros behind the first ``block`` positions."""
    if result.ndim and len(result) > block:
        result = result.copy()
        result[block:] = 0
    return result


class MapOfSoftmaxBehind64(Kernel):
    """A map of softmax over more than 64 examples: those behind have no gradient."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value, _behind(gradient, 64) if call.operation == "softmax" else gradient


class MapOfLogSoftmaxBehind128(Kernel):
    """A map of log_softmax over more than 128 examples: those behind have no value."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return _behind(value, 128) if call.operation == "log_softmax" else value, gradient


class MapOfNllLossBehind256(Kernel):
    """A map of nll_loss over more than 256 examples: those behind have no gradient."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value, _behind(gradient, 256) if call.operation == "nll_loss" else gradient


class MapSharesProbabilities(Kernel):
    """A map over more than 8 examples uses the class probabilities of the first of each 8 for all of these."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        targets = call.operands.get("targets")
        if targets is not None and targets.dtype == logits.dtype and len(logits) > 8:
            shared = targets[np.arange(len(targets)) // 8 * 8]
            call = replace(call, operands={**call.operands, "targets": shared})
        return super().vmap(call, logits, upstream)


class WeightedMapBehind64(Kernel):
    """A map with weights over more than 64 examples: those behind have no gradient."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().vmap(call, logits, upstream)
        return value, _behind(gradient, 64) if "weight" in call.operands else gradient


class DirectionsOfProbabilitiesBehind64(Kernel):
    """Forward mode with class probabilities: the positions behind the first 64 have no derivative."""

    def loss_jvp(self, ask: Ask, t: Any) -> Any:
        found = super().loss_jvp(ask, t)
        return found if ask.by_index else _behind(found, 64)


class DirectionsOfSoftmaxBehind128(Kernel):
    """Forward mode of softmax: the positions behind the first 128 have no derivative."""

    def softmax_jvp(self, p: Any, t: Any) -> Any:
        return _behind(super().softmax_jvp(p, t), 128)


class CurvatureOfLogSoftmaxBehind64(Kernel):
    """Second order of log_softmax: the positions behind the first 64 have none."""

    def log_softmax_hvp(self, p: Any, v: Any, t: Any) -> Any:
        return _behind(super().log_softmax_hvp(p, v, t), 64)


class SmoothedCurvatureBehind256(Kernel):
    """Second order with label smoothing: the positions behind the first 256 have none."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        found = super().loss_hvp(ask, upstream, t)
        return _behind(found, 256) if ask.smoothing else found


class SecondBackwardBehind8(Kernel):
    """A second backward pass: the positions behind the first 8 keep the first pass's upstream gradient."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        if upstream.ndim and len(upstream) > 8:
            upstream = np.concatenate([upstream[:8], former[8:]])
        return super().second_vjp(call, logits, former, upstream)


class SecondBackwardOfSoftmaxBehind64(Kernel):
    """A second backward pass of softmax: the positions behind the first 64 have no gradient."""

    def second_vjp(self, call: Any, logits: Any, former: Any, upstream: Any) -> Any:
        found = super().second_vjp(call, logits, former, upstream)
        return _behind(found, 64) if call.operation == "softmax" else found


class TargetGradientBehind64(Kernel):
    """The gradient by class probabilities: the positions behind the first 64 have none."""

    def loss_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return _behind(super().loss_target_gradient(ask, upstream), 64)


class OffsetsInTheLabelsType(Kernel):
    """The offset of a target's logit, row times C plus label, is computed in the type of the labels."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if not ask.by_index or ask.labels.dtype.itemsize > 2:
            return found
        offsets = np.arange(len(ask.x)) * ask.classes + ask.index
        return np.where(offsets == offsets.astype(ask.labels.dtype), found, 0)


class CountInTheLabelsType(Kernel):
    """The positions that are not ignored are counted in the type of the labels."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.by_index or ask.weight is not None:
            return super().divisor(ask)
        return ask.x.dtype.type(np.int64(ask.valid.sum()).astype(ask.labels.dtype))


class OneHotInTheLabelsType(Kernel):
    """One-hot labels by comparison with 0 to C - 1 in the type of the labels: class 256 is class 0 once more."""

    def coefficients(self, ask: Ask) -> Any:
        found = super().coefficients(ask)
        if not ask.by_index or ask.labels.dtype.itemsize > 1 or ask.smoothing:
            return found
        picked = np.arange(ask.classes).astype(ask.labels.dtype) == ask.labels[:, np.newaxis]
        return np.where(ask.valid[:, np.newaxis], picked * self.weights(ask)[ask.index][:, np.newaxis], 0)

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if not ask.by_index or ask.labels.dtype.itemsize > 1 or ask.smoothing:
            return super().losses(ask, a, log_probabilities)
        terms = np.where(a == 0, 0, a * -log_probabilities)
        return np.where(ask.valid, self.total(terms), 0)


class NarrowLabelsReadDensely(Kernel):
    """Labels of other types than int64 are read as if they lay in C order."""

    def given(self, given: Given) -> Given:
        labels = given.targets
        if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu" and labels.dtype != np.int64 and labels.size:
            dense = np.lib.stride_tricks.as_strided(labels, (labels.size,), (labels.itemsize,)).copy()
            if not labels.flags.c_contiguous:
                given = replace(given, targets=(dense % given.logits.shape[1]).reshape(labels.shape))
        return super().given(given)


class _Workspace(Kernel):
    """Base: what is put into the module's workspace, by name, is taken from there after a launch."""

    workspace: ClassVar[dict[str, Any]] = {}

    def through(self, name: str, values: Any) -> Any:
        self.workspace[name] = values
        time.sleep(LAUNCH)
        return self.workspace[name]


class LogProbabilitiesInASharedWorkspace(_Workspace):
    """log_softmax has a workspace of the module for its result."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        return self.through(f"log-probabilities {found.shape}", found).copy()


class NllLossInASharedWorkspace(_Workspace):
    """nll_loss picks its log-probabilities into a workspace of the module."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        return self.through(f"picked {found.shape}", found).copy()


class ProbabilityTargetsInASharedWorkspace(_Workspace):
    """Losses by class probabilities lie in a workspace of the module."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return found if ask.by_index else self.through(f"soft {found.shape}", found)


class HalfTypesInASharedWorkspace(_Workspace):
    """Half types are converted to float32 in a workspace of the module."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        return self.through(f"rows {found.shape}", found) if array.itemsize == 2 and dtype is None else found


class LargeGradientBufferReused(Kernel):
    """Gradients of more than 5,000 elements lie in a buffer of their shape, which the next backward pass overwrites."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.buffers: dict[Any, Any] = {}

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if gradient.size <= 5000:
            return value, gradient
        buffer = self.buffers.setdefault((gradient.shape, gradient.dtype), np.empty_like(gradient))
        buffer[...] = gradient
        return value, buffer


class HalfWeightsBehind64(Kernel):
    """Half types with weights: the positions behind the first 64 count once, whatever their weight."""

    def coefficients(self, ask: Ask) -> Any:
        found = super().coefficients(ask)
        if self.narrow and ask.weight is not None and ask.by_index and not ask.smoothing:
            found[64:] = found[64:] != 0
        return found

    narrow = False

    def compute(self, dtype: Any) -> Any:
        self.narrow = dtype.itemsize == 2
        return super().compute(dtype)


class DoubleSmoothingBehind64(Kernel):
    """float64: label smoothing stops behind the first 64 positions."""

    def uniform(self, ask: Ask) -> Any:
        share = np.broadcast_to(super().uniform(ask), ask.x.shape).copy()
        if ask.x.dtype == np.float64:
            share[64:] = 0
        return share


class IgnoredImagesOfBytes(Kernel):
    """Labels of bytes in three dimensions: ignored positions have a gradient, as nothing is ignored there."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        if not ask.by_index or ask.labels.dtype.itemsize > 1 or len(ask.shape) < 2:
            return found
        every = self.scale(ask, upstream) * self.probabilities(ask.x)
        return np.where(ask.valid[:, np.newaxis], found, every)


class DirectionWithoutATailOfOne(Kernel):
    """The share of a direction is summed in blocks of 128 classes: a last block of one class is left out."""

    def mean(self, p: Any, t: Any) -> Any:
        classes = p.shape[1]
        whole = classes - (classes > 128 and classes % 128 == 1)
        return super().mean(p[:, :whole], t[:, :whole])
