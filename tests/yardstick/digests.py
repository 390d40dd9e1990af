"""Digests of what a kill depends on: of a case, and of the source of a wrong backend with all that it uses."""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from conformance.cases.load import Entry
from tests.yardstick.registry import Kind

__all__ = ["of_case", "of_kind"]

PACKAGE = "tests.yardstick"
#: The keys of a case by which nothing is asked.
SAID = ("why", "flags", "references", "source")
#: The modules of the right kernels.
RIGHT = tuple(f"{PACKAGE}.{name}" for name in ("ask", "stages", "kernel", "sound", "exact"))
#: Hexadecimal digits of a digest.
DIGITS = 12


@dataclass
class _Source:
    """A module: the source of each name that it binds, what that refers to, and the names that come from elsewhere."""

    text: dict[str, str] = field(default_factory=dict)
    refers: dict[str, list[str]] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


def of_case(entry: Entry) -> str:
    """Of all that is asked and expected: of what is stated, so that a new key changes no case that lacks it."""
    stated = {name: each for name, each in _stated(entry.case).items() if name not in SAID}
    return _digest(msgspec.json.encode(stated, order="deterministic"))


def _stated(value: Any) -> Any:
    """Without the fields that have their default."""
    if isinstance(value, msgspec.Struct):
        fields = [(field, getattr(value, field.name)) for field in msgspec.structs.fields(value)]
        return {field.name: _stated(each) for field, each in fields if each != field.default}
    return [*map(_stated, value)] if isinstance(value, (list, tuple)) else value


def of_kind(kind: Kind) -> str:
    """Of the class, of its bases, and of every function, class and constant of the yardstick that these refer to.

    Comments and docstrings do not count. Nor do, of a wrong one, the right kernels that it derives from: they are held
    to be right by all cases, and whether each wrong one is still killed is asked of the quick selection. What these
    take on would else have everything asked anew.
    """
    left, seen = [(kind.__module__, kind.__name__)], dict[tuple[str, str], str]()
    right = () if kind.__module__ in RIGHT else RIGHT
    while left:
        module, name = left.pop()
        source = _source(inspect.getsourcefile(importlib.import_module(module)) or "")
        if (module, name) in seen or module in right:
            continue
        if name in source.imported:
            left.append(source.imported[name])
        elif name in source.text:
            seen[module, name] = source.text[name]
            left += [(module, other) for other in source.refers[name]]
    if not seen:
        raise LookupError(f"{kind.__module__} binds no {kind.__name__}, so that nobody can tell when it changes")
    return _digest("\n".join(seen[key] for key in sorted(seen)).encode())


@cache
def _source(file: str) -> _Source:
    found = _Source()
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            if (statement.module or "").startswith(PACKAGE):
                each = {alias.asname or alias.name: (str(statement.module), alias.name) for alias in statement.names}
                found.imported |= each
            continue
        for name, node in _bound(statement):
            found.text[name] = f"{found.text.get(name, '')}\n{ast.unparse(_bare(node))}"
            used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                used |= {each.id for each in ast.walk(statement.value.func) if isinstance(each, ast.Name)}
            found.refers.setdefault(name, []).extend(sorted(used - {name}))
    return found


def _bound(statement: ast.stmt) -> Iterator[tuple[str, Any]]:
    """The names that a statement binds, with the part of it that each depends on: rows of a table bind their keys."""
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
        yield statement.name, statement
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
        yield from ((name, statement) for name in names)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        for table in (each for each in statement.value.args if isinstance(each, ast.Dict)):
            for key, value in zip(table.keys, table.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value


def _bare(node: Any) -> Any:
    """The node without the strings that stand by themselves in it."""
    for each in ast.walk(node):
        if isinstance(body := getattr(each, "body", None), list):
            each.body = [one for one in body if not _is_text(one)] or [ast.Pass()]  # type: ignore[attr-defined]
    return node


def _is_text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]
