"""One name for one idea: no two classes are called the same."""

from __future__ import annotations

import ast

from conformance.places import ROOT


def test_no_two_public_classes_share_a_name() -> None:
    defined: dict[str, set[str]] = {}
    for package in ("conformance", "backends", "reports"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    defined.setdefault(node.name, set()).add(file.resolve().relative_to(ROOT).as_posix())
    assert len(defined) > 200
    assert {name: sorted(files) for name, files in defined.items() if len(files) > 1} == {}


def test_the_words_of_the_model_are_imported_from_where_they_are_defined() -> None:
    for file in (ROOT / "conformance" / "model").glob("*.py"):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        imported = {alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
        lists = [
            node.value for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ]
        offered = {name for each in lists for name in ast.literal_eval(each)}
        assert offered & imported == set(), file.name
