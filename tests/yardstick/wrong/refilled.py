"""What is kept of a tensor by its address, and not by its numbers: tensors that are written to show it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call, Tensor
from tests.yardstick.kernel import Ask, Given, Kernel


class _Kept(Kernel):
    """Keeps the first copy of each array, by its address and shape, for as long as the array lives."""

    def __init__(self, *, device: str = "", mode: str = "", threads: int = 1) -> None:
        super().__init__(device=device, mode=mode, threads=threads)
        self._kept: dict[Any, Any] = {}

    def kept(self, array: Any, made: Callable[[Any], Any] = np.array) -> Any:
        """What was made of the array when it was first seen."""
        if not isinstance(array, np.ndarray):
            return made(array)
        key = array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
        known = self._kept.get(key)
        if known is None or known[0]() is not array:
            known = self._kept[key] = weakref.ref(array), made(array)
        return known[1]


class WeightsByAddress(_Kept):
    """Weights are converted once for each address."""

    def given(self, given: Given) -> Given:
        return given if given.weight is None else replace(given, weight=self.kept(given.weight))


class LabelsByAddress(_Kept):
    """Labels are checked and converted once for each address."""

    def given(self, given: Given) -> Given:
        return replace(given, targets=self.kept(given.targets))


class LogitsByAddress(_Kept):
    """Half types: the copy in float32 is made once for each address."""

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        half = isinstance(array, np.ndarray) and array.dtype.itemsize == 2 and dtype is None
        return super().rows(self.kept(array) if half else array, axis, dtype)


class LogProbabilitiesByAddress(_Kept):
    """nll_loss remembers its log-probabilities by their address."""

    def nll_loss(self, log_probabilities: Tensor, targets: Tensor, **options: Any) -> Tensor:
        return super().nll_loss(self.kept(log_probabilities), targets, **options)


class UpstreamByAddress(_Kept):
    """The backward pass converts an upstream gradient once for each address."""

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        return super().differentiate(call, logits, self.kept(upstream))


class DivisorByAddress(_Kept):
    """The divisor of a mean is kept with the labels that it was summed for."""

    _labels: Any = None

    def given(self, given: Given) -> Given:
        self._labels = given.targets
        return given

    def divisor(self, ask: Ask) -> Any:
        return self.kept(self._labels, lambda _: super(DivisorByAddress, self).divisor(ask))


class ResultByAddress(_Kept):
    """softmax gives the result of the last call with the same tensor."""

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        if where is not None or not isinstance(logits, np.ndarray):
            return super().softmax(logits, axis=axis, where=where)
        return self.kept(logits, lambda each: super(ResultByAddress, self).softmax(each, axis=axis)).copy()
