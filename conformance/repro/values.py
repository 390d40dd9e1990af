"""What the specialiser knows of a value: a constant, a structure, a function, an object, or only its code."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.repro.program import Klass, Module

__all__ = [
    "Builtin",
    "Code",
    "Const",
    "Contract",
    "Dtype",
    "Facts",
    "Function",
    "Instance",
    "Items",
    "NotSpecialised",
    "Pairs",
    "Super",
    "Value",
    "Wrapped",
    "plain",
    "same_constants",
]


class NotSpecialised(Exception):
    """The source cannot be reduced to plain statements; the message says what stands in the way."""


@dataclass(frozen=True)
class Facts:
    """What is known of a tensor: its shape and dtype; of a Python object in its place, that it is no tensor.

    ``is_array`` says that it is an array of NumPy; its strides are in bytes.
    """

    shape: tuple[int, ...] = ()
    dtype: str = ""
    is_tensor: bool = True
    is_array: bool = False
    strides: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Const:
    """A constant of Python."""

    value: Any


@dataclass(eq=False)
class Code:
    """An expression of the script, and what is known of the tensor that it gives."""

    node: ast.expr
    facts: Facts | None = None


@dataclass(eq=False)
class Dtype:
    """The dtype of a known tensor."""

    name: str
    node: ast.expr


@dataclass(eq=False)
class Items:
    """A tuple or list whose items are known."""

    items: list[Value]
    kind: type = tuple


@dataclass(eq=False)
class Pairs:
    """A dict with known keys; it can be changed."""

    entries: dict[Any, Value] = field(default_factory=dict)


@dataclass(eq=False)
class Function:
    """A function of an adapter's module, a closure, or a bound method."""

    node: ast.FunctionDef | ast.Lambda
    module: Module
    scope: Mapping[str, Value] = field(default_factory=dict)
    bound: Value | None = None

    @property
    def name(self) -> str:
        """Its name; a lambda is called ``function``."""
        return self.node.name if isinstance(self.node, ast.FunctionDef) else "function"


@dataclass(eq=False)
class Wrapped:
    """A function that some code of the framework wraps, as a compiler or a map does, with options that are known."""

    wrapper: ast.expr
    options: Mapping[str, Value]
    function: Function


@dataclass(eq=False)
class Instance:
    """An object of a known class, most derived first, with known attributes."""

    classes: list[Klass]
    attributes: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Super:
    """What ``super()`` gives: the methods of the classes after one, bound to the same object."""

    instance: Instance
    after: Klass


@dataclass(frozen=True)
class Builtin:
    """A built-in function of Python, by name."""

    name: str


@dataclass(frozen=True)
class Contract:
    """A class of a module, by its place there."""

    klass: Klass


Value = Const | Code | Dtype | Items | Pairs | Function | Wrapped | Instance | Super | Builtin | Contract


def plain(value: Value) -> Any:
    """The Python object that a wholly known value stands for; raises ``NotSpecialised`` for any other."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Items):
        return value.kind(plain(each) for each in value.items)
    if isinstance(value, Pairs):
        return {key: plain(each) for key, each in value.entries.items()}
    if isinstance(value, Dtype):
        return value.name
    if isinstance(value, Function):
        return ("function", value.name)
    raise NotSpecialised(f"a {type(value).__name__} is no constant")


def same_constants(*values: Value) -> bool:
    """Whether all are constants."""
    return all(isinstance(each, Const) for each in values)
