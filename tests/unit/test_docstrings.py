"""Docstrings say what is raised, and no line of one breaks off where the next word would have fitted easily."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from conformance.backends.contract import Backend
from conformance.places import ROOT

WIDTH = 100  # of the 120 allowed: whoever wraps by hand may stop early
FOLDERS = ("conformance", "backends", "reports", "tests")


def test_no_line_of_a_docstring_breaks_off_in_mid_sentence() -> None:
    broken = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in FOLDERS
        for path, source, tree in _modules(folder)
        for number, line in _broken(source, tree)
    ]
    assert not broken, "wrap these anew:\n" + "\n".join(broken)


def test_what_raises_says_so() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{each.lineno}: {each.name}"
        for folder in FOLDERS[:3]
        for path, _, tree in _modules(folder)
        for each, inherits in _public_functions(tree)
        if _raises(each) and not re.search(r"[Rr]aise|Error", _documentation(each, inherits))
    ]
    assert not silent, "say what these raise, and when:\n" + "\n".join(silent)


@cache
def _modules(folder: str) -> list[tuple[Path, str, ast.Module]]:
    texts = [(path, path.read_text(encoding="utf-8")) for path in sorted((ROOT / folder).rglob("*.py"))]
    return [(path, text, ast.parse(text)) for path, text in texts]


def _public_functions(node: ast.AST) -> Iterator[tuple[ast.FunctionDef, bool]]:
    """Functions of a module and methods of its classes, and whether they are methods of a subclass.

    What a command raises ends in words on standard error.
    """
    inherits = isinstance(node, ast.ClassDef) and bool(node.bases)
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
            yield from _public_functions(each)
        elif isinstance(each, ast.FunctionDef) and not each.name.startswith("_") and not _is_command(each):
            yield each, inherits


def _is_command(function: ast.FunctionDef) -> bool:
    return any("command" in ast.unparse(decorator) for decorator in function.decorator_list)


def _raises(function: ast.FunctionDef) -> bool:
    """Whether it raises by itself anything but what it has caught."""
    todo: list[ast.AST] = [*function.body]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Raise) and node.exc is not None:
            return True
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            todo += ast.iter_child_nodes(node)
    return False


def _documentation(function: ast.FunctionDef, inherits: bool) -> str:
    """Its docstring, or that of the method of a backend that it is: an adapter has none of its own."""
    inherited = getattr(Backend, function.name, None) if inherits else None
    return ast.get_docstring(function) or getattr(inherited, "__doc__", None) or ""


def _broken(source: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    lines = source.splitlines()
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) or ast.get_docstring(node) is None:
            continue
        text = node.body[0]
        for number in range(text.lineno, text.end_lineno or text.lineno):
            line, following = lines[number - 1], lines[number].strip()
            together = _indent(line) == _indent(lines[number])
            if together and _is_prose(line) and following[:1].islower() and _is_prose(lines[number]):
                word = following.split()[0]
                if len(line) + 1 + len(word) < WIDTH - 8:
                    yield number, line


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_prose(line: str) -> bool:
    """Neither code, nor the end of a sentence or a list's item."""
    text = line.strip()
    return bool(text) and not text.endswith((".", ":", '"""')) and " = " not in text and "import " not in text
