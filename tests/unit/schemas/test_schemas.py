"""Every JSON that a verb writes holds to the schema that the verb prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.places import ROOT
from conformance.schemas.registry import DOCUMENTS
from tests.support import benchmarks as synthetic
from tests.support.cli import Run, write

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


@pytest.fixture
def verb(conformance: Run, tmp_path: Path) -> Run:
    """The command line in a folder with a small case file; ``.json`` of what it returns is standard output."""
    write(tmp_path / "small.yaml", CASES)
    return conformance


def require_valid(document: Any, schema: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("topic", TOPICS)
def test_lists(verb: Run, topic: str) -> None:
    rows = verb("list", topic, "--format", "json").json
    assert rows
    require_valid(rows, verb("list", topic, "--schema").json)


def test_a_run_and_its_outcomes(verb: Run) -> None:
    run = verb("run", "-b", "numpy", "--cases", "small.yaml", "--output", "out", "--format", "json",
                    "-q", "--no-identities").json  # fmt: skip
    require_valid(run, verb("run", "--schema").json)
    of_a_line = verb("run", "--schema", "outcomes").json
    lines = [json.loads(line) for line in Path("out/outcomes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["record"] for line in lines} == {"header", "backend", "outcome", "costs", "block", "footer"}
    for line in lines:
        require_valid(line, of_a_line)
    wrong = {**next(line for line in lines if line["record"] == "outcome"), "verdict": "fine"}
    with pytest.raises(jsonschema.ValidationError):
        require_valid(wrong, of_a_line)


def test_what_is_to_be_corrected(verb: Run) -> None:
    Path("bad.yaml").write_text(CASES.replace("op:", "opp:"), encoding="utf-8")
    found = verb("lint", "bad.yaml", "--format", "json").json
    assert found
    require_valid(found, verb("lint", "--schema").json)


def test_a_smoke_test(verb: Run) -> None:
    Path("broken.py").write_text("raise RuntimeError\n", encoding="utf-8")
    found = verb("smoke", "-b", "numpy", "-b", "broken.py", "--format", "json").json
    assert {"error" in each for each in found} == {True, False}
    require_valid(found, verb("smoke", "--schema").json)


def test_an_explanation(verb: Run) -> None:
    found = verb("explain", "plain", "-b", "numpy", "--cases", "small.yaml", "--format", "json").json
    assert found["backends"][0]["outcomes"]
    require_valid(found, verb("explain", "--schema").json)


def test_vectors_and_their_results(verb: Run) -> None:
    assert verb("export", "vectors", "--cases", "small.yaml", "--output", "v").code == 0
    for file, words in (("small", ()), ("index", ("vectors-index",))):
        require_valid(
            json.loads(Path(f"v/{file}.json").read_text(encoding="utf-8")),
            verb("export", "vectors", "--schema", *words).json,
        )
    require_valid({"id": "plain/float32/mean", "value": [0.5, "NaN"]}, verb("judge", "--schema").json)


def test_the_schema_of_a_badge(verb: Run) -> None:
    badge, schema = {"schemaVersion": 1, "label": "a", "message": "b", "color": "red"}, verb("report", "--schema").json
    require_valid(badge, schema)
    with pytest.raises(jsonschema.ValidationError):
        require_valid({**badge, "color": 3}, schema)


def test_times_and_their_comparison_and_history(verb: Run) -> None:
    options = {"workloads": {"w": (64, 100)}, "rounds": 3}
    for number, name in enumerate(("old", "new")):
        synthetic.write(Path(name), seed=number, started=f"2026-03-0{number + 1}T10:00:00Z", **options)
    verb("run", "-b", "numpy", "--cases", "small.yaml", "--output", "both", "-q", "--no-identities")
    synthetic.write(Path("both"), seed=3, **options)
    of_diff = verb("diff", "--schema").json
    alone, whole = (verb("diff", *pair, "--format", "json").json for pair in (("old", "new"), ("both", "both")))
    assert set(alone) == {"regressed", "speed"} and whole["speed"]["rows"] and whole["compared"]
    require_valid(alone, of_diff)
    require_valid(whole, of_diff)
    verb("history", "add", "old", "new", "both", "--db", "h.duckdb")
    history = verb("history", "show", "--db", "h.duckdb", "--format", "json").json
    assert history["times"] and history["verdicts"]
    require_valid(history, verb("history", "show", "--schema").json)


@pytest.mark.slow
def test_a_benchmark_run(verb: Run) -> None:
    Path("w.yaml").write_text("workloads:\n  - {id: two, why: small, shape: [2, 3], contracts: [forward]}\n")
    rows = verb("bench", "-b", "numpy", "--workloads", "w.yaml", "--replicates", 1, "--budget", 0.002,
                     "--output", "b", "--format", "json", "-q").json  # fmt: skip
    assert rows[0]["workload"] == "two"
    require_valid(rows, verb("bench", "--schema").json)
    of_info = verb("bench", "--schema", "benchmarks").json
    for entry in json.loads(Path("b/benchmarks.json").read_text(encoding="utf-8"))["benchmarks"]:
        require_valid(entry["extra_info"], of_info)
    assert {"benchmarks.md", "benchmarks.html", "benchmarks"} <= {each.name for each in Path("b").iterdir()}


def test_a_schema_that_is_not_there(conformance: Run) -> None:
    ran = conformance("run", "--schema", "pictures")
    assert ran.code == 2 and "outcomes" in ran.err


def test_case_files_have_a_schema_that_can_be_had_anywhere(verb: Run) -> None:
    schema = verb("lint", "--schema", "case-file").json
    assert schema == json.loads((ROOT / "cases" / "schema.json").read_text(encoding="utf-8"))
    require_valid({"theme": "t", "cases": [{"id": "a", "why": "b", "op": "softmax", "logits": [[1, 2]]}]}, schema)
