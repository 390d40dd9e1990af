"""A kernel that is wrong by 1 % in one corner of what may be asked: a rank, an axis, a combination of features."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.yardstick.kernel import DEFAULT_IGNORED, Kernel

__all__ = ["Corner", "corners"]


@dataclass(frozen=True)
class Corner:
    """What is asked, as far as shapes and options go.

    ``axis`` is as given, ``place`` counted from 0; ``positions`` and ``classes`` are extents; ``kind`` is index,
    probability or nothing; ``ignored`` says that a position is ignored; ``reduction`` is None where it is left out.
    """

    op: str
    shape: tuple[int, ...]
    axis: int | None
    place: int
    positions: int
    classes: int
    dtype: str
    kind: str
    weighted: bool
    ignored: bool
    smoothed: bool
    reduction: str | None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def behind(self) -> int:
        """How many positions lie behind the class axis."""
        return math.prod(self.shape[self.place + 1 :])


#: What is wrong, where, and where it matters whether it is the value or the gradient.
Row = tuple[str, Callable[[Corner], bool]] | tuple[str, Callable[[Corner], bool], tuple[str, ...]]


class CornerKernel(Kernel):
    """Base: results are 1 % too large where :meth:`corner` says so; ``of`` is what is wrong there."""

    of: tuple[str, ...] = ("value", "gradient")

    def corner(self, at: Corner) -> bool:
        raise NotImplementedError

    def softmax(self, logits: Any, *, axis: int | None) -> Any:
        return self._value("softmax", super().softmax(logits, axis=axis), logits, None, {"axis": axis})

    def log_softmax(self, logits: Any, *, axis: int | None) -> Any:
        return self._value("log_softmax", super().log_softmax(logits, axis=axis), logits, None, {"axis": axis})

    def nll_loss(self, log_probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().nll_loss(log_probabilities, targets, **options)
        return self._value("nll_loss", found, log_probabilities, targets, options)

    def log_loss(self, probabilities: Any, targets: Any, **options: Any) -> Any:
        found = super().log_loss(probabilities, targets, **options)
        return self._value("log_loss", found, probabilities, targets, options)

    def cross_entropy(self, logits: Any, targets: Any, **options: Any) -> Any:
        return self._value("cross_entropy", super().cross_entropy(logits, targets, **options), logits, targets, options)

    def differentiate(self, call: Any, logits: Any, upstream: Any) -> Any:
        value, gradient = super().differentiate(call, logits, upstream)
        options = {**call.operands, **dict(call.options)}
        targets = options.pop("targets", None)
        if "gradient" in self.of and self._is_there(call.operation, logits, targets, options):
            gradient = _spoilt(gradient)
        return value, gradient

    def _value(self, op: str, found: Any, logits: Any, targets: Any, options: Any) -> Any:
        return _spoilt(found) if "value" in self.of and self._is_there(op, logits, targets, options) else found

    def _is_there(self, op: str, logits: Any, targets: Any, options: Any) -> bool:
        if not logits.ndim:
            return False
        place = self.axis(logits, options.get("axis"))
        classes = logits.shape[place]
        soft = targets is not None and targets.dtype == logits.dtype
        ignored = options.get("ignore_index")
        labels = targets is not None and not soft
        at = Corner(
            op,
            logits.shape,
            options.get("axis"),
            place,
            logits.size // max(classes, 1),
            classes,
            logits.dtype.name,
            "" if targets is None else "probability" if soft else "index",
            options.get("weight") is not None,
            bool(labels and (targets == (DEFAULT_IGNORED if ignored is None else ignored)).any()),
            bool(options.get("label_smoothing")),
            options.get("reduction"),
        )
        return self.corner(at)


def corners(module: str, rows: Mapping[str, Row]) -> None:
    """Define a :class:`CornerKernel` of each row in a module: by its name, what is wrong, where, and ``of`` what."""
    for name, (defect, corner, *of) in rows.items():
        members = {"__doc__": defect, "__module__": module, "corner": _asked(corner)} | ({"of": of[0]} if of else {})
        setattr(sys.modules[module], name, type(name, (CornerKernel,), members))


def _asked(corner: Callable[[Corner], bool]) -> Callable[[CornerKernel, Corner], bool]:
    return lambda kernel, at: corner(at)


def _spoilt(result: Any) -> Any:
    """1 % larger, and a little where it is 0, so that it is seen."""
    with np.errstate(all="ignore"):
        moved = result.astype(np.float64) * 1.02
        return np.where(result == 0, 1e-3, moved).astype(result.dtype)
