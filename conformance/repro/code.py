"""Constants as code, and what code tells of itself."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import Any

from conformance.repro.values import Code, Dtype, Function, Instance, Items, NotSpecialised, Pairs, Value, Wrapped

__all__ = ["constant", "folded", "is_builtin", "is_simple", "mentions"]


def constant(value: Any) -> ast.expr:
    """A constant as code; infinities and NaN have no literal."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return ast.Call(ast.Name("float"), [ast.Constant(str(value))], [])
    if isinstance(value, tuple):
        return ast.Tuple([constant(each) for each in value])
    if isinstance(value, range):
        raise NotSpecialised("a range")
    return ast.Constant(value)


def folded(function: Callable[..., Any], *values: Any) -> Any:
    """The function's result; ``NotSpecialised`` where it raises."""
    try:
        return function(*values)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NotSpecialised(f"{type(error).__name__}: {error}") from None


def is_simple(node: ast.expr) -> bool:
    """Whether the code names something and computes nothing."""
    return isinstance(node, ast.Name | ast.Constant) or (isinstance(node, ast.Attribute) and is_simple(node.value))


def mentions(value: Value, name: str, depth: int = 0) -> bool:
    """Whether the value's code uses a name of the script."""
    if isinstance(value, Code | Dtype):
        return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(value.node))
    if depth > 4:
        return True
    if isinstance(value, Items):
        return any(mentions(each, name, depth + 1) for each in value.items)
    if isinstance(value, Pairs):
        return any(mentions(each, name, depth + 1) for each in value.entries.values())
    if isinstance(value, Function):
        inside = {each.id for each in ast.walk(value.node) if isinstance(each, ast.Name)}
        return any(mentions(value.scope[each], name, depth + 1) for each in inside & value.scope.keys())
    if isinstance(value, Instance) and depth:
        return any(mentions(each, name, depth + 1) for each in value.attributes.values())
    return isinstance(value, Wrapped) and mentions(value.function, name, depth + 1)


def is_builtin(name: str) -> bool:
    """Whether Python itself has that name."""
    return hasattr(builtins, name)
