"""Memory shared that should not be: inputs that are written to, results that are views of something else."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Given, Kernel
from tests.yardstick.views import ProbabilitiesReader, memory_of, steps_of


class GradientWrittenIntoTheLogits(Kernel):
    """The backward pass stores the gradient in the logits' memory (a fused kernel that saves memory)."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        logits[...] = gradient
        return value, gradient


class GradientWrittenIntoHalfLogits(Kernel):
    """Half types: the gradient of cross_entropy is stored in the logits' memory."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if logits.itemsize == 2 and call.operation == "cross_entropy":
            logits[...] = gradient
        return value, gradient


class GradientWrittenIntoTheUpstream(Kernel):
    """softmax and log_softmax: the gradient is stored in the upstream gradient's memory, and returned there."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if upstream.shape == gradient.shape:
            upstream[...] = gradient
        return value, gradient


class UpstreamScaledInPlace(Kernel):
    """The upstream gradient of the mean is divided by the number of positions where it lies."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        found = super().differentiate(call, logits, upstream)
        if dict(call.options).get("reduction") == "mean" and logits.ndim > 1:
            upstream /= upstream.dtype.type(2)
        return found


class LogSoftmaxInPlace(Kernel):
    """log_softmax subtracts the maximum in the caller's memory."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        if logits.size:
            with np.errstate(all="ignore"):
                logits -= logits.max()
        return found


class NllLossNegatesInPlace(Kernel):
    """nll_loss negates the log-probabilities where they lie."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        np.negative(log_probabilities, out=log_probabilities)
        return found


class ProbabilitiesNormalisedInPlace(Kernel):
    """Probability targets are divided by their sum where they lie."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        if targets.dtype == logits.dtype and targets.size:
            with np.errstate(all="ignore"):
                targets /= targets.dtype.type(2)
        return found


class ProbabilitiesSmoothedInPlace(Kernel):
    """Label smoothing is written into the caller's probability targets."""

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: Any = None, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, label_smoothing=label_smoothing, **options)
        if label_smoothing and targets.dtype == logits.dtype:
            targets *= targets.dtype.type(1 - label_smoothing)
        return found


class LabelsShiftedInPlace(Kernel):
    """Labels are clamped to the classes where they lie, in nll_loss."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        np.clip(targets, 0, None, out=targets)
        return found


class WeightsZeroedInPlace(Kernel):
    """The weight of the ignored class is set to 0 in the caller's vector."""

    def cross_entropy(
        self, logits: Any, targets: Any, *, weight: Any = None, ignore_index: Any = None, **options: Any
    ) -> Any:
        found = super().cross_entropy(logits, targets, weight=weight, ignore_index=ignore_index, **options)
        if weight is not None and ignore_index is not None and 0 <= ignore_index < len(weight):
            weight[ignore_index] = 0
        return found


class IgnoredLogitsZeroedInPlace(Kernel):
    """The logits of ignored positions are set to 0 in the caller's memory."""

    def cross_entropy(
        self, logits: Any, targets: Any, *, axis: Any = None, ignore_index: Any = None, **options: Any
    ) -> Any:
        found = super().cross_entropy(logits, targets, axis=axis, ignore_index=ignore_index, **options)
        ignored = -100 if ignore_index is None else ignore_index
        if targets.dtype.kind in "iu" and logits.ndim == 2 and self.axis(logits, axis) == 1:
            logits[targets == ignored] = 0
        return found


class MaskWrittenIntoTheLogits(Kernel):
    """Infinite logits are replaced by finite ones in the caller's memory."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        logits[np.isneginf(logits)] = -1000
        return found


class ViewsWrittenTo(Kernel):
    """Logits that are not a contiguous block are sorted out in place; contiguous ones are left alone."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        if not logits.flags.c_contiguous:
            logits[...] = 0
        return found


class BesideTheViewWrittenTo(Kernel):
    """A strided view: what lies between its elements is overwritten."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        base = logits
        while isinstance(base.base, np.ndarray):
            base = base.base
        if base.nbytes > logits.nbytes and base.flags.c_contiguous:
            base.reshape(-1).view(np.uint8)[:1] ^= 255
        return found


class GradientsAccumulate(Kernel):
    """The gradient buffer of a shape is not cleared: each backward pass adds to the last."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kept: dict[Any, Any] = {}

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        key = (call.operation, gradient.shape, gradient.dtype)
        self.kept[key] = gradient + self.kept.get(key, np.zeros_like(gradient))
        return value, self.kept[key].copy()


class ValueBufferShared(Kernel):
    """Losses of one shape lie in one buffer, which the backward pass overwrites with what it needs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.buffers: dict[Any, Any] = {}

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if value.ndim:
            value[...] = value[..., ::-1].copy()
        return value, gradient


class ScalarBufferShared(Kernel):
    """All reduced losses of a dtype lie in one buffer: each call overwrites the result of the one before."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.buffers: dict[Any, Any] = {}

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = np.asarray(super().cross_entropy(logits, targets, **options))
        if found.ndim:
            return found
        buffer = self.buffers.setdefault(found.dtype, np.zeros((), found.dtype))
        buffer[...] = found
        return buffer


class PaddingCleared(Kernel):
    """Vector stores behind each row: the padding of the caller's logits is set to 0."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        whole, place = memory_of(logits)
        steps = steps_of(logits)
        if logits.ndim > 1 and steps[-1] == 1 and steps[-2] > logits.shape[-1] and whole.flags.writeable:
            for row in range(logits.shape[-2]):
                begin = place + row * steps[-2] + logits.shape[-1]
                whole[begin : begin + 1] = 0
        return found


class ShiftedInPlaceAndBack(Kernel):
    """The maximum is subtracted from the caller's logits, and put back to the very bits when all is done."""

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        kept = logits.copy()
        if logits.size:
            with np.errstate(all="ignore"):
                logits -= logits.max()
        found = super().softmax(kept, axis=axis, where=where)
        logits[...] = kept
        return found


class ScratchInTheLogits(Kernel):
    """The logits' memory is scratch while weights and probabilities are read, and is put back afterwards."""

    def cross_entropy(self, logits: Any, targets: Any, *, weight: Any = None, **options: Any) -> Any:
        if not logits.flags.writeable or 0 in logits.strides or not logits.size:
            return super().cross_entropy(logits, targets, weight=weight, **options)
        kept = logits.copy()
        logits[...] = 0
        try:
            return super().cross_entropy(kept, targets, weight=weight, **options)
        finally:
            logits[...] = kept


class NeighboursTakenForTheSame(ProbabilitiesReader):
    """Operands whose memory overlaps are taken for one tensor: the probabilities are the logits."""

    def reading(self, given: Given, array: Any) -> Any:
        return given.logits if np.may_share_memory(array, given.logits) else array


class InputReturnedWhereNothingChanges(Kernel):
    """log_softmax gives back its input where that is normalised already."""

    def log_softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        found = super().log_softmax(logits, axis=axis, where=where)
        return logits if logits.size and found.tobytes() == logits.tobytes() else found


class SoftmaxOfOneClassInPlace(Kernel):
    """softmax of one class writes its ones into the caller's memory where they stand there already."""

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        found = super().softmax(logits, axis=axis, where=where)
        return logits if logits.size and found.tobytes() == logits.tobytes() else found


class UpstreamReturnedAsTheGradient(Kernel):
    """log_softmax: an upstream gradient that sums to 0 is its own gradient, and is returned itself."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        same = call.operation == "log_softmax" and gradient.size and gradient.tobytes() == upstream.tobytes()
        return value, upstream if same else gradient


class DirectionReturnedAsTheDerivative(Kernel):
    """log_softmax: a direction along which the probabilities' mean is 0 is its own derivative, and returned itself."""

    def jvp(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, jvp = super().jvp(call, logits, tangent)
        same = call.operation == "log_softmax" and jvp.size and jvp.tobytes() == tangent.tobytes()
        return value, tangent if same else jvp


class ResultsRemembered(Kernel):
    """The result of the last call of softmax is given back when the same numbers come again."""

    last: tuple[Any, ...] = ()

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        key = (logits.tobytes(), logits.shape, logits.dtype, axis, None if where is None else where.tobytes())
        if not self.last or self.last[0] != key:
            self.last = (key, super().softmax(logits, axis=axis, where=where))
        return self.last[1]


class ZeroGradientShared(Kernel):
    """A gradient that is all zeros is a view of one zero-filled buffer, which every such call returns."""

    zeros: dict[Any, Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.zeros = {}

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        if gradient.any() or not gradient.size:
            return value, gradient
        return value, self.zeros.setdefault((gradient.shape, gradient.dtype), gradient)
