"""State gone wrong: inputs modified, caches that are stale, first and second calls that differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class ModifiesTheLogits(Kernel):
    """The shift is done in place."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        if logits.size:
            with np.errstate(all="ignore"):
                logits -= logits.max()
        return found


class SoftmaxInPlace(Kernel):
    """softmax writes its result into its input."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        logits[...] = found
        return found


class ModifiesTheTargets(Kernel):
    """Ignored labels are replaced by 0 in the caller's tensor."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        if targets.dtype.kind == "i":
            targets[targets < 0] = 0
        return found


class ModifiesTheWeights(Kernel):
    """The weights are normalised in place."""

    def cross_entropy(self, logits: Any, targets: Any, *, weight: Any = None, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, weight=weight, **options)
        if weight is not None and weight.sum() not in (0, 1):
            weight /= weight.sum()
        return found


class ModifiesTheUpstream(Kernel):
    """The backward pass scales the upstream gradient in place."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        found = super().differentiate(call, logits, upstream)
        upstream *= 0.5
        return found


class SecondCallDiffers(Kernel):
    """A workspace is not cleared: every second call adds what the first one left."""

    calls = 0

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        self.calls += 1
        return super().losses(ask, a, log_probabilities) * (1 + self.calls % 2)


class FirstCallOnly(Kernel):
    """The very first call runs before the tables are filled and returns zeros."""

    warm = False

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        found = super().cross_entropy(logits, targets, **options)
        if self.warm:
            return found
        self.warm = True
        return np.zeros_like(found)


class UnorderedSum(Kernel):
    """Positions are added in an order that depends on timing: last bits change from call to call (pytorch#17350)."""

    turn = 0

    def total(self, terms: Any) -> Any:
        self.turn += 1
        if terms.shape[-1] < 3:
            return super().total(terms)
        order = np.roll(np.arange(terms.shape[-1]), self.turn)
        return np.add.accumulate(terms[..., order], axis=-1, dtype=terms.dtype)[..., -1]


class WeightsCached(Kernel):
    """The first weight vector of each length is kept for all later calls."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kept: dict[Any, Any] = {}

    def weights(self, ask: Ask) -> Any:
        if ask.weight is None:
            return super().weights(ask)
        return self.kept.setdefault((ask.classes, ask.x.dtype), ask.weight)


class CompiledForTheFirstValues(Kernel):
    """A value is baked into the compiled function: the smoothing of the first call with a shape is used for all."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kept: dict[Any, float] = {}

    def ask(self, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(*arguments, **named)
        return replace(found, smoothing=self.kept.setdefault((found.x.shape, found.x.dtype), found.smoothing))


class IgnoreIndexCached(Kernel):
    """The ignore_index of the first call with a shape is used for all later ones."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kept: dict[Any, int] = {}

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels, shape, classes, self.kept.setdefault((shape, classes), ignored))


class ResultAliasesTheBuffer(Kernel):
    """Results of one shape share a buffer: the second call overwrites the first one's result."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.buffers: dict[Any, Any] = {}

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        found = super().restored(rows, like, axis)
        buffer = self.buffers.setdefault((found.shape, found.dtype), np.zeros_like(found))
        old = buffer.copy()
        buffer[...] = found
        return old if found.size > 4 else found


class LogitsAliased(Kernel):
    """softmax of one class returns its input filled with ones."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        found = super().softmax(logits, axis=axis)
        if logits.ndim and logits.shape[self.axis(logits, axis)] == 1 and np.isfinite(logits).all():
            logits[...] = 1
            return logits
        return found


class RandomlyRounded(Kernel):
    """Stochastic rounding of the result in half types: two calls give other bits."""

    random = np.random.default_rng(0)

    def stored(self, result: Any, dtype: Any) -> Any:
        exact = np.asarray(result)
        if np.dtype(dtype).itemsize != 2:
            return exact.astype(dtype)
        with np.errstate(all="ignore"):
            noise = (self.random.random(exact.shape) - 0.5) * np.spacing(np.abs(exact.astype(np.float16)))
            return (exact + noise.astype(exact.dtype)).astype(dtype)
