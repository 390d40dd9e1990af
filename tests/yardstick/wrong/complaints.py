"""Complaints that are missing, or that come where they should not."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


class _Unchecked(Kernel):
    """Base: labels out of range pass where :meth:`passes` says so, and stand for class 0."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        raise NotImplementedError

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        if labels.dtype.kind not in "iu" or labels.shape != shape or not classes:
            return super().checked(labels, shape, classes, ignored)
        outside = ((labels < 0) | (labels >= classes)) & (labels != ignored)
        quiet = outside & self.passes(labels, classes, ignored)
        labels[...] = labels
        super().checked(np.where(quiet, 0, labels), shape, classes, ignored)
        self.quiet = quiet.reshape(-1)
        return np.asarray(labels != ignored)

    quiet: Any = None

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        self.quiet = None
        found = super().ask(logits, targets, *rest, **named)
        if self.quiet is None or not found.by_index:
            return found
        return replace(found, labels=np.where(self.quiet, 0, found.labels))


class LabelOfOneTooMany(_Unchecked):
    """``label > C``: the label C itself passes."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return labels == classes


class OnlyTheFirstLabelIsChecked(_Unchecked):
    """Only the first label of a batch is checked."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        later = np.ones(labels.size, bool)
        later[:1] = False
        return later.reshape(labels.shape)


class OnlyTheLastLabelIsChecked(_Unchecked):
    """Only the last label of a batch is checked."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        earlier = np.ones(labels.size, bool)
        earlier[-1:] = False
        return earlier.reshape(labels.shape)


class NegativeLabelsUnchecked(_Unchecked):
    """Only the upper end is checked: negative labels pass."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return labels < 0


class LargeLabelsUnchecked(_Unchecked):
    """Only the lower end is checked: labels from C on pass."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return labels >= classes


class VeryLargeLabelsUnchecked(_Unchecked):
    """Labels from 2^31 on pass: the check runs on 32 bits."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return np.abs(labels.astype(np.float64)) >= 2.0**31


class UncheckedWhereIgnored(_Unchecked):
    """A stated ignore_index switches the check of labels off."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return np.full(labels.shape, ignored != -100)


class UncheckedInSegmentation(_Unchecked):
    """Labels of more than one axis are not checked."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return np.full(labels.shape, labels.ndim > 1)


class UncheckedUnbatched(_Unchecked):
    """The label of one unbatched position is not checked."""

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return np.full(labels.shape, labels.ndim == 0)


class NllLossUnchecked(_Unchecked):
    """nll_loss does not check labels, cross_entropy does."""

    inside = False

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        self.inside = True
        try:
            return super().nll_loss(log_probabilities, targets, **options)
        finally:
            self.inside = False

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return np.full(labels.shape, self.inside)


class UncheckedWhereSmoothed(_Unchecked):
    """Label smoothing takes a path that does not check labels."""

    smoothed = False

    def given(self, given: Given) -> Given:
        self.smoothed = bool(given.label_smoothing)
        return given

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return np.full(labels.shape, self.smoothed)


class UncheckedWhereWeighted(_Unchecked):
    """Weights take a path that does not check labels."""

    weighted = False

    def given(self, given: Given) -> Given:
        self.weighted = given.weight is not None
        return given

    def passes(self, labels: Any, classes: int, ignored: int) -> Any:
        return np.full(labels.shape, self.weighted)


class NegativeSmoothingAccepted(Kernel):
    """``if label_smoothing > 1``: negative smoothing passes."""

    def given(self, given: Given) -> Given:
        return replace(given, label_smoothing=max(given.label_smoothing or 0.0, 0.0))


class LargeSmoothingAccepted(Kernel):
    """``if label_smoothing < 0``: smoothing beyond 1 passes."""

    def given(self, given: Given) -> Given:
        return replace(given, label_smoothing=min(given.label_smoothing or 0.0, 1.0))


class OneWeightForAll(Kernel):
    """A weight vector of one element serves all classes."""

    def given(self, given: Given) -> Given:
        weight, logits = given.weight, given.logits
        if isinstance(weight, np.ndarray) and weight.shape == (1,) and logits.ndim:
            weight = np.broadcast_to(weight, (logits.shape[self.axis(logits, given.axis)],))
        return replace(given, weight=weight)


class WeightsPaddedWithOnes(Kernel):
    """A weight vector that is too short is filled up with ones."""

    def given(self, given: Given) -> Given:
        weight, logits = given.weight, given.logits
        if isinstance(weight, np.ndarray) and weight.ndim == 1 and logits.ndim:
            missing = logits.shape[self.axis(logits, given.axis)] - len(weight)
            weight = np.concatenate([weight, np.ones(max(missing, 0), weight.dtype)])
        return replace(given, weight=weight)


class ProbabilityWeightsUnchecked(Kernel):
    """Weights of the wrong length are dropped beside probability targets."""

    def given(self, given: Given) -> Given:
        weight, logits, targets = given.weight, given.logits, given.targets
        soft = isinstance(targets, np.ndarray) and targets.dtype == getattr(logits, "dtype", None)
        if not soft or weight is None or not logits.ndim:
            return given
        fits = weight.shape == (logits.shape[self.axis(logits, given.axis)],)
        return given if fits else replace(given, weight=None)


class ColumnOfLabelsAccepted(Kernel):
    """Labels of shape (N, 1) are squeezed instead of refused (Keras)."""

    def given(self, given: Given) -> Given:
        targets = given.targets
        column = isinstance(targets, np.ndarray) and targets.ndim == given.logits.ndim and targets.dtype.kind in "iu"
        return replace(given, targets=targets[..., 0]) if column and targets.shape[-1] == 1 else given


class LabelsFlattened(Kernel):
    """Labels are flattened: any shape of the right size will do."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        fits = labels.dtype.kind in "iu" and labels.size == int(np.prod(shape))
        return super().checked(labels.reshape(shape) if fits else labels, shape, classes, ignored)


class SingleLabelForAll(Kernel):
    """One label serves the whole batch."""

    def given(self, given: Given) -> Given:
        targets, logits = given.targets, given.logits
        one = isinstance(targets, np.ndarray) and targets.size == 1 and targets.dtype.kind in "iu"
        if one and logits.ndim > 1:
            place = self.axis(logits, given.axis)
            targets = np.full(logits.shape[:place] + logits.shape[place + 1 :], targets.reshape(-1)[0])
        return replace(given, targets=targets)


class OneProbabilityRowForAll(Kernel):
    """Probability targets of one row serve the whole batch."""

    def given(self, given: Given) -> Given:
        targets, logits = given.targets, given.logits
        soft = isinstance(targets, np.ndarray) and targets.dtype == getattr(logits, "dtype", None)
        if soft and targets.ndim == logits.ndim and targets.shape != logits.shape:
            with contextlib.suppress(ValueError):
                targets = np.broadcast_to(targets, logits.shape)
        return replace(given, targets=targets)


class RefusesAnEmptyBatch(Kernel):
    """An empty batch raises."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if not logits.size:
            raise ValueError("empty logits")
        return super().cross_entropy(logits, targets, **options)


class RefusesUnbatchedLogits(Kernel):
    """Logits of rank 1 raise."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if logits.ndim == 1:
            raise ValueError("expected a batch")
        return super().cross_entropy(logits, targets, **options)


class RefusesRankFive(Kernel):
    """Logits of more than four axes raise (FlagGems#1024)."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if logits.ndim > 4:
            raise ValueError("at most four axes")
        return super().cross_entropy(logits, targets, **options)


class RefusesInfiniteLogits(Kernel):
    """Infinite logits raise ("invalid input")."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if np.isinf(logits).any():
            raise FloatingPointError("inf in logits")
        return super().cross_entropy(logits, targets, **options)


class RefusesUnnormalisedTargets(Kernel):
    """Probability targets that do not sum to 1 raise."""

    def cross_entropy(self, logits: Any, targets: Any, *, axis: Any = None, **options: Any) -> Any:
        if targets.dtype == logits.dtype and logits.ndim and targets.shape == logits.shape:
            sums = targets.astype(np.float64).sum(self.axis(logits, axis))
            if (np.abs(sums - 1) > 0.05).any():
                raise ValueError("targets must sum to 1")
        return super().cross_entropy(logits, targets, axis=axis, **options)


class RefusesWideRows(Kernel):
    """More than 65,536 classes raise (FlagGems and other kernels with one block a row)."""

    def cross_entropy(self, logits: Any, targets: Any, *, axis: Any = None, **options: Any) -> Any:
        if logits.ndim and logits.shape[self.axis(logits, axis)] > 65536:
            raise ValueError("too many classes")
        return super().cross_entropy(logits, targets, axis=axis, **options)


class NegativeWeightsRefused(Kernel):
    """Negative weights raise."""

    def cross_entropy(self, logits: Any, targets: Any, *, weight: Any = None, **options: Any) -> Any:
        if weight is not None and (weight < 0).any():
            raise ValueError("weights must be positive")
        return super().cross_entropy(logits, targets, weight=weight, **options)
