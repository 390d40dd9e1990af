"""A backend of one's own that cannot be imported: every verb that takes one names its file and line, with a hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cli import Run, write


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "--cases", "cases.yaml"], 3),
        (["smoke"], 3),
        (["explain", "plain", "--cases", "cases.yaml"], 3),
        (["repro", "plain", "--cases", "cases.yaml"], 2),
        (["fuzz", "--seconds", "1"], 3),
        (["worker", "--scheduler", "tcp://127.0.0.1:1"], 2),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_it_is_named_with_its_line(conformance: Run, tmp_path: Path, words: list[str], code: int) -> None:
    write(tmp_path / "cases.yaml")
    (tmp_path / "broken.py").write_text("x = 1\ndef softmax(\n")
    ran = conformance(*words, "-b", "broken.py")
    said = ran.out + ran.err
    assert ran.code == code and "broken" in said and "fails on import: SyntaxError" in said, said
    assert not re.search(r"broken\S*( did not run| is not offered)?:?\s+\S*broken\.py: fails", said), said  # said once
    assert f"hint: correct {tmp_path / 'broken.py'}:2" in said and "Traceback" not in said
