"""Strides that are not looked at, or not all of them; memory that is a part of more; results that are views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Given, Kernel


def _memory(array: Any) -> tuple[Any, int]:
    """The memory that an array is a view of, in rank 1, and where in it the array begins."""
    whole = array.base
    if not isinstance(whole, np.ndarray) or whole.ndim != 1 or whole.dtype != array.dtype:
        return np.lib.stride_tricks.as_strided(array, (array.size,), (array.itemsize,)), 0
    return whole, (array.ctypes.data - whole.ctypes.data) // array.itemsize


def _steps(array: Any) -> list[int]:
    return [stride // array.itemsize for stride in array.strides]


def _c_steps(shape: Sequence[int]) -> list[int]:
    return [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]


def _read(array: Any, steps: Sequence[int], start: int | None = None) -> Any:
    """What a kernel reads that goes through the memory of an array in other steps; it stays within that memory."""
    whole, place = _memory(array)
    if not array.size:
        return array
    index = np.full(array.shape, place if start is None else start)
    for axis, step in enumerate(steps):
        index = index + (np.arange(array.shape[axis]) * step).reshape([-1] + [1] * (array.ndim - axis - 1))
    return whole[index % len(whole)]


def _dense(array: Any) -> Any:
    """Read from its address on, as if it were contiguous."""
    return _read(array, _c_steps(array.shape))


def _unless_strided(array: Any) -> Any:
    """A copy where the last stride is not 1, and otherwise read as contiguous."""
    if not isinstance(array, np.ndarray) or not array.ndim or array.strides[-1] != array.itemsize:
        return array
    return _dense(array)


class _Logits(Kernel):
    """Reads the logits in its own way."""

    def read_logits(self, array: Any) -> Any:
        return _unless_strided(array)

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        own = isinstance(array, np.ndarray) and dtype is None and array.ndim > 0
        return super().rows(self.read_logits(array) if own else array, axis, dtype)


class _Given(Kernel):
    """Reads one of the other operands in its own way."""

    operand = "targets"

    def of(self, given: Given) -> bool:
        return True

    def reading(self, given: Given, array: Any) -> Any:
        return _unless_strided(array)

    def given(self, given: Given) -> Given:
        array = getattr(given, self.operand)
        if not isinstance(array, np.ndarray) or not array.ndim or not self.of(given):
            return given
        changed: dict[str, Any] = {self.operand: self.reading(given, array)}
        return replace(given, **changed)


class _Labels(_Given):
    def of(self, given: Given) -> bool:
        return bool(given.targets.dtype.kind in "iu")


class _Probabilities(_Given):
    def of(self, given: Given) -> bool:
        return bool(given.targets.dtype.kind not in "iu")


class _Upstream(Kernel):
    """Reads the upstream gradient in its own way."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        return _unless_strided(upstream)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        own = isinstance(upstream, np.ndarray) and upstream.ndim > 0
        return super().differentiate(call, logits, self.read_upstream(upstream, logits) if own else upstream)


class _Tangent(Kernel):
    """Reads the direction in its own way."""

    def read_tangent(self, tangent: Any, logits: Any) -> Any:
        return _unless_strided(tangent)

    def directional(self, call: Any, logits: Any, tangent: Any) -> Any:
        return super().directional(call, logits, self.read_tangent(tangent, logits))

    def hessian_product(self, call: Any, logits: Any, upstream: Any, direction: Any) -> Any:
        return super().hessian_product(call, logits, upstream, self.read_tangent(direction, logits))


# -- a copy unless the last stride is 1 -------------------------------------------------------------------------------


class LogitsCopiedUnlessTheLastStrideIsOne(_Logits):
    """Dense rows are taken for a contiguous block: what lies between them is read (rocm-libraries#11387)."""


class LabelsCopiedUnlessTheLastStrideIsOne(_Labels):
    """Labels whose last stride is 1 are taken for a contiguous block."""


class ProbabilitiesCopiedUnlessTheLastStrideIsOne(_Probabilities):
    """Class probabilities of dense rows are taken for a contiguous block."""


class UpstreamCopiedUnlessTheLastStrideIsOne(_Upstream):
    """An upstream gradient of dense rows is taken for a contiguous block."""


class TangentCopiedUnlessTheLastStrideIsOne(_Tangent):
    """A direction of dense rows is taken for a contiguous block."""


class HalfRowsTakenForDense(_Logits):
    """Half types alone: dense rows are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return _unless_strided(array) if array.itemsize == 2 else array


class DoubleRowsTakenForDense(_Logits):
    """float64 alone: dense rows are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return _unless_strided(array) if array.itemsize == 8 else array


class WideRowsTakenForDense(_Logits):
    """Rows beyond a warp alone: dense ones are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return _unless_strided(array) if array.shape[-1] > 64 else array


class VeryWideRowsTakenForDense(_Logits):
    """Rows that are taken in blocks of 1024: dense ones are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return _unless_strided(array) if array.shape[-1] > 1024 else array


class ManyRowsTakenForDense(_Logits):
    """More positions than a block of rows: dense ones are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return _unless_strided(array) if array.ndim > 1 and array.shape[0] > 64 else array


class NllRowsTakenForDense(_Logits):
    """nll_loss alone picks the labelled log-probability by the number of classes."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return super().nll_loss(_unless_strided(log_probabilities), targets, **options)

    def read_logits(self, array: Any) -> Any:
        return array


class LogSoftmaxRowsTakenForDense(Kernel):
    """log_softmax alone takes dense rows for a contiguous block."""

    def log_softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        return super().log_softmax(_unless_strided(logits), axis=axis, where=where)


class SmoothedRowsTakenForDense(Kernel):
    """The loop of label smoothing alone takes dense rows for a contiguous block."""

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: Any = None, **options: Any) -> Any:
        logits = _unless_strided(logits) if label_smoothing else logits
        return super().cross_entropy(logits, targets, label_smoothing=label_smoothing, **options)


class UnbatchedReadWithStrideOne(_Logits):
    """Logits of one position without a batch axis are read one behind the other, whatever their stride."""

    def read_logits(self, array: Any) -> Any:
        return _dense(array) if array.ndim == 1 else array


class ClassesFirstTakenForDense(Kernel):
    """The class axis first alone: classes are taken to lie a dense row apart."""

    def log_softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        dense = axis == 0 and isinstance(logits, np.ndarray) and logits.ndim == 2
        return super().log_softmax(_unless_strided(logits) if dense else logits, axis=axis, where=where)


class BackwardRowsTakenForDense(Kernel):
    """The backward pass alone takes dense rows for a contiguous block."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value = self.evaluate(call, logits)
        return value, super().differentiate(call, _unless_strided(logits), upstream)[1]


class MappedRowsTakenForDense(Kernel):
    """The vectorised map alone goes from one example to the next by their size."""

    def mapped(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().mapped(call, _unless_strided(logits), upstream)


# -- the place within the memory --------------------------------------------------------------------------------------


def _from_the_beginning(array: Any) -> Any:
    return _read(array, _steps(array), 0)


class StorageOffsetOfLogitsIgnored(_Logits):
    """The logits are read from the beginning of the memory that they are a part of."""

    def read_logits(self, array: Any) -> Any:
        return _from_the_beginning(array)


class StorageOffsetOfPositionsIgnored(_Logits):
    """x[2:]: positions that were cut off in front are read as the first ones."""

    def read_logits(self, array: Any) -> Any:
        whole, place = _memory(array)
        row = _steps(array)[0]
        return _from_the_beginning(array) if row > 1 and place and place % row == 0 and len(whole) > 2 else array


class StorageOffsetOfLabelsIgnored(_Labels):
    """The labels are read from the beginning of the memory that they are a part of."""

    def reading(self, given: Given, array: Any) -> Any:
        return _from_the_beginning(array)


class StorageOffsetOfWeightsIgnored(_Given):
    """The weights are read from the beginning of the memory that they are a part of."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        return _from_the_beginning(array)


class StorageOffsetOfUpstreamIgnored(_Upstream):
    """The upstream gradient is read from the beginning of the memory that it is a part of."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        return _from_the_beginning(upstream)


class StorageOffsetOfProbabilitiesIgnored(_Probabilities):
    """Class probabilities are read from the beginning of the memory that they are a part of."""

    def reading(self, given: Given, array: Any) -> Any:
        return _from_the_beginning(array)


class ShiftedLabelsReadFromTheFirst(_Labels):
    """labels[:, 1:], as language models are trained: read as labels[:, :-1]."""

    def reading(self, given: Given, array: Any) -> Any:
        _, place = _memory(array)
        return _read(array, _steps(array), place - 1) if place == 1 and array.ndim > 1 else array


# -- one stride too few -----------------------------------------------------------------------------------------------


class WeightReadWithStrideOne(_Given):
    """Weights are read one behind the other, whatever their stride (mlx#657)."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        return _dense(array)


class LabelsReadWithStrideOne(_Labels):
    """Labels are read one behind the other, whatever their strides (unsloth#10713)."""

    def reading(self, given: Given, array: Any) -> Any:
        return _dense(array)


class TimeMajorTakenForBatchMajor(_Logits):
    """(T, N, C) seen as (N, T, C) is read in the order of its memory (TransformerEngine#2734)."""

    def read_logits(self, array: Any) -> Any:
        steps = _steps(array)
        swapped = array.ndim > 2 and steps[0] < steps[1] and steps[-1] == 1
        return _dense(array) if swapped and 1 not in array.shape else array


class TimeMajorLabelsTakenForBatchMajor(_Labels):
    """Labels (T, N) seen as (N, T) beside logits that are batch-major are read in the order of their memory."""

    def reading(self, given: Given, array: Any) -> Any:
        plain = given.logits.flags.c_contiguous and array.ndim > 1
        return _dense(array) if plain and _steps(array)[0] < _steps(array)[1] else array


class ChannelsLastTakenForContiguous(_Logits):
    """Images with their channels last in memory are read as if those came second."""

    def read_logits(self, array: Any) -> Any:
        steps = _steps(array)
        last = array.ndim == 4 and steps[1] == 1 and steps[3] == array.shape[1] > 1
        return _dense(array) if last else array


class ChannelsLastSequencesTakenForContiguous(_Logits):
    """(N, L, C) seen as (N, C, L) is read in the order of its memory."""

    def read_logits(self, array: Any) -> Any:
        steps = _steps(array)
        last = array.ndim == 3 and steps[1] == 1 and steps[2] == array.shape[1] and steps[0] > steps[2] > 1
        return _dense(array) if last else array


class ChannelsLastVolumesTakenForContiguous(_Logits):
    """Volumes with their channels last in memory are read as if those came second."""

    def read_logits(self, array: Any) -> Any:
        steps = _steps(array)
        last = array.ndim == 5 and steps[1] == 1 and steps[4] == array.shape[1] > 1
        return _dense(array) if last else array


class ChannelsLastUpstreamTakenForContiguous(_Upstream):
    """An upstream gradient in the memory format of images is read as if their channels came second."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        steps = _steps(upstream)
        last = upstream.ndim > 2 and steps[1] == 1 and steps[-1] == upstream.shape[1] > 1
        return _dense(upstream) if last else upstream


class BatchStrideAssumed(_Logits):
    """Rank 3: the row's own stride is taken, and a batch lies where its rows would end."""

    def read_logits(self, array: Any) -> Any:
        steps = _steps(array)
        return _read(array, [steps[1] * array.shape[1], *steps[1:]]) if array.ndim == 3 and steps[1] > 0 else array


class PaddedRowsReadWhole(_Logits):
    """Rows that begin at a 64-byte boundary are loaded in whole vectors: the padding takes part in the maximum."""

    def normaliser(self, x: Any) -> Any:
        top, total = super().normaliser(x)
        return top, total + 1 if self.padded else total

    padded = False

    def read_logits(self, array: Any) -> Any:
        steps = _steps(array)
        self.padded = array.ndim > 1 and steps[-1] == 1 and steps[-2] % 16 == 0 and steps[-2] > array.shape[-1]
        return array


class RowStrideOfTheWrongAxis(_Logits):
    """x[::2]: the stride along axis 0 is taken for that of dense rows, and every row is read."""

    def read_logits(self, array: Any) -> Any:
        return _dense(array) if array.ndim == 2 and _steps(array) == [2 * array.shape[1], 1] else array


class OverlappingRowsTakenForDense(_Logits):
    """Sliding windows, whose rows begin one element behind each other, are read as rows of their own."""

    def read_logits(self, array: Any) -> Any:
        steps = _steps(array)
        return _dense(array) if array.ndim > 1 and steps[-2:] == [1, 1] and min(array.shape[-2:]) > 1 else array


class ResultStridedLikeTheInput(Kernel):
    """softmax: the result is allocated with the strides of the logits: overlapping rows overwrite each other."""

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        found = super().softmax(logits, axis=axis, where=where)
        if logits.ndim < 2 or not logits.size or min(logits.strides) < 0 or max(logits.strides) >= 2**31:
            return found
        result = np.lib.stride_tricks.as_strided(
            np.zeros(8 * logits.size + 64, logits.dtype), logits.shape, logits.strides
        )
        result[...] = found
        return result.copy()


class ExpandedWeightReadOn(_Given):
    """A weight of stride 0 is read past its one element, where zeros lie."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        return array if array.strides[0] or len(array) < 2 else np.where(np.arange(len(array)) == 0, array, 0)


class ExpandedProbabilitiesReadOn(_Probabilities):
    """Class probabilities of stride 0 along the batch are read past the first position, where zeros lie."""

    def reading(self, given: Given, array: Any) -> Any:
        if array.ndim < 2 or array.strides[0] or len(array) < 2:
            return array
        found = np.zeros(array.shape, array.dtype)
        found[0] = array[0]
        return found


class ExpandedClassesReadOn(_Logits):
    """Logits of stride 0 along the classes are read past the first class, where zeros lie."""

    def read_logits(self, array: Any) -> Any:
        if array.strides[-1] or array.shape[-1] < 2:
            return array
        found = np.zeros(array.shape, array.dtype)
        found[..., 0] = array[..., 0]
        return found


class ExpandedTangentReadOn(_Tangent):
    """A direction of stride 0 is read past its first element, where zeros lie."""

    def read_tangent(self, tangent: Any, logits: Any) -> Any:
        if 0 not in tangent.strides or tangent.size < 2:
            return tangent
        found = np.zeros(tangent.shape, tangent.dtype)
        found.reshape(-1)[0] = tangent.reshape(-1)[0]
        return found


# -- the strides of another operand -----------------------------------------------------------------------------------


class UpstreamReadWithTheStridesOfTheLogits(_Upstream):
    """softmax, log_softmax: the upstream gradient is read where the logits' strides lead."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        return _read(upstream, _steps(logits)) if upstream.shape == logits.shape else upstream


class ProbabilitiesReadWithTheStridesOfTheLogits(_Probabilities):
    """Class probabilities are read where the logits' strides lead."""

    def reading(self, given: Given, array: Any) -> Any:
        return _read(array, _steps(given.logits)) if array.shape == given.logits.shape else array


class TangentReadWithTheStridesOfTheLogits(_Tangent):
    """The direction is read where the logits' strides lead."""

    def read_tangent(self, tangent: Any, logits: Any) -> Any:
        return _read(tangent, _steps(logits)) if tangent.shape == logits.shape else tangent


class LabelsOrderedLikeTheLogits(_Labels):
    """Labels are taken to be time-major where the logits are."""

    def reading(self, given: Given, array: Any) -> Any:
        steps = _steps(given.logits)
        swapped = array.ndim == 2 and given.logits.ndim == 3 and 0 < steps[0] < steps[1]
        return _read(array, [1, array.shape[0]]) if swapped else array


class UpstreamOrderedLikeTheLabels(Kernel):
    """The upstream gradient of each position is read where the labels' strides lead."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        labels = call.operands.get("targets")
        if isinstance(labels, np.ndarray) and labels.shape == upstream.shape and upstream.ndim:
            upstream = _read(upstream, _steps(labels))
        return super().differentiate(call, logits, upstream)


class WeightStrideOfTheLabels(_Given):
    """Weights are read with the stride of the labels."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        labels = given.targets
        one = isinstance(labels, np.ndarray) and labels.ndim == 1
        return _read(array, _steps(labels)) if one else array


class BothCopiedIfOneIsStrided(Kernel):
    """Labels are made contiguous only where the logits are not: strided labels beside plain logits are read on."""

    def given(self, given: Given) -> Given:
        labels, logits = given.targets, given.logits
        both = isinstance(labels, np.ndarray) and isinstance(logits, np.ndarray) and labels.ndim > 0
        return replace(given, targets=_dense(labels)) if both and logits.flags.c_contiguous else given


# -- memory that is not the kernel's ----------------------------------------------------------------------------------


class PaddingCleared(Kernel):
    """Vector stores behind each row: the padding of the caller's logits is set to 0."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        whole, place = _memory(logits)
        steps = _steps(logits)
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


class NeighboursTakenForTheSame(_Probabilities):
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

    def directional(self, call: Any, logits: Any, tangent: Any) -> Any:
        value, derivative = super().directional(call, logits, tangent)
        same = call.operation == "log_softmax" and derivative.size and derivative.tobytes() == tangent.tobytes()
        return value, tangent if same else derivative


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


class ForeignByteOrderReadAsNative(_Logits):
    """Numbers of the other byte order are read as they lie."""

    def read_logits(self, array: Any) -> Any:
        return array if array.dtype.isnative else array.view(array.dtype.newbyteorder("="))


class LabelsOfForeignByteOrderReadAsNative(_Labels):
    """Labels of the other byte order are read as they lie, and clamped to the classes."""

    def reading(self, given: Given, array: Any) -> Any:
        return array if array.dtype.isnative else np.zeros(array.shape, array.dtype.newbyteorder("="))


class MaskReadAsContiguous(Kernel):
    """The mask of classes is read from its address on, as if it were contiguous."""

    def masked(self, logits: Any, where: Any) -> Any:
        return super().masked(logits, _dense(where) if isinstance(where, np.ndarray) and where.ndim else where)


class TargetGradientOfDenseProbabilities(_Logits):
    """The gradient with respect to class probabilities alone takes dense rows of logits for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return array

    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().target_gradient(call, _unless_strided(logits), upstream)
