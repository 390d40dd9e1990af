"""docs/data.md: its examples run one after the other, and its table of columns is the one that the code has."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.places import ROOT
from conformance.reports.load import COLUMNS

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_run_as_shown(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    blocks = re.findall(r"^```(console|python)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    said = []
    for language, body in blocks:
        words = shlex.split(body.removeprefix("$ "))
        command = [sys.executable, "-m", *words] if language == "console" else [sys.executable, "-c", body]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert [language for language, _ in blocks] == ["console", "python", "python", "python"]
    assert "'pass'" in said[1] and "stability" in said[2] and "numpy" in said[3]


def test_every_column_is_documented() -> None:
    table = PAGE.partition("| column | dtype | holds |")[2]
    assert re.findall(r"^\| `(\w+)` \| \w+ \| (.*) \|$", table, re.MULTILINE) == [
        (n, what) for n, (what, _) in COLUMNS.items()
    ]
