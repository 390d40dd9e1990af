"""ignore_index gone wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


class OnlyNonDefaultIgnored(Kernel):
    """``if ignore_index != -100``: the default is never applied, and such labels pass as class 0 (pytorch#108148,
    FlagGems#73).
    """

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        valid = super().checked(labels, shape, classes, ignored)
        return np.ones_like(valid) if ignored == -100 else valid

    def ask(self, logits: Any, targets: Any, *arguments: Any, **named: Any) -> Ask:
        found = super().ask(logits, targets, *arguments, **named)
        if found.by_index and found.ignore_index == -100:
            return replace(found, labels=np.where(found.labels == -100, 0, found.labels))
        return found


class HardCodedMinus100(Kernel):
    """-100 is compiled in: another ignore_index is not heeded where its label is a class (unsloth#1254)."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels, shape, classes, ignored if not 0 <= ignored < classes else -100)


class MinusOneMeansNone(Kernel):
    """-1 is a sentinel for "no ignore_index": label -1 is not counted out of the mean (tinygrad)."""

    def divisor(self, ask: Ask) -> Any:
        return ask.x.dtype.type(len(ask.x)) if ask.ignore_index == -1 else super().divisor(ask)


class NegativeAlwaysIgnored(Kernel):
    """Every negative label counts as ignored."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        negative = labels < 0
        return super().checked(np.where(negative, ignored, labels).astype(np.int64), shape, classes, ignored)


class NegativeIndexCountsInTheMean(Kernel):
    """Ignored positions stay in the denominator when ignore_index is negative (Paddle)."""

    def divisor(self, ask: Ask) -> Any:
        if not ask.by_index or ask.ignore_index >= 0 or ask.weight is not None:
            return super().divisor(ask)
        return ask.x.dtype.type(len(ask.x))


class ComparedAfterTheClamp(Kernel):
    """Labels are clamped to [0, C) before they are compared with ignore_index, which then ignores class 0's
    neighbours.
    """

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        valid = super().checked(labels, shape, classes, ignored)
        if ignored >= 0 or not classes:
            return valid
        return np.clip(labels, 0, classes - 1) != np.clip(ignored, 0, classes - 1)


class IgnoredIndexMustBeAClass(Kernel):
    """The bounds check comes before the ignore test: ignore_index outside [0, C) is refused (pytorch#15508)."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        if np.issubdtype(labels.dtype, np.integer) and np.any((labels < 0) | (labels >= classes)):
            raise IndexError(f"target {int(labels.max())} is out of bounds")
        return super().checked(labels, shape, classes, ignored)


class IgnoredOnlyUnderMean(Kernel):
    """With reduction none an ignored position keeps the loss of class 0."""

    def reduced(self, ask: Ask, losses: Any) -> Any:
        if ask.reduction != "none" or not ask.by_index or not ask.classes:
            return super().reduced(ask, losses)
        first = -self.log_probabilities(ask.x)[:, 0]
        return np.where(ask.valid, losses, first).reshape(ask.shape)


class IgnoredRowsReachTheGradient(Kernel):
    """The gradient of an ignored row is 0 times its softmax: NaN where the row holds -inf or NaN (pytorch#11551)."""

    raw: Any = None

    def ask(self, logits: Any, targets: Any, weight: Any, axis: int | None, *arguments: Any, **named: Any) -> Ask:
        self.raw = self.rows(logits, axis)
        return super().ask(logits, targets, weight, axis, *arguments, **named)

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        return super().loss_gradient(ask, upstream) + 0 * self.probabilities(self.raw)


class IgnoredRowsReachTheLoss(Kernel):
    """The loss of an ignored row is multiplied by 0: NaN where the row holds NaN or infinities."""

    raw: Any = None

    def ask(self, logits: Any, targets: Any, weight: Any, axis: int | None, *arguments: Any, **named: Any) -> Ask:
        self.raw = self.rows(logits, axis)
        return super().ask(logits, targets, weight, axis, *arguments, **named)

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        return super().losses(ask, a, log_probabilities) + 0 * self.raw.sum(-1)


class IgnoredRowsHaveAGradient(Kernel):
    """Ignored rows are masked in the loss but not in the gradient, which is the softmax there."""

    def loss_gradient(self, ask: Ask, upstream: Any) -> Any:
        gradient = super().loss_gradient(ask, upstream)
        leak = self.probabilities(ask.x) * np.broadcast_to(self.scale(ask, upstream), (len(ask.x), 1))
        return np.where(ask.valid[:, np.newaxis], gradient, leak)


class NllLossHeedsNoIgnoreIndex(Kernel):
    """nll_loss has no ignore_index of its own: ignored positions count as class 0 there (pytorch/xla#859)."""

    def nll_loss(self, log_probabilities: Any, targets: Any, *, ignore_index: int | None, **options: Any) -> Any:
        if isinstance(targets, np.ndarray) and ignore_index is not None:
            targets = np.where(targets == ignore_index, 0, targets)
        return super().nll_loss(log_probabilities, targets, ignore_index=ignore_index, **options)


class ZeroIsIgnored(Kernel):
    """The padding index is 0 unless stated (apex xentropy)."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        valid = super().checked(labels, shape, classes, ignored)
        return valid & (labels != 0) if ignored == -100 else valid


class FalsyIgnoreIndex(Kernel):
    """``ignore_index or -100``: an ignore_index of 0 falls back to the default."""

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        return super().checked(labels, shape, classes, ignored or -100)


class IgnoredClassLeavesTheSoftmax(Kernel):
    """The ignored class is taken out of the normaliser as well (pytorch#63004)."""

    def loss(self, ask: Ask) -> Any:
        if not ask.by_index or not 0 <= ask.ignore_index < ask.classes or ask.classes < 2:
            return super().loss(ask)
        x = ask.x.copy()
        x[:, ask.ignore_index] = -np.inf
        return super().loss(replace(ask, x=x))


class ProbabilitiesAcceptIgnoreIndex(Kernel):
    """ignore_index beside probability targets is silently dropped where it is declared to be refused."""

    def given(self, given: Given) -> Given:
        logits, targets = given.logits, given.targets
        same = isinstance(targets, np.ndarray) and targets.shape == logits.shape and targets.dtype == logits.dtype
        return replace(given, ignore_index=None) if same else given
