"""Views read as if they were something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel
from tests.yardstick.views import (
    LabelsReader,
    OperandReader,
    ProbabilitiesReader,
    TangentReader,
    UpstreamReader,
    dense,
    read,
    steps_of,
)


def _in_memory_order(array: Any) -> Any:
    """The elements of a view from its lowest address on, as if they lay close together."""
    if array.ndim == 0 or not array.size or array.flags.c_contiguous:
        return array
    order = np.argsort([-abs(stride) for stride in array.strides], kind="stable")
    turned = array[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in array.strides)]
    return turned.transpose(order).reshape(array.shape)


class TargetStridesIgnored(Kernel):
    """Labels are read in the order of their memory."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        if isinstance(targets, np.ndarray) and targets.dtype.kind in "iu":
            targets = _in_memory_order(targets)
        return super().ask(logits, targets, *rest, **named)


class ProbabilityStridesIgnored(Kernel):
    """Probability targets are read in the order of their memory."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        if isinstance(targets, np.ndarray) and targets.dtype == getattr(logits, "dtype", None):
            targets = _in_memory_order(targets)
        return super().ask(logits, targets, *rest, **named)


class WeightStridesIgnored(Kernel):
    """Weights are read in the order of their memory: a reversed view gives each class another's weight."""

    def ask(self, logits: Any, targets: Any, weight: Any, *rest: Any, **named: Any) -> Ask:
        weight = _in_memory_order(weight) if isinstance(weight, np.ndarray) else weight
        return super().ask(logits, targets, weight, *rest, **named)


class UpstreamInMemoryOrder(Kernel):
    """An upstream gradient that is not a contiguous block is read in the order of its memory."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().differentiate(
            call, logits, _in_memory_order(upstream) if isinstance(upstream, np.ndarray) else upstream
        )


class SoftmaxInMemoryOrder(Kernel):
    """softmax alone reads its input in the order of its memory."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(_in_memory_order(logits), axis=axis)


class NllLossInMemoryOrder(Kernel):
    """nll_loss alone reads its input in the order of its memory."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return super().nll_loss(_in_memory_order(log_probabilities), targets, **options)


class BroadcastRowsWrong(Kernel):
    """Logits of stride 0 along the batch: every row but the first is taken for empty."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        if dtype is None and array.ndim > 1 and array.strides[0] == 0 and len(array) > 1:
            x = x.copy()
            x[len(x) // len(array) :] = 0
        return x


class BroadcastGradientSummed(Kernel):
    """Logits of stride 0 along the batch: the gradient is summed over the batch."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if logits.ndim > 1 and logits.strides[0] == 0 and len(logits) > 1:
            gradient = np.ascontiguousarray(np.broadcast_to(gradient.sum(0, keepdims=True), gradient.shape))
        return value, gradient


class MisalignedReadEarly(Kernel):
    """Logits that begin off a 64-byte boundary are read from the boundary on."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        off = array.ctypes.data % 64 // array.itemsize if array.flags.c_contiguous and array.base is not None else 0
        return np.roll(x, off).reshape(x.shape) if dtype is None and off == 1 else x


class MisalignedHeadSkipped(Kernel):
    """Misaligned logits: the first class of each row is handled by a scalar loop that forgets it in the sum."""

    misaligned = False

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        if dtype is None:
            self.misaligned = array.base is not None and array.ctypes.data % 64 != 0 and array.flags.c_contiguous
        return super().rows(array, axis, dtype)

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, total - self.exp(x[:, :1] - top) / 2 if self.misaligned else total


class TransposedLabelsAccepted(Kernel):
    """Fortran-ordered logits of rank 3: the last two axes are exchanged."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        if isinstance(array, np.ndarray) and array.ndim == 3 and array.flags.f_contiguous and 1 not in array.shape:
            array = np.ascontiguousarray(array.transpose(0, 2, 1)).reshape(array.shape)
        return super().rows(array, axis, dtype)


class ResultInTheLayoutOfTheInput(Kernel):
    """The gradient of transposed logits is returned as its transpose's memory."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if logits.ndim > 1 and logits.flags.f_contiguous and not logits.flags.c_contiguous:
            gradient = gradient.reshape(-1, order="F").reshape(gradient.shape)
        return value, gradient


class LabelsReadFromTheBoundary(Kernel):
    """Vector loads of labels begin at the 16-byte boundary below them, one label early."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, *rest, **named)
        if not found.by_index or len(found.labels) < 2 or not targets.ctypes.data % 16:
            return found
        early = np.clip(np.roll(found.labels, 1), 0, max(found.classes - 1, 0))
        return replace(found, labels=np.where(found.valid, early, found.labels))


class UpstreamReadFromTheBoundary(Kernel):
    """Vector loads of the upstream gradient begin at the 16-byte boundary below it, one element early."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        if upstream.size > 1 and upstream.ctypes.data % 16:
            upstream = np.roll(upstream.reshape(-1), 1).reshape(upstream.shape)
        return super().differentiate(call, logits, upstream)


class ExpandedUpstreamReadOn(Kernel):
    """An upstream gradient of stride 0, as sum() hands it down, is read past its one element, where zeros lie."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        pairs = zip(upstream.strides, upstream.shape, strict=True)
        if any(stride == 0 and extent > 1 for stride, extent in pairs):
            first = upstream.reshape(-1)[:1]
            upstream = np.zeros(upstream.shape, upstream.dtype)
            upstream.reshape(-1)[:1] = first
        return super().differentiate(call, logits, upstream)


class ExpandedLabelsReadOn(Kernel):
    """One label expanded over the batch by a stride of 0: all positions but the first are of class 0."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        labels = isinstance(targets, np.ndarray) and targets.dtype.kind in "iu" and targets.ndim > 0
        if labels and len(targets) > 1 and targets.strides[0] == 0:
            targets = np.concatenate([targets[:1], np.zeros_like(targets[1:])])
        return super().ask(logits, targets, *rest, **named)


class NllLossUpstreamInMemoryOrder(Kernel):
    """nll_loss: a transposed upstream gradient of positions on two axes is read in the order of its memory."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        if call.operation == "nll_loss" and upstream.ndim > 1 and not upstream.flags.c_contiguous:
            upstream = upstream.ravel("K").reshape(upstream.shape)
        return super().differentiate(call, logits, upstream)


class UpstreamReadWithTheStridesOfTheLogits(UpstreamReader):
    """softmax, log_softmax: the upstream gradient is read where the logits' strides lead."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        return read(upstream, steps_of(logits)) if upstream.shape == logits.shape else upstream


class ProbabilitiesReadWithTheStridesOfTheLogits(ProbabilitiesReader):
    """Class probabilities are read where the logits' strides lead."""

    def reading(self, given: Given, array: Any) -> Any:
        return read(array, steps_of(given.logits)) if array.shape == given.logits.shape else array


class TangentReadWithTheStridesOfTheLogits(TangentReader):
    """The direction is read where the logits' strides lead."""

    def read_tangent(self, tangent: Any, logits: Any) -> Any:
        return read(tangent, steps_of(logits)) if tangent.shape == logits.shape else tangent


class LabelsOrderedLikeTheLogits(LabelsReader):
    """Labels are taken to be time-major where the logits are."""

    def reading(self, given: Given, array: Any) -> Any:
        steps = steps_of(given.logits)
        swapped = array.ndim == 2 and given.logits.ndim == 3 and 0 < steps[0] < steps[1]
        return read(array, [1, array.shape[0]]) if swapped else array


class UpstreamOrderedLikeTheLabels(Kernel):
    """The upstream gradient of each position is read where the labels' strides lead."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        labels = call.operands.get("targets")
        if isinstance(labels, np.ndarray) and labels.shape == upstream.shape and upstream.ndim:
            upstream = read(upstream, steps_of(labels))
        return super().differentiate(call, logits, upstream)


class WeightStrideOfTheLabels(OperandReader):
    """Weights are read with the stride of the labels."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        labels = given.targets
        one = isinstance(labels, np.ndarray) and labels.ndim == 1
        return read(array, steps_of(labels)) if one else array


class BothCopiedIfOneIsStrided(Kernel):
    """Labels are made contiguous only where the logits are not: strided labels beside plain logits are read on."""

    def given(self, given: Given) -> Given:
        labels, logits = given.targets, given.logits
        both = isinstance(labels, np.ndarray) and isinstance(logits, np.ndarray) and labels.ndim > 0
        return replace(given, targets=dense(labels)) if both and logits.flags.c_contiguous else given
