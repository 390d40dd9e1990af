"""Checks that let nearly valid arguments pass, and make a plausible result of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Given, Kernel


class _Smoothing(Kernel):
    """Base: label smoothing is corrected before it is checked."""

    def corrected(self, smoothing: float) -> float:
        raise NotImplementedError

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: Any = None, **options: Any) -> Any:
        smoothing = None if label_smoothing is None else self.corrected(label_smoothing)
        return super().cross_entropy(logits, targets, label_smoothing=smoothing, **options)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        options = dict(call.options)
        if options.get("label_smoothing") is not None:
            options["label_smoothing"] = self.corrected(options["label_smoothing"])
        corrected = type(call)(call.operation, call.operands, tuple(options.items()))
        return super().differentiate(corrected, logits, upstream)


class SmoothingAboveOneByATolerance(_Smoothing):
    """Smoothing is checked with a tolerance: 1.00001 is taken for 1."""

    def corrected(self, smoothing: float) -> float:
        return 1.0 if 1 < smoothing <= 1.00001 else smoothing


class SmoothingBelowZeroByATolerance(_Smoothing):
    """Smoothing is checked with a tolerance: -0.00001 is taken for 0."""

    def corrected(self, smoothing: float) -> float:
        return 0.0 if -1e-5 <= smoothing < 0 else smoothing


class _Weight(Kernel):
    """Base: weights of another shape are corrected."""

    def corrected(self, weight: Any, classes: int) -> Any:
        raise NotImplementedError

    def given(self, given: Given) -> Given:
        weight, logits = given.weight, given.logits
        if not (isinstance(weight, np.ndarray) and isinstance(logits, np.ndarray) and logits.ndim):
            return given
        return replace(given, weight=self.corrected(weight, logits.shape[self.axis(logits, given.axis)]))


class WeightsFlattened(_Weight):
    """Weights of any shape are flattened: a column is taken."""

    def corrected(self, weight: Any, classes: int) -> Any:
        return weight.reshape(-1) if weight.ndim > 1 else weight


class ScalarWeightBroadcast(_Weight):
    """A weight of rank 0 is broadcast to the classes."""

    def corrected(self, weight: Any, classes: int) -> Any:
        return np.full(classes, weight) if weight.ndim == 0 else weight


class _Labels(Kernel):
    """Base: labels are corrected before they are checked, knowing the logits' shape and the reduction."""

    def corrected(self, labels: Any, logits: Any, reduction: Any) -> Any:
        raise NotImplementedError

    def given(self, given: Given) -> Given:
        logits, targets = given.logits, given.targets
        if not (isinstance(targets, np.ndarray) and targets.dtype.kind in "iu" and logits.ndim):
            return given
        classes = logits.shape[self.axis(logits, given.axis)]
        ignored = -100 if given.ignore_index is None else given.ignore_index
        self.outside = (targets != ignored) & ((targets < 0) | (targets >= classes)) & (classes > 0)
        return replace(given, targets=self.corrected(targets, logits, given.reduction))

    outside: Any = None


class LabelsCheckedInTheFirstBlock(_Labels):
    """Only the first 128 labels are checked: a bad one beyond them is class 0."""

    def corrected(self, labels: Any, logits: Any, reduction: Any) -> Any:
        late = np.arange(labels.size).reshape(labels.shape) >= 128
        return np.where(late & self.outside, 0, labels).astype(labels.dtype)


class LabelsUncheckedUnderSum(_Labels):
    """The kernel that sums does not check labels: bad ones are class 0."""

    def corrected(self, labels: Any, logits: Any, reduction: Any) -> Any:
        return np.where(self.outside, 0, labels).astype(labels.dtype) if reduction == "sum" else labels


class LabelsUncheckedUnderNone(_Labels):
    """The kernel without reduction does not check labels: bad ones are class 0."""

    def corrected(self, labels: Any, logits: Any, reduction: Any) -> Any:
        return np.where(self.outside, 0, labels).astype(labels.dtype) if reduction == "none" else labels


class LeadingUnitAxisOfLabelsDropped(_Labels):
    """Labels of shape (1, N) beside logits (N, C) lose their first axis."""

    def corrected(self, labels: Any, logits: Any, reduction: Any) -> Any:
        row = labels.ndim == 2 == logits.ndim and len(labels) == 1 and labels.shape != logits.shape
        return labels[0] if row else labels


class EmptyBatchUnchecked(Kernel):
    """An empty batch returns early, before weights and smoothing are checked."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if isinstance(logits, np.ndarray) and logits.ndim > 1 and not logits.size and len(logits) == 0:
            options |= {"weight": None, "label_smoothing": None}
        return super().cross_entropy(logits, targets, **options)


class UpstreamOfAsManyElements(Kernel):
    """An upstream gradient of another shape and the right number of elements is reshaped."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value = self.evaluate(call, logits)
        if isinstance(upstream, np.ndarray) and upstream.size == value.size:
            upstream = upstream.reshape(value.shape)
        return super().differentiate(call, logits, upstream)
