"""Every JSON that a verb writes holds to the schema that the verb prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.cli import main
from conformance.schemas.registry import DOCUMENTS
from tests.support import benchmarks as synthetic

CASES = """\
theme: small
cases:
  - id: plain
    why: logits need not sum to one
    flags: [double-softmax]
    op: cross_entropy
    logits: [[1.2, 2.4, 3.6], [1.0, .nan, -.inf]]
    targets: [1, 0]
    dtypes: [float64, float32]
"""
TOPICS = [name.removeprefix("list-") for name in DOCUMENTS if name.startswith("list-")]


class Verbs:
    """The command line in this process; JSON is read from standard output."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd

    def __call__(self, *arguments: object) -> str:
        self.capfd.readouterr()
        assert main([str(each) for each in arguments]) in (0, 1, 2, 3)
        return self.capfd.readouterr().out

    def json(self, *arguments: object) -> Any:
        return json.loads(self(*arguments))


@pytest.fixture
def verb(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verbs:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(CASES, encoding="utf-8")
    return Verbs(capfd)


def held(document: Any, schema: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("topic", TOPICS)
def test_lists(verb: Verbs, topic: str) -> None:
    rows = verb.json("list", topic, "--format", "json")
    assert rows
    held(rows, verb.json("list", topic, "--schema"))


def test_a_run_and_its_outcomes(verb: Verbs) -> None:
    run = verb.json("run", "-b", "numpy", "--cases", "small.yaml", "--output", "out", "--format", "json",
                    "-q", "--no-identities")  # fmt: skip
    held(run, verb.json("run", "--schema"))
    of_a_line = verb.json("run", "--schema", "outcomes")
    lines = [json.loads(line) for line in Path("out/outcomes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["record"] for line in lines} == {"header", "backend", "outcome", "footer"}
    for line in lines:
        held(line, of_a_line)
    wrong = {**next(line for line in lines if line["record"] == "outcome"), "verdict": "fine"}
    with pytest.raises(jsonschema.ValidationError):
        held(wrong, of_a_line)


def test_what_is_to_be_mended(verb: Verbs) -> None:
    Path("bad.yaml").write_text(CASES.replace("op:", "opp:"), encoding="utf-8")
    found = verb.json("lint", "bad.yaml", "--format", "json")
    assert found
    held(found, verb.json("lint", "--schema"))


def test_a_smoke_test(verb: Verbs) -> None:
    Path("broken.py").write_text("raise RuntimeError\n", encoding="utf-8")
    found = verb.json("smoke", "-b", "numpy", "-b", "broken.py", "--format", "json")
    assert {"error" in each for each in found} == {True, False}
    held(found, verb.json("smoke", "--schema"))


def test_an_explanation(verb: Verbs) -> None:
    found = verb.json("explain", "plain", "-b", "numpy", "--cases", "small.yaml", "--format", "json")
    assert found["backends"][0]["outcomes"]
    held(found, verb.json("explain", "--schema"))


def test_the_schema_of_a_badge(verb: Verbs) -> None:
    held({"schemaVersion": 1, "label": "a", "message": "b", "color": "red"}, verb.json("report", "--schema"))


def test_times_and_their_comparison_and_history(verb: Verbs) -> None:
    options = {"workloads": {"w": (64, 100)}, "rounds": 3}
    for number, name in enumerate(("old", "new")):
        synthetic.write(Path(name), seed=number, started=f"2026-03-0{number + 1}T10:00:00Z", **options)
    verb("run", "-b", "numpy", "--cases", "small.yaml", "--output", "both", "-q", "--no-identities")
    synthetic.write(Path("both"), seed=3, **options)
    of_diff = verb.json("diff", "--schema")
    alone, whole = (verb.json("diff", *pair, "--format", "json") for pair in (("old", "new"), ("both", "both")))
    assert set(alone) == {"regressed", "speed"} and whole["speed"]["rows"] and whole["compared"]
    held(alone, of_diff)
    held(whole, of_diff)
    verb("history", "add", "old", "new", "both", "--db", "h.duckdb")
    history = verb.json("history", "show", "--db", "h.duckdb", "--format", "json")
    assert history["times"] and history["verdicts"]
    held(history, verb.json("history", "show", "--schema"))


def test_a_benchmark_run(verb: Verbs) -> None:
    Path("w.yaml").write_text("workloads:\n  - {id: two, why: small, shape: [2, 3], contracts: [forward]}\n")
    rows = verb.json("bench", "-b", "numpy", "--workloads", "w.yaml", "--replicates", 1, "--budget", 0.002,
                     "--output", "b", "--format", "json", "-q")  # fmt: skip
    assert rows[0]["workload"] == "two"
    held(rows, verb.json("bench", "--schema"))
    of_info = verb.json("bench", "--schema", "benchmarks")
    for entry in json.loads(Path("b/benchmarks.json").read_text(encoding="utf-8"))["benchmarks"]:
        held(entry["extra_info"], of_info)
    assert {"benchmarks.md", "benchmarks.html", "benchmarks"} <= {each.name for each in Path("b").iterdir()}


def test_a_schema_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--schema", "pictures"]) == 2
    assert "outcomes" in capfd.readouterr().err
