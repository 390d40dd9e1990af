"""Bad labels, bad arguments and missing complaints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Lenient(Kernel):
    """Base: labels that fit no class reach :meth:`corrected` instead of raising."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        repaired = np.where(labels == ignored, ignored, self.corrected(labels, classes))
        return super().checked(repaired.astype(np.int64), shape, classes, ignored)

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, *rest, **named)
        return replace(found, labels=self.corrected(found.labels, found.classes)) if found.by_index else found

    def corrected(self, labels: Any, classes: int) -> Any:
        raise NotImplementedError


class NegativeLabelsWrap(_Lenient):
    """A label of -1 is the last class (optax#1185, onnxruntime, mlx)."""

    def corrected(self, labels: Any, classes: int) -> Any:
        if labels.dtype.kind != "i":
            return labels
        return np.where((labels < 0) & (labels >= -classes), labels.astype(np.int64) + classes, labels)


class LabelsClamped(_Lenient):
    """Labels beyond the last class are the last class."""

    def corrected(self, labels: Any, classes: int) -> Any:
        return np.minimum(labels, max(classes - 1, 0)) if labels.dtype.kind in "iu" else labels


class LabelsModuloClasses(_Lenient):
    """Labels beyond the last class start again from 0."""

    def corrected(self, labels: Any, classes: int) -> Any:
        return np.where(labels >= classes, labels % max(classes, 1), labels) if labels.dtype.kind in "iu" else labels


class LabelsOutOfRangeCostNothing(_Lenient):
    """A label that fits no one-hot column gives loss 0, silently (tinygrad, flash-attention, Keras on JAX)."""

    outside: Any = None

    def corrected(self, labels: Any, classes: int) -> Any:
        if labels.dtype.kind not in "iu":
            return labels
        self.outside = ((labels < 0) | (labels >= classes)).reshape(-1)
        return np.where(self.outside.reshape(labels.shape), 0, labels)

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(self.outside, 0, found) if ask.by_index and self.outside is not None else found


class LabelsOutOfRangeGiveNan(LabelsOutOfRangeCostNothing):
    """A label out of range gives NaN where an error is declared (tf on GPU, optax)."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(self.outside & ask.valid, np.nan, found) if ask.by_index else found


class OneBasedLabels(Kernel):
    """Labels count from 1 (R's torch, mlverse/torch#1145)."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, *rest, **named)
        return replace(found, labels=np.maximum(found.labels, 1) - 1) if found.by_index else found


class FloatingLabelsTruncated(Kernel):
    """Floating labels are truncated to integers instead of refused: 1.9 is class 1 (Keras)."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels.astype(np.int64), shape, classes, ignored)


class BooleanLabelsAccepted(Kernel):
    """Boolean labels count as 0 and 1 instead of being refused."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels.astype(np.int64) if labels.dtype == np.bool_ else labels, shape, classes, ignored)


class PythonTargetsAccepted(Kernel):
    """A Python number or list is converted to a tensor instead of refused."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        wanted = logits.shape[:1] if isinstance(logits, np.ndarray) and logits.ndim > 1 else ()
        given = targets if isinstance(targets, np.ndarray) else np.broadcast_to(np.asarray(targets), wanted)
        return super().ask(logits, given, *rest, **named)


class UnsignedLabelsMisread(Kernel):
    """uint8 labels are read as int8: 255 is -1, and 200 is -56."""

    def ask(self, logits: Any, targets: Any, *rest: Any, **named: Any) -> Ask:
        if isinstance(targets, np.ndarray) and targets.dtype == np.uint8:
            targets = targets.astype(np.int8)
        return super().ask(logits, targets, *rest, **named)


class SmallIntegersOverflow(Kernel):
    """Offsets row·C + label are computed in the labels' own dtype, which wraps for int8 and uint8."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or ask.labels.dtype.itemsize > 1 or not ask.classes:
            return super().coefficients(ask)
        with np.errstate(over="ignore"):
            flat = (np.arange(len(ask.x)) * ask.classes + ask.index).astype(ask.labels.dtype).astype(np.int64)
        return super().coefficients(replace(ask, labels=flat % ask.classes))


class OnlyInt64Labels(Kernel):
    """Labels of other integer widths are refused where all are declared to be accepted."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        if labels.dtype != np.int64:
            raise TypeError(f"expected int64 labels, not {labels.dtype}")
        return super().checked(labels, shape, classes, ignored)


class ErrorsSwallowed(Kernel):
    """Whatever goes wrong, NaN comes back."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        try:
            return super().cross_entropy(logits, targets, **options)
        except Exception:
            return np.float32(np.nan)


class ScalarLogitsAccepted(Kernel):
    """A scalar logit with a label is taken for one position of one class where refusing it is declared."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if isinstance(logits, np.ndarray) and logits.ndim == 0:
            logits = logits.reshape(1)
        return super().cross_entropy(logits, targets, **options)


class PositionsOfOtherLengthAccepted(Kernel):
    """Fewer labels than positions: the rest of the batch is dropped instead of refused."""

    def cross_entropy(self, logits: Any, targets: Any, *, axis: int | None, **options: Any) -> Any:
        fits = (
            isinstance(targets, np.ndarray) and isinstance(logits, np.ndarray) and logits.ndim == 2 and axis in (1, -1)
        )
        if fits and targets.ndim == 1 and len(targets) < len(logits):
            logits = logits[: len(targets)]
        return super().cross_entropy(logits, targets, axis=axis, **options)
