"""What a user's file adds to an adapter: its operations as plain functions, or the whole file, run by the suite."""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from conformance.model.backend import BackendRecord, ClassSource
from conformance.places import SNIPPETS

__all__ = ["function_of", "replaced", "template_facts"]

#: What an adapter is made of, apart from how its framework is run: what it says of itself, and its operations.
FACTS = frozenset({"framework", "imports", "library", "offers", "profile"})
OPERATIONS = frozenset({"softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax"})


def _classes(record: BackendRecord) -> Iterator[tuple[ClassSource, str]]:
    """A user's classes, most derived first, each with the text of its module."""
    texts: dict[str, str] = {}
    for each in record.classes:
        texts.setdefault(each.file, each.text)
        place = each.file.removeprefix("conformance/")
        if not (place.startswith("backends/") and (SNIPPETS.parents[1] / place).is_file()):
            yield each, texts[each.file]


def replaced(record: BackendRecord) -> frozenset[str]:
    """The names that a user's classes define over those of the suite's adapter, without what they say of themselves."""
    found: set[str] = set()
    for each, text in _classes(record):
        tree = _parsed(text)
        klass = _class(tree, each.name)
        if klass is None:
            return frozenset({"evaluate"})  # it cannot be read: whatever it is, the suite must run it
        found |= {name for statement in klass.body for name in _names(statement)} - FACTS
        found -= {"runs_on"} if _runs_as_the_suite_does(tree, klass) else set()
    return frozenset(found)


def _runs_as_the_suite_does(tree: ast.Module, klass: ast.ClassDef) -> bool:
    values = [getattr(each, "value", None) for each in klass.body if "runs_on" in _names(each)]
    names = {each.id for each in values if isinstance(each, ast.Name)}
    runtimes = [_bound(tree).get(name) for name in names]
    return all(getattr(each, "module", "").startswith("conformance.backends.runtimes.") for each in runtimes)


def function_of(record: BackendRecord, operation: str) -> list[str] | None:
    """A user's operation as a function of its own, with all that it uses; None where it needs the adapter."""
    for each, text in _classes(record):
        tree = _parsed(text)
        klass = _class(tree, each.name)
        body = klass.body if klass else []
        method = next((found for found in body if getattr(found, "name", "") == operation), None)
        if isinstance(method, ast.FunctionDef):
            return _as_function(tree, text, method)
    return None


def template_facts(record: BackendRecord) -> dict[str, Any]:
    """The facts of the template ``suite``: the files that it writes, by name, and the backend's spec."""
    files: dict[str, str] = {}
    for each, text in _classes(record):
        files[PurePosixPath(each.file).name] = text
    first = next(iter(files), "")
    stem, separator, rest = record.name.partition(":")
    if first.removesuffix(".py") != stem:  # an adapter of the suite, or one that is installed
        return {"files": {}, "spec": repr(record.name)}
    return {
        "files": {repr(name): _quoted(text) for name, text in files.items()},
        "spec": f"folder + {f'/{first}{separator}{rest}'!r}",
    }


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name), None)


def _as_function(tree: ast.Module, text: str, method: ast.FunctionDef) -> list[str] | None:
    if method.decorator_list or [each.arg for each in method.args.args[:1]] != ["self"]:
        return None
    bound = _bound(tree)
    needed: dict[str, ast.stmt] = {}
    pending = [method]
    while pending:
        for name in _free(pending.pop()):
            if name in needed:
                continue
            if name not in bound:
                if hasattr(builtins, name) and name != "super":
                    continue
                return None  # `self`, or what is made elsewhere
            needed[name] = statement = bound[name]
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(
                ("conformance", "backends")
            ):
                return None
            pending.append(statement)
    around = sorted({id(each): each for each in needed.values()}.values(), key=lambda each: each.lineno)
    imports = [_source(text, each) for each in around if isinstance(each, ast.Import | ast.ImportFrom)]
    others = [_source(text, each) for each in around if not isinstance(each, ast.Import | ast.ImportFrom)]
    own = re.sub(r"\(\s*self\s*,?\s*", "(", _source(text, method), count=1)
    future = ["from __future__ import annotations"] if any(map(_is_annotated, [method, *around])) else []
    return [*future, *imports, *(line for each in [*others, own] for line in ["", *each.splitlines()])]


def _bound(tree: ast.Module) -> dict[str, Any]:
    """Name to the statement of the module that binds it; imports count wherever they stand."""
    found: dict[str, Any] = {}
    for each in ast.walk(tree):
        if isinstance(each, ast.Import | ast.ImportFrom):
            found.update({(alias.asname or alias.name).partition(".")[0]: each for alias in each.names})
    return found | {name: each for each in tree.body for name in _names(each)}


def _names(statement: ast.stmt) -> set[str]:
    """What a definition or an assignment binds."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {each.id for each in targets if isinstance(each, ast.Name)}


def _free(statement: ast.stmt) -> set[str]:
    """Names that a statement reads and does not bind itself, but for those of annotations."""
    reads: set[str] = set()
    binds: set[str] = set()
    annotations = {id(each) for node in ast.walk(statement) for noted in _annotations(node) for each in ast.walk(noted)}
    for node in ast.walk(statement):
        if isinstance(node, ast.arg):
            binds.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            binds.add(node.name)
        elif isinstance(node, ast.Name) and id(node) not in annotations:
            (reads if isinstance(node.ctx, ast.Load) else binds).add(node.id)
    return (reads - binds) | (reads & {"self", "super"})


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    for name in ("annotation", "returns"):
        if isinstance(noted := getattr(node, name, None), ast.expr):
            yield noted


def _is_annotated(statement: ast.stmt) -> bool:
    return any(True for node in ast.walk(statement) for _ in _annotations(node))


def _source(text: str, node: Any) -> str:
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno]))


def _quoted(text: str) -> str:
    return repr(text) if "'''" in text or text.endswith(("'", "\\")) else f"r'''{text}'''"
