"""Partial evaluation of an adapter's methods: expressions, names, and what becomes of them in the script."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.repro import vocabulary
from conformance.repro.code import constant, folded, is_simple, mentions
from conformance.repro.operators import BINARY, COMPARED, UNARY
from conformance.repro.program import Klass, Module, Program
from conformance.repro.values import (
    Builtin,
    Code,
    Const,
    Contract,
    Dtype,
    Facts,
    Function,
    Instance,
    Items,
    NotSpecialised,
    Pairs,
    Super,
    Value,
    Wrapped,
    plain,
    same_constants,
)

__all__ = ["Expressions", "Frame"]


@dataclass(eq=False)
class Frame:
    """One call under way: its module, its names, what it closes over, and the object that it is a method of.

    ``undecided`` counts the branches around that the inputs do not decide; there the names in ``fixed`` keep their
    name in the script.
    """

    module: Module
    names: dict[str, Value] = field(default_factory=dict)
    scope: Mapping[str, Value] = field(default_factory=dict)
    bound: Value | None = None
    klass: Klass | None = None
    undecided: int = 0
    fixed: dict[str, str] = field(default_factory=dict)

    def visible(self) -> dict[str, Value]:
        """All names that a function defined here can see."""
        return {**self.scope, **self.names}


class Expressions(ABC):
    """Evaluates expressions of ``program`` as far as they are known."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.block: list[ast.stmt] = []
        self.frames: list[Frame] = []
        self.used: set[str] = set()
        #: Names that must not be given another value: what the script still needs.
        self.kept: set[str] = set()
        self.imports: dict[str, ast.stmt] = {}
        self.helpers: dict[str, ast.stmt] = {}

    @abstractmethod
    def run(self, body: list[ast.stmt], frame: Frame) -> Value | None:
        """Execute statements."""

    @abstractmethod
    def call(self, function: Value, arguments: list[Value], keywords: dict[str, Value], frame: Frame) -> Value | None:
        """The result of calling what is known; None where the call is left to the script."""

    @abstractmethod
    def facts_of(self, function: Value) -> Facts | None:
        """What is known of the result of a call that is left to the script."""

    @abstractmethod
    def as_code(self, function: Function) -> ast.expr:
        """A function as code: a lambda, or the name of a definition."""

    @abstractmethod
    def attribute(self, owner: Value, name: str, frame: Frame) -> Value:
        """An attribute of a value."""

    @abstractmethod
    def of_module(self, name: str, module: Module) -> Value:
        """What a module's own name stands for."""

    def emit(self, statement: ast.stmt) -> None:
        """Put a statement into the script."""
        self.block.append(ast.fix_missing_locations(statement))

    # -- names --------------------------------------------------------------------------------------------------------

    def fresh(self, name: str, frame: Frame) -> str:
        """A name of the script for a new value: the same where nothing else still needs its present value."""
        if name in frame.fixed:
            return frame.fixed[name]
        if name not in self.used or self._is_free(name, frame):
            self.used.add(name)
            return name
        number = next(i for i in range(2, 1000) if f"{name}_{i}" not in self.used)
        self.used.add(f"{name}_{number}")
        return f"{name}_{number}"

    def _is_free(self, name: str, frame: Frame) -> bool:
        if name in self.kept or name in self.imports or name in self.helpers:
            return False
        others = [each for other in self.frames if other is not frame for each in other.names.values()]
        others += [value for key, value in frame.names.items() if key != name]
        return not any(mentions(each, name) for each in others)

    def bind(self, name: str, value: Value, frame: Frame) -> None:
        """``name = value`` in a frame; a statement of the script where the value is code that computes."""
        if name in frame.fixed or (isinstance(value, Code) and not is_simple(value.node)):
            target = self.fresh(name, frame)
            code = self.reify(value)
            if not (isinstance(code, ast.Name) and code.id == target):
                self.emit(ast.Assign([ast.Name(target)], code))
            value = Code(ast.Name(target), value.facts if isinstance(value, Code) else None)
        frame.names[name] = value

    def lookup(self, name: str, frame: Frame) -> Value:
        """What a name stands for."""
        if name in frame.names:
            return frame.names[name]
        if name in frame.scope:
            return frame.scope[name]
        return self.of_module(name, frame.module)

    # -- expressions --------------------------------------------------------------------------------------------------

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """The value of an expression."""
        match node:
            case ast.Constant():
                return Const(node.value)
            case ast.Name():
                return self.lookup(node.id, frame)
            case ast.Attribute():
                return self.attribute(self.evaluate(node.value, frame), node.attr, frame)
            case ast.Call():
                return self._call(node, frame)
            case ast.Tuple() | ast.List():
                kind = tuple if isinstance(node, ast.Tuple) else list
                return Items(list(self._elements(node.elts, frame)), kind)
            case ast.Dict():
                return self._dict(node, frame)
            case ast.BoolOp():
                return self._bool(node, frame)
            case ast.Compare():
                return self._compare(node, frame)
            case ast.BinOp():
                return self._binary(node, frame)
            case ast.UnaryOp():
                return self._unary(node, frame)
            case ast.IfExp():
                return self._choice(node, frame)
            case ast.Subscript():
                return self._subscript(node, frame)
            case ast.Slice():
                parts = [None if e is None else self.reify(self.evaluate(e, frame)) for e in
                         (node.lower, node.upper, node.step)]  # fmt: skip
                return Code(ast.Slice(*parts))
            case ast.JoinedStr():
                return self._text(node, frame)
            case ast.Lambda():
                return Function(node, frame.module, frame.visible())
            case ast.GeneratorExp() | ast.ListComp():
                return Items([self.evaluate(node.elt, inner) for inner in self._rounds(node, frame)], list)
            case ast.DictComp():
                rounds = self._rounds(node, frame)
                return Pairs({self.key(self.evaluate(node.key, i)): self.evaluate(node.value, i) for i in rounds})
        raise NotSpecialised(f"the expression {ast.unparse(node)}")

    def _elements(self, nodes: Sequence[ast.expr], frame: Frame) -> Iterator[Value]:
        for each in nodes:
            if isinstance(each, ast.Starred):
                inside = self.items(self.evaluate(each.value, frame))
                if inside is None:
                    raise NotSpecialised(f"{ast.unparse(each)} holds what is not known")
                yield from inside
            else:
                yield self.evaluate(each, frame)

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        found: dict[Any, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            inner = self.evaluate(value, frame)
            if key is None:
                if not isinstance(inner, Pairs):
                    raise NotSpecialised("a dict that unpacks what is not known")
                found |= inner.entries
            else:
                found[self.key(self.evaluate(key, frame))] = inner
        return Pairs(found)

    def _bool(self, node: ast.BoolOp, frame: Frame) -> Value:
        stops = isinstance(node.op, ast.Or)
        open_: list[ast.expr] = []
        for each in node.values:
            value = self.evaluate(each, frame)
            decided = self.truth(value)
            if decided is None:
                open_.append(self.reify(value))
            elif decided is stops:
                if not open_:
                    return value
                return value if not stops else Code(ast.BoolOp(node.op, [*open_, self.reify(value)]))
            elif each is node.values[-1] and not open_:
                return value
        return Code(open_[0] if len(open_) == 1 else ast.BoolOp(node.op, open_))

    def _compare(self, node: ast.Compare, frame: Frame) -> Value:
        values = [self.evaluate(each, frame) for each in (node.left, *node.comparators)]
        results = [self._compared(a, op, b) for a, op, b in zip(values, node.ops, values[1:], strict=False)]
        if False in results:
            return Const(False)
        if all(results):
            return Const(True)
        return Code(ast.Compare(self.reify(values[0]), node.ops, [self.reify(each) for each in values[1:]]))

    def _compared(self, left: Value, operation: ast.cmpop, right: Value) -> bool | None:
        if isinstance(operation, ast.Is | ast.IsNot):
            other = left if isinstance(right, Const) and right.value is None else None
            if other is None:
                return None
            is_none = isinstance(other, Const) and other.value is None
            if isinstance(other, Code) and other.facts is None:
                return None
            return is_none is isinstance(operation, ast.Is)
        if isinstance(operation, ast.In | ast.NotIn) and isinstance(right, Pairs):
            return (self.key(left) in right.entries) is isinstance(operation, ast.In)
        if isinstance(operation, ast.Eq | ast.NotEq):
            same = vocabulary.compared(left, right)
            if same is not None:
                return same is isinstance(operation, ast.Eq)
        try:
            return bool(COMPARED[type(operation)](plain(left), plain(right)))
        except (NotSpecialised, TypeError):
            return None

    def _binary(self, node: ast.BinOp, frame: Frame) -> Value:
        left, right = self.evaluate(node.left, frame), self.evaluate(node.right, frame)
        if isinstance(left, Pairs) and isinstance(right, Pairs) and isinstance(node.op, ast.BitOr):
            return Pairs({**left.entries, **right.entries})
        if same_constants(left, right) and type(node.op) in BINARY:
            return Const(folded(BINARY[type(node.op)], plain(left), plain(right)))
        return Code(ast.BinOp(self.reify(left), node.op, self.reify(right)))

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Value:
        value = self.evaluate(node.operand, frame)
        if isinstance(node.op, ast.Not):
            decided = self.truth(value)
            return Code(ast.UnaryOp(node.op, self.reify(value))) if decided is None else Const(not decided)
        if isinstance(value, Const):
            return Const(folded(UNARY[type(node.op)], value.value))
        return Code(ast.UnaryOp(node.op, self.reify(value)))

    def _choice(self, node: ast.IfExp, frame: Frame) -> Value:
        test = self.evaluate(node.test, frame)
        decided = self.truth(test)
        if decided is not None:
            return self.evaluate(node.body if decided else node.orelse, frame)
        branches = [self.reify(self.evaluate(each, frame)) for each in (node.body, node.orelse)]
        return Code(ast.IfExp(self.reify(test), *branches))

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        owner, key = self.evaluate(node.value, frame), self.evaluate(node.slice, frame)
        if isinstance(owner, Pairs):
            if self.key(key) not in owner.entries:
                raise NotSpecialised(f"{ast.unparse(node)}: no such key")
            return owner.entries[self.key(key)]
        if isinstance(owner, Items) and isinstance(key, Const):
            if not isinstance(key.value, int) or not -len(owner.items) <= key.value < len(owner.items):
                raise NotSpecialised(f"{ast.unparse(node)}: out of range")
            return owner.items[key.value]
        if isinstance(owner, Items) and isinstance(key, Code) and isinstance(key.node, ast.Slice):
            try:
                bounds = [None if e is None else ast.literal_eval(e) for e in
                          (key.node.lower, key.node.upper, key.node.step)]  # fmt: skip
                return Items(owner.items[slice(*bounds)], owner.kind)
            except ValueError:
                pass
        return Code(ast.Subscript(self.reify(owner), self.reify(key)))

    def _text(self, node: ast.JoinedStr, frame: Frame) -> Value:
        parts = []
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                value = self.reify(self.evaluate(each.value, frame))
                each = ast.FormattedValue(value, each.conversion, each.format_spec)
            parts.append(each)
        return Code(ast.JoinedStr(parts))

    def _rounds(self, node: ast.GeneratorExp | ast.ListComp | ast.DictComp, frame: Frame) -> list[Frame]:
        """A frame for every round of a comprehension over what is known."""
        (generator, *others) = node.generators
        values = self.items(self.evaluate(generator.iter, frame))
        targets = generator.target.elts if isinstance(generator.target, ast.Tuple) else [generator.target]
        if values is None or others or not all(isinstance(each, ast.Name) for each in targets):
            raise NotSpecialised(f"the comprehension {ast.unparse(node)}")
        found = []
        for each in values:
            parts = (self.items(each) or []) if isinstance(generator.target, ast.Tuple) else [each]
            names = {t.id: part for t, part in zip(targets, parts, strict=True) if isinstance(t, ast.Name)}
            inner = Frame(frame.module, names, frame.visible(), frame.bound, frame.klass)
            tests = [self.truth(self.evaluate(test, inner)) for test in generator.ifs]
            if None in tests:
                raise NotSpecialised(f"the comprehension {ast.unparse(node)}")
            if all(tests):
                found.append(inner)
        return found

    # -- calls --------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        function = self.evaluate(node.func, frame)
        arguments = list(self._elements(node.args, frame))
        keywords: dict[str, Value] = {}
        for each in node.keywords:
            value = self.evaluate(each.value, frame)
            if each.arg is not None:
                keywords[each.arg] = value
            elif isinstance(value, Pairs):
                keywords |= {str(key): item for key, item in value.entries.items()}
            else:
                raise NotSpecialised(f"**{ast.unparse(each.value)} holds what is not known")
        result = self.call(function, arguments, keywords, frame)
        if result is not None:
            return result
        code = ast.Call(
            self.reify(function),
            [self.reify(each) for each in arguments],
            [ast.keyword(name, self.reify(each)) for name, each in keywords.items()],
        )
        return Code(code, self.facts_of(function))

    # -- what is known ------------------------------------------------------------------------------------------------

    def truth(self, value: Value) -> bool | None:
        """Whether a value is true; None where that is not known."""
        if isinstance(value, Const):
            return bool(value.value)
        if isinstance(value, Items):
            return bool(value.items)
        if isinstance(value, Pairs):
            return bool(value.entries)
        return None if isinstance(value, Code) else True

    def items(self, value: Value) -> list[Value] | None:
        """What iterating over a value gives; None where that is not known."""
        if isinstance(value, Items):
            return value.items
        if isinstance(value, Pairs):
            return [Const(key) for key in value.entries]
        if isinstance(value, Const) and isinstance(value.value, str | range | tuple):
            return [Const(each) for each in value.value]
        return None

    def key(self, value: Value) -> Any:
        """A dict's key."""
        found = plain(value)
        try:
            hash(found)
        except TypeError:
            raise NotSpecialised("a key that cannot be hashed") from None
        return found

    def reify(self, value: Value) -> ast.expr:
        """The value as code."""
        match value:
            case Code():
                return value.node
            case Dtype():
                return value.node
            case Const():
                return constant(value.value)
            case Items():
                parts = [self.reify(each) for each in value.items]
                return ast.List(parts) if value.kind is list else ast.Tuple(parts)
            case Pairs():
                keys: list[ast.expr | None] = [constant(key) for key in value.entries]
                return ast.Dict(keys, [self.reify(each) for each in value.entries.values()])
            case Function():
                return self.as_code(value)
            case Builtin():
                return ast.Name(value.name)
            case Wrapped():
                options = [ast.keyword(key, self.reify(each)) for key, each in value.options.items()]
                return ast.Call(value.wrapper, [self.as_code(value.function)], options)
            case Contract() | Instance() | Super():
                raise NotSpecialised("the adapter's own object is handed on")
