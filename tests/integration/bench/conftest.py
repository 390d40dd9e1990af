from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

FAULTY = Path(__file__).parents[2] / "support" / "bench" / "faulty.py"
TWO_WORKLOADS = """\
workloads:
  - {id: two, why: small, shape: [2, 3], contracts: [forward]}
  - {id: three, why: small, shape: [3, 3]}
"""


class Bench:
    """Runs ``conformance bench`` from a folder of its own; ``document`` is what the last run wrote."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capfd = capfd
        self.out = self.err = ""

    def workloads(self, text: str = TWO_WORKLOADS) -> Path:
        path = self.folder / "small.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def faulty(self, name: str) -> str:
        """The specification of one of the backends in ``faulty.py``."""
        return f"{FAULTY}:{name}"

    def __call__(self, *arguments: object) -> int:
        from conformance.cli import main

        self.capfd.readouterr()
        usual = ("--budget", 0.002, "--output", self.folder / "out", "--quiet", "--no-report")
        code = main([str(each) for each in ("bench", *usual, *arguments)])
        self.out, self.err = self.capfd.readouterr()
        return code

    @property
    def path(self) -> Path:
        return self.folder / "out" / "benchmarks.json"

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8"))


@pytest.fixture
def bench(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return Bench(tmp_path, capfd)
