"""The page of what the harness costs is Markdown, from the machine's own description on."""

from __future__ import annotations

import ast
import re

from conformance.places import ROOT
from conformance.results.environment import describe_environment
from tests.support.figures import machine


def test_the_machine_is_described_in_words() -> None:
    described = {"cpu": "A CPU", "cores": {"usable": 2, "all": 4}, "memory": 8 << 30}
    assert machine(described) == "A CPU, 2 of 4 cores, 8 GiB of memory"
    assert machine({}) == "an unknown processor"
    assert not re.search(r"[{}\[\]'\"]", machine(describe_environment()))


def test_the_page_holds_no_representation_of_python() -> None:
    text = (ROOT / "docs" / "overhead.md").read_text(encoding="utf-8")
    assert "{" not in text and "None" not in text and "Machine: " in text


def test_the_page_asks_what_the_measurement_asks() -> None:
    nodes = [*ast.walk(ast.parse((ROOT / "tests" / "overhead" / "measure.py").read_text(encoding="utf-8")))]
    known = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str | float)}
    lines = (ROOT / "docs" / "overhead.md").read_text(encoding="utf-8").splitlines()
    asked = [cell for line in lines if line.startswith("|") and (cell := line.split("|")[3].strip())][2:]
    assert len(asked) > 5
    for each in asked:
        number = each.removeprefix("at least ")
        assert each in known or (number != each and float(number) in known), f"docs/overhead.md: {each}"
