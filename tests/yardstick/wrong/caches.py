"""State that outlives a call: caches with too small a key, buffers used again, calls that differ by their number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Cached(Kernel):
    """Base: a dictionary for each backend."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kept: dict[Any, Any] = {}
        self.calls = 0


class SoftmaxSavedByShape(_Cached):
    """The probabilities that the backward pass uses are saved by shape: those of an earlier call come back."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        a = self.coefficients(ask)
        p = self.kept.setdefault((ask.x.shape, ask.x.dtype), self.probabilities(ask.x))
        return np.where(ask.valid[:, np.newaxis], self.scale(ask, upstream) * self.slope(ask, a, p), 0)


class MaximumSavedByShape(_Cached):
    """The shift of the first call with a shape is used for all: harmless until the logits are far away."""

    def top(self, x: Any) -> Any:
        return self.kept.setdefault((x.shape, x.dtype), super().top(x))


class AxisOfTheFirstCall(_Cached):
    """The axis of the first call with a rank is used for all calls with this rank."""

    def axis(self, logits: Any, axis: int | None) -> int:
        return int(self.kept.setdefault(logits.ndim, super().axis(logits, axis)))


class AxisOfTheFirstShape(_Cached):
    """A compiled function is kept by shape alone: the axis of the first call with a shape is used for all."""

    def axis(self, logits: Any, axis: int | None) -> int:
        return int(self.kept.setdefault(logits.shape, super().axis(logits, axis)))


class ReductionOfTheFirstCall(_Cached):
    """A compiled function is kept by shape alone: the divisor of the mean is that of the first call."""

    def divisor(self, ask: Ask) -> Any:
        return self.kept.setdefault((ask.shape, ask.classes, ask.x.dtype), super().divisor(ask))


class WeightsByDtype(_Cached):
    """The weights of a dtype are kept by their number alone, cut or repeated to the number of classes."""

    def weights(self, ask: Ask) -> Any:
        if ask.weight is None:
            return super().weights(ask)
        return np.resize(self.kept.setdefault(ask.x.dtype, ask.weight), ask.classes)


class WeightsOfTheLastCall(_Cached):
    """A call without weights uses those of the last call that had as many classes."""

    def weights(self, ask: Ask) -> Any:
        key = (ask.classes, ask.x.dtype)
        if ask.weight is not None:
            self.kept[key] = ask.weight
            return ask.weight
        return self.kept.get(key, super().weights(ask))


class SmoothingOfTheLastCall(_Cached):
    """Smoothing stays on: a call without it uses that of the last call with this shape."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        key = (found.x.shape, found.x.dtype)
        if found.smoothing:
            self.kept[key] = found.smoothing
        return replace(found, smoothing=self.kept.get(key, 0.0))


class IgnoreIndexOfTheLastCall(_Cached):
    """ignore_index is a global that stays as the last call set it."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        if ignored != -100:
            self.kept["global"] = ignored
        return super().checked(labels, shape, classes, self.kept.get("global", ignored))


class LabelsByShape(_Cached):
    """One-hot labels are kept by shape: those of the first call come back."""

    def coefficients(self, ask: Ask) -> Any:
        found = super().coefficients(ask)
        if ask.weight is not None or ask.smoothing or not ask.by_index:
            return found
        return self.kept.setdefault((ask.x.shape, ask.x.dtype), found)


class ValidByShape(_Cached):
    """The mask of ignored positions is kept by shape."""

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        if not found.by_index:
            return found
        return replace(found, valid=self.kept.setdefault((found.shape, found.classes), found.valid))


class ResultById(_Cached):
    """Results are kept by the address of the logits, which another tensor may have by now."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        key = (
            logits.shape,
            logits.dtype,
            axis,
            float(np.nansum(np.abs(logits.astype(np.float64)))) if logits.size else 0.0,
        )
        return self.kept.setdefault(key, super().log_softmax(logits, axis=axis)).copy()


class HalfSticks(_Cached):
    """After a first call in a half type its precision stays set: float32 is computed in float16."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        if array.itemsize == 2:
            self.kept["half"] = True
        if dtype is not None or array.dtype != np.float32 or not self.kept.get("half"):
            return x
        with np.errstate(all="ignore"):
            return x.astype(np.float16).astype(x.dtype)


class ThirdCallDiffers(_Cached):
    """Every third call of cross_entropy returns a little more."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        self.calls += 1
        return (found * found.dtype.type(1.25)).astype(found.dtype) if self.calls % 3 == 0 else found


class HundredthCallDiffers(_Cached):
    """Every hundredth call of cross_entropy returns zeros (a ring buffer that wraps)."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        self.calls += 1
        return np.zeros_like(found) if self.calls % 100 == 0 else found


class SecondGradientDoubled(_Cached):
    """From the second backward pass of a shape on gradients are doubled: they are added where they should be stored."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        key = (call.operation, logits.shape, logits.dtype)
        again = key in self.kept
        self.kept[key] = True
        return value, (gradient * gradient.dtype.type(2)).astype(gradient.dtype) if again else gradient


class FirstGradientIsZero(_Cached):
    """The first backward pass of a shape runs before its graph is recorded: the gradient is 0."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        key = (call.operation, logits.shape, logits.dtype)
        first = key not in self.kept
        self.kept[key] = True
        return value, np.zeros_like(gradient) if first else gradient


class BrokenAfterAnError(_Cached):
    """After a call that raised, the next one with valid labels returns zeros: a flag on the device stays set."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        try:
            found = super().cross_entropy(logits, targets, **options)
        except Exception:
            self.kept["poisoned"] = True
            raise
        return np.zeros_like(found) if self.kept.pop("poisoned", False) else found


class BrokenAfterNan(_Cached):
    """After a call that gave NaN all later ones of its shape do: a global overflow flag is never reset."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        if np.isnan(found).any():
            self.kept[logits.shape] = True
        return found * np.nan if self.kept.get(logits.shape) else found


class ValueAloneDiffers(_Cached):
    """Without a backward pass a faster forward kernel is used, which is good to four digits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.fast = True

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        self.fast = False
        try:
            return super().differentiate(call, logits, upstream)
        finally:
            self.fast = True

    def exp(self, x: Any) -> Any:
        found = super().exp(x)
        return (found * (1 + 1e-4 * np.sin(x * 8))).astype(x.dtype) if self.fast else found


class LastBitDithers(_Cached):
    """The last bit of the loss depends on the number of the call."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        self.calls += 1
        return np.nextafter(found, found.dtype.type(0)) if self.calls % 2 else found


class SoftmaxLastBitDithers(_Cached):
    """The last bit of softmax depends on the number of the call."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        self.calls += 1
        return np.nextafter(found, found.dtype.type(0)) if self.calls % 2 else found
