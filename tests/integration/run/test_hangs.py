"""A backend that answers no call: whoever asks for a few is not kept waiting for each of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import process, write

pytestmark = pytest.mark.slow

HANGS = """
import os, time
from pathlib import Path
from conformance.backends.adapters.numpy import Numpy

CALLS = Path(__file__).with_suffix(".calls")


class Hangs(Numpy):
    def _hang(self, *arguments, **options):
        with CALLS.open("a") as file:
            file.write("x")
        time.sleep(600)

    {operations} = _hang
"""
EVERY = "softmax = log_softmax = nll_loss = cross_entropy = nll_loss_of_log_softmax"


def hanging(folder: Path, operations: str = EVERY) -> Path:
    return write(folder / "hangs.py", HANGS.format(operations=operations))


def calls(folder: Path) -> int:
    return len((folder / "hangs.calls").read_text())


def test_smoke_stops_at_the_first(tmp_path: Path) -> None:
    ran = process("smoke", "-b", hanging(tmp_path), "--timeout", "2", "--format", "json", folder=tmp_path)
    rows = json.loads(ran.out)
    assert ran.code == 1 and [each["state"] for each in rows] == ["timeout", *["not run"] * 5]
    assert "no answer within 2 s" in rows[0]["fault"] and "the rest was not tried" in rows[1]["fault"]
    assert calls(tmp_path) == 1


def test_smoke_keeps_what_was_answered_before(tmp_path: Path) -> None:
    ran = process("smoke", "-b", hanging(tmp_path, "nll_loss"), "--timeout", "2", "--format", "json", folder=tmp_path)
    rows = {each["operation"]: each for each in json.loads(ran.out)}
    assert ran.code == 1 and calls(tmp_path) == 1
    assert rows["softmax"]["sound"] == rows["softmax"]["calls"] and rows["nll_loss"]["state"] == "timeout"
    assert rows["cross_entropy"]["state"] == "not run"


def test_the_plugin_stops_after_three_in_a_row(tmp_path: Path) -> None:
    case = "- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32]}}\n"
    write(tmp_path / "cases.yaml", "theme: n\ncases:\n" + "".join(case.format(n=n) for n in range(12)))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    command += ["--conformance-backend", str(hanging(tmp_path)), "--conformance-timeout", "2", "cases.yaml"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1 and "12 errors" in ran.stdout and "the rest was not tried" in ran.stdout
    assert calls(tmp_path) <= 4
