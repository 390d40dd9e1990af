"""Tails gone wrong: what is left of a row, or of the rows, after whole vectors or blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _SumTail(Kernel):
    """Base: the tail after whole vectors of ``lanes`` is left out of the sum of exponentials."""

    lanes = 1

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        whole = x.shape[1] // self.lanes * self.lanes
        if not whole:
            return top, total
        return top, self.total(self.exp(x[:, :whole] - top))[:, np.newaxis]


class SumTailOf2(_SumTail):
    """Two lanes: the last of an odd number of classes is left out of the sum."""

    lanes = 2


class SumTailOf8(_SumTail):
    """Eight lanes: the tail is left out of the sum, from 8 classes on."""

    lanes = 8


class SumTailOf32(_SumTail):
    """A warp of 32: the tail is left out of the sum, from 32 classes on."""

    lanes = 32


class SumTailOf64(_SumTail):
    """A wavefront of 64: the tail is left out of the sum, from 64 classes on."""

    lanes = 64


class SumTailOf128(_SumTail):
    """Blocks of 128: the tail is left out of the sum, from 128 classes on."""

    lanes = 128


class SumTailOf1024(_SumTail):
    """Blocks of 1,024: the tail is left out of the sum, from 1,024 classes on."""

    lanes = 1024


class SumTailOf4096(_SumTail):
    """Blocks of 4,096: the tail is left out of the sum, from 4,096 classes on."""

    lanes = 4096


class _MaximumTail(Kernel):
    """Base: the tail after whole vectors of ``lanes`` never reaches the maximum."""

    lanes = 1

    def top(self, x: Any) -> Any:
        whole = x.shape[1] // self.lanes * self.lanes
        return super().top(x[:, : whole or x.shape[1]])


class MaximumTailOf2(_MaximumTail):
    """Two lanes: the last of an odd number of classes never reaches the maximum."""

    lanes = 2


class MaximumTailOf4(_MaximumTail):
    """Four lanes: the tail never reaches the maximum."""

    lanes = 4


class MaximumTailOf16(_MaximumTail):
    """Sixteen lanes: the tail never reaches the maximum."""

    lanes = 16


class MaximumTailOf32(_MaximumTail):
    """A warp of 32: the tail never reaches the maximum."""

    lanes = 32


class MaximumTailOf64(_MaximumTail):
    """A wavefront of 64: the tail never reaches the maximum."""

    lanes = 64


class MaximumTailOf128(_MaximumTail):
    """Blocks of 128: the tail never reaches the maximum."""

    lanes = 128


class MaximumTailOf1024(_MaximumTail):
    """Blocks of 1,024: the tail never reaches the maximum."""

    lanes = 1024


class _TailTwice(Kernel):
    """Base: the last vector overlaps the one before it, and the classes of both are summed twice."""

    lanes = 1

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        rest = x.shape[1] % self.lanes
        if not rest or x.shape[1] < self.lanes:
            return top, total
        again = x[:, x.shape[1] - self.lanes : x.shape[1] - rest]
        return top, total + self.total(self.exp(again - top))[:, np.newaxis]


class TailOf4Twice(_TailTwice):
    """Four lanes: the last vector begins within the one before it, and what both hold is summed twice."""

    lanes = 4


class TailOf16Twice(_TailTwice):
    """Sixteen lanes: the last vector begins within the one before it, and what both hold is summed twice."""

    lanes = 16


class TailOf64Twice(_TailTwice):
    """A wavefront of 64: the last one begins within the one before it, and what both hold is summed twice."""

    lanes = 64


class _GradientTail(Kernel):
    """Base: the classes of the tail after whole vectors of ``lanes`` get no gradient."""

    lanes = 1

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        if ask.classes >= self.lanes:
            found[:, ask.classes // self.lanes * self.lanes :] = 0
        return found


class GradientTailOf2(_GradientTail):
    """Two lanes: the last of an odd number of classes gets no gradient."""

    lanes = 2


class GradientTailOf8(_GradientTail):
    """Eight lanes: the classes of the tail get no gradient."""

    lanes = 8


class GradientTailOf32(_GradientTail):
    """A warp of 32: the classes of the tail get no gradient."""

    lanes = 32


class GradientTailOf128(_GradientTail):
    """Blocks of 128: the classes of the tail get no gradient."""

    lanes = 128


class GradientTailOf1024(_GradientTail):
    """Blocks of 1,024: the classes of the tail get no gradient."""

    lanes = 1024


class LogSoftmaxGradientTail(Kernel):
    """Eight lanes: the tail of the upstream gradient is left out of the sum in the gradient of log_softmax."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        whole = v.shape[1] // 8 * 8 or v.shape[1]
        return v - p * self.total(v[:, :whole])[:, np.newaxis]


class SoftmaxGradientTail(Kernel):
    """Eight lanes: the tail is left out of the dot product in the gradient of softmax."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        whole = v.shape[1] // 8 * 8 or v.shape[1]
        return p * (v - self.total((p * v)[:, :whole])[:, np.newaxis])


class _RowTail(Kernel):
    """Base: the losses of the rows after whole groups of ``rows`` stay 0."""

    group = 1

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        whole = len(found) // self.group * self.group
        if whole:
            found[whole:] = 0
        return found


class RowTailOf2(_RowTail):
    """Two rows at a time: the loss of the last of an odd number of positions stays 0."""

    group = 2


class RowTailOf4(_RowTail):
    """Four rows at a time: the losses of the positions left over stay 0, from 4 on."""

    group = 4


class RowTailOf16(_RowTail):
    """Sixteen rows at a time: the losses of the positions left over stay 0, from 16 on."""

    group = 16


class RowTailOf64(_RowTail):
    """64 rows at a time: the losses of the positions left over stay 0, from 64 on."""

    group = 64


class RowTailOf128(_RowTail):
    """128 rows at a time: the losses of the positions left over stay 0, from 128 on."""

    group = 128


class _GradientRowTail(Kernel):
    """Base: the gradients of the rows after whole groups of ``rows`` stay 0."""

    group = 1

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        whole = len(found) // self.group * self.group
        if whole:
            found[whole:] = 0
        return found


class GradientRowTailOf4(_GradientRowTail):
    """Four rows at a time: the positions left over get no gradient, from 4 on."""

    group = 4


class GradientRowTailOf32(_GradientRowTail):
    """32 rows at a time: the positions left over get no gradient, from 32 on."""

    group = 32


class SoftmaxRowTailOf8(Kernel):
    """Eight rows at a time: softmax leaves the rows left over as they were, from 8 on."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        if found.ndim != 2 or self.axis(logits, axis) != 1:
            return found
        whole = len(found) // 8 * 8
        if whole:
            found[whole:] = logits[whole:]
        return found


class LogSoftmaxRowTailOf8(Kernel):
    """Eight rows at a time: log_softmax leaves the rows left over as they were, from 8 on."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().log_softmax(logits, axis=axis)
        if found.ndim != 2 or self.axis(logits, axis) != 1:
            return found
        whole = len(found) // 8 * 8
        if whole:
            found[whole:] = logits[whole:]
        return found


class MaximumSkipsAVector(Kernel):
    """Unrolled by two: the second vector of 16 never reaches the maximum, from 48 classes on."""

    def top(self, x: Any) -> Any:
        return super().top(np.concatenate([x[:, :16], x[:, 32:]], 1) if x.shape[1] >= 48 else x)
