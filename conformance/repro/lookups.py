"""Partial evaluation of an adapter's methods: attributes, the names of modules, and what is kept as it is written."""

from __future__ import annotations

import ast
import copy

from conformance.repro import vocabulary
from conformance.repro.code import is_builtin
from conformance.repro.expressions import Frame
from conformance.repro.program import Klass, Module, without_annotations
from conformance.repro.specialise import Specialiser
from conformance.repro.structures import Method, is_flags
from conformance.repro.values import (
    Builtin,
    Code,
    Const,
    Contract,
    Dtype,
    Function,
    Instance,
    NotSpecialised,
    Super,
    Value,
)

__all__ = ["Lookups"]


class Lookups(Specialiser):
    """Finds what attributes and names stand for."""

    # -- attributes and names -----------------------------------------------------------------------------------------

    def attribute(self, owner: Value, name: str, frame: Frame) -> Value:
        """An attribute of a value."""
        if isinstance(owner, Instance):
            return self._of_instance(owner, name)
        if isinstance(owner, Super):
            return self._of_instance(owner.instance, name, owner.after)
        if isinstance(owner, Code | Dtype):
            known = vocabulary.attribute_of(owner, name)
            if known is not None:
                return known
            if isinstance(owner, Code) and name == "writeable" and is_flags(owner.node):
                return Const(True)
            return Code(ast.Attribute(self.reify(owner), name))
        if isinstance(owner, Function) and name == "__name__":
            return Const(owner.name)
        if isinstance(owner, Const):
            return Code(ast.Attribute(self.reify(owner), name))
        return Method(owner, name)

    def _of_instance(self, owner: Instance, name: str, after: Klass | None = None) -> Value:
        if after is None and name in owner.attributes:
            return owner.attributes[name]
        start = 0 if after is None else owner.classes.index(after) + 1
        for klass in owner.classes[start:]:
            if name in klass.methods:
                node = klass.methods[name]
                function = Function(node, klass.module, {"__class__": Contract(klass)}, owner)
                if any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list):
                    result = self.call(function, [], {}, Frame(klass.module))
                    return Const(None) if result is None else result
                return function
            if name in klass.attributes:
                return self.evaluate(klass.attributes[name], Frame(klass.module, bound=owner, klass=klass))
        value = self._set_when_made(owner, name)
        owner.attributes[name] = value
        return value

    def _set_when_made(self, owner: Instance, name: str) -> Value:
        """An attribute that ``__init__`` sets."""
        for klass in owner.classes:
            made = klass.methods.get("__init__")
            for each in ast.walk(made) if made is not None else ():
                target = each.targets[0] if isinstance(each, ast.Assign) else getattr(each, "target", None)
                value = getattr(each, "value", None)
                if isinstance(target, ast.Attribute) and target.attr == name and isinstance(value, ast.expr):
                    names = {key: owner.attributes[key] for key in ("device", "mode", "threads")}
                    return self.evaluate(value, Frame(klass.module, {"self": owner, **names}, {}, owner, klass))
        raise NotSpecialised(f"self.{name} is not known")

    def of_module(self, name: str, module: Module) -> Value:
        """What a module's own name stands for."""
        if name in module.functions:
            return Function(module.functions[name], module)
        if name in module.classes:
            return Contract(Klass(module, module.classes[name]))
        if name in module.constants:
            return self._constant(name, module)
        if name in module.imports:
            other = self.program.module_of(module.imports[name])
            statement = module.imports[name]
            if other is not None:
                original = statement.names[0].name if isinstance(statement, ast.ImportFrom) else name
                return self.of_module(original, other)
            self.imports[name] = statement
            self.used.add(name)
            return Code(ast.Name(name))
        if is_builtin(name):
            return Builtin(name)
        raise NotSpecialised(f"{name} is not known in {module.file}")

    def _constant(self, name: str, module: Module) -> Value:
        statement = module.constants[name]
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Constant):
            return Const(value.value)
        self.keep(name, module)  # what can be changed is the module's state
        return Code(ast.Name(name))

    def keep(self, name: str, module: Module) -> None:
        """Keep a function, class or constant of a module, and all that it needs, as it is written."""
        if name in self.helpers:
            return
        node = module.functions.get(name) or module.classes.get(name) or module.constants.get(name)
        if node is None:
            raise NotSpecialised(f"{name} is not known in {module.file}")
        if name in self.used:
            raise NotSpecialised(f"two things are called {name}")
        self.used.add(name)
        bare = without_annotations(copy.deepcopy(node))
        self.helpers[name] = bare
        for each in ast.walk(bare):
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
                self._keep_needed(each.id, module)
        self.helpers[name] = self.helpers.pop(name)  # after what it needs

    def _keep_needed(self, name: str, module: Module) -> None:
        if name in module.functions or name in module.classes or name in module.constants:
            self.keep(name, module)
        elif name in module.imports:
            other = self.program.module_of(module.imports[name])
            if other is None:
                self.imports[name] = module.imports[name]
            else:
                self.keep(name, other)
