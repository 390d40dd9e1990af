from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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

        out, err = io.StringIO(), io.StringIO()
        usual = ("--budget", 0.002, "--output", self.folder / "out", "--quiet", "--no-report")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(each) for each in ("bench", *usual, *arguments)])
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    @property
    def path(self) -> Path:
        return self.folder / "out" / "benchmarks.json"

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def bench_in(folder: Path) -> Iterator[Bench]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        yield Bench(folder)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_in(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """For one run that many tests look at, as each backend's start takes seconds."""
    with bench_in(tmp_path_factory.mktemp("bench")) as found:
        yield found
