"""What the specialiser does with dicts, tuples and built-in functions whose values are known."""

from __future__ import annotations

import ast
import builtins
from typing import Any

from conformance.repro.expressions import Expressions
from conformance.repro.values import Builtin, Code, Const, Items, NotSpecialised, Pairs, Value

__all__ = [
    "FOLDED",
    "Method",
    "definition",
    "dict_of",
    "is_flags",
    "is_static",
    "isinstance_of",
    "of_structure",
    "size",
]

#: Built-in functions that are called where their arguments are known.
FOLDED: dict[str, Any] = {
    name: getattr(builtins, name)
    for name in ("len", "min", "max", "abs", "bool", "int", "float", "str", "tuple", "list", "range", "sorted", "sum",
                 "any", "all")
}  # fmt: skip


class Method(Builtin):
    """A method of a dict or tuple that is known."""

    def __init__(self, owner: Value, name: str) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "owner", owner)

    owner: Value


def of_structure(adapter: Expressions, method: Method, arguments: list[Value]) -> Value | None:
    """The result of a method of a dict that is known."""
    owner, name = method.owner, method.name
    if not isinstance(owner, Pairs):
        raise NotSpecialised(f"the method {name} of what is known")
    entries = owner.entries
    if name in ("get", "pop") and arguments:
        key = adapter.key(arguments[0])
        default: Value = arguments[1] if len(arguments) > 1 else Const(None)
        if name == "pop" and len(arguments) == 1 and key not in entries:
            raise NotSpecialised(f"there is no {key!r} to pop")
        return entries.pop(key, default) if name == "pop" else entries.get(key, default)
    if name == "items":
        return Items([Items([Const(key), value]) for key, value in entries.items()])
    if name == "keys":
        return Items([Const(key) for key in entries])
    if name == "values":
        return Items(list(entries.values()))
    raise NotSpecialised(f"the method {name} of a dict")


def dict_of(adapter: Expressions, arguments: list[Value], keywords: dict[str, Value]) -> Value | None:
    """What ``dict(...)`` gives; None where that is not known."""
    found: dict[Any, Value] = {}
    for each in arguments:
        pairs = each.entries.items() if isinstance(each, Pairs) else None
        if pairs is None:
            inside = adapter.items(each)
            if inside is None or not all(isinstance(pair, Items) and len(pair.items) == 2 for pair in inside):
                return None
            pairs = {adapter.key(pair.items[0]): pair.items[1] for pair in inside if isinstance(pair, Items)}.items()
        found.update(pairs)
    return Pairs(found | keywords)


def isinstance_of(value: Value, kind: ast.expr) -> Value | None:
    """Whether a value is of a type; None where that is not known."""
    name = getattr(kind, "attr", getattr(kind, "id", ""))
    if isinstance(value, Code) and value.facts is not None and name == "ndarray":
        if value.facts.is_array:
            return Const(True)
        return None if value.facts.is_tensor else Const(False)
    if isinstance(value, Const) and name in ("int", "float", "str", "bool"):
        return Const(isinstance(value.value, FOLDED[name]))
    return None


def is_flags(node: ast.expr) -> bool:
    """Whether code asks for an array's flags."""
    return isinstance(node, ast.Attribute) and node.attr == "flags"


def is_static(node: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether a function is a static method."""
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list
    )


def size(node: ast.FunctionDef) -> int:
    """How many statements a function holds."""
    return sum(isinstance(each, ast.stmt) for each in ast.walk(node)) - 1


def definition(name: str, parameters: list[str], body: list[ast.stmt], decorators: list[ast.expr]) -> ast.FunctionDef:
    """A function definition."""
    arguments = ast.arguments([], [ast.arg(each) for each in parameters], None, [], [], None, [])
    return ast.FunctionDef(name, arguments, body, decorators, None)
