"""Checks that were not run: the terminal and the summary say why, as long as no process had died."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("selection", "more"), [("beyond-memory.softmax", False), ("beyond-memory", True)])
def test_the_reason_stands_on_the_terminal_and_in_the_summary(
    conformance: Run, tmp_path: Path, selection: str, more: bool
) -> None:
    ran = conformance("run", "-b", "numpy", "-k", selection, "--output", "out")
    assert ran.code == 3 and "nothing was checked" in ran.err
    (line,) = (each for each in ran.out.splitlines() if ": not run: " in each)
    assert "needs 16.0 GiB, beyond 2.0 (--max-memory)" in line and ("the others' reasons" in line) is more
    summary = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert "## Not run" in summary and r"needs 16.0 GiB, beyond 2.0 \(--max-memory\) |" in summary
    assert ("needs 32.0 GiB" in summary) is more
