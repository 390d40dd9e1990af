"""Partial evaluation of an adapter's methods: what a call or an attribute comes to."""

from __future__ import annotations

import ast
from typing import Any

from conformance.repro import vocabulary
from conformance.repro.code import constant
from conformance.repro.expressions import Frame
from conformance.repro.lookups import Lookups
from conformance.repro.program import Klass, contract
from conformance.repro.structures import (
    FOLDED,
    Method,
    definition,
    dict_of,
    is_static,
    isinstance_of,
    of_structure,
    size,
)
from conformance.repro.tidy import tidied
from conformance.repro.values import (
    Builtin,
    Code,
    Const,
    Contract,
    Dtype,
    Function,
    Instance,
    Items,
    NotSpecialised,
    Pairs,
    Super,
    Value,
    Wrapped,
    plain,
)
from conformance.repro.wrapping import AXES, flattened, name_of, one_example, structured

__all__ = ["Adapter", "Inputs"]

Inputs = dict[str, Code]
MOST_DEPTH = 24
#: Functions with more statements than this stay functions.
SMALL = 12


class Adapter(Lookups):
    """An adapter's program in one mode on one device: calls of its methods become statements."""

    def backend(self, *, device: str, mode: str) -> Instance:
        """The adapter's object, as if it had been made."""
        return Instance(self.program.classes, {"device": Const(device), "mode": Const(mode), "threads": Const(1)})

    def request(self, operation: str, operands: dict[str, Value], options: dict[str, Any]) -> Instance:
        """The contract's ``Call``."""
        module = contract()
        pairs = Items([Items([Const(name), Const(value)]) for name, value in options.items()])
        fields: dict[str, Value] = {"operation": Const(operation), "operands": Pairs(operands), "options": pairs}
        return Instance([Klass(module, module.classes["Call"])], fields)

    def invoke(self, backend: Instance, method: str, arguments: list[Value]) -> Value:
        """The value of a method of the adapter; what it does goes into ``block``."""
        frame = Frame(self.program.classes[0].module)
        self.frames.append(frame)
        frame.names = {f"argument {i}": each for i, each in enumerate(arguments)}
        try:
            function = self.attribute(backend, method, frame)
            result = self.call(function, arguments, {}, frame)
        finally:
            self.frames.pop()
        if result is None:
            raise NotSpecialised(f"{method} is no function of the adapter")
        return result

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(self, function: Value, arguments: list[Value], keywords: dict[str, Value], frame: Frame) -> Value | None:
        """The result of calling what is known; None where the call is left to the script."""
        if isinstance(function, Method):
            return of_structure(self, function, arguments)
        if isinstance(function, Function):
            return self._inlined(function, arguments, keywords)
        if isinstance(function, Wrapped):
            return self._compiled(function, arguments, keywords, frame)
        if isinstance(function, Contract):
            return self._made(function.klass, arguments, keywords)
        if isinstance(function, Builtin):
            return self._builtin(function.name, arguments, keywords, frame)
        if isinstance(function, Code):
            return self._of_framework(function, arguments, keywords)
        return None

    def _of_framework(self, function: Code, arguments: list[Value], keywords: dict[str, Value]) -> Value | None:
        known = vocabulary.called(function.node, arguments)
        if known is not None:
            return known
        if not isinstance(function.node, ast.Attribute):
            return None
        name, owner = function.node.attr, function.node.value
        if not arguments and not keywords:
            facts = next((e.facts for e in self._known_tensors() if ast.dump(e.node) == ast.dump(owner)), None)
            return vocabulary.method_of(Code(owner, facts), name)
        tensor: Value = Code(owner, self._facts(owner))
        moved = arguments
        if name == "to" and [*map(_constant_of, arguments)] == ["cpu"] and not keywords:
            return tensor  # where a script's tensors are made
        if name == "moveaxis" and len(arguments) == 3:
            tensor, moved = arguments[0], arguments[1:]
        if name in ("movedim", "moveaxis") and len(moved) == 2 and isinstance(tensor, Code):
            return tensor if vocabulary.is_moved_nowhere(tensor.facts, *moved) else None
        if len(arguments) == 1 and isinstance(arguments[0], Function) and all(map(_is_known, keywords.values())):
            return Wrapped(function.node, keywords, arguments[0])
        if name == "vectorized_map" and len(arguments) == 2 and isinstance(arguments[0], Function) and not keywords:
            return self._mapped(function, arguments[0], arguments[1])
        return None

    def _mapped(self, mapping: Code, function: Function, elements: Value) -> Value:
        """``mapping(function, elements)`` of a function of one structure of tensors, which becomes a plain tuple."""
        (parameter,) = [each.arg for each in function.node.args.args] or ["example"]
        passed: list[Value] = []
        inner = structured(elements, ast.Name(parameter), passed)
        name = self._define(function, {parameter: inner}, [parameter], None)
        return Code(ast.Call(mapping.node, [ast.Name(name), ast.Tuple([self.reify(each) for each in passed])], []))

    def facts_of(self, function: Value) -> Any:
        """A tensor's method that changes neither shape nor dtype tells as much as the tensor."""
        node = function.node if isinstance(function, Code) else None
        if not isinstance(node, ast.Attribute) or node.attr not in vocabulary.PRESERVING:
            return None
        facts = self._facts(node.value)
        if facts is None and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            return self.facts_of(Code(node.value.func))
        return facts

    def _known_tensors(self) -> list[Code]:
        """Innermost first: a parameter hides what is called the same outside."""
        values = [each for frame in reversed(self.frames) for each in frame.names.values()]
        return [each for each in values if isinstance(each, Code) and each.facts is not None]

    def _facts(self, node: ast.expr) -> Any:
        return next((e.facts for e in self._known_tensors() if ast.dump(e.node) == ast.dump(node)), None)

    def _builtin(self, name: str, arguments: list[Value], keywords: dict[str, Value], frame: Frame) -> Value | None:
        if name == "super":
            own = frame.scope.get("__class__")
            if isinstance(own, Contract) and isinstance(frame.bound, Instance):
                return Super(frame.bound, own.klass)
        if name == "dict":
            return dict_of(self, arguments, keywords)
        if name == "getattr" and len(arguments) >= 2 and isinstance(arguments[1], Const):
            return self.attribute(arguments[0], str(arguments[1].value), frame)
        if name == "isinstance" and len(arguments) == 2:
            return isinstance_of(arguments[0], self.reify(arguments[1]))
        if name in ("tuple", "list") and len(arguments) == 1:
            inside = self.items(arguments[0])
            return None if inside is None else Items(list(inside), tuple if name == "tuple" else list)
        if name == "len" and len(arguments) == 1:
            inside = self.items(arguments[0])
            return None if inside is None else Const(len(inside))
        if name in FOLDED and not keywords:
            try:
                return Const(FOLDED[name](*(plain(each) for each in arguments)))
            except (NotSpecialised, ArithmeticError, TypeError, ValueError):
                return None
        return None

    def _made(self, klass: Klass, arguments: list[Value], keywords: dict[str, Value]) -> Value | None:
        """An object of an adapter's class: a dataclass is known by its fields; any other is kept as it is written."""
        if klass.is_dataclass and "__post_init__" not in klass.methods and len(arguments) <= len(klass.fields):
            given = dict(zip(klass.fields, arguments, strict=False)) | keywords
            defaults = {k: self.evaluate(v, Frame(klass.module)) for k, v in klass.attributes.items()}
            if set(klass.fields) <= {*given, *defaults}:
                named = {name: self._at_hand(name, value) for name, value in given.items()}
                return Instance([klass], {**defaults, **named})
        self.keep(klass.node.name, klass.module)
        code = [self.reify(each) for each in arguments]
        named_code = [ast.keyword(name, self.reify(each)) for name, each in keywords.items()]
        return Code(ast.Call(ast.Name(klass.node.name), code, named_code))

    def _at_hand(self, name: str, value: Value) -> Value:
        frame = self.frames[-1]
        key = f"field {name} {id(value)}"
        if not isinstance(value, Code):
            return value
        target = Frame(frame.module, {}, {})
        self.bind(name, value, target)
        frame.names[key] = target.names[name]
        return target.names[name]

    def _inlined(self, function: Function, arguments: list[Value], keywords: dict[str, Value]) -> Value | None:
        """The call's result, inlined; where that fails, the function is kept as it is written, if it can be."""
        mark, block = len(self.block), self.block
        before = self.used.copy()
        try:
            if isinstance(function.node, ast.FunctionDef) and size(function.node) > SMALL and function.bound is None:
                raise NotSpecialised(f"{function.name} is long")
            return self._inline(function, arguments, keywords)
        except NotSpecialised:
            is_top = function.module.functions.get(function.name) is function.node
            if not is_top or function.bound is not None or any(isinstance(each, Instance) for each in arguments):
                raise
            self.block = block
            del self.block[mark:]
            self.used = before
            self.keep(function.name, function.module)
            code = [self.reify(each) for each in arguments]
            named = [ast.keyword(name, self.reify(each)) for name, each in keywords.items()]
            return Code(ast.Call(ast.Name(function.name), code, named))

    def _inline(self, function: Function, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if len(self.frames) > MOST_DEPTH:
            raise NotSpecialised(f"{function.name} calls itself")
        own = function.scope.get("__class__")
        klass = own.klass if isinstance(own, Contract) else None
        frame = Frame(function.module, {}, function.scope, function.bound, klass)
        values = list(arguments)
        if function.bound is not None and klass is not None and not is_static(function.node):
            values.insert(0, function.bound)
        given = self._arguments(function, values, keywords)
        self.frames.append(frame)
        frame.names |= {f"given {name}": each for name, each in given.items()}
        try:
            for name, value in given.items():
                self.bind(name, value, frame)
                del frame.names[f"given {name}"]
            if isinstance(function.node, ast.Lambda):
                return self.evaluate(function.node.body, frame)
            result = self.run(function.node.body, frame)
            return Const(None) if result is None else result
        finally:
            self.frames.pop()

    def _arguments(self, function: Function, values: list[Value], keywords: dict[str, Value]) -> dict[str, Value]:
        """Parameters to values, as Python binds them."""
        spec = function.node.args
        names = [each.arg for each in (*spec.posonlyargs, *spec.args)]
        if len(values) > len(names) and spec.vararg is None:
            raise NotSpecialised(f"{function.name} takes {len(names)} arguments")
        given = dict(zip(names, values, strict=False))
        if spec.vararg is not None:
            given[spec.vararg.arg] = Items(values[len(names) :])
        rest = dict(keywords)
        for name in (*names, *(each.arg for each in spec.kwonlyargs)):
            if name in rest:
                given[name] = rest.pop(name)
        if spec.kwarg is not None:
            given[spec.kwarg.arg] = Pairs(dict(rest))
        elif rest:
            raise NotSpecialised(f"{function.name} takes no {', '.join(rest)}")
        outer = Frame(function.module, {}, function.scope)
        defaults = dict(zip(reversed(names), reversed(spec.defaults), strict=False))
        defaults |= {a.arg: d for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d is not None}
        for name, default in defaults.items():
            if name not in given:
                given[name] = self.evaluate(default, outer)
        missing = [each for each in (*names, *(a.arg for a in spec.kwonlyargs)) if each not in given]
        if missing:
            raise NotSpecialised(f"{function.name} lacks {', '.join(missing)}")
        return given

    # -- functions that stay functions --------------------------------------------------------------------------------

    def _compiled(
        self, wrapped: Wrapped, arguments: list[Value], keywords: dict[str, Value], frame: Frame
    ) -> Value | None:
        """A wrapped function, such as a compiled one: a definition for these arguments, and a call of it.

        A dict of tensors becomes a parameter for each of them.
        """
        given = self._arguments(wrapped.function, arguments, keywords)
        options = {name: flattened(each, given) for name, each in wrapped.options.items()}
        axes = next((each for name, each in options.items() if name in AXES), None)
        maps = name_of(wrapped.wrapper) == "vmap"
        inner: dict[str, Value] = {}
        passed: dict[str, ast.expr] = {}

        def parameter(name: str, value: Value) -> Value:
            if not isinstance(value, Code):
                return value
            axis = axes.items[len(passed)] if isinstance(axes, Items) and len(passed) < len(axes.items) else axes
            passed[name] = value.node
            facts = one_example(value.facts, axis or Const(0)) if maps else value.facts
            return Code(ast.Name(name), facts)

        for name, value in given.items():
            if isinstance(value, Pairs):
                inner[name] = Pairs({key: parameter(str(key), each) for key, each in value.entries.items()})
            else:
                inner[name] = parameter(name, value)
        keys = [ast.keyword(key, self.reify(each)) for key, each in options.items()]
        name = self._define(wrapped.function, inner, list(passed), ast.Call(wrapped.wrapper, [], keys))
        return Code(ast.Call(ast.Name(name), list(passed.values()), []))

    def _define(
        self, function: Function, names: dict[str, Value], parameters: list[str], wrapper: ast.Call | None
    ) -> str:
        frame = Frame(function.module, {}, function.scope, function.bound)
        frame.names |= names
        title = self.fresh("function" if function.name.startswith("<") else function.name, frame)
        used, kept = self.used.copy(), self.kept.copy()
        self.used |= set(parameters)
        self.frames.append(frame)
        self.kept |= {title}
        try:
            with self.inside() as body:
                if isinstance(function.node, ast.Lambda):
                    result: Value | None = self.evaluate(function.node.body, frame)
                else:
                    result = self.run(function.node.body, frame)
                self.emit(ast.Return(self.reify(result or Const(None))))
        finally:
            self.frames.pop()
            self.used, self.kept = used | {title}, kept
        decorators = [wrapper.func] if wrapper is not None and not wrapper.keywords else []
        self.emit(definition(title, parameters, body, decorators))
        if wrapper is not None and wrapper.keywords:
            call = ast.Call(wrapper.func, [ast.Name(title)], wrapper.keywords)
            self.emit(ast.Assign([ast.Name(title)], call))
        return title

    def as_code(self, function: Function) -> ast.expr:
        """A function that is handed on: a lambda where one expression says it, else the name of a definition."""
        spec = function.node.args
        if (
            spec.vararg
            or spec.kwarg
            or spec.kwonlyargs
            or (function.bound is not None and "__class__" in function.scope)
        ):
            raise NotSpecialised(f"{function.name} is handed on as it is")
        parameters = [each.arg for each in (*spec.posonlyargs, *spec.args)]
        tensors = reversed(self._known_tensors())
        known = {each.node.id: each.facts for each in tensors if isinstance(each.node, ast.Name)}
        names: dict[str, Value] = {name: Code(ast.Name(name), known.get(name)) for name in parameters}
        title = self._define(function, names, parameters, None)
        made = self.block[-1]
        body = tidied(made.body) if isinstance(made, ast.FunctionDef) else []
        if isinstance(made, ast.FunctionDef) and len(body) == 1 and isinstance(body[0], ast.Return):
            self.block.pop()
            return ast.Lambda(made.args, body[0].value or constant(None))
        return ast.Name(title)


def _constant_of(value: Value) -> Any:
    return value.value if isinstance(value, Const) else None


def _is_known(value: Value) -> bool:
    try:
        plain(value)
    except NotSpecialised:
        return False
    return not isinstance(value, Function | Dtype)
