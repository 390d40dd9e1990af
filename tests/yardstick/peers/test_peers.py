"""The peers' rules on backends whose answers are known, and the page that is made of a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.places import ROOT
from conformance.reports.kills import Kills, WrongBackend, read_kills
from tests.support.cli import process, write
from tests.yardstick.peers.page import peers_text
from tests.yardstick.peers.record import Found, Peers, RuleRecord, ZeroProblem, read_peers, write_peers

KNOWN = """\
from tests.yardstick.kernel import Kernel
from tests.yardstick.wrong import constants, core, gradients

class Zeros(constants.Zeros): "KernelBench's tolerances let its softmax pass."
class FirstMean(constants.MeanOfTheFirstBatch): "The mean of 4,096 random positions hardly varies."
class NoShift(core.NoShift): "Overflows from 88 on: ONNX has logits of 10,000, random ones are small."
class NllOfLogarithm(core.NllLossTakesTheLogarithm): "KernelBench has no nll_loss."
class NllGradient(gradients.NllGradientUnweighted): "Right in value: gradcheck alone differentiates."
class Epsilon(core.SumStartsAtEpsilon): "1e-6 in a sum is within every tolerance."
class Right(Kernel): "Nothing is wrong."
"""


@pytest.mark.yardstick
@pytest.mark.framework
@pytest.mark.slow
def test_the_rules_on_backends_whose_answers_are_known(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    file = write(tmp_path / "known.py", KNOWN)
    ran = process(
        "peers", "--wrong", file, "--jobs", 1, folder=ROOT, program=("-m", "tests.yardstick")
    )  # of its own, for PyTorch's tests change settings of the process that imports them
    assert ran.code == 0, ran
    lines = dict(line.removeprefix("known.").split(": ", 1) for line in ran.out.splitlines() if "known." in line)
    killed = {name: {} if each == "survives" else eval(each) for name, each in lines.items()}
    assert killed["Right"] == killed["Epsilon"] == {}
    assert killed["NoShift"] == {"onnx": "test_softmax_large_number"}
    assert [*killed["NllGradient"]] == ["opinfo-derivatives"] and "gradcheck" in str(killed["NllGradient"])
    assert not [rule for rule in killed["NllOfLogarithm"] if "kernelbench" in rule]
    assert {"onnx", "opinfo-devices", "opinfo-values", "opinfo-derivatives"} <= {*killed["NllOfLogarithm"]}
    assert "kernelbench-0" not in killed["FirstMean"] and "onnx" in killed["FirstMean"]
    assert len(killed["Zeros"]) == 6 and killed["Zeros"]["kernelbench-0"] == "24_LogSoftmax"
    passed = [line for line in ran.out.splitlines() if line.startswith("zeros pass")]
    assert passed == ["zeros pass 23_Softmax of KernelBench 0", "zeros pass 23_Softmax of KernelBench main"]


PEERS = Peers(
    versions={"onnx": "1"},
    rules={
        "values": RuleRecord(title="values of softmax", source="s", ops=["softmax", "log_softmax"], checks=["value"])
    },
    zeros=[ZeroProblem(name="23_Softmax", version="0", inputs="rand(2, 3)", largest=0.1, tolerance=0.2, passes=True)],
    right={"sound.One": Found(), "sound.Two": Found(killed={"values": "test_a"})},
    wrong={
        "a.Killed": Found(killed={"values": "test_a"}, ops=["nll_loss"], checks=["gradient"]),
        "a.Survives": Found(ops=["softmax"], checks=["value", "gradient"]),
        "a.Composite": Found(ops=["nll_loss_of_log_softmax"], checks=["value"]),
        "b.OfAnotherOperation": Found(ops=["nll_loss"], checks=["value"]),
        "b.OfAnotherResult": Found(ops=["softmax"], checks=["gradient"]),
        "b.NotInTheMatrix": Found(),
    },
)


def test_who_is_asked_and_who_is_killed(tmp_path: Path) -> None:
    wrong = {
        name: WrongBackend(defect="d", cases=1, quick=("case", "float32") if name[0] == "a" else None)
        for name in PEERS.wrong
        if name != "b.NotInTheMatrix"
    }
    kills = Kills(cases=1, useful=1, single=0, sole=0, only={}, wrong=wrong, flags={})
    text = peers_text(PEERS, kills)
    assert "| values of softmax | 1 | 20.0 % | 3 | 33.3 % | 1 of 2 |" in text
    assert "| this suite, quick | 3 | 60.0 % | 5 | 60.0 % | 0 of 2 |" in text
    assert "| 23 Softmax | 0 | rand(2, 3) | 0.1 | 0.2 | pass |" in text
    write_peers(PEERS, tmp_path / "peers.json")
    assert read_peers(tmp_path / "peers.json") == PEERS


def test_the_page_of_the_peers_is_that_of_its_data() -> None:
    peers, kills = read_peers(), read_kills()
    if peers is None or kills is None:
        pytest.skip("no record of the peers")
    text = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
    assert text == peers_text(peers, kills), "write it anew: python -m tests.yardstick page"
