"""A NumPy kernel in stages, each a method: sound as it stands, and made wrong by overriding one of them.

Whatever its shape, the input becomes rows: (P, C) in the precision of the intermediates, P positions of C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.backends.contract import Array, Call, Reduction, Tensor
from tests.yardstick.ask import Ask, Given
from tests.yardstick.looped import looped
from tests.yardstick.stages import Stages

__all__ = ["Ask", "Given", "Kernel"]

DEFAULT_IGNORED = -100


class Kernel(Stages):
    """The stages put together to the operations, and to their derivatives."""

    # -- shapes -------------------------------------------------------------------------------------------------------

    def axis(self, logits: Any, axis: int | None) -> int:
        """The class axis from 0: axis 1 unless stated, or 0 where there is no other."""
        axis = min(1, logits.ndim - 1) if axis is None else axis
        if not -logits.ndim <= axis < logits.ndim:
            raise ValueError(f"axis {axis} is out of range for logits of rank {logits.ndim}")
        return int(axis % logits.ndim)

    def rows(self, array: Any, axis: int | None, dtype: Any = None) -> Any:
        """(P, C) in the precision of the intermediates, or in ``dtype``."""
        _require_floats("logits", array)
        wide = self.compute(array.dtype) if dtype is None else dtype
        if array.ndim == 0 and axis in (None, 0, -1):
            return array.astype(wide).reshape(1, 1)
        place = self.axis(array, axis)
        moved = array if place == array.ndim - 1 else np.moveaxis(array, place, -1)
        return moved.astype(wide).reshape(int(np.prod(moved.shape[:-1])), moved.shape[-1])

    def restored(self, rows: Any, like: Any, axis: int | None) -> Any:
        """The inverse of :meth:`rows`, stored in the dtype of ``like``."""
        if like.ndim == 0:
            return self.stored(rows, like.dtype).reshape(())
        place = self.axis(like, axis)
        shape = (*like.shape[:place], *like.shape[place + 1 :], like.shape[place])
        return np.ascontiguousarray(self.stored(np.moveaxis(rows.reshape(shape), -1, place), like.dtype))

    # -- operations ---------------------------------------------------------------------------------------------------

    def softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        if where is not None:
            logits = self.masked(logits, where)
        with np.errstate(all="ignore"):
            x = self.rows(logits, axis)
            return self.restored(self.probabilities(x) if x.shape[1] else x, logits, axis)

    def log_softmax(self, logits: Tensor, *, axis: int | None, where: Tensor | None = None) -> Tensor:
        if where is not None:
            logits = self.masked(logits, where)
        with np.errstate(all="ignore"):
            x = self.rows(logits, axis)
            return self.restored(self.log_probabilities(x) if x.shape[1] else x, logits, axis)

    def nll_loss(
        self,
        log_probabilities: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        reduction: Reduction | None,
    ) -> Tensor:
        with np.errstate(all="ignore"):
            ask = self.ask(log_probabilities, targets, weight, axis, ignore_index, None, reduction, indices=True)
            result = self.reduced(ask, self.losses(ask, self.coefficients(ask), ask.x))
            return self.stored(result, log_probabilities.dtype)

    def cross_entropy(
        self,
        logits: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        label_smoothing: float | None,
        reduction: Reduction | None,
        where: Tensor | None = None,
    ) -> Tensor:
        if where is not None:
            logits = self.masked(logits, where)
        with np.errstate(all="ignore"):
            ask = self.ask(logits, targets, weight, axis, ignore_index, label_smoothing, reduction)
            return self.stored(self.loss(ask), logits.dtype)

    def log_loss(
        self,
        probabilities: Tensor,
        targets: Tensor,
        *,
        weight: Tensor | None = None,
        axis: int | None,
        ignore_index: int | None,
        label_smoothing: float | None,
        reduction: Reduction | None,
    ) -> Tensor:
        with np.errstate(all="ignore"):
            ask = self.ask(probabilities, targets, weight, axis, ignore_index, label_smoothing, reduction)
            logarithms = self.given_logarithms(ask.x) if ask.classes else ask.x
            losses = self.losses(ask, self.coefficients(ask), logarithms)
            return self.stored(self.reduced(ask, losses), probabilities.dtype)

    def loss(self, ask: Ask) -> Any:
        """The cross entropy of an ask, reduced."""
        log_probabilities = self.log_probabilities(ask.x) if ask.classes else ask.x
        return self.reduced(ask, self.losses(ask, self.coefficients(ask), log_probabilities))

    def differentiate(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        value = self.evaluate(call, logits)
        if not isinstance(upstream, np.ndarray) or upstream.shape != value.shape:
            raise ValueError(f"the upstream gradient must be an array of the value's shape {value.shape}")
        operands, options = dict(call.operands), dict(call.options)
        axis, wide = options.pop("axis"), self.compute(logits.dtype)
        where = operands.pop("where", None)
        if where is not None:
            logits = self.masked(logits, where)
            if not operands:  # what is constant passes nothing on
                upstream = np.where(where, upstream, np.zeros((), upstream.dtype))
        with np.errstate(all="ignore"):
            if call.operation in ("softmax", "log_softmax"):
                x, v = self.rows(logits, axis), self.rows(upstream, axis, wide)
                if not x.shape[1]:
                    return value, self.restored(x, logits, axis)
                chain = self.softmax_gradient if call.operation == "softmax" else self.log_softmax_gradient
                return value, self.restored(chain(self.probabilities(x), v), logits, axis)
            ask = self.ask(logits, **{"weight": None, **operands}, axis=axis, **options)
            through = {"nll_loss": self.nll_gradient, "log_loss": self.given_gradient}.get(
                call.operation, self.loss_gradient
            )
            gradient = through(ask, upstream.astype(wide)) if ask.classes else ask.x
            return value, self.restored(gradient, logits, axis)

    def jvp(self, call: Call, logits: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
        value, options = self.evaluate(call, logits), dict(call.options)
        axis, wide = options.pop("axis"), self.compute(logits.dtype)
        with np.errstate(all="ignore"):
            t = self.rows(tangent, axis, wide)
            if call.operation in ("softmax", "log_softmax"):
                rule = self.softmax_jvp if call.operation == "softmax" else self.log_softmax_jvp
                return value, self.restored(rule(self.probabilities(self.rows(logits, axis)), t), logits, axis)
            ask = self.ask(logits, **{"weight": None, **call.operands}, axis=axis, **options)
            through = {"nll_loss": self.nll_jvp, "log_loss": self.given_jvp}.get(call.operation, self.loss_jvp)
            return value, self.stored(self.reduced(ask, through(ask, t)), logits.dtype)

    def hvp(self, call: Call, logits: Tensor, upstream: Tensor, direction: Tensor) -> Tensor:
        options = dict(call.options)
        axis, wide = options.pop("axis"), self.compute(logits.dtype)
        with np.errstate(all="ignore"):
            t = self.rows(direction, axis, wide)
            if call.operation in ("softmax", "log_softmax"):
                p, v = self.probabilities(self.rows(logits, axis)), self.rows(upstream, axis, wide)
                rule = self.softmax_hvp if call.operation == "softmax" else self.log_softmax_hvp
                return self.restored(rule(p, v, t), logits, axis)
            ask = self.ask(logits, **{"weight": None, **call.operands}, axis=axis, **options)
            through = self.given_hvp if call.operation == "log_loss" else self.loss_hvp
            return self.restored(through(ask, upstream.astype(wide), t), logits, axis)

    def target_gradient(self, call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
        options = dict(call.options)
        axis, wide = options.pop("axis"), self.compute(logits.dtype)
        with np.errstate(all="ignore"):
            ask = self.ask(logits, **{"weight": None, **call.operands}, axis=axis, **options)
            through = self.given_target_gradient if call.operation == "log_loss" else self.loss_target_gradient
            return self.restored(through(ask, upstream.astype(wide)), logits, axis)

    def second_vjp(self, call: Call, logits: Tensor, former: Tensor, upstream: Tensor) -> Tensor:
        """Nothing is kept between the passes."""
        return self.differentiate(call, logits, upstream)[1]

    def vmap(self, call: Call, logits: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
        return looped(self, call, logits, upstream)

    # -- what the caller asks for -------------------------------------------------------------------------------------

    def ask(
        self,
        logits: Any,
        targets: Any,
        weight: Any,
        axis: int | None,
        ignore_index: int | None,
        label_smoothing: float | None = None,
        reduction: str | None = None,
        *,
        indices: bool = False,
    ) -> Ask:
        """The arguments of a loss, checked; raises TypeError, ValueError or IndexError for what is invalid."""
        return self.read(
            self.given(Given(logits, targets, weight, axis, ignore_index, label_smoothing, reduction, indices))
        )

    def given(self, given: Given) -> Given:
        """The arguments as they are handed on to the checks."""
        return given

    def read(self, given: Given) -> Ask:
        """What the arguments ask for; raises TypeError, ValueError or IndexError for what is invalid."""
        logits, targets, weight, axis = given.logits, given.targets, given.weight, given.axis
        _require_floats("logits", logits)
        if logits.ndim == 0:
            raise ValueError("logits of rank 0 have no class axis")
        if not isinstance(targets, np.ndarray):
            raise TypeError(f"targets must be an array, not {type(targets).__name__}")
        smoothing, reduction = given.label_smoothing or 0.0, given.reduction or "mean"
        if not 0 <= smoothing <= 1 or reduction not in ("none", "sum", "mean"):
            raise ValueError(f"label_smoothing {smoothing} or reduction {reduction!r} is not valid")
        x = self.rows(logits, axis)
        place = self.axis(logits, axis)
        shape = logits.shape[:place] + logits.shape[place + 1 :]
        by_index = given.indices or targets.shape != logits.shape or not _is_floating(targets)
        if weight is not None:
            _require_floats("weight", weight)
            if weight.shape != (x.shape[1],):
                raise ValueError(f"weight must have shape {(x.shape[1],)}")
            weight = weight.astype(x.dtype)
        if not by_index:
            if given.ignore_index is not None:
                raise ValueError("ignore_index applies to class indices, not to class probabilities")
            q = self.rows(targets, axis, x.dtype)
            return Ask(x, None, q, np.ones(len(x), bool), weight, smoothing, DEFAULT_IGNORED, reduction, shape)
        ignored = DEFAULT_IGNORED if given.ignore_index is None else given.ignore_index
        valid = self.checked(targets, shape, x.shape[1], ignored).reshape(-1)
        x = np.where(valid[:, np.newaxis], x, 0)  # whatever an ignored position holds, it takes no part
        return Ask(x, targets.reshape(-1), None, valid, weight, smoothing, ignored, reduction, shape)

    def checked(self, labels: Any, shape: tuple[int, ...], classes: int, ignored: int) -> Any:
        """Which labels are not ignored; raises where one of these is not a class."""
        if labels.dtype.kind not in "iu":
            raise TypeError("class indices must be integers")
        if labels.shape != shape:
            raise ValueError(f"class indices must have shape {shape}")
        valid = np.asarray(labels != ignored)
        if np.any(valid & ((labels < 0) | (labels >= classes))):
            raise IndexError(f"a class index is neither in [0, {classes}) nor {ignored}")
        return valid


def _is_floating(array: Array) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _require_floats(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or not _is_floating(array):
        raise TypeError(f"{name} must be an array of floating-point numbers")
