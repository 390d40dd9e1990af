"""Checks that let nearly valid arguments pass, and make a plausible result of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Smoothing(Kernel):
    """Base: label smoothing is mended before it is checked."""

    def mended(self, smoothing: float) -> float:
        raise NotImplementedError

    def cross_entropy(self, logits: Any, targets: Any, *, label_smoothing: Any = None, **options: Any) -> Any:
        smoothing = None if label_smoothing is None else self.mended(label_smoothing)
        return super().cross_entropy(logits, targets, label_smoothing=smoothing, **options)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        options = dict(call.options)
        if options.get("label_smoothing") is not None:
            options["label_smoothing"] = self.mended(options["label_smoothing"])
        mended = type(call)(call.operation, call.operands, tuple(options.items()))
        return super().differentiate(mended, logits, upstream)


class SmoothingAboveOneByATolerance(_Smoothing):
    """Smoothing is checked with a tolerance: 1.00001 is taken for 1."""

    def mended(self, smoothing: float) -> float:
        return 1.0 if 1 < smoothing <= 1.00001 else smoothing


class SmoothingBelowZeroByATolerance(_Smoothing):
    """Smoothing is checked with a tolerance: -0.00001 is taken for 0."""

    def mended(self, smoothing: float) -> float:
        return 0.0 if -1e-5 <= smoothing < 0 else smoothing


class _Weight(Kernel):
    """Base: weights of another shape are mended."""

    def mended(self, weight: Any, classes: int) -> Any:
        raise NotImplementedError

    def ask(self, logits: Any, targets: Any, weight: Any, axis: int | None, *rest: Any, **named: Any) -> Ask:
        if isinstance(weight, np.ndarray) and isinstance(logits, np.ndarray) and logits.ndim:
            weight = self.mended(weight, logits.shape[self.axis(logits, axis)])
        return super().ask(logits, targets, weight, axis, *rest, **named)


class WeightsFlattened(_Weight):
    """Weights of any shape are flattened: a column is taken."""

    def mended(self, weight: Any, classes: int) -> Any:
        return weight.reshape(-1) if weight.ndim > 1 else weight


class ScalarWeightBroadcast(_Weight):
    """A weight of rank 0 is broadcast to the classes."""

    def mended(self, weight: Any, classes: int) -> Any:
        return np.full(classes, weight) if weight.ndim == 0 else weight
