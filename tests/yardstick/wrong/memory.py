"""Strides that are not looked at, or not all of them, and memory that is a part of more."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Given, Kernel
from tests.yardstick.views import (
    LabelsReader,
    LogitsReader,
    OperandReader,
    ProbabilitiesReader,
    TangentReader,
    UpstreamReader,
    dense,
    memory_of,
    read,
    steps_of,
    unless_strided,
)

# -- a copy unless the last stride is 1 -------------------------------------------------------------------------------


class LogitsCopiedUnlessTheLastStrideIsOne(LogitsReader):
    """Dense rows are taken for a contiguous block: what lies between them is read (rocm-libraries#11387)."""


class LabelsCopiedUnlessTheLastStrideIsOne(LabelsReader):
    """Labels whose last stride is 1 are taken for a contiguous block."""


class ProbabilitiesCopiedUnlessTheLastStrideIsOne(ProbabilitiesReader):
    """Class probabilities of dense rows are taken for a contiguous block."""


class UpstreamCopiedUnlessTheLastStrideIsOne(UpstreamReader):
    """An upstream gradient of dense rows is taken for a contiguous block."""


class TangentCopiedUnlessTheLastStrideIsOne(TangentReader):
    """A direction of dense rows is taken for a contiguous block."""


class HalfRowsTakenForDense(LogitsReader):
    """Half types alone: dense rows are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return unless_strided(array) if array.itemsize == 2 else array


class DoubleRowsTakenForDense(LogitsReader):
    """float64 alone: dense rows are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return unless_strided(array) if array.itemsize == 8 else array


class WideRowsTakenForDense(LogitsReader):
    """Rows beyond a warp alone: dense ones are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return unless_strided(array) if array.shape[-1] > 64 else array


class VeryWideRowsTakenForDense(LogitsReader):
    """Rows that are taken in blocks of 1024: dense ones are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return unless_strided(array) if array.shape[-1] > 1024 else array


class ManyRowsTakenForDense(LogitsReader):
    """More positions than a block of rows: dense ones are taken for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return unless_strided(array) if array.ndim > 1 and array.shape[0] > 64 else array


class NllRowsTakenForDense(LogitsReader):
    """nll_loss alone picks the labelled log-probability by the number of classes."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return super().nll_loss(unless_strided(log_probabilities), targets, **options)

    def read_logits(self, array: Any) -> Any:
        return array


class LogSoftmaxRowsTakenForDense(Kernel):
    """log_softmax alone takes dense rows for a contiguous block."""

    def log_softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        return super().log_softmax(unless_strided(logits), axis=axis, where=where)


class SmoothedRowsTakenForDense(Kernel):
    """The loop of label smoothing alone takes dense rows for a contiguous block."""

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: Any = None, **options: Any) -> Any:
        logits = unless_strided(logits) if label_smoothing else logits
        return super().cross_entropy(logits, targets, label_smoothing=label_smoothing, **options)


class UnbatchedReadWithStrideOne(LogitsReader):
    """Logits of one position without a batch axis are read one behind the other, whatever their stride."""

    def read_logits(self, array: Any) -> Any:
        return dense(array) if array.ndim == 1 else array


class ClassesFirstTakenForDense(Kernel):
    """The class axis first alone: classes are taken to lie a dense row apart."""

    def log_softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        dense = axis == 0 and isinstance(logits, np.ndarray) and logits.ndim == 2
        return super().log_softmax(unless_strided(logits) if dense else logits, axis=axis, where=where)


class BackwardRowsTakenForDense(Kernel):
    """The backward pass alone takes dense rows for a contiguous block."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value = self.evaluate(call, logits)
        return value, super().differentiate(call, unless_strided(logits), upstream)[1]


class MappedRowsTakenForDense(Kernel):
    """The vectorised map alone goes from one example to the next by their size."""

    def vmap(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().vmap(call, unless_strided(logits), upstream)


# -- the place within the memory --------------------------------------------------------------------------------------


def _from_the_beginning(array: Any) -> Any:
    return read(array, steps_of(array), 0)


class StorageOffsetOfLogitsIgnored(LogitsReader):
    """The logits are read from the beginning of the memory that they are a part of."""

    def read_logits(self, array: Any) -> Any:
        return _from_the_beginning(array)


class StorageOffsetOfPositionsIgnored(LogitsReader):
    """x[2:]: positions that were cut off in front are read as the first ones."""

    def read_logits(self, array: Any) -> Any:
        whole, place = memory_of(array)
        row = steps_of(array)[0]
        return _from_the_beginning(array) if row > 1 and place and place % row == 0 and len(whole) > 2 else array


class StorageOffsetOfLabelsIgnored(LabelsReader):
    """The labels are read from the beginning of the memory that they are a part of."""

    def reading(self, given: Given, array: Any) -> Any:
        return _from_the_beginning(array)


class StorageOffsetOfWeightsIgnored(OperandReader):
    """The weights are read from the beginning of the memory that they are a part of."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        return _from_the_beginning(array)


class StorageOffsetOfUpstreamIgnored(UpstreamReader):
    """The upstream gradient is read from the beginning of the memory that it is a part of."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        return _from_the_beginning(upstream)


class StorageOffsetOfProbabilitiesIgnored(ProbabilitiesReader):
    """Class probabilities are read from the beginning of the memory that they are a part of."""

    def reading(self, given: Given, array: Any) -> Any:
        return _from_the_beginning(array)


class ShiftedLabelsReadFromTheFirst(LabelsReader):
    """labels[:, 1:], as language models are trained: read as labels[:, :-1]."""

    def reading(self, given: Given, array: Any) -> Any:
        _, place = memory_of(array)
        return read(array, steps_of(array), place - 1) if place == 1 and array.ndim > 1 else array


# -- one stride too few -----------------------------------------------------------------------------------------------


class WeightReadWithStrideOne(OperandReader):
    """Weights are read one behind the other, whatever their stride (mlx#657)."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        return dense(array)


class LabelsReadWithStrideOne(LabelsReader):
    """Labels are read one behind the other, whatever their strides (unsloth#10713)."""

    def reading(self, given: Given, array: Any) -> Any:
        return dense(array)


class TimeMajorTakenForBatchMajor(LogitsReader):
    """(T, N, C) seen as (N, T, C) is read in the order of its memory (TransformerEngine#2734)."""

    def read_logits(self, array: Any) -> Any:
        steps = steps_of(array)
        swapped = array.ndim > 2 and steps[0] < steps[1] and steps[-1] == 1
        return dense(array) if swapped and 1 not in array.shape else array


class TimeMajorLabelsTakenForBatchMajor(LabelsReader):
    """Labels (T, N) seen as (N, T) beside logits that are batch-major are read in the order of their memory."""

    def reading(self, given: Given, array: Any) -> Any:
        plain = given.logits.flags.c_contiguous and array.ndim > 1
        return dense(array) if plain and steps_of(array)[0] < steps_of(array)[1] else array


class ChannelsLastTakenForContiguous(LogitsReader):
    """Images with their channels last in memory are read as if those came second."""

    def read_logits(self, array: Any) -> Any:
        steps = steps_of(array)
        last = array.ndim == 4 and steps[1] == 1 and steps[3] == array.shape[1] > 1
        return dense(array) if last else array


class ChannelsLastSequencesTakenForContiguous(LogitsReader):
    """(N, L, C) seen as (N, C, L) is read in the order of its memory."""

    def read_logits(self, array: Any) -> Any:
        steps = steps_of(array)
        last = array.ndim == 3 and steps[1] == 1 and steps[2] == array.shape[1] and steps[0] > steps[2] > 1
        return dense(array) if last else array


class ChannelsLastVolumesTakenForContiguous(LogitsReader):
    """Volumes with their channels last in memory are read as if those came second."""

    def read_logits(self, array: Any) -> Any:
        steps = steps_of(array)
        last = array.ndim == 5 and steps[1] == 1 and steps[4] == array.shape[1] > 1
        return dense(array) if last else array


class ChannelsLastUpstreamTakenForContiguous(UpstreamReader):
    """An upstream gradient in the memory format of images is read as if their channels came second."""

    def read_upstream(self, upstream: Any, logits: Any) -> Any:
        steps = steps_of(upstream)
        last = upstream.ndim > 2 and steps[1] == 1 and steps[-1] == upstream.shape[1] > 1
        return dense(upstream) if last else upstream


class BatchStrideAssumed(LogitsReader):
    """Rank 3: the row's own stride is taken, and a batch lies where its rows would end."""

    def read_logits(self, array: Any) -> Any:
        steps = steps_of(array)
        return read(array, [steps[1] * array.shape[1], *steps[1:]]) if array.ndim == 3 and steps[1] > 0 else array


class PaddedRowsReadWhole(LogitsReader):
    """Rows that begin at a 64-byte boundary are loaded in whole vectors: the padding takes part in the maximum."""

    def normaliser(self, x: Any) -> Any:
        top, total = super().normaliser(x)
        return top, total + 1 if self.padded else total

    padded = False

    def read_logits(self, array: Any) -> Any:
        steps = steps_of(array)
        self.padded = array.ndim > 1 and steps[-1] == 1 and steps[-2] % 16 == 0 and steps[-2] > array.shape[-1]
        return array


class RowStrideOfTheWrongAxis(LogitsReader):
    """x[::2]: the stride along axis 0 is taken for that of dense rows, and every row is read."""

    def read_logits(self, array: Any) -> Any:
        return dense(array) if array.ndim == 2 and steps_of(array) == [2 * array.shape[1], 1] else array


class OverlappingRowsTakenForDense(LogitsReader):
    """Sliding windows, whose rows begin one element behind each other, are read as rows of their own."""

    def read_logits(self, array: Any) -> Any:
        steps = steps_of(array)
        return dense(array) if array.ndim > 1 and steps[-2:] == [1, 1] and min(array.shape[-2:]) > 1 else array


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


class ExpandedWeightReadOn(OperandReader):
    """A weight of stride 0 is read past its one element, where zeros lie."""

    operand = "weight"

    def reading(self, given: Given, array: Any) -> Any:
        return array if array.strides[0] or len(array) < 2 else np.where(np.arange(len(array)) == 0, array, 0)


class ExpandedProbabilitiesReadOn(ProbabilitiesReader):
    """Class probabilities of stride 0 along the batch are read past the first position, where zeros lie."""

    def reading(self, given: Given, array: Any) -> Any:
        if array.ndim < 2 or array.strides[0] or len(array) < 2:
            return array
        found = np.zeros(array.shape, array.dtype)
        found[0] = array[0]
        return found


class ExpandedClassesReadOn(LogitsReader):
    """Logits of stride 0 along the classes are read past the first class, where zeros lie."""

    def read_logits(self, array: Any) -> Any:
        if array.strides[-1] or array.shape[-1] < 2:
            return array
        found = np.zeros(array.shape, array.dtype)
        found[..., 0] = array[..., 0]
        return found


class ExpandedTangentReadOn(TangentReader):
    """A direction of stride 0 is read past its first element, where zeros lie."""

    def read_tangent(self, tangent: Any, logits: Any) -> Any:
        if 0 not in tangent.strides or tangent.size < 2:
            return tangent
        found = np.zeros(tangent.shape, tangent.dtype)
        found.reshape(-1)[0] = tangent.reshape(-1)[0]
        return found


class ForeignByteOrderReadAsNative(LogitsReader):
    """Numbers of the other byte order are read as they lie."""

    def read_logits(self, array: Any) -> Any:
        return array if array.dtype.isnative else array.view(array.dtype.newbyteorder("="))


class LabelsOfForeignByteOrderReadAsNative(LabelsReader):
    """Labels of the other byte order are read as they lie, and clamped to the classes."""

    def reading(self, given: Given, array: Any) -> Any:
        return array if array.dtype.isnative else np.zeros(array.shape, array.dtype.newbyteorder("="))


class MaskReadAsContiguous(Kernel):
    """The mask of classes is read from its address on, as if it were contiguous."""

    def masked(self, logits: Any, where: Any) -> Any:
        return super().masked(logits, dense(where) if isinstance(where, np.ndarray) and where.ndim else where)


class TargetGradientOfDenseProbabilities(LogitsReader):
    """The gradient with respect to class probabilities alone takes dense rows of logits for a contiguous block."""

    def read_logits(self, array: Any) -> Any:
        return array

    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        return super().target_gradient(call, unless_strided(logits), upstream)


class PaddedMaskOfALossTakenForContiguous(Kernel):
    """A loss takes a mask of classes whose last stride is 1 for contiguous."""

    def cross_entropy(self, logits: Any, targets: Any, *, where: Any = None, **options: Any) -> Any:
        return super().cross_entropy(logits, targets, where=unless_strided(where), **options)


class ProbabilityStepsInItemsOfTheLogits(OperandReader):
    """Strides of class probabilities are counted in items of the logits, whose dtype is another."""

    def of(self, given: Given) -> bool:
        return bool(given.targets.dtype.kind not in "iu" and given.targets.itemsize != given.logits.itemsize)

    def reading(self, given: Given, array: Any) -> Any:
        if array.flags.c_contiguous:
            return array
        return read(array, [stride // given.logits.itemsize for stride in array.strides])


class ReversedRowsReadForwards(LogitsReader):
    """A negative stride along axis 0 alone is taken for a positive one, from the lowest address on."""

    def read_logits(self, array: Any) -> Any:
        first, *others = array.strides
        return array[::-1] if first < 0 and all(step > 0 for step in others) else array


class CutChannelsLastTakenForWhole(LogitsReader):
    """Channels last are known by the strides of channels and width; those of rows and images are computed."""

    def read_logits(self, array: Any) -> Any:
        if array.ndim != 4 or array.shape[1] < 2:
            return array
        (_, channels, height, width), steps = array.shape, steps_of(array)
        if (steps[1], steps[3]) != (1, channels):
            return array
        return read(array, (height * width * channels, 1, width * channels, channels))
