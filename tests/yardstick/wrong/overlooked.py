"""Small things that were asked of other sizes, types and operands, and not of these."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call, Tensor
from tests.yardstick.kernel import Ask, Given, Kernel


class LogProbabilitiesKeptByFloat32(Kernel):
    """log_softmax of float64 is kept by its logits in float32: those that are a little apart have one result."""

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        super().__init__(device=device, mode=mode, threads=threads)
        self._kept: dict[Any, Any] = {}

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        made = super().log_softmax(logits, axis=axis, where=where)
        if logits.dtype != np.float64 or logits.size > 64 or where is not None:
            return made
        key = logits.shape, axis, logits.astype(np.float32).tobytes()
        return self._kept.setdefault(key, made).copy()


class ProbabilitiesKeptByFloat32(Kernel):
    """Class probabilities of float64 are kept by their numbers in float32."""

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        super().__init__(device=device, mode=mode, threads=threads)
        self._kept: dict[Any, Any] = {}

    def given(self, given: Given) -> Given:
        targets = given.targets
        if not isinstance(targets, np.ndarray) or targets.dtype != np.float64 or targets.size > 64:
            return given
        key = targets.shape, targets.astype(np.float32).tobytes()
        return replace(given, targets=self._kept.setdefault(key, targets.copy()))


class NearlyBalancedWeights(Kernel):
    """Weights whose mean is within a hundredth of 1 are divided by it, as a balanced loss is meant to have them."""

    def weights(self, ask: Ask) -> Any:
        weights = super().weights(ask)
        mean = weights.mean() if len(weights) else 0
        return weights / mean if abs(mean - 1) < 1e-2 else weights


class ImpossibleShareOfWideRows(Kernel):
    """Over more than 8,192 classes label smoothing leaves out those that are impossible."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        if ask.by_index and ask.smoothing and ask.classes > 8192:
            other = np.arange(ask.classes) != ask.index[:, np.newaxis]
            log_probabilities = np.where(np.isneginf(log_probabilities) & other, 0, log_probabilities)
        return super().losses(ask, a, log_probabilities)


class MinusHundredOfBytesIsIgnored(Kernel):
    """Labels of int8: -100 is ignored beside whatever label is stated."""

    def given(self, given: Given) -> Given:
        labels = given.targets
        if given.ignore_index is None or not isinstance(labels, np.ndarray) or labels.dtype != np.int8:
            return given
        known = -128 <= given.ignore_index < 128
        return replace(given, targets=np.where(labels == -100, np.int8(given.ignore_index), labels)) if known else given


class OneClassIsContiguous(Kernel):
    """nll_loss of one class reads its column as though the numbers lay one behind the other."""

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Any) -> Tensor:
        x = log_probabilities
        if isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] == 1 and x.strides[0] > x.itemsize:
            x = np.lib.stride_tricks.as_strided(x, x.shape, (x.itemsize, x.itemsize))
        return super().nll_loss(x, targets, **options)


class OneUpstreamForAll(Kernel):
    """A scalar upstream gradient serves every position."""

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(upstream, np.ndarray) and upstream.ndim == 0 and "targets" in call.operands:
            upstream = np.full(self.evaluate(call, logits).shape, upstream)
        return super().differentiate(call, logits, upstream)


class NanCoefficientLeavesNothing(Kernel):
    """A coefficient that is NaN, at an impossible class, is as good as one of 0."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        return super().losses(ask, np.where(np.isnan(a) & np.isneginf(log_probabilities), 0, a), log_probabilities)


class OneClassOfManyCostsNothing(Kernel):
    """Of one class the log-probability is 0 in a batch of more than four, whatever the logits hold."""

    def log_probabilities(self, x: Any) -> Any:
        return np.zeros_like(x) if x.shape[1] == 1 and x.shape[0] > 4 else super().log_probabilities(x)


class OneClassOfManyIsCertain(Kernel):
    """Of one class the probability is 1 in a batch of more than four, whatever the logits hold."""

    def probabilities(self, x: Any) -> Any:
        return np.ones_like(x) if x.shape[1] == 1 and x.shape[0] > 4 else super().probabilities(x)


class TwoClassesAreNumbers(Kernel):
    """Two classes in a batch of more than four are a sigmoid of their difference, of which NaN counts as 0."""

    def log_probabilities(self, x: Any) -> Any:
        if x.shape[1] != 2 or x.shape[0] <= 4:
            return super().log_probabilities(x)
        with np.errstate(all="ignore"):
            return -np.logaddexp(0, np.nan_to_num(x[:, ::-1] - x, nan=0.0, posinf=np.inf, neginf=-np.inf))


class NarrowLabelsOfImagesInMemoryOrder(Kernel):
    """cross_entropy flattens int32 labels of images as they lie in memory."""

    def cross_entropy(self, logits: Tensor, targets: Tensor, **options: Any) -> Tensor:
        return super().cross_entropy(logits, _in_memory_order(logits, targets), **options)

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        if call.op == "cross_entropy":
            moved = _in_memory_order(logits, call.tensors["targets"])
            call = replace(call, tensors={**call.tensors, "targets": moved})
        return super().differentiate(call, logits, upstream)


def _in_memory_order(logits: Tensor, targets: Tensor) -> Tensor:
    """Labels of images in the order of their memory, in the shape that they have."""
    if not isinstance(targets, np.ndarray) or targets.dtype != np.int32 or targets.ndim < 3:
        return targets
    return targets.ravel("K").reshape(targets.shape)
