"""The numerics of NumPy's reference: what a NumPy user would write, the one backend whose numerics are its own.

Everything is shifted by the greatest logit; half types are computed in float32 and rounded once, at the end; the
gradients are formulas, for NumPy has no differentiation. Invalid input raises TypeError, ValueError or IndexError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.backends.contract import Array, Call, Reduction, Tensor

__all__ = ["cross_entropy", "gradient", "log_loss", "log_softmax", "nll_loss", "softmax"]


def softmax(logits: Tensor, axis: int | None, where: Tensor | None) -> Tensor:
    """p_c, in the shape and dtype of ``logits``; 0 for the classes that ``where`` leaves out."""
    with np.errstate(all="ignore"):
        return _restored(_softmax(_class_axis_last(_possible(logits, where), axis)), logits, axis)


def log_softmax(logits: Tensor, axis: int | None, where: Tensor | None) -> Tensor:
    """ln p_c, in the shape and dtype of ``logits``; -inf for the classes that ``where`` leaves out."""
    with np.errstate(all="ignore"):
        return _restored(_log_softmax(_class_axis_last(_possible(logits, where), axis)), logits, axis)


def nll_loss(log_probabilities: Tensor, targets: Tensor, *, reduction: Reduction | None, **options: Any) -> Tensor:
    """-w_y · logp_y, reduced; by default to the mean over the sum of the weights.

    In the dtype of logp: of the targets' shape for ``none``, else a scalar.
    """
    with np.errstate(all="ignore"):
        x = _class_axis_last(log_probabilities, options["axis"])
        y = _indices(log_probabilities, targets, **options)
        return _reduced(_weighted(y.coefficients, y.labelled(x)), y, reduction, log_probabilities.dtype)


def cross_entropy(
    logits: Tensor, targets: Tensor, *, where: Tensor | None, reduction: Reduction | None, **options: Any
) -> Tensor:
    """Σ a_c · (-ln p_c), reduced, for class indices or class probabilities of the logits' shape.

    In the logits' dtype: of their shape without the class axis for ``none``, else a scalar.
    """
    with np.errstate(all="ignore"):
        x = _class_axis_last(_possible(logits, where), options["axis"])
        y = _targets(logits, targets, **options)
        return _reduced(_weighted(y.coefficients, _log_softmax(y.masked(x))), y, reduction, logits.dtype)


def log_loss(probabilities: Tensor, targets: Tensor, *, reduction: Reduction | None, **options: Any) -> Tensor:
    """Σ a_c · (-ln p_c) of ``probabilities`` that are given, reduced; nothing is clipped, or made to sum to 1.

    In their dtype: of their shape without the class axis for ``none``, else a scalar.
    """
    with np.errstate(all="ignore"):
        p = _class_axis_last(probabilities, options["axis"])
        y = _targets(probabilities, targets, **options)
        return _reduced(_weighted(y.coefficients, np.log(y.given(p))), y, reduction, probabilities.dtype)


def gradient(call: Call, logits: Tensor, upstream: Tensor) -> Tensor:
    """The gradient of ``call`` with respect to ``logits`` for the upstream gradient, in their shape and dtype."""
    operands, options = dict(call.operands), dict(call.options)
    where = operands.pop("where", None)
    axis, reduction = options.pop("axis"), options.pop("reduction", None)
    with np.errstate(all="ignore"):
        x = _class_axis_last(_possible(logits, where), axis)
        if call.operation in ("softmax", "log_softmax"):
            # What is constant passes nothing on; of rank 0 the product alone would not be an array.
            passed = upstream if where is None else np.asarray(upstream * where)
            v = _class_axis_last(passed, axis, x.dtype)
            p = _softmax(x)
            if call.operation == "softmax":
                found = p * (v - (p * v).sum(-1, keepdims=True))
            else:
                found = v - p * v.sum(-1, keepdims=True)
        else:
            y = _targets(logits, **operands, axis=axis, **options)
            s = upstream.astype(x.dtype)[..., np.newaxis]
            if reduction in (None, "mean"):
                s = s / y.divisor
            found = _slope(call.operation, s, x, y)
            found = np.where(y.valid[..., np.newaxis], found, 0)
        return _restored(found, logits, axis)


def _slope(operation: str, s: Any, x: Any, y: _Targets) -> Any:
    """The gradient of each position's loss by the operation's input, times ``s``: (positions, C)."""
    a = y.coefficients
    if operation == "nll_loss":
        return s * -a
    if operation == "log_loss":  # what costs nothing has no gradient, be it a probability of 0
        return s * -a / np.where(a == 0, 1, y.given(x))
    return s * (a.sum(-1, keepdims=True) * _softmax(y.masked(x)) - a)


@dataclass(frozen=True)
class _Targets:
    """What the targets ask of a loss: coefficients ``a`` (positions, C), valid positions, mean's divisor, labels.

    ``sparse`` says that of each position the label's class alone takes part.
    """

    coefficients: Any
    valid: Any
    divisor: Any
    labels: Any = None
    sparse: bool = False

    def masked(self, x: Array) -> Any:
        """``x`` without the ignored positions: whatever they hold, it takes no part."""
        return np.where(self.valid[..., np.newaxis], x, 0)

    def given(self, p: Array) -> Any:
        """``p``, and 1 where a position or a class takes no part."""
        part = self.valid[..., np.newaxis]
        if self.sparse:
            part = part & (np.arange(p.shape[-1]) == self.labels[..., np.newaxis])
        return np.where(part, p, 1)

    def labelled(self, x: Array) -> Any:
        """``x`` at the labels of the valid positions, 0 elsewhere: nll_loss does not look at the other classes."""
        return np.where(np.arange(x.shape[-1]) == self.labels[..., np.newaxis], self.masked(x), 0)


def _possible(logits: Any, where: Any) -> Any:
    """The logits, with -inf for the classes that take no part."""
    return logits if where is None else np.where(where, logits, np.full((), -np.inf, logits.dtype))


def _shifted(x: Any) -> tuple[Any, Any]:
    """``x - max x`` and ``ln Σ exp(x - max x)``, both along the last axis.

    The greatest term is exactly 1 and left to log1p, so that a loss near zero keeps its digits.
    """
    top = x.argmax(-1)[..., np.newaxis]
    d = x - np.take_along_axis(x, top, -1)
    others = np.exp(d)
    np.put_along_axis(others, top, np.take_along_axis(d, top, -1), -1)  # d is 0 there, or NaN: +inf, or -inf only
    return d, np.log1p(others.sum(-1, keepdims=True))


def _softmax(x: Any) -> Any:
    if x.shape[-1] == 0:
        return x
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _log_softmax(x: Any) -> Any:
    if x.shape[-1] == 0:
        return x
    d, normaliser = _shifted(x)
    return d - normaliser


def _weighted(a: Any, log_probabilities: Any) -> Any:
    """``-Σ a_c logp_c`` along the last axis, where 0 times -inf is 0, as in information theory."""
    absent = (a == 0) & np.isneginf(log_probabilities)
    return np.where(absent, 0, a * -log_probabilities).sum(-1)


def _reduced(losses: Any, y: _Targets, reduction: Reduction | None, dtype: np.dtype[Any]) -> Any:
    if reduction == "none":
        result = losses
    elif reduction == "sum":
        result = losses.sum()
    elif reduction in (None, "mean"):
        result = losses.sum() / y.divisor
    else:
        raise ValueError(f"reduction must be 'none', 'sum' or 'mean', not {reduction!r}")
    return np.asarray(result).astype(dtype)


def _axis(logits: Array, axis: int | None) -> int:
    """The class axis from 0; by default 1, or 0 where there is no other."""
    axis = min(1, logits.ndim - 1) if axis is None else axis
    if not -logits.ndim <= axis < logits.ndim:
        raise ValueError(f"axis {axis} is out of range for logits of rank {logits.ndim}")
    return axis % logits.ndim


def _class_axis_last(logits: Any, axis: int | None, dtype: Any = None) -> Any:
    """The numbers in the precision of the computation, class axis last."""
    if not isinstance(logits, np.ndarray) or not _is_floating(logits):
        raise TypeError("logits must be an array of floating-point numbers")
    wide = np.promote_types(logits.dtype, np.float32) if dtype is None else dtype
    if logits.ndim == 0 and axis in (None, 0, -1):
        return logits.astype(wide)[np.newaxis]
    return np.moveaxis(logits, _axis(logits, axis), -1).astype(wide)


def _restored(result: Any, logits: Any, axis: int | None) -> Any:
    """The inverse of :func:`_class_axis_last`: rounded to the dtype of the logits, class axis in its place."""
    if logits.ndim == 0:
        return result[0].astype(logits.dtype).reshape(())
    return np.moveaxis(result, -1, _axis(logits, axis)).astype(logits.dtype, order="C")


def _is_floating(array: Any) -> bool:
    return bool(np.issubdtype(array.dtype, np.floating) or array.dtype.name == "bfloat16")


def _targets(
    logits: Any,
    targets: Any,
    *,
    axis: int | None,
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float | None = None,
) -> _Targets:
    """The coefficients for class indices or class probabilities."""
    smoothing = 0.0 if label_smoothing is None else label_smoothing
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label_smoothing must lie in [0, 1], not {smoothing}")
    if not isinstance(targets, np.ndarray):
        raise TypeError(f"targets must be an array, not {type(targets).__name__}")
    if logits.ndim == 0:
        raise ValueError("logits of rank 0 have no class axis")
    if not (_is_floating(targets) and targets.shape == logits.shape):
        return _indices(logits, targets, axis=axis, weight=weight, ignore_index=ignore_index, label_smoothing=smoothing)
    if ignore_index is not None:
        raise ValueError("ignore_index applies to class indices, not to class probabilities")
    x = _class_axis_last(logits, axis)
    w = _weights(weight, x)
    coefficients = w * ((1 - smoothing) * _class_axis_last(targets, axis, x.dtype) + smoothing / max(x.shape[-1], 1))
    positions = x.shape[:-1]
    return _Targets(coefficients, np.ones(positions, bool), x.dtype.type(np.prod(positions)))


def _indices(
    logits: Any,
    targets: Any,
    *,
    axis: int | None,
    weight: Any = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> _Targets:
    x = _class_axis_last(logits, axis)
    classes, positions = x.shape[-1], x.shape[:-1]
    if not isinstance(targets, np.ndarray) or not np.issubdtype(targets.dtype, np.integer):
        raise TypeError("class indices must be an array of integers")
    if logits.ndim == 0:
        raise ValueError("logits of rank 0 have no class axis")
    if targets.shape != positions:
        raise ValueError(f"class indices must have shape {positions} for logits of shape {logits.shape}")
    valid = targets != (-100 if ignore_index is None else ignore_index)
    if np.any(valid & ((targets < 0) | (targets >= classes))):
        raise IndexError(f"a class index is neither in [0, {classes}) nor the ignored one")
    w = _weights(weight, x)
    labels = np.where(valid, targets, 0).astype(np.intp)
    smoothing = label_smoothing
    coefficients = np.zeros(x.shape, x.dtype)
    if classes:
        picked = np.where(valid, w[labels], 0)[..., np.newaxis].astype(x.dtype)
        np.put_along_axis(coefficients, labels[..., np.newaxis], (1 - smoothing) * picked, -1)
        coefficients += np.where(valid[..., np.newaxis], smoothing * w / classes, 0) if smoothing else 0
    divisor = np.where(valid, w[labels] if classes else 0, 0).sum(dtype=x.dtype)
    return _Targets(coefficients, valid, divisor, labels, sparse=not smoothing)


def _weights(weight: Any, x: Any) -> Any:
    if weight is None:
        return np.ones(x.shape[-1], x.dtype)
    if not isinstance(weight, np.ndarray) or not _is_floating(weight):
        raise TypeError("weight must be an array of floating-point numbers")
    if weight.shape != x.shape[-1:]:
        raise ValueError(f"weight must have shape {x.shape[-1:]}, one number per class")
    return weight.astype(x.dtype)
