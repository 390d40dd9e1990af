"""The core formula gone wrong: no shift, the wrong order of subtraction, clips, other logarithms, softmax once too
often.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class NoShift(Kernel):
    """exp of the raw logits: overflows from 88.73 on in float32 (hb-pytorch#61, pytorch#795)."""

    def top(self, x: Any) -> Any:
        return np.zeros_like(x[:, :1])


class NoShiftInHalfTypes(Kernel):
    """The vectorised path of a half type skips the maximum (pytorch#62897)."""

    half = False

    def compute(self, dtype: Any) -> Any:
        self.half = np.dtype(dtype).itemsize == 2
        return super().compute(dtype)

    def top(self, x: Any) -> Any:
        return np.zeros_like(x[:, :1]) if self.half else super().top(x)


class ShiftByTheMean(Kernel):
    """The logits are centred instead of shifted by their maximum: one large gap still overflows."""

    def top(self, x: Any) -> Any:
        return np.where(np.isfinite(x).all(-1, keepdims=True), x.mean(-1, keepdims=True), super().top(x))


class ShiftByTheGlobalMaximum(Kernel):
    """One maximum for the whole batch: positions far below it underflow to log 0."""

    def top(self, x: Any) -> Any:
        return np.full_like(x[:, :1], x.max(initial=-np.inf))


class ShiftByTheAbsoluteMaximum(Kernel):
    """The shift is max |x|: rows of large negative logits underflow."""

    def top(self, x: Any) -> Any:
        return np.abs(x).max(-1, keepdims=True)


class ShiftByTheFirstLogit(Kernel):
    """The running maximum is initialised with class 0 and never updated."""

    def top(self, x: Any) -> Any:
        return x[:, :1]


class MaximumStartsAtZero(Kernel):
    """The running maximum is initialised with 0 instead of -inf: rows of very negative logits underflow."""

    def top(self, x: Any) -> Any:
        return np.maximum(super().top(x), 0)


class MaximumStartsAtTheLeastNormal(Kernel):
    """The running maximum starts at the smallest positive normal number, mistaken for the most negative one."""

    def top(self, x: Any) -> Any:
        return np.maximum(super().top(x), np.finfo(x.dtype).tiny)


class LogSumExpMinusLogit(Kernel):
    """Loss as lse - x_y: a large common offset swallows it (pytorch#11752, mlx#4188, optax#1792)."""

    def log_probabilities(self, x: Any) -> Any:
        top, total = self.normaliser(x)
        return x - (top + self.log(total))


class LogOfSoftmax(Kernel):
    """log(softmax(x)): -inf for every class 104 below the maximum (onnx reference evaluator, pytorch#94043)."""

    def log_probabilities(self, x: Any) -> Any:
        return self.log(self.probabilities(x))


class LogOfSoftmaxPlusEpsilon(Kernel):
    """log(softmax(x) + 1e-8): losses stop at 18.4, and certain ones are no longer near 0."""

    def log_probabilities(self, x: Any) -> Any:
        return self.log(self.probabilities(x) + x.dtype.type(1e-8))


class ClippedProbabilities(Kernel):
    """Probabilities clipped to [1e-7, 1 - 1e-7]: no loss exceeds 16.118 (keras#17634)."""

    def log_probabilities(self, x: Any) -> Any:
        return self.log(np.clip(self.probabilities(x), 1e-7, 1 - 1e-7))


class LossesClippedAt64(Kernel):
    """Every log-probability below -64 becomes -64 (Paddle#20994)."""

    def log_probabilities(self, x: Any) -> Any:
        return np.maximum(super().log_probabilities(x), -64)


class LossesClippedAt100(Kernel):
    """log clamped at -100, as binary cross entropy does it: the loss stops at 100."""

    def log_probabilities(self, x: Any) -> Any:
        return np.maximum(super().log_probabilities(x), -100)


class LossesClippedAt1e4(Kernel):
    """A mask value of -1e4 as the floor of every log-probability."""

    def log_probabilities(self, x: Any) -> Any:
        return np.maximum(super().log_probabilities(x), -1e4)


class LogitsClippedAt50(Kernel):
    """Logits clamped to [-50, 50] "for stability"."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        x = super().rows(array, axis, dtype)
        return np.clip(x, -50, 50) if dtype is None else x


class ExponentClippedAtMinus88(Kernel):
    """The argument of exp is clamped at -88: a far class never quite vanishes from the gradient."""

    def exp(self, x: Any) -> Any:
        return np.exp(np.maximum(x, x.dtype.type(-88)))


class ExponentClippedAtMinus20(Kernel):
    """Terms more than 20 below the maximum are taken as exp(-20)."""

    def exp(self, x: Any) -> Any:
        return np.exp(np.maximum(x, x.dtype.type(-20)))


class SmallTermsDropped(Kernel):
    """Terms more than 15 below the maximum are skipped: their probabilities and gradients are 0."""

    def exp(self, x: Any) -> Any:
        return np.where(x < -15, 0, np.exp(x)).astype(x.dtype)


class BaseTwo(Kernel):
    """The logarithm of the sum to base 2, while exp stays natural."""

    def log(self, x: Any) -> Any:
        return np.log2(x)


class LossInBits(Kernel):
    """The whole loss in bits: log2 of the probabilities."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        return super().losses(ask, a, log_probabilities) / ask.x.dtype.type(np.log(2))


class LossInDigits(Kernel):
    """The whole loss in decimal digits: log10 of the probabilities."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        return super().losses(ask, a, log_probabilities) / ask.x.dtype.type(np.log(10))


class SoftmaxTwice(Kernel):
    """The loss takes the softmax of what has been through softmax already (keras#6143)."""

    def loss(self, ask: Ask) -> Any:
        p = self.probabilities(ask.x) if ask.classes else ask.x
        log_probabilities = self.log_probabilities(p) if ask.classes else ask.x
        return self.reduced(ask, self.losses(ask, self.coefficients(ask), log_probabilities))


class LogitsTakenForProbabilities(Kernel):
    """Logits are normalised by their sum and their logarithm taken, as if they were probabilities."""

    def loss(self, ask: Ask) -> Any:
        log_probabilities = self.log(ask.x / self.total(ask.x)[:, np.newaxis])
        return self.reduced(ask, self.losses(ask, self.coefficients(ask), log_probabilities))


class LogSoftmaxMissing(Kernel):
    """cross_entropy is just nll_loss: the logits are taken for log-probabilities."""

    def loss(self, ask: Ask) -> Any:
        return self.reduced(ask, self.losses(ask, self.coefficients(ask), ask.x))


class NllLossTakesTheLogarithm(Kernel):
    """nll_loss expects probabilities and takes their logarithm itself."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        with np.errstate(all="ignore"):
            return super().nll_loss(np.log(np.abs(log_probabilities)), targets, **options)


class SignMissing(Kernel):
    """nll_loss without its minus."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return -super().nll_loss(log_probabilities, targets, **options)


class TargetLeftOutOfTheSum(Kernel):
    """The margin form: the sum of exponentials is taken over the other classes only (a misreading of the softmax)."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if not ask.by_index or ask.smoothing or ask.classes < 2:
            return super().losses(ask, a, log_probabilities)
        p = np.exp(log_probabilities)
        others = np.log1p(-np.take_along_axis(p, ask.index[:, np.newaxis], -1))
        return super().losses(ask, a, log_probabilities - others)


class ExpoFromATable(Kernel):
    """exp from a table of 2^-12 steps without interpolation: three decimal digits are right."""

    def exp(self, x: Any) -> Any:
        return np.exp(np.round(x * 4096) / 4096).astype(x.dtype)


class FastLogarithm(Kernel):
    """The logarithm by a short polynomial that is good to 2e-5."""

    def log(self, x: Any) -> Any:
        return (np.log(x) * (1 + 2e-5)).astype(x.dtype)


class SumStartsAtEpsilon(Kernel):
    """1e-6 is added to the sum of exponentials "against division by zero"."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        top, total = super().normaliser(x)
        return top, total + x.dtype.type(1e-6)


class NoRestWhereConfident(Kernel):
    """log1p is approximated by 0 below 1e-6: losses near zero vanish (scipy#18295)."""

    def log(self, x: Any) -> Any:
        return np.where(x - 1 < 4e-6, 0, np.log(x)).astype(x.dtype)
