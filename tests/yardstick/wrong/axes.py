"""The class axis, shapes and strides gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


class AxisIgnored(Kernel):
    """log_softmax and softmax always take the last axis (Paddle#27311)."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(logits, axis=-1 if _has_axis(logits, axis) else axis)

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().log_softmax(logits, axis=-1 if _has_axis(logits, axis) else axis)


class NllLossAxisIgnored(Kernel):
    """nll_loss reads axis 1, wherever the classes are (mlx#3651)."""

    def nll_loss(self, log_probabilities: Any, targets: Any, *, axis: int | None, **options: Any) -> Any:
        return super().nll_loss(log_probabilities, targets, axis=None, **options)


class CrossEntropyAxisIgnored(Kernel):
    """cross_entropy reads the last axis, wherever the classes are (mlx#2641)."""

    def cross_entropy(self, logits: Any, targets: Any, *, axis: int | None, **options: Any) -> Any:
        return super().cross_entropy(logits, targets, axis=-1 if _has_axis(logits, axis) else axis, **options)


class DefaultAxisIsLast(Kernel):
    """An axis that is left out is the last one, where 1 is declared."""

    def axis(self, logits: Any, axis: int | None) -> int:
        return super().axis(logits, -1 if axis is None and logits.ndim else axis)


class ImplicitAxis(Kernel):
    """An axis that is left out is 0 for rank 3, as the deprecated rule has it, and nothing warns (pytorch#5733)."""

    def axis(self, logits: Any, axis: int | None) -> int:
        return super().axis(logits, 0 if axis is None and logits.ndim == 3 else axis)


class NegativeAxisOffByOne(Kernel):
    """A negative axis is taken modulo rank - 1."""

    def axis(self, logits: Any, axis: int | None) -> int:
        if axis is not None and -logits.ndim <= axis < -1 and logits.ndim > 2:
            return int(axis % (logits.ndim - 1))
        return super().axis(logits, axis)


class AxisWraps(Kernel):
    """An axis out of range wraps around instead of raising."""

    def axis(self, logits: Any, axis: int | None) -> int:
        return super().axis(logits, axis if axis is None or not logits.ndim else axis % logits.ndim)


class AxisClamped(Kernel):
    """An axis beyond the last one is clamped to it instead of raising."""

    def axis(self, logits: Any, axis: int | None) -> int:
        return super().axis(logits, axis if axis is None else min(axis, logits.ndim - 1))


class FlattenedFromTheAxisOn(Kernel):
    """Softmax over everything from the axis on, as before opset 13 (onnx#2289, tinygrad softmax_1)."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        if not _has_axis(logits, axis) or logits.ndim < 3:
            return super().softmax(logits, axis=axis)
        place = self.axis(logits, axis)
        flat = logits.reshape(int(np.prod(logits.shape[:place])), -1)
        return super().softmax(flat, axis=1).reshape(logits.shape)


class StridesIgnored(Kernel):
    """The logits' memory is read as if it were contiguous (pytorch#75923)."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        if isinstance(array, np.ndarray) and array.flags.f_contiguous and array.ndim > 1:
            array = array.T.reshape(-1).reshape(array.shape)
        return super().rows(array, axis, dtype)


class SliceStrideIgnored(Kernel):
    """Every second element of a buffer is read as if it were all of it."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        if isinstance(array, np.ndarray) and array.ndim and array.size and array.strides[-1] == 2 * array.itemsize:
            shape, itemsize = array.shape, array.itemsize
            compact = [itemsize * int(np.prod(shape[place + 1 :])) for place in range(len(shape))]
            array = np.lib.stride_tricks.as_strided(array, shape, compact)
        return super().rows(array, axis, dtype)


class NegativeStrideIgnored(Kernel):
    """The absolute value of a negative stride is used: the view is read backwards."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        if isinstance(array, np.ndarray) and array.ndim and array.strides[-1] < 0:
            array = np.flip(array)
        return super().rows(array, axis, dtype)


class UpstreamStrideIgnored(Kernel):
    """An upstream gradient that is not contiguous is read in memory order (torch/nn#834)."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        if isinstance(upstream, np.ndarray) and not upstream.flags.c_contiguous:
            upstream = np.ascontiguousarray(np.flip(upstream))
        return super().differentiate(call, logits, upstream)


class ClassesTakenForPositions(Kernel):
    """Square logits are read with positions and classes swapped."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.ascontiguousarray(x.T) if dtype is None and array.ndim == 2 and x.shape[0] == x.shape[1] > 1 else x

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        swap = like.ndim == 2 and rows.shape[0] == rows.shape[1] > 1
        return super().restored(rows.T if swap else rows, like, axis)


class SegmentationTransposed(Kernel):
    """Logits (N, C, d1, d2) are flattened without moving the class axis first: reshape(-1, C)."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.ascontiguousarray(array).astype(x.dtype).reshape(x.shape) if array.ndim >= 4 else x


class LabelsInTheWrongOrder(Kernel):
    """Labels of rank 2 are read column by column while the positions go row by row."""

    def given(self, given: Given) -> Given:
        targets = given.targets
        if isinstance(targets, np.ndarray) and targets.ndim == 2 and targets.dtype.kind in "iu":
            targets = targets.T.reshape(targets.shape)
        return replace(given, targets=targets)


class UnbatchedIsABatch(Kernel):
    """Logits of shape (C,) are taken for C positions of one class: the loss is 0 (pytorch#76939)."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return x.reshape(-1, 1) if isinstance(array, np.ndarray) and array.ndim == 1 and x.shape[1] > 1 else x

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels, shape, 1 << 40, ignored)

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, *rest, **named)
        if len(found.x) == len(found.valid) or not found.by_index:
            return found
        count = len(found.x)
        return replace(found, labels=np.zeros(count, int), valid=np.ones(count, bool), weight=None, shape=())

    def reduced(self, ask: Ask, losses: Any) -> Any:
        return super().reduced(ask, losses[:1] if not ask.shape else losses)


class UnitAxisSqueezed(Kernel):
    """A unit axis is squeezed out of the result (keras#19825)."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        found = super().reduced(ask, losses)
        return np.squeeze(found) if ask.reduction == "none" and len(ask.shape) > 1 else found


class TargetsBroadcast(Kernel):
    """Targets of the wrong shape are broadcast instead of refused."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        try:
            return super().checked(np.broadcast_to(labels, shape), shape, classes, ignored)
        except ValueError:
            return super().checked(labels, shape, classes, ignored)

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, *rest, **named)
        return replace(found, labels=np.broadcast_to(targets, found.shape).reshape(-1)) if found.by_index else found


class UpstreamBroadcast(Kernel):
    """An upstream gradient of the wrong shape is broadcast instead of refused."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value = self.evaluate(call, logits)
        if isinstance(upstream, np.ndarray) and upstream.shape != value.shape:
            upstream = np.resize(upstream, value.shape).astype(upstream.dtype)
        return super().differentiate(call, logits, upstream)


def _has_axis(logits: Any, axis: int | None) -> bool:
    """Whether the axis is stated and in range, so that another one can stand in for it."""
    return (
        axis is not None and isinstance(logits, np.ndarray) and logits.ndim > 0 and -logits.ndim <= axis < logits.ndim
    )
