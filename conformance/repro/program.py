"""An adapter's modules as trees: its classes in their order of resolution, functions, constants, and imports."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

from conformance.repro.values import NotSpecialised

__all__ = ["CONTRACT", "Klass", "Module", "Program", "SourceText", "contract", "without_annotations"]

CONTRACT = "contract.py"


class SourceText(Protocol):
    """A piece of an adapter, as the worker describes it and as results record it."""

    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Klass:
    """A class in its module."""

    module: Module
    node: ast.ClassDef

    @cached_property
    def methods(self) -> dict[str, ast.FunctionDef]:
        """Its functions by name."""
        return {each.name: each for each in self.node.body if isinstance(each, ast.FunctionDef)}

    @cached_property
    def attributes(self) -> dict[str, ast.expr]:
        """Its class attributes that have a value."""
        found: dict[str, ast.expr] = {}
        for each in self.node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value is not None:
                found[each.target.id] = each.value
            elif isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                found[each.targets[0].id] = each.value
        return found

    @cached_property
    def fields(self) -> list[str]:
        """The fields of a dataclass, in order."""
        return [n.target.id for n in self.node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]

    @property
    def is_dataclass(self) -> bool:
        """Whether a decorator makes it a dataclass."""
        return any("dataclass" in ast.unparse(each) for each in self.node.decorator_list)


@dataclass(eq=False)
class Module:
    """One file of an adapter."""

    file: str
    text: str
    tree: ast.Module
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    constants: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, ast.stmt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef):
                self.functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.constants[node.targets[0].id] = node
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                self.constants[node.target.id] = node
        for each in ast.walk(self.tree):
            if isinstance(each, ast.Import | ast.ImportFrom):
                self._add_import(each)

    def _add_import(self, node: ast.Import | ast.ImportFrom) -> None:
        """One statement for every name that it binds, wherever it stands: adapters import when they are made."""
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if isinstance(node, ast.ImportFrom):
                self.imports[name] = ast.ImportFrom(node.module, [alias], node.level)
            elif name not in self.imports or alias.asname:
                self.imports[name] = ast.Import([alias])

    def klass_at(self, line: int) -> ast.ClassDef:
        """The class that begins at ``line`` (its first decorator, if it has any)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if line in (first, node.lineno):
                    return node
        raise NotSpecialised(f"{self.file} has no class at line {line}")


@lru_cache(maxsize=64)
def parse(file: str, text: str) -> Module:
    """The module of a file's text; raises ``NotSpecialised`` where it is not Python."""
    try:
        return Module(file, text, ast.parse(text))
    except (SyntaxError, ValueError) as error:
        raise NotSpecialised(f"{file} cannot be parsed: {error}") from None


@lru_cache(maxsize=1)
def contract() -> Module:
    """The module of the contract itself."""
    from conformance.backends import contract as module

    return parse(CONTRACT, inspect.getsource(module))


@dataclass(eq=False)
class Program:
    """An adapter: its classes, most derived first and the contract's last, and its modules."""

    classes: list[Klass]
    modules: list[Module]

    @staticmethod
    def of(sources: Mapping[str, SourceText]) -> Program:
        """The program that a description's or a record's ``sources`` hold; raises ``NotSpecialised`` without one."""
        modules: dict[str, Module] = {}
        classes = []
        for name, source in sources.items():
            if not name.startswith("class "):
                continue
            if source.text:
                modules[source.file] = parse(source.file, source.text)
            if source.file not in modules:
                raise NotSpecialised(f"the text of {source.file} is not recorded")
            module = modules[source.file]
            classes.append(Klass(module, module.klass_at(source.line)))
        if not classes:
            raise NotSpecialised("the adapter's source is not recorded")
        base = contract()
        classes.append(Klass(base, base.classes["Backend"]))
        return Program(classes, [*modules.values(), base])

    def method(self, name: str, after: Klass | None = None) -> tuple[Klass, ast.FunctionDef] | None:
        """The method of that name, as Python resolves it; ``after`` a class, as ``super`` does."""
        start = 0 if after is None else self.classes.index(after) + 1
        return next(((each, each.methods[name]) for each in self.classes[start:] if name in each.methods), None)

    def attribute(self, name: str) -> tuple[Klass, ast.expr] | None:
        """The class attribute of that name."""
        return next(((each, each.attributes[name]) for each in self.classes if name in each.attributes), None)

    def literal(self, name: str, default: Any = None) -> Any:
        """A class attribute that is written as a literal."""
        found = self.attribute(name)
        try:
            return default if found is None else ast.literal_eval(found[1])
        except ValueError:
            return default

    def module_of(self, node: ast.stmt) -> Module | None:
        """The adapter's module that an import names, if it is one: ``from conformance.backends.jax import ...``."""
        if not isinstance(node, ast.ImportFrom) or not node.module:
            return None
        wanted = node.module.removeprefix("conformance.").replace(".", "/") + ".py"
        wanted = CONTRACT if wanted == f"backends/{CONTRACT}" else wanted
        return next((each for each in self.modules if each.file == wanted), None)


class _Bare(ast.NodeTransformer):
    """Takes annotations off functions: a script needs no names only for them."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        arguments = node.args
        for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
            if each is not None:
                each.annotation = None
        return node


def without_annotations(node: ast.stmt) -> ast.stmt:
    """A copy of a function or class whose functions have no annotations."""
    import copy

    bare: ast.stmt = _Bare().visit(copy.deepcopy(node))
    return bare
