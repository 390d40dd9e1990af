"""Tests of other projects as case files: nothing of a source is lost, and what is written lints and runs."""

from __future__ import annotations

import sys
from pathlib import Path

import jsonschema
import pytest

from conformance.cases.load import load_suite
from tests.support.cli import Run, process

pytest.importorskip("onnx")


def test_onnx(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("import", "onnx", "--output", tmp_path / "mine", "--max-numbers", 500, "--format", "json")
    assert ran.code == 0, ran
    done = ran.json
    jsonschema.validate(done, conformance("import", "--schema").json)
    import onnx.backend.test.case.node as nodes

    operators = {"Softmax", "LogSoftmax", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}
    tests = {each.name: each for each in nodes._NodeTestCases}
    wanted = {name for name, each in tests.items() if each.model.graph.node[0].op_type in operators}
    wanted |= {name for name in tests if name.partition("_expanded")[0] in wanted}
    named = {each["test"].partition(":")[0] for each in (*done["agreements"], *done["left_out"])}
    assert named == wanted
    assert {each["standing"] for each in done["agreements"]} == {"bound"}
    large = [each["test"] for each in done["left_out"] if each["reason"] == "too large"]
    assert large and all("d1d2" in test for test in large)
    ids = {each["case"] for each in done["agreements"]}
    assert "onnx.sce-mean-weight-ii" in ids and {each["other"] for each in done["left_out"]} <= {*ids, ""}
    entries = load_suite([tmp_path / "mine"]).entries
    assert {entry.case.id for entry in entries} == ids
    for entry in entries:
        source = entry.case.source
        assert source is not None and (source.project, source.license) == ("onnx", "Apache-2.0"), entry.case.id
        assert source.test.partition(":")[0] in tests and source.version == done["versions"]["onnx"]
    assert conformance("lint", tmp_path / "mine").code == 0
    run = conformance(
        "run", "-b", "numpy", "--cases", tmp_path / "mine", "--output", tmp_path / "run", "-q", "--format", "json"
    )
    assert run.code == 0 and {*next(iter(run.json["backends"].values()))} == {"pass"}


def test_one_operation_in_words(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("import", "onnx", "--op", "softmax", "--output", tmp_path / "mine")
    assert ran.code == 0 and [file.name for file in (tmp_path / "mine/onnx").iterdir()] == ["softmax.yaml"]
    assert "operation  within the suite's bound" in ran.out and "5 cases of onnx" in ran.out


def test_a_package_that_is_not_installed(conformance: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    ran = conformance("import", "onnx", "--output", tmp_path / "mine")
    assert ran.code == 2 and "onnx, which is not installed" in ran.err and "[foreign]" in ran.err
    assert not (tmp_path / "mine").exists()


@pytest.mark.framework
@pytest.mark.slow
def test_opinfo(conformance: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    # PyTorch's tests change settings of the process that imports them.
    ran = process("import", "opinfo", "--output", "mine", "--format", "json", folder=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    done = ran.json
    assert len(done["agreements"]) > 100 and {each["op"] for each in done["agreements"]} == {
        "softmax",
        "log_softmax",
        "nll_loss",
        "cross_entropy",
    }
    others = {(each["policy"], each["value"]) for each in done["agreements"] if each["standing"] != "bound"}
    assert others == {("all-minus-infinity", "other")}  # _safe_softmax gives zeros there
    assert {each["reason"] for each in done["left_out"]} == {"same call", "not expressible"}
    assert conformance("lint", tmp_path / "mine").code == 0
    run = conformance(
        "run", "-b", "numpy", "--cases", tmp_path / "mine", "--output", tmp_path / "run", "-q", "--format", "json"
    )
    assert run.code == 0 and {*next(iter(run.json["backends"].values()))} == {"pass"}
