"""What the specialiser can decide of tensors without any framework: questions of shape, rank and dtype.

The names are those that array libraries share (``ndim``, ``dim()``, ``shape``, ``is_floating``, ``issubdtype`` …). A
question that is not among them stays a question in the script: the result is longer, never wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from conformance.repro.values import Code, Const, Dtype, Facts, Items, Value

__all__ = ["DTYPE_NAMES", "PRESERVING", "attribute_of", "called", "compared", "is_moved_nowhere", "method_of"]

#: Methods whose result has the tensor's shape and dtype.
PRESERVING = ("clone", "contiguous", "copy", "cpu", "detach", "requires_grad_")
_FLOATING = ("float16", "bfloat16", "float32", "float64")
_KINDS = {"floating": "f", "inexact": "f", "integer": "iu", "signedinteger": "i", "unsignedinteger": "u"}
DTYPE_NAMES = (*_FLOATING, "bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)))


def attribute_of(value: Code | Dtype, name: str) -> Value | None:
    """A tensor's or dtype's attribute, where it is known."""
    if isinstance(value, Dtype):
        floating = value.name in _FLOATING
        known = {"name": Const(value.name), "is_floating": Const(floating), "is_floating_point": Const(floating)}
        return known.get(name)
    facts = value.facts
    if facts is None or not facts.is_tensor:
        return None
    if name == "shape":
        return Items([Const(extent) for extent in facts.shape])
    if name == "dtype":
        return Dtype(facts.dtype, ast.Attribute(value.node, "dtype"))
    if name in ("ndim", "rank"):
        return Const(len(facts.shape))
    if name == "strides" and facts.strides is not None:
        return Items([Const(stride) for stride in facts.strides])
    return None


def called(function: ast.expr, arguments: Sequence[Value]) -> Value | None:
    """The result of a call of a framework's function or method, where it is known."""
    if not isinstance(function, ast.Attribute):
        return None
    name = function.attr
    first = arguments[0] if arguments else None
    if name in ("is_tensor", "is_array", "isarray") and isinstance(first, Code) and first.facts:
        return Const(first.facts.is_tensor)
    if name in ("ndim", "rank") and isinstance(first, Code) and first.facts and first.facts.is_tensor:
        return Const(len(first.facts.shape))
    if name == "issubdtype" and isinstance(first, Dtype) and len(arguments) == 2 and isinstance(arguments[1], Code):
        kinds = _KINDS.get(getattr(arguments[1].node, "attr", ""))
        return None if kinds is None else Const(_kind(first.name) in kinds)
    return None


def method_of(value: Code, name: str) -> Value | None:
    """The result of a tensor's method without arguments, where it is known."""
    facts = value.facts
    if facts is None or not facts.is_tensor:
        return None
    if name in ("dim", "ndimension"):
        return Const(len(facts.shape))
    if name in ("is_floating_point", "is_floating"):
        return Const(facts.dtype in _FLOATING)
    return None


def compared(left: Value, right: Value) -> bool | None:
    """Whether a dtype equals what names one, such as ``torch.bfloat16``; None where that cannot be told."""
    if not isinstance(left, Dtype):
        left, right = right, left
    if not isinstance(left, Dtype):
        return None
    if isinstance(right, Dtype):
        return left.name == right.name
    name = getattr(right.node, "attr", "") if isinstance(right, Code) else getattr(right, "value", "")
    return left.name == name if name in DTYPE_NAMES else None


def is_moved_nowhere(facts: Facts | None, source: Value, target: Value) -> bool:
    """Whether moving an axis from ``source`` to ``target`` leaves a tensor as it is."""
    if not isinstance(source, Const) or not isinstance(target, Const):
        return False
    if source.value == target.value:
        return True
    if facts is None or not facts.shape or not isinstance(source.value, int) or not isinstance(target.value, int):
        return False
    rank = len(facts.shape)
    inside = all(-rank <= each < rank for each in (source.value, target.value))
    return inside and source.value % rank == target.value % rank


def _kind(name: str) -> str:
    return "f" if name in _FLOATING else "u" if name.startswith("u") else "b" if name == "bool" else "i"
