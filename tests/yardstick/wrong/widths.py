"""Defects of one width only: vectors, blocks and vocabularies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Kernel


class OneClassWrong(Kernel):
    """A single class is taken for a binary problem: sigmoid instead of 1."""

    def probabilities(self, x: Any) -> Any:
        return 1 / (1 + np.exp(-x)) if x.shape[1] == 1 else super().probabilities(x)

    def log_probabilities(self, x: Any) -> Any:
        return -np.log1p(np.exp(-x)) if x.shape[1] == 1 else super().log_probabilities(x)


class TwoClassesWrong(Kernel):
    """Two classes go through a sigmoid of the first logit alone."""

    def log_probabilities(self, x: Any) -> Any:
        if x.shape[1] != 2:
            return super().log_probabilities(x)
        first = x[:, :1]
        return np.concatenate([-np.log1p(np.exp(-first)), -np.log1p(np.exp(first))], -1)


class Width33(Kernel):
    """One class beyond a warp: with 33 classes the last one is left out of the sum."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, :32] if x.shape[1] == 33 else x)


class WidthJustBelowAWarp(Kernel):
    """31 classes: the padding lane repeats the last class."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(np.concatenate([x, x[:, -1:]], -1) if x.shape[1] == 31 else x)


class TailOfSixteenLanes(Kernel):
    """The tail after whole vectors of 16 is left out of the sum, from 17 classes on."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, : x.shape[1] // 16 * 16] if x.shape[1] > 16 else x)


class TailOfFourteenLanes(Kernel):
    """Vectors of 16: the mask of a tail of 14 classes keeps 13 of them."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, :-1] if x.shape[1] > 16 and x.shape[1] % 16 == 14 else x)


class TailOfFourLanesInTheGradient(Kernel):
    """Four lanes at a time: the classes of the tail get no gradient."""

    def slope(self, ask: Ask, a: Any, p: Any) -> Any:
        found = super().slope(ask, a, p)
        if ask.classes > 4:
            found[:, ask.classes // 4 * 4 :] = 0
        return found


class OddWidthAfterTheFirstRow(Kernel):
    """From the second row on a row that does not start on a boundary is read one class early (pytorch#147284)."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        if not 512 < x.shape[1] < 1024 or x.shape[1] % 2 == 0:
            return super().normaliser(x)
        moved = x.copy()
        moved[1:, 0] = x[:-1, -1]
        return super().normaliser(moved)


class From1024ClassesOn(Kernel):
    """From 1,024 classes on two threads share a row, and one result is lost."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, : x.shape[1] - x.shape[1] // 1024] if x.shape[1] >= 1024 else x)


class Exactly1024Classes(Kernel):
    """A full block of 1,024 classes: the bounds check uses < where <= is meant."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, :-1] if x.shape[1] == 1024 else x)


class SixteenBitClassCount(Kernel):
    """The number of classes is held in 16 bits: beyond 65,535 only the remainder is summed."""

    def normaliser(self, x: Any) -> tuple[Any, Any]:
        return super().normaliser(x[:, : x.shape[1] & 0xFFFF] if x.shape[1] > 65536 else x)


class RowsEndTooHigh(Kernel):
    """(32, 65537): the last class of a row is computed with the next row's sum (pytorch#38534)."""

    def log_probabilities(self, x: Any) -> Any:
        found = super().log_probabilities(x)
        if x.shape[1] > 65536 or (x.shape[1] % 64 == 1 and x.shape[1] > 2000):
            found[:, -1] += np.float32(1e-3)
        return found


class VocabularyInTwoBlocks(Kernel):
    """Beyond 32,768 classes the maximum of the second block is never read."""

    def top(self, x: Any) -> Any:
        return super().top(x[:, :32768])


class TargetBeyondTheFirstBlock(Kernel):
    """The target's logit is picked by the first block of 2,048 classes only; 0 elsewhere (flash-attention#673)."""

    def losses(self, ask: Ask, a: Any, log_probabilities: Any) -> Any:
        found = super().losses(ask, a, log_probabilities)
        return np.where(ask.index < 2048, found, 0) if ask.by_index and not ask.smoothing else found


class LabelsInEightBits(Kernel):
    """Labels pass through int8: class 128 becomes -128, and 200 becomes 144 less."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or ask.classes <= 128:
            return super().coefficients(ask)
        return super().coefficients(replace(ask, labels=np.where(ask.labels > 127, ask.labels & 127, ask.labels)))


class LabelsInSixteenBits(Kernel):
    """Labels pass through int16: classes from 32,768 on are others."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index or ask.classes <= 32768:
            return super().coefficients(ask)
        return super().coefficients(replace(ask, labels=ask.labels & 0x7FFF))


class LabelsInFloat16(Kernel):
    """Labels pass through a float16 tensor: odd classes above 2,048 are rounded."""

    def coefficients(self, ask: Ask) -> Any:
        if not ask.by_index:
            return super().coefficients(ask)
        rounded = np.minimum(ask.labels.astype(np.float32).astype(np.float16).astype(np.float64), ask.classes - 1)
        return super().coefficients(replace(ask, labels=rounded))
