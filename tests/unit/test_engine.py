"""The engine knows the contract of a backend, and no framework: a new one needs no change of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from conformance.places import ROOT

FRAMEWORK = re.compile("torch|jax|optax|tensorflow|(?<![a-z])TF_", re.IGNORECASE)
#: PyTorch's own samples are what it reads.
READER = "conformance/foreign/opinfo.py"


def test_the_code_names_no_framework() -> None:
    files = [path for path in (ROOT / "conformance").rglob("*.py") if path.relative_to(ROOT).as_posix() != READER]
    assert len(files) > 150
    assert [f"{path.relative_to(ROOT)}:{line}: {text}" for path in sorted(files) for line, text in _named(path)] == []


def _named(file: Path) -> Iterator[tuple[int, str]]:
    """Names and strings of one word; a string of several is an example or an explanation."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            text = node.value
        elif isinstance(node, (ast.Name, ast.Attribute)):
            text = node.id if isinstance(node, ast.Name) else node.attr
        else:
            continue
        if isinstance(text, str) and " " not in text and FRAMEWORK.search(text):
            yield node.lineno, text
