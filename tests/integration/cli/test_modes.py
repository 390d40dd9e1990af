"""A backend whose calls do not run compiled, though they are to be: what every report says of it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from conformance.model.execution import ExecutionEvidence
from conformance.model.records import Costs, decode_record
from tests.support.cli import Run, write

IDLE = """\
from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Compilations


class Idle(Numpy):
    executions = ("fast",)
    compiled = ("fast",)
    said = Compilations()

    def evaluate(self, call, logits):
        self.said.calls += 1
        self.said.uncompiled += 1
        self.said.reasons["a line\\nand advice"] = self.said.breaks = (self.said.breaks or 0) + 1
        return super().evaluate(call, logits)

    def compilations(self):
        self.said.breaks = self.said.breaks or 0
        return self.said
"""


def test_a_mode_that_did_not_happen_is_unsupported_and_said_everywhere(tmp_path: Path, conformance: Run) -> None:
    write(tmp_path / "idle.py", IDLE)
    write(tmp_path / "small.yaml")
    words = ("run", "-b", "idle.py", "-b", "numpy", "--cases", "small.yaml", "--output", "run", "--replace", "-q")
    ran = conformance(*words, "--format", "json")
    found, plain = (msgspec.convert(ran.json["modes"][name], ExecutionEvidence) for name in ("idle", "numpy"))
    assert found.calls == found.uncompiled > 0 == found.compiled == found.unknown
    assert found.breaks and found.reasons == {"a line": found.breaks}
    assert plain.eager == plain.calls > 0
    lines = (tmp_path / "run" / "outcomes.jsonl").read_bytes().splitlines()
    outcomes = [each for each in map(json.loads, lines) if each["record"] == "outcome" and each["backend"] == "idle"]
    assert not [each for each in outcomes if each["verdict"] == "pass"]
    assert "mode-not-used" in {each.get("reason") for each in outcomes}
    said = f"fast: 0 of {found.calls} calls ran compiled, {found.uncompiled} ran uncompiled: unsupported"
    assert said in (tmp_path / "run" / "summary.md").read_text(encoding="utf-8")
    ran = conformance("report", "run", "--output", "site", "--cases", "small.yaml")
    assert said in " ".join(ran.out.split()) and "none of which" not in ran.out
    pages = [page.read_text(encoding="utf-8") for page in (tmp_path / "site" / "backends").glob("*.html")]
    assert sum(said in page for page in pages) == 1


def test_costs_of_earlier_versions_have_no_evidence() -> None:
    read = decode_record(b'{"record": "costs", "backend": "torch", "seconds": {"c": 0.5}}')
    assert isinstance(read, Costs) and read.mode is None
