"""What a user's file adds to an adapter: its operations as plain functions, or the whole file, run by the suite.

The file's text is a record's, and so may be a stranger's: it is read within limits, and each answer is kept.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from conformance.model.backend import BackendRecord, ClassSource
from conformance.model.errors import UsageError
from conformance.places import SNIPPETS
from conformance.plain import steers

__all__ = ["LARGEST", "function_of", "replaced", "template_facts"]

#: What an adapter is made of, apart from how its framework is run: what it says of itself, and its operations.
FACTS = frozenset({"framework", "imports", "library", "offers", "profile"})
OPERATIONS = frozenset({"softmax", "log_softmax", "nll_loss", "cross_entropy", "nll_loss_of_log_softmax", "log_loss"})
#: Characters of a user's files that a script may hold. Python reads so many, whatever they are, in about a second and
#: 150 MiB.
LARGEST = 128 << 10
MOST_CLASSES = 100
KEPT = 256  # answers, each of which holds a part of such a text


def _classes(record: BackendRecord) -> Iterator[tuple[ClassSource, str]]:
    """A user's classes, most derived first, each with the text of its module.

    Raises UsageError where they are too many, or their files too large; so does whatever here is given a record.
    """
    if len(record.classes) > MOST_CLASSES:
        raise UsageError(f"the adapter is made of more than {MOST_CLASSES} classes", hint="derive it from fewer")
    texts: dict[str, str] = {}
    for each in record.classes:
        place = each.file.removeprefix("conformance/")
        if place.startswith("backends/") and os.path.isfile(SNIPPETS.parents[1] / place):  # noqa: PTH113
            continue
        texts.setdefault(each.file, each.text)
        if sum(map(len, texts.values())) > LARGEST:
            hint = "have the kernel import what is large from another file"
            raise UsageError(f"the adapter's source has more than {LARGEST >> 10} KiB", hint=hint)
        yield each, texts[each.file]


def replaced(record: BackendRecord) -> frozenset[str]:
    """The names that a user's classes define over those of the suite's adapter, without what they say of themselves."""
    found: set[str] = set()
    for each, text in _classes(record):
        defined = _defined(text, each.name)
        if defined is None:
            return frozenset({"evaluate"})  # it cannot be read: whatever it is, the suite must run it
        found |= defined
    return frozenset(found)


def function_of(record: BackendRecord, operation: str) -> Sequence[str] | None:
    """A user's operation as a function of its own, with all that it uses; None where it needs the adapter."""
    for each, text in _classes(record):
        if operation in (_defined(text, each.name) or ()):
            return _function(text, each.name, operation)
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


@lru_cache(maxsize=KEPT)
def _defined(text: str, name: str) -> frozenset[str] | None:
    """What a class defines, without what it says of itself; None where it cannot be read."""
    tree = _parsed(text)
    klass = _class(tree, name)
    if klass is None:
        return None
    names = {each for statement in klass.body for each in _names(statement)} - FACTS
    return frozenset(names - {"runs_on"} if _runs_as_the_suite_does(tree, klass) else names)


def _runs_as_the_suite_does(tree: ast.Module, klass: ast.ClassDef) -> bool:
    values = [getattr(each, "value", None) for each in klass.body if "runs_on" in _names(each)]
    bound = _bound(tree) if values else {}
    runtimes = [bound.get(each.id) for each in values if isinstance(each, ast.Name)]
    return all(getattr(each, "module", "").startswith("conformance.backends.runtimes.") for each in runtimes)


@lru_cache(maxsize=KEPT)
def _function(text: str, name: str, operation: str) -> tuple[str, ...] | None:
    """The lines of a method as a function, below all that it uses; None where that is not in its module.

    Nor are there any that would steer what they are printed on: the suite runs such a text, which it has as one string.
    """
    tree = _parsed(text)
    klass = _class(tree, name)
    body = klass.body if klass else []
    method = next((each for each in body if getattr(each, "name", "") == operation), None)
    if not isinstance(method, ast.FunctionDef) or method.decorator_list:
        return None
    around = _needed(tree, method)
    if around is None or [each.arg for each in method.args.args[:1]] != ["self"]:
        return None
    lines = re.split(r"\r\n|\r|\n", text)  # as Python counts them
    imports = _sources(lines, [each for each in around if isinstance(each, ast.Import | ast.ImportFrom)])
    others = _sources(lines, [each for each in around if not isinstance(each, ast.Import | ast.ImportFrom)])
    own = re.sub(r"\(\s*self\s*,?\s*", "(", _sources(lines, [method])[0], count=1)
    future = ["from __future__ import annotations"] if any(map(_is_annotated, [method, *around])) else []
    found = (*future, *imports, *(line for each in [*others, own] for line in ["", *each.split("\n")]))
    return None if steers("\n".join(found)) else found


@lru_cache(maxsize=1)
def _parsed(text: str) -> ast.Module:
    """An empty module for what Python cannot read: its syntax is wrong, or too deep for the parser."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    return next((each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name), None)


def _needed(tree: ast.Module, method: ast.FunctionDef) -> list[ast.stmt] | None:
    """The module's statements that a method uses, in their order; None where they are not all there."""
    bound = _bound(tree)
    needed: dict[int, ast.stmt] = {}
    pending: list[ast.stmt] = [method]
    while pending:
        for name in _free(pending.pop()):
            if name not in bound:
                if hasattr(builtins, name) and name != "super":
                    continue
                return None  # `self`, or what is made elsewhere
            statement = bound[name]
            if id(statement) in needed:
                continue
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(
                ("conformance", "backends")
            ):
                return None
            needed[id(statement)] = statement
            pending.append(statement)
    return sorted(needed.values(), key=lambda each: (each.lineno, each.col_offset))


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


def _sources(lines: Sequence[str], statements: Sequence[ast.stmt]) -> list[str]:
    """The text of statements in their order, where several stand on a line as one: no line is there twice."""
    spans: list[list[int]] = []
    for each in statements:
        first = min([each.lineno, *(found.lineno for found in getattr(each, "decorator_list", []))])
        last = each.end_lineno or each.lineno
        if spans and first <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], last)
        else:
            spans.append([first, last])
    return [textwrap.dedent("\n".join(lines[first - 1 : last])) for first, last in spans]


def _quoted(text: str) -> str:
    return repr(text) if "'''" in text or text.endswith(("'", "\\")) or steers(text) else f"r'''{text}'''"
