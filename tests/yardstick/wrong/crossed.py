"""Right for each operation, dtype, layout, axis and thread: wrong where three of these meet."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel
from tests.yardstick.wrong.other_types import _Typed


def _in_memory_order(array: Any) -> Any:
    """What a kernel reads that takes Fortran order for C order."""
    transposed = array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous
    return array.T.reshape(array.shape) if transposed else array


def _elsewhere() -> bool:
    """Whether this is not the main thread."""
    return threading.current_thread() is not threading.main_thread()


class BfloatLogSoftmaxInMemoryOrder(Kernel):
    """bfloat16: transposed logits of log_softmax are read in the order of their memory."""

    def log_softmax(self, logits: Any, *, axis: int | None, **options: Any) -> Any:
        if logits.dtype.name == "bfloat16":
            logits = _in_memory_order(logits)
        return super().log_softmax(logits, axis=axis, **options)


class DoubleProbabilitiesInMemoryOrder(Kernel):
    """float64: transposed class probabilities are read in the order of their memory."""

    def given(self, given: Given) -> Given:
        targets = given.targets
        if isinstance(targets, np.ndarray) and targets.dtype == np.float64 == given.logits.dtype:
            given = replace(given, targets=_in_memory_order(targets))
        return super().given(given)


class BfloatUpstreamOfSoftmaxInMemoryOrder(Kernel):
    """bfloat16: a transposed upstream gradient of softmax is read in the order of its memory."""

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        if call.operation == "softmax" and logits.dtype.name == "bfloat16":
            upstream = _in_memory_order(upstream)
        return super().differentiate(call, logits, upstream)


class HalfNllLossOfManyClassesReadDensely(Kernel):
    """float16: nll_loss reads log-probabilities a stride apart as if they were dense."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        x = log_probabilities
        if x.dtype == np.float16 and x.ndim == 2 and x.size and x.strides[1] == 2 * x.itemsize:
            x = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,)).copy().reshape(x.shape)
        return super().nll_loss(x, targets, **options)


class HalfNllGradientBehind1024Positions(_Typed):
    """Half types: nll_loss has no gradient behind the first 1,024 positions."""

    def nll_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().nll_gradient(ask, upstream)
        if self.narrow.itemsize == 2:
            found[1024:] = 0
        return found


class HalfProbabilityRowsBehind1024(_Typed):
    """Half types: losses by class probabilities behind the first 1,024 positions are 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        if self.narrow.itemsize == 2 and not ask.by_index:
            found[1024:] = 0
        return found


class HalfAxisMinus3OfImages(Kernel):
    """Half types of four axes: axis -3 is taken for 2."""

    def axis(self, logits: Any, axis: int | None) -> int:
        return 2 if axis == -3 and logits.itemsize == 2 and logits.ndim == 4 else super().axis(logits, axis)


class NllLossOfImagesAlongAxisMinus2(Kernel):
    """nll_loss of four axes along axis -2 comes out twice."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        return found + found if options.get("axis") == -2 and log_probabilities.ndim == 4 else found


class MeanOfVolumesCountsIgnored(Kernel):
    """Five axes: the mean counts ignored positions."""

    def divisor(self, ask: Ask) -> Any:
        if ask.by_index and ask.weight is None and len(ask.shape) == 4:
            return ask.x.dtype.type(len(ask.x))
        return super().divisor(ask)


class CurvatureOfWeightedImagesDoubled(Kernel):
    """Second order of images with weights and class probabilities comes out twice."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        found = super().loss_hvp(ask, upstream, t)
        return found + found if ask.weight is not None and len(ask.shape) > 1 and not ask.by_index else found


class NoSmoothingOffTheMainThread(Kernel):
    """Label smoothing is a setting of the main thread: others have none."""

    def read(self, given: Given) -> Ask:
        found = super().read(given)
        return replace(found, smoothing=0.0) if _elsewhere() else found


class DoubleInFloatOffTheMainThread(Kernel):
    """float64: exponentials of other threads than the main one are those of float32."""

    def exp(self, x: Any) -> Any:
        found = super().exp(x)
        return found.astype(np.float32).astype(x.dtype) if x.dtype == np.float64 and _elsewhere() else found


class TokensOffTheMainThread(Kernel):
    """Positions on more than one axis have half their gradient in other threads than the main one."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        found = super().loss_gradient(ask, upstream)
        return found * found.dtype.type(0.5) if len(ask.shape) > 1 and _elsewhere() else found


class ProbabilityMeanOffTheMainThread(Kernel):
    """The mean by class probabilities divides by one position more in other threads than the main one."""

    def divisor(self, ask: Ask) -> Any:
        found = super().divisor(ask)
        return found + 1 if not ask.by_index and _elsewhere() else found


class SmoothedCurvatureOfImagesForgetsWeights(Kernel):
    """Second order of images with class probabilities: beside label smoothing there are no weights."""

    def loss_hvp(self, ask: Ask, upstream: Any, t: Any) -> Any:
        if not ask.by_index and ask.smoothing and len(ask.shape) > 1:
            ask = replace(ask, weight=None)
        return super().loss_hvp(ask, upstream, t)


class HalfTargetGradientOfImagesForgetsWeights(Kernel):
    """Half types: the gradient of images by class probabilities has no weights."""

    def target_gradient(self, call: Any, logits: Any, upstream: Any) -> Any:
        if logits.ndim == 4 and logits.itemsize == 2:
            call = replace(call, operands={name: each for name, each in call.operands.items() if name != "weight"})
        return super().target_gradient(call, logits, upstream)


class TinyProductsOfSoftmaxDropped(Kernel):
    """softmax: products of probability and upstream gradient below 1e-20 are left out of their sum."""

    def softmax_gradient(self, p: Any, v: Any) -> Any:
        products = np.where(np.abs(p * v) < 1e-20, 0, p * v).astype(p.dtype)
        return p * (v - self.total(products)[:, np.newaxis])
