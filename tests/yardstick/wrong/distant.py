"""Special values and views where they lie far into a tensor, beyond what the first vector or block sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class LateNanSwallowed(Kernel):
    """Beyond 32 classes the vectorised maximum drops NaN, and the sum takes it for a masked class."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        late = np.arange(found.shape[1]) >= 32
        return np.where(np.isnan(found) & late, found.dtype.type(-np.inf), found) if dtype is None else found


class LateInfinityIsFinite(Kernel):
    """Beyond 32 classes an infinite logit is replaced by the largest number, so that its row is certain, not NaN."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        late = np.arange(found.shape[1]) >= 32
        big = np.finfo(found.dtype).max / 2
        return np.where(np.isposinf(found) & late, big, found).astype(found.dtype) if dtype is None else found


class NanOfLaterRowsSwallowed(Kernel):
    """From the 65th row on NaN logits become 0."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        late = (np.arange(len(found)) >= 64)[:, np.newaxis]
        return np.where(np.isnan(found) & late, 0, found).astype(found.dtype) if dtype is None else found


class MaskedLaterRowsAreUniform(Kernel):
    """From the 17th row on a row that is all -inf gives the uniform distribution."""

    def probabilities(self, x: Any) -> Any:
        gone = np.isneginf(x).all(-1, keepdims=True) & (np.arange(len(x)) >= 16)[:, np.newaxis]
        return super().probabilities(np.where(gone, 0, x).astype(x.dtype))


class MaskedLabelOfAWideRowIsFinite(Kernel):
    """Beyond 256 classes a label whose logit is -inf costs 1e9."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(np.isposinf(found), found.dtype.type(1e9), found) if ask.classes > 256 else found


class UnshiftedOfRankFour(Kernel):
    """Logits of rank 4 and more go through a path without the shift."""

    _rank = 0

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        self._rank = array.ndim if dtype is None else self._rank
        return super().rows(array, axis, dtype)

    def top(self, x: Any) -> Any:
        found = super().top(x)
        return np.where(np.isfinite(found), 0, found).astype(x.dtype) if self._rank >= 4 else found


class UnshiftedOfManyRows(Kernel):
    """More than 1,024 positions go through a path without the shift."""

    def top(self, x: Any) -> Any:
        found = super().top(x)
        return np.where(np.isfinite(found), 0, found).astype(x.dtype) if len(x) > 1024 else found


class UnshiftedOffTheLastAxis(Kernel):
    """The path for a class axis that is not the last has no shift."""

    _last = True

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        if dtype is None:
            self._last = array.ndim == 0 or self.axis(array, axis) == array.ndim - 1
        return super().rows(array, axis, dtype)

    def top(self, x: Any) -> Any:
        found = super().top(x)
        return found if self._last else np.where(np.isfinite(found), 0, found).astype(x.dtype)


class _WideView(Kernel):
    """Base: views of rank 2 and more than 64 classes that :meth:`seen` picks are read from one element early on."""

    least = 64

    def seen(self, array: Any) -> bool:
        raise NotImplementedError

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        found = super().rows(array, axis, dtype)
        wide = dtype is None and found.shape[1] > self.least and len(found) > 1
        return np.roll(found, 1, axis=1) if wide and self.seen(array) else found


class TransposedVocabularyMisread(_WideView):
    """Transposed logits of more than 64 classes are read one class early."""

    def seen(self, array: Any) -> bool:
        return bool(array.flags.f_contiguous and not array.flags.c_contiguous)


class SlicedVocabularyMisread(_WideView):
    """Every second element of a row of more than 64 classes: the vector load begins one class early."""

    def seen(self, array: Any) -> bool:
        return bool(array.strides[-1] > array.itemsize and not array.flags.f_contiguous)


class ReversedVocabularyMisread(_WideView):
    """Rows of more than 64 classes with a negative stride are read one class early."""

    def seen(self, array: Any) -> bool:
        return bool(array.strides[-1] < 0)


class MisalignedVocabularyMisread(_WideView):
    """Rows of more than 64 classes that begin off a 64-byte boundary are read one class early."""

    def seen(self, array: Any) -> bool:
        return array.base is not None and array.flags.c_contiguous and array.ctypes.data % 64 == array.itemsize


class EmptySpaceRefused(Kernel):
    """Logits without a pixel, (2, 3, 0), raise where a batch without an image does not."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        if isinstance(array, np.ndarray) and array.ndim > 2 and len(array) and not array.size:
            raise ValueError("no pixels")
        return super().rows(array, axis, dtype)


class _LabelType(Kernel):
    """Base: narrow labels are read one position late where :meth:`seen` says so."""

    def seen(self, ask: Ask, kind: Any) -> bool:
        raise NotImplementedError

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, *rest, **named)
        if found.by_index and len(found.x) > 1 and found.valid.all() and self.seen(found, targets.dtype):
            object.__setattr__(found, "labels", np.roll(found.labels, 1))
        return found


class Int32LabelsOfManyClasses(_LabelType):
    """int32 labels of more than 64 classes are read one position late."""

    def seen(self, ask: Ask, kind: Any) -> bool:
        return kind == np.int32 and ask.classes > 64


class Int32LabelsOfManyRows(_LabelType):
    """int32 labels of more than 64 positions are read one position late."""

    def seen(self, ask: Ask, kind: Any) -> bool:
        return kind == np.int32 and len(ask.x) > 64


class Int32LabelsOfImages(_LabelType):
    """int32 labels of positions on more than one axis are read one position late."""

    def seen(self, ask: Ask, kind: Any) -> bool:
        return kind == np.int32 and len(ask.shape) > 1
