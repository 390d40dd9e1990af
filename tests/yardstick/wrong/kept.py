"""Results and labels that are kept by a part of what they come from, or by a sum over it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tests.yardstick.kernel import Ask, Given, Kernel


class _Keeps(Kernel):
    """Base: what is kept, by its keys."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.known: dict[Any, Any] = {}

    def kept(self, result: Any, like: Any, axis: int | None, key: Any) -> Any:
        """A copy of what was kept for this key first."""
        return self.known.setdefault((like.shape, like.dtype, axis, key), result.copy()).copy()


class SoftmaxByItsFirstNumbers(_Keeps):
    """Results of softmax are kept by the shape and the first 16 logits."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        head = logits.reshape(-1)[:16].tobytes()
        return self.kept(super().softmax(logits, axis=axis), logits, axis, head)


class LogSoftmaxByItsEnds(_Keeps):
    """Results of log_softmax are kept by the shape and the first, the middle and the last logit."""

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        flat = logits.reshape(-1)
        ends = flat[[0, flat.size // 2, -1]].tobytes() if flat.size else b""
        return self.kept(super().log_softmax(logits, axis=axis), logits, axis, ends)


class SoftmaxByItsSum(_Keeps):
    """Results of softmax are kept by the shape and a checksum that the order of the logits does not change."""

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        checksum = np.sort(logits.astype(np.float64).reshape(-1)).tobytes()
        return self.kept(super().softmax(logits, axis=axis), logits, axis, checksum)


class LabelsByTheirSum(_Keeps):
    """Labels are kept by their shape, type and sum."""

    def read(self, given: Given) -> Ask:
        found = super().read(given)
        if not found.by_index or found.labels.size < 2 or not found.valid.all():
            return found
        total = int(found.labels.astype(np.int64).sum())
        return replace(found, labels=self.kept(found.labels, found.labels, found.classes, total))
