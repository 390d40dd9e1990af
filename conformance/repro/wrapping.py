"""Functions that the framework wraps: their parameters flattened, and what a vectorised map leaves of a tensor.

A dict of tensors becomes a parameter for each of them; options that follow the parameters one by one, as the axes of
``vmap`` do, are flattened alike.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from conformance.repro.values import Code, Const, Facts, Items, Pairs, Value

__all__ = ["AXES", "flattened", "name_of", "one_example", "structured"]

#: Options of a vectorised map that name the axis of each argument over which it runs.
AXES = frozenset({"in_axes", "in_dims"})


def flattened(option: Value, given: Mapping[str, Value]) -> Value:
    """An option with one value for each parameter of the function once its dicts are flattened."""
    if not isinstance(option, Items) or len(option.items) != len(given):
        return option
    found: list[Value] = []
    for each, value in zip(option.items, given.values(), strict=True):
        if not isinstance(value, Pairs):
            found.append(each)
        elif isinstance(each, Pairs):
            found += [each.entries.get(key, Const(None)) for key in value.entries]
        else:
            found += [each] * len(value.entries)
    return Items(found, option.kind)


def one_example(facts: Facts | None, axis: Value | None) -> Facts | None:
    """What is known of one example of a tensor that is mapped over ``axis``; of one that is not, all that is known."""
    if facts is None or (isinstance(axis, Const) and axis.value is None):
        return facts
    if not isinstance(axis, Const) or axis.value != 0 or not facts.shape:
        return None
    return Facts(facts.shape[1:], facts.dtype, facts.is_tensor)


def name_of(node: ast.expr) -> str:
    """The last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else ""


def structured(value: Value, source: ast.expr, passed: list[Value]) -> Value:
    """The structure of ``value`` with its tensors taken from ``source[0]``, ``source[1]``, ...; ``passed`` lists them.

    Each is one example: without the first axis.
    """
    if isinstance(value, Items):
        return Items([structured(each, source, passed) for each in value.items], value.kind)
    if isinstance(value, Pairs):
        return Pairs({key: structured(each, source, passed) for key, each in value.entries.items()})
    if not isinstance(value, Code):
        return value
    passed.append(value)
    place = ast.Subscript(source, ast.Constant(len(passed) - 1))
    return Code(place, one_example(value.facts, Const(0)))
