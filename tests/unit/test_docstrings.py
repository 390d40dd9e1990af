"""Docstrings read as they were written: no line breaks off where the next word would have fitted easily."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from conformance.places import ROOT

WIDTH = 100  # of the 120 allowed: whoever wraps by hand may stop early
FOLDERS = ("conformance", "backends", "reports", "tests")


def test_no_line_of_a_docstring_breaks_off_in_mid_sentence() -> None:
    broken = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in _broken(path.read_text(encoding="utf-8"))
    ]
    assert not broken, "wrap these anew:\n" + "\n".join(broken)


def _broken(source: str) -> Iterator[tuple[int, str]]:
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
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
