"""Defects of log_loss, the loss of probabilities that are given: clips, epsilons, second softmaxes, lost gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class ClipsAt1e7(Kernel):
    """log_loss clips to [1e-7, 1 - 1e-7] (Keras's backends), and does not say so."""

    def predicted(self, p: Any) -> Any:
        return np.clip(p, p.dtype.type(1e-7), p.dtype.type(1 - 1e-7))


class ClipsAtEpsOfTheDtype(Kernel):
    """log_loss clips to [eps, 1 - eps] of the dtype (scikit-learn), and does not say so."""

    def predicted(self, p: Any) -> Any:
        eps = np.finfo(p.dtype).eps
        return np.clip(p, eps, 1 - eps)


class ClipsAt1e15(Kernel):
    """log_loss clips at 1e-15, as scikit-learn did before 1.2: in float32 the upper end is 1."""

    def predicted(self, p: Any) -> Any:
        return np.clip(p, p.dtype.type(1e-15), p.dtype.type(1 - 1e-15))


class ClampsTheLogarithm(Kernel):
    """No logarithm is below -100 (torch's binary_cross_entropy)."""

    def given_logarithms(self, p: Any) -> Any:
        return np.maximum(super().given_logarithms(p), -100)


class ImpossibleCosts1e20(Kernel):
    """A probability of 0 costs 1e20 in place of infinity (Paddle's TolerableValue)."""

    def given_logarithms(self, p: Any) -> Any:
        found = super().given_logarithms(p)
        return np.where(np.isneginf(found), found.dtype.type(-1e20), found)


class AddsAnEpsilon(Kernel):
    """The logarithm is of p + 1e-8."""

    def predicted(self, p: Any) -> Any:
        return p + p.dtype.type(1e-8)


class AddsALargeEpsilon(Kernel):
    """The logarithm is of p + 1e-5, as many a hand-written loss has it."""

    def predicted(self, p: Any) -> Any:
        return p + p.dtype.type(1e-5)


class LogOfOnePlus(Kernel):
    """log1p where log belongs."""

    def given_logarithms(self, p: Any) -> Any:
        return np.log1p(p)


class SecondSoftmax(Kernel):
    """Probabilities are taken for logits (from_logits left at its wrong default)."""

    def given_logarithms(self, p: Any) -> Any:
        return self.log_probabilities(p)


class ProbabilitiesTakenForLogarithms(Kernel):
    """Probabilities are taken for log-probabilities."""

    def given_logarithms(self, p: Any) -> Any:
        return p


class LossOfPredictionsInBits(Kernel):
    """The logarithm of predictions is to base 2."""

    def given_logarithms(self, p: Any) -> Any:
        return np.log2(self.predicted(p))


class PredictionsInFloat32(Kernel):
    """The logarithm of float64 predictions is taken in float32."""

    def given_logarithms(self, p: Any) -> Any:
        return np.log(p.astype(np.float32)).astype(p.dtype)


class Renormalises(Kernel):
    """Predictions are divided by their sum first, and nobody says so."""

    def predicted(self, p: Any) -> Any:
        return p / self.total(p)[:, np.newaxis]


class RenormalisesSoftTargetsOnly(Kernel):
    """Predictions are divided by their sum where the targets are class probabilities (Keras's categorical loss)."""

    def ask(self, *arguments: Any, **options: Any) -> Ask:
        ask = super().ask(*arguments, **options)
        if ask.probabilities is not None:
            ask.x[...] = ask.x / self.total(ask.x)[:, np.newaxis]
        return ask


class ComplementAtHighProbabilities(Kernel):
    """Above a half the loss is 1 - p, its first term alone."""

    def given_logarithms(self, p: Any) -> Any:
        return np.where((p > 0.9) & (p < 1), p - 1, super().given_logarithms(p))


class NegativePredictionsAreZero(Kernel):
    """Negative predictions are taken for 0, so that NaN becomes infinity."""

    def predicted(self, p: Any) -> Any:
        return np.where(p < 0, 0, p)


class PredictionsAbove1AreCapped(Kernel):
    """Predictions above 1 are taken for 1."""

    def predicted(self, p: Any) -> Any:
        return np.where(p > 1, 1, p)


class NanPredictionsAreOne(Kernel):
    """NaN among the predictions costs nothing (nan_to_num)."""

    def predicted(self, p: Any) -> Any:
        return np.where(np.isnan(p), 1, p)


class SubnormalPredictionsAreZero(Kernel):
    """Subnormal predictions are 0 (flush-to-zero of half types' inputs), though it is declared that they stay."""

    def read(self, given: Any) -> Ask:
        ask = super().read(given)
        least = np.finfo(given.logits.dtype).tiny if given.logits.dtype.kind == "f" else 2.0**-126
        ask.x[np.abs(ask.x) < least] = 0
        return ask


class ZeroTimesInfinityOfPredictions(Kernel):
    """0 · ln 0 is NaN in log_loss: the product is formed over all classes."""

    def given_logarithms(self, p: Any) -> Any:
        found = super().given_logarithms(p)
        return np.where(np.isneginf(found), found.dtype.type(np.nan), found) if (p == 0).any() else found


class ClippedGradient(Kernel):
    """The value is exact, its gradient 0 below 1e-7, where the clip is differentiated."""

    def given_gradient(self, ask: Ask, upstream: Any) -> Any:
        return np.where(ask.x < 1e-7, 0, super().given_gradient(ask, upstream))


class GradientClippedNearOne(Kernel):
    """The gradient is 0 above 1 - 1e-3, where the clip is differentiated."""

    def given_gradient(self, ask: Ask, upstream: Any) -> Any:
        return np.where(ask.x > 1 - 1e-3, 0, super().given_gradient(ask, upstream))


class GradientByAnEpsilon(Kernel):
    """The gradient divides by p + 1e-7, the value does not."""

    def divided_by(self, ask: Ask) -> Any:
        return super().divided_by(ask) + ask.x.dtype.type(1e-7)


class GradientOfSoftmaxAsWell(Kernel):
    """The gradient is p - a, as if the loss were of logits."""

    def given_gradient(self, ask: Ask, upstream: Any) -> Any:
        slope = self.scale(ask, upstream) * self.slope(ask, self.coefficients(ask), ask.x)
        return np.where(ask.valid[:, np.newaxis], slope, 0)


class GradientOfPredictionsHasNoQuotient(Kernel):
    """The gradient is that of nll_loss: the logarithm is not differentiated."""

    def divided_by(self, ask: Ask) -> Any:
        return np.ones_like(ask.x)


class GradientNanBesideAZero(Kernel):
    """Where masks a probability of 0 in the value, and the gradient of the other branch is 0 · inf = NaN."""

    def divided_by(self, ask: Ask) -> Any:
        return ask.x


class GradientOfPredictionsUnweighted(Kernel):
    """The gradient of log_loss has no weights."""

    def given_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().given_gradient(ask, upstream)
        return found if ask.weight is None else np.where(ask.weight == 0, found, found / ask.weight)


class PredictionsUnweighted(Kernel):
    """log_loss ignores the weights in its losses, and divides by their sum."""

    def log_loss(self, probabilities: Any, targets: Any, *, weight: Any = None, **options: Any) -> Any:
        return super().log_loss(probabilities, targets, **options)


class PredictionsMeanOverAll(Kernel):
    """The mean of log_loss counts ignored positions."""

    def log_loss(self, probabilities: Any, targets: Any, *, reduction: Any, **options: Any) -> Any:
        if reduction in (None, "mean"):
            losses = super().log_loss(probabilities, targets, reduction="none", **options)
            return np.asarray(losses.astype(np.float64).mean()).astype(losses.dtype)
        return super().log_loss(probabilities, targets, reduction=reduction, **options)


class PredictionsMeanOverClasses(Kernel):
    """The mean of log_loss of class probabilities is one over positions and classes."""

    def log_loss(self, probabilities: Any, targets: Any, *, reduction: Any, **options: Any) -> Any:
        found = super().log_loss(probabilities, targets, reduction=reduction, **options)
        soft = targets.dtype == probabilities.dtype
        return found / found.dtype.type(probabilities.shape[-1]) if soft and reduction in (None, "mean") else found


class PredictionsHardened(Kernel):
    """Class probabilities are replaced by their argmax in log_loss."""

    def log_loss(self, probabilities: Any, targets: Any, **options: Any) -> Any:
        if getattr(targets, "dtype", None) == probabilities.dtype and targets.shape == probabilities.shape:
            axis = self.axis(probabilities, options["axis"])
            if options["ignore_index"] is None and targets.ndim:
                targets = targets.argmax(axis)
        return super().log_loss(probabilities, targets, **options)


class PredictionsUnsmoothed(Kernel):
    """log_loss takes a label smoothing and leaves it out."""

    def log_loss(self, probabilities: Any, targets: Any, *, label_smoothing: Any, **options: Any) -> Any:
        return super().log_loss(probabilities, targets, label_smoothing=None, **options)


class PredictionsAlongTheLastAxis(Kernel):
    """log_loss picks its label along the last axis where extents allow it."""

    def log_loss(self, probabilities: Any, targets: Any, *, axis: Any, **options: Any) -> Any:
        square = probabilities.ndim == 2 and probabilities.shape[0] == probabilities.shape[1]
        return super().log_loss(probabilities, targets, axis=-1 if square else axis, **options)


class WidePredictionsModulo4096(Kernel):
    """A label beyond 4,095 is taken modulo 4,096 in log_loss."""

    def log_loss(self, probabilities: Any, targets: Any, **options: Any) -> Any:
        if isinstance(targets, np.ndarray) and targets.dtype.kind == "i" and probabilities.shape[-1] > 4096:
            targets = np.where(targets >= 4096, targets % 4096, targets)
        return super().log_loss(probabilities, targets, **options)


class TangentOfPredictionsWithoutWeights(Kernel):
    """Forward mode of log_loss has no weights."""

    def given_jvp(self, ask: Ask, t: Any) -> Any:
        weight = self.weights(ask)[ask.index] if ask.by_index else 1
        return super().given_jvp(ask, t) / weight


class SecondDerivativeOfPredictionsOverP(Kernel):
    """The second derivative of log_loss divides by p once."""

    def given_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        return super().given_hvp(ask, upstream, t) * self.divided_by(ask)


class TargetGradientOfPredictionsWithoutSmoothing(Kernel):
    """The gradient of log_loss by its targets leaves 1 - ε out."""

    def given_target_gradient(self, ask: Ask, upstream: Any) -> Any:
        return super().given_target_gradient(ask, upstream) / ask.x.dtype.type(1 - ask.smoothing or 1)
