"""Tests of other projects as case files: nothing of a source is lost, and what is written lints and runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
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


def test_tests_that_another_version_may_have(conformance: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not one call as a case has it is named with the reason, and all else is taken."""
    import onnx.backend.test.case.node as nodes
    from onnx import helper

    assert (
        conformance("import", "onnx", "--op", "softmax", "--output", tmp_path / "mine").code == 0
    )  # its tests are made
    plain = next(each for each in nodes._NodeTestCases if each.name == "test_softmax_example")
    x, y = np.array([[1, 2, 3], [0, 0, 5]], np.float32), np.array([0, 2])
    value = np.exp(x) / np.exp(x).sum(1, keepdims=True)

    def test(
        name: str, op: str = "Softmax", inputs: Any = (x,), outputs: Any = (value,), opset: int = 13, more: Any = (),
        domain: str = "", **attributes: Any
    ) -> Any:  # fmt: skip
        names = [f"x{number}" for number in range(len(inputs))]
        made = [helper.make_node(op, names, ["y"], domain=domain, **attributes), *more]
        graph = helper.make_graph(made, name, [], [])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        return replace(plain, name=name, model=model, data_sets=[(list(inputs), list(outputs))])

    loss = {"op": "SoftmaxCrossEntropyLoss", "inputs": (x, y), "outputs": (np.float32(0.7),)}
    odd = [
        (test("test_old", opset=11, axis=1), "opset 11"),
        (test("test_warm", temperature=2.0), "the attribute temperature"),
        (test("test_smooth", **loss, label_smoothing=0.1), "the attribute label_smoothing"),
        (test("test_most", **loss, reduction="max"), "Invalid enum value 'max'"),
        (test("test_two", more=[helper.make_node("Log", ["y"], ["z"])]), "2 nodes"),
        (test("test_theirs", domain="com.example"), "domain com.example"),
        (test("test_nothing", inputs=(), outputs=()), "0 inputs and 0 outputs"),
        (test("test_unnamed", **{**loss, "inputs": (x,)}), "1 inputs"),
        (test("test_integers", inputs=(x.astype(np.int32),)), "numbers of dtype int32"),
        (test("test_axis", axis=7), "axis 7"),
        (test("test_weights", **{**loss, "inputs": (x, y, x[0, :2])}), "weight of shape (2,)"),
        (test("test_deep", inputs=(x.reshape((1,) * 9 + (6,)),)), "rank 8"),
        (test("test_\x1b[31m ü", inputs=(x + 1,)), "matching regex"),
        (test("test_" + "long" * 40, inputs=(x + 2,)), "length <= 120"),
        (test("test_RIGHT", inputs=(x + 3,)), "the id onnx.right of another test"),
    ]
    monkeypatch.setattr(nodes, "_NodeTestCases", [test("test_right"), *(each for each, _ in odd)])
    ran = conformance("import", "onnx", "--output", tmp_path / "odd", "--format", "json")
    assert ran.code == 0, ran.err
    assert [(each["case"], each["standing"]) for each in ran.json["agreements"]] == [("onnx.right", "bound")]
    left = {each["test"]: each for each in ran.json["left_out"]}
    for each, why in odd:
        assert left[each.name]["reason"] == "not expressible" and why in left[each.name]["detail"]
    ran = conformance("import", "onnx", "--output", tmp_path / "odd")
    assert ran.code == 0 and "\x1b" not in ran.out and "1 case of onnx" in ran.out


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
