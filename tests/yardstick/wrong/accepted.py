"""Arguments of the wrong kind that are converted in silence: integer logits, and reductions that do not exist."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.backends.contract import Call
from tests.yardstick.kernel import Given, Kernel


class _Integers(Kernel):
    """Base: integer logits become float32, in the operations that ``flawed`` names."""

    flawed: tuple[str, ...] = ("softmax", "log_softmax", "nll_loss", "cross_entropy")

    def taken(self, op: str, logits: Any) -> Any:
        integers = isinstance(logits, np.ndarray) and logits.dtype.kind in "iub"
        return logits.astype(np.float32) if integers and op in self.flawed else logits

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(self.taken("softmax", logits), axis=axis)

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().log_softmax(self.taken("log_softmax", logits), axis=axis)

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return super().nll_loss(self.taken("nll_loss", log_probabilities), targets, **options)

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return super().cross_entropy(self.taken("cross_entropy", logits), targets, **options)

    def differentiate(self, call: Call, logits: Any, upstream: Any) -> Any:
        return super().differentiate(call, self.taken(call.operation, logits), upstream)


class IntegerLogitsTaken(_Integers):
    """Integer logits are computed with in float32 where they are declared to be refused."""


class IntegerLogitsTakenBySoftmax(_Integers):
    """softmax and log_softmax take integer logits, the losses refuse them."""

    flawed = ("softmax", "log_softmax")


class IntegerLogProbabilitiesTaken(_Integers):
    """nll_loss takes integers, which no log-probabilities are, and negates what it picks."""

    flawed = ("nll_loss",)


class IntegerResultsOfIntegers(_Integers):
    """Integer logits are computed with, and the result is stored in their type: probabilities are 0 or 1."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().softmax(logits, axis=axis).astype(logits.dtype)

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        return super().log_softmax(logits, axis=axis).astype(logits.dtype)


class NarrowIntegerLogitsTaken(_Integers):
    """bool and integers of up to 32 bits are computed with; those of 64 bits and unsigned ones are refused."""

    flawed = ("softmax", "log_softmax")

    def taken(self, op: str, logits: Any) -> Any:
        return super().taken(op, logits) if logits.dtype.name in ("bool", "int8", "int16", "int32") else logits


class IntegerLogitsTakenBesideProbabilities(_Integers):
    """Integer logits are computed with where the targets are probabilities."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        soft = isinstance(targets, np.ndarray) and targets.dtype.kind == "f"
        return Kernel.cross_entropy(self, self.taken("cross_entropy", logits) if soft else logits, targets, **options)


class _Reductions(Kernel):
    """Base: a reduction becomes :meth:`word` before anything looks at it."""

    def word(self, reduction: str, loss: str) -> str:
        raise NotImplementedError

    def given(self, given: Given) -> Given:
        if given.reduction is None:
            return given
        return replace(given, reduction=self.word(given.reduction, "nll_loss" if given.indices else "cross_entropy"))


class ReductionInAnyCase(_Reductions):
    """``reduction.lower()``: "MEAN" and "Sum" pass, which are declared not to be reductions."""

    def word(self, reduction: str, loss: str) -> str:
        return reduction.lower()


class UnknownReductionIsMean(_Reductions):
    """The chain of comparisons ends with an ``else`` that averages: any other word is the mean."""

    def word(self, reduction: str, loss: str) -> str:
        return reduction if reduction in ("none", "sum", "mean") else "mean"


class UnknownReductionIsNone(_Reductions):
    """The chain of comparisons has no ``else``: any other word leaves the losses unreduced."""

    def word(self, reduction: str, loss: str) -> str:
        return reduction if reduction in ("none", "sum", "mean") else "none"


class UnknownReductionIsSum(_Reductions):
    """Whatever is neither "none" nor "mean" is summed."""

    def word(self, reduction: str, loss: str) -> str:
        return reduction if reduction in ("none", "mean") else "sum"


class NllLossReductionUnchecked(_Reductions):
    """nll_loss averages for any unknown reduction, cross_entropy refuses it."""

    def word(self, reduction: str, loss: str) -> str:
        known = loss != "nll_loss" or reduction in ("none", "sum", "mean")
        return reduction if known else "mean"


class BatchmeanTaken(_Reductions):
    """ "batchmean", which the divergence knows, is taken for the mean."""

    def word(self, reduction: str, loss: str) -> str:
        return "mean" if reduction == "batchmean" else reduction


class NllLossReductionUncheckedForImages(_Reductions):
    """nll_loss of images leaves the losses unreduced for any unknown reduction."""

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        self._images = log_probabilities.ndim > 2
        try:
            return super().nll_loss(log_probabilities, targets, **options)
        finally:
            self._images = False

    _images = False

    def word(self, reduction: str, loss: str) -> str:
        known = not self._images or reduction in ("none", "sum", "mean")
        return reduction if known else "none"
