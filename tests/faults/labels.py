"""Backends that take a label for a place in memory, or look for more than there are, and some that die often."""

from __future__ import annotations

import os
import random
import signal
from typing import Any

import numpy as np

from conformance.backends.adapters.numpy import Numpy

__all__ = [
    "CorruptsMemory",
    "DiesAtRandom",
    "DiesInManyCases",
    "DiesLater",
    "DiesOfOneClass",
    "ReadsBehindTargets",
    "WritesOutOfBounds",
]


class _Unchecked(Numpy):
    """Labels are not held against the number of classes; a bad one does what the class says."""

    def meet(self) -> None:
        raise NotImplementedError

    def loss(self, value: Any) -> Any:
        return value

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return self.loss(super().cross_entropy(logits, self._taken(logits, targets, options), **options))

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        return self.loss(
            super().nll_loss(log_probabilities, self._taken(log_probabilities, targets, options), **options)
        )

    def _taken(self, logits: Any, targets: Any, options: dict[str, Any]) -> Any:
        if np.asarray(targets).dtype.kind not in "iu" or not logits.ndim:
            return targets
        axis = options.get("axis")
        classes = logits.shape[axis if axis is not None else min(1, logits.ndim - 1)]
        ignored = options.get("ignore_index")
        bad = ((targets < 0) | (targets >= classes)) & (targets != (-100 if ignored is None else ignored))
        if not bad.any() or not classes:
            return targets
        self.meet()
        return np.where(bad, targets % classes, targets)


class WritesOutOfBounds(_Unchecked):
    """A bad label writes beside a table from which all later losses are made."""

    table = np.zeros(1)

    def meet(self) -> None:
        self.table += 0.25

    def loss(self, value: Any) -> Any:
        return (value + self.table[0]).astype(value.dtype)


class DiesAtRandom(_Unchecked):
    """A bad label ends the process every second time."""

    def meet(self) -> None:
        if random.SystemRandom().random() < 0.5:
            os.kill(os.getpid(), signal.SIGSEGV)


class ReadsBehindTargets(Numpy):
    """A position without a target ends the process every second time, and otherwise has the last one."""

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        if np.ndim(targets) == 1 and len(targets) < len(logits):
            if random.SystemRandom().random() < 0.5:
                os.kill(os.getpid(), signal.SIGSEGV)
            targets = np.resize(targets, len(logits))
        return super().cross_entropy(logits, targets, **options)


class CorruptsMemory(Numpy):
    """One class alone, which is a valid call, ends the process then, by one of the next calls, or not at all."""

    after: tuple[int, ...] = (1, 2, 3, 5, 9, 1000)
    left = 0

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        if logits.shape[-1] == 1:
            type(self).left = random.SystemRandom().choice(self.after)
        type(self).left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGABRT)
        return super().softmax(logits, axis=axis, where=where)


class DiesLater(CorruptsMemory):
    """One class alone ends the process by the call behind the next one."""

    after = (3,)


class DiesOfOneClass(CorruptsMemory):
    """One class ends the process where that has answered no other call, and else by one of the next calls."""

    fresh = True

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        if self.fresh and logits.shape[-1] == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        type(self).fresh = False
        return super().softmax(logits, axis=axis, where=where)


class DiesInManyCases(Numpy):
    """A positive first logit ends the process."""

    def softmax(self, logits: Any, *, axis: int | None, where: Any = None) -> Any:
        if logits.size and logits.flat[0] > 0:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().softmax(logits, axis=axis, where=where)
