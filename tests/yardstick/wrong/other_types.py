"""Right in float32: wide rows and long batches in the code for another type; features in six dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class _Typed(Kernel):
    """Base: the dtype of the call at hand is ``narrow``."""

    narrow: Any = np.dtype(np.float32)

    def compute(self, dtype: Any) -> Any:
        self.narrow = np.dtype(dtype)
        return super().compute(dtype)


class DoubleProbabilityTargetsBehind2048(_Typed):
    """float64: class probabilities behind the first 2,048 classes are not read."""

    def coefficients(self, ask: Ask) -> Any:
        found = super().coefficients(ask)
        if self.narrow == np.float64 and not ask.by_index:
            found[:, 2048:] = 0
        return found


class DoubleProbabilityRowsBehind1024(_Typed):
    """float64: losses by class probabilities behind the first 1,024 positions are 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if self.narrow == np.float64 and not ask.by_index:
            found[1024:] = 0
        return found


class BfloatSoftmaxBehind4096(_Typed):
    """bfloat16: the sum of a softmax ends behind the first 4,096 classes."""

    def probabilities(self, x: Any) -> Any:
        found = super().probabilities(x)
        return found / self.total(found[:, :4096])[:, np.newaxis] if self.narrow.name == "bfloat16" else found


class BfloatLogSoftmaxGradientBehind4096(_Typed):
    """bfloat16: the gradient of log_softmax behind the first 4,096 classes is the upstream gradient."""

    def log_softmax_gradient(self, p: Any, v: Any) -> Any:
        found = super().log_softmax_gradient(p, v)
        if self.narrow.name == "bfloat16":
            found[:, 4096:] = v[:, 4096:]
        return found


class HalfNllGradientBehind4096(_Typed):
    """float16: labels behind class 4,096 have no gradient in nll_loss."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        if self.narrow == np.float16:
            found[:, 4096:] = 0
        return found


class DoubleNllBehind1024(_Typed):
    """float64: nll_loss has no gradient behind the first 1,024 positions."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        if self.narrow == np.float64:
            found[1024:] = 0
        return found


class NoWeightsFromRank6(Kernel):
    """From six dimensions on class weights are left out."""

    def weights(self, ask: Ask) -> Any:
        return np.ones(ask.classes, ask.x.dtype) if len(ask.shape) >= 5 else super().weights(ask)


class NothingIgnoredInGradientsFromRank6(Kernel):
    """From six dimensions on ignored positions have the gradient of softmax."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        if len(ask.shape) < 5:
            return found
        return np.where(ask.valid[:, np.newaxis], found, self.scale(ask, upstream) * self.probabilities(ask.x))
