"""``conformance explain`` shows every number between the logits and the loss, and the reader's own wrong one."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import MINE, WRONG, Run, adapter, process, write

CASES = """\
theme: explained
cases:
  - {id: plain, why: logits need not sum to one, op: cross_entropy, logits: [[1.2, 2.4, 3.6]], targets: [1]}
  - {id: probabilities, why: read as logits, op: cross_entropy, logits: [[0.2, 0.7, 0.1]], targets: [1]}
  - {id: tiny, why: a loss far below the least double, op: cross_entropy, logits: [[1000.0, 0.0]], targets: [0]}
  - id: weighted
    why: the mean divides by the weights of the targets that count
    op: cross_entropy
    logits: [[1.0, 2.0], [3.0, 0.5], [0.0, 0.0], [7.0, .nan]]
    targets: [1, 0, 1, -100]
    weight: [0.25, 4.0]
    ignore_index: -100
  - id: smoothed
    why: every class enters
    op: cross_entropy
    logits: [[1.0, 2.0, 3.0, 4.0]]
    targets: [2]
    label_smoothing: 0.2
  - id: soft
    why: probability targets, one of them 0 at an impossible class
    op: cross_entropy
    logits: [[1.0, 2.0, -.inf]]
    targets: [[0.25, 0.75, 0.0]]
  - {id: nll, why: no softmax inside, op: nll_loss, log_probabilities: [[-0.5, -1.5]], targets: [1]}
  - {id: normal, why: probabilities, op: softmax, logits: [[0.0, 1.0], [2.0, 2.0]], axis: 0}
  - {id: logs, why: log-probabilities, op: log_softmax, logits: [0.0, 0.0]}
  - {id: bare, why: the axis is the framework's to choose,
     op: log_softmax, axis: default, logits: {distribution: ramp, shape: [2, 3, 4]}}
  - {id: refused, why: no tensor,
     op: cross_entropy, logits: [[1, 2]], targets: 1, targets_as: python, expect: {error: it is a number}}
  - {id: beyond, why: label 5 of 2,
     op: cross_entropy, logits: [[1, 2]], targets: [5], policy: label-out-of-range, expect: {error: out of range}}
  - {id: poisoned, why: a NaN logit,
     op: cross_entropy, logits: [[.nan, 1.0], [.inf, 1.0], [-.inf, -.inf]], targets: [0, 0, 0]}
  - id: many
    why: more classes and positions than anyone reads
    op: cross_entropy
    logits: {distribution: uniform, shape: [40, 1000], scale: 5, seed: 1}
    targets: {distribution: labels, seed: 2}
  - {id: vast, why: logits at both ends, op: cross_entropy, logits: [[1e300, -1e300]], targets: [0], dtypes: [float64]}
  - id: lost
    why: smoothing gives the impossible class a share, and nothing outweighs infinity
    op: cross_entropy
    logits: [[0.5, -.inf]]
    targets: [0]
    label_smoothing: 0.1
  - {id: far, why: a common offset, op: cross_entropy, logits: [[1e8, 1e8]], targets: [1]}
  - {id: huge, why: too large to be read,
     op: softmax, logits: {distribution: uniform, shape: [4]}, budget: {memory: 8000000000}}
  - {id: narrow, why: beyond half precision, op: softmax, logits: [1e5, 0]}
"""


@pytest.fixture
def explain(conformance: Run, tmp_path: Path) -> Run:
    file = write(tmp_path / "explained.yaml", CASES)
    return lambda *arguments: conformance("explain", *arguments, "--cases", file)


def steps(explained: Any, position: int = 0) -> dict[str, list[str]]:
    """Label to numbers, of one position."""
    return {each["label"]: each["values"] for each in explained["derivation"]["positions"][position]["steps"]}


def results(explained: Any) -> dict[str, list[str]]:
    return {each["reduction"]: each["exact"] for each in explained["derivation"]["results"]}


def mistakes(explained: Any) -> dict[str, float]:
    """Name to the first number, of common mistakes."""
    return {each["name"]: float(each["values"][0]) for each in explained["mistakes"]["results"]}


def near(values: list[str], *wanted: float) -> None:
    assert [float(each) for each in values] == pytest.approx(wanted, rel=1e-9)


def test_every_line_of_the_tutorials_example(explain: Run) -> None:
    ran = explain("plain")
    assert (ran.code, ran.err) == (0, "") and "\x1b" not in ran.out
    lines = [re.sub(r" {2,}", " | ", line.strip()) for line in ran.out.splitlines()]
    for line in (
        "cross_entropy of float64 logits of shape 1×3; classes along axis 1 (stated); 1 position of 3 classes",
        "position 0, target 1",
        "class 0 | class 1 | class 2",
        "input | x | 1.2 | 2.4 | 3.6",
        "max | a = max x | 3.6",
        "exp | e^(x − a) | 0.09071795329 | 0.3011942119 | 1",
        "sum | s = Σ e^(x − a) | 1.391912165",
        "log | ln s | 0.3306784602 | (the natural logarithm, to base e)",
        "log_softmax | ln p = (x − a) − ln s | -2.730678460 | -1.530678460 | -0.3306784602",
        "pick | −log_softmax[1] | 1.530678460 | (only the target's class enters the loss)",
        "mean | 1.5306784602098737",
        "2.2083022 | logarithm to base 2",
        "0.66476521 | logarithm to base 10",
        "1.2561185 | softmax applied twice (the logits had been through softmax already)",
    ):
        assert line in lines, (line, ran.out)


def test_columns_start_below_each_other(explain: Run) -> None:
    rows = [line for line in explain("plain").out.splitlines() if re.match(r"  (input|exp|log_softmax|shift) ", line)]
    columns = [[match.start() for match in re.finditer(r"(?<= {2})\S|(?<=^ {2})\S", row)][:5] for row in rows]
    assert len(rows) == 4 and all(each == columns[0] for each in columns)


def test_probabilities_given_as_logits(explain: Run) -> None:
    found = explain("probabilities", "--format", "json").json
    assert results(found)["mean"] == ["0.76794954890362488"]
    assert mistakes(found)["−ln of the input, as if it were a probability"] == pytest.approx(-math.log(0.7), rel=1e-7)
    assert "−ln of the input, as if it were a probability" not in mistakes(explain("plain", "--format", "json").json)


def test_rounding_to_the_dtype_is_shown_where_it_changed_something(explain: Run) -> None:
    found = steps(explain("plain", "--dtype", "float16", "--format", "json").json)
    assert found["as written"] == ["1.2", "2.4", "3.6"] and found["in float16"] == [
        "1.2001953125",
        "2.400390625",
        "3.599609375",
    ]
    assert "as written" not in steps(explain("nll", "--dtype", "float16", "--format", "json").json)
    (result,) = explain("plain", "--dtype", "float32", "--reduction", "sum", "--format", "json").json["derivation"][
        "results"
    ]
    assert result["nearest"] == ["1.5306783"] and result["exact"] == ["1.5306783200712696"]


def test_digits_far_below_the_least_double(explain: Run) -> None:
    found = explain("tiny", "--format", "json").json
    assert results(found)["mean"] == ["5.0759588975494568e-435"] and steps(found)["exp"] == ["1", "5.075958898e-435"]
    assert explain("vast").code == 0 and "< 1e-20000" in explain("vast").out


def test_weights_ignored_positions_and_the_denominator(explain: Run) -> None:
    found = explain("weighted", "--format", "json").json
    losses = [4 * math.log1p(math.exp(-1)), 0.25 * math.log1p(math.exp(-2.5)), 4 * math.log(2), 0]
    near(results(found)["none"], *losses)
    near(results(found)["mean"], sum(losses) / 8.25)
    near(steps(found)["weight"], losses[0])
    assert found["derivation"]["count"] == 4 and len(found["derivation"]["positions"]) == 3
    text = explain("weighted").out
    assert "… and 1 more position, derived in the same way" in text
    assert "W = Σ w[target] over all positions but the 1 ignored = 8.25" in text
    wrong = mistakes(found)  # the NaN of the ignored position must not drown them
    assert wrong["mean over N, all positions"] == pytest.approx(sum(losses) / 4, rel=1e-7)
    assert wrong["weight left out"] == pytest.approx((losses[0] / 4 + losses[1] * 4 + losses[2] / 4) / 3, rel=1e-7)


def test_an_ignored_position_says_so(explain: Run, tmp_path: Path, conformance: Run) -> None:
    file = write(
        tmp_path / "ignored.yaml",
        "theme: t\ncases:\n- {id: it, why: w, op: cross_entropy, logits: [[1, 2], [3, 4]], targets: [-1, 0], "
        "ignore_index: -1}\n",
    )
    ran = conformance("explain", "it", "--cases", file)
    assert "the target is ignore_index (-1): the position counts for nothing" in ran.out
    found = conformance("explain", "it", "--cases", file, "--format", "json").json
    near(results(found)["mean"], math.log1p(math.e))
    assert mistakes(found)["mean over N, all positions"] == pytest.approx(math.log1p(math.e) / 2, rel=1e-7)


def test_label_smoothing_and_its_coefficients(explain: Run) -> None:
    found = explain("smoothed", "--format", "json").json
    total = math.log(sum(math.exp(x) for x in (1, 2, 3, 4)))
    terms = [a * (total - x) for a, x in zip((0.05, 0.05, 0.85, 0.05), (1, 2, 3, 4), strict=True)]
    near(steps(found)["coefficients"], 0.05, 0.05, 0.85, 0.05)
    near(steps(found)["terms"], *terms)
    near(steps(found)["loss"], sum(terms))
    assert "a = (1 − 0.2) [c = 2] + 0.2/4" in explain("smoothed").out
    off = [0.2 / 3 * (total - x) for x in (1, 2, 4)] + [0.8 * (total - 3)]
    assert mistakes(found)["ε shared by the other C − 1 classes"] == pytest.approx(sum(off), rel=1e-7)
    assert mistakes(found)["label smoothing left out"] == pytest.approx(total - 3, rel=1e-7)


def test_probability_targets(explain: Run) -> None:
    found = explain("soft", "--format", "json").json
    assert steps(found)["coefficients"] == ["0.25", "0.75", "0"] and steps(found)["terms"][2] == "0"
    near(results(found)["mean"], math.log1p(math.e) - 0.75)
    text = explain("soft").out
    assert "0 · ln 0 = 0" in text and "W = N, the number of positions (probability targets)" in text


def test_an_infinite_loss(explain: Run) -> None:
    found = explain("lost", "--format", "json").json
    assert results(found) == {"none": ["inf"], "sum": ["inf"], "mean": ["inf"]} and steps(found)["loss"] == ["inf"]


def test_the_other_operations(explain: Run) -> None:
    nll = explain("nll", "--format", "json").json
    assert steps(nll) == {"input": ["-0.5", "-1.5"], "pick": ["1.5"]} and results(nll)["mean"] == ["1.5"]
    normal = explain("normal", "--format", "json").json
    near(
        results(normal)["none"],
        1 / (1 + math.e**2),
        1 / (1 + math.e),
        math.e**2 / (1 + math.e**2),
        math.e / (1 + math.e),
    )
    near(steps(normal)["softmax"], 1 / (1 + math.e**2), math.e**2 / (1 + math.e**2))
    assert mistakes(normal)["classes along axis 1"] == pytest.approx(1 / (1 + math.e))
    logs = explain("logs", "--format", "json").json
    near(results(logs)["none"], -math.log(2), -math.log(2))
    assert "the only position" in explain("logs").out


def test_which_axis_each_policy_picks(explain: Run) -> None:
    text = re.sub(r" +", " ", explain("bare").out)
    assert "the axis is left to the framework; for rank 3" in text
    assert "policy 1 (normative) axis 1 declared by numpy" in text and "policy -1 axis 2 declared by" in text
    assert "policy implicit axis 0 declared by loss_parallel, torch" in text and "policy all the whole array" in text


def test_calls_that_must_raise(explain: Run) -> None:
    for case, why in (("refused", "it is a number"), ("beyond", "out of range")):
        text = explain(case).out
        assert f"the call must raise\n  {why}\n" in text and "exact result" not in text and "mistakes" not in text
    assert re.search(
        r"a matter of policy: label-out-of-range\n(  .*\n)*  torch +raise  +https://", explain("beyond").out
    )


def test_special_rows_say_why(explain: Run) -> None:
    text = explain("poisoned", "--reduction", "none").out
    assert "a logit is NaN" in text and "inf − inf has no value" in text and "every logit is −inf" in text
    assert "[nan, nan, nan]" in text


def test_many_classes_and_positions_are_summarised(explain: Run) -> None:
    ran = explain("many", "--reduction", "mean")
    assert "… and 37 more positions" in ran.out and ran.out.count("\n") < 70
    assert max(map(len, ran.out.splitlines())) < 260
    found = explain("many", "--format", "json").json["derivation"]
    assert len(found["classes"]) == 8 and {int(each["target"]) for each in found["positions"]} <= set(found["classes"])
    assert found["results"][0]["more"] == 32


def test_what_goes_wrong_inside(explain: Run) -> None:
    found = mistakes(explain("far", "--dtype", "float32", "--format", "json").json)
    assert found["(a + ln s) − x in float32"] == 0 and math.isnan(found["exp without the shift, in float32"])


def test_what_a_backend_gave(explain: Run, tmp_path: Path) -> None:
    ran = explain("plain", "-b", "numpy", "--dtype", "float32", "--reduction", "mean")
    assert ran.code == 0
    row = re.search(r"  mean +value +1\.530678\d +(0\.\d+) +A +pass\n", ran.out)
    assert row and float(row[1]) <= 0.5
    found = explain("normal", "-b", "numpy", "-b", adapter(tmp_path, WRONG), "--format", "json")
    assert found.code == 1
    sound, wrong = found.json["backends"]
    assert {each["verdict"] for each in sound["outcomes"]} == {"pass"}
    (value,) = [each for each in wrong["outcomes"] if each["check"] == "value"]
    assert value["verdict"] == "fail" and value["class"] == "F" and wrong["gave"]["none value"].startswith("[")
    assert "instead of" in explain("normal", "-b", adapter(tmp_path, WRONG)).out


def test_what_a_backend_raised(explain: Run) -> None:
    ran = explain("refused", "-b", "numpy", "--reduction", "mean")
    assert ran.code == 0 and re.search(r"  mean +error +raised TypeError +pass\n +TypeError: ", ran.out)


def test_a_policy_that_is_observed_has_its_name(explain: Run, tmp_path: Path) -> None:
    clamping = write(
        tmp_path / "clamping.py",
        "from conformance.backends.adapters.numpy import Numpy\n"
        "class Clamping(Numpy):\n"
        "    def cross_entropy(self, logits, targets, **options):\n"
        "        return super().cross_entropy(logits, targets.clip(0, logits.shape[1] - 1), **options)\n",
    )
    ran = explain("beyond", "-b", clamping, "--reduction", "sum")
    assert ran.code == 1 and re.search(r"  sum +policy label-out-of-range/above +fail\n +observed clamps", ran.out)


def test_a_backend_that_cannot_start(explain: Run, tmp_path: Path) -> None:
    broken = write(tmp_path / "broken.py", "import nothing_of_that_name\n")
    ran = explain("plain", "-b", broken)
    assert (
        ran.code == 3
        and "broken.py did not run" in ran.out
        and "nothing_of_that_name" in ran.out
        and "Traceback" not in ran.out
    )
    assert explain("plain", "-b", broken, "-b", "numpy").code == 0


@pytest.mark.parametrize(
    ("arguments", "problem", "hint"),
    [
        (("plane",), "there is no case 'plane'", "did you mean plain"),
        (("zzz",), "there is no case 'zzz'", "`conformance list cases` shows the ids; --cases names"),
        (("plain", "--dtype", "fp32"), "unknown dtype 'fp32'", "did you mean 'float32'"),
        (("normal", "--reduction", "mean"), "softmax has no reduction", "leave out --reduction"),
        (("huge",), "needs 7.5 GiB", "explain a smaller case"),
        (("narrow", "--dtype", "float16"), "beyond float16's range", "name another --dtype"),
        (("plain", "-b", "nunpy"), "there is no backend 'nunpy'", "did you mean numpy"),
    ],
)
def test_what_cannot_be_explained(explain: Run, arguments: tuple[str, ...], problem: str, hint: str) -> None:
    ran = explain(*arguments)
    assert (ran.code, ran.out) == (2, "") and problem in ran.err and f"hint: {hint}" in ran.err


def test_a_mistake_that_a_backend_makes_bears_its_name(explain: Run, tmp_path: Path) -> None:
    head = MINE.partition("    def softmax")[0]
    body = "        return super().log_softmax(logits, axis=axis) / np.log(2)\n"
    mine = write(tmp_path / "mine.py", f"{head}    def log_softmax(self, logits, *, axis):\n{body}")
    arguments = ("logs", "-b", mine, "-b", "numpy", "--dtype", "float64")
    marked = [line for line in explain(*arguments).out.splitlines() if "←" in line]
    assert [re.split(" {2,}", line)[-2:] for line in marked] == [["logarithm to base 2", "← what mine gave"]]
    backends = explain(*arguments, "--format", "json").json["backends"]
    assert [each["mistakes"] for each in backends] == [["logarithm to base 2"], []]


def test_as_a_process(tmp_path: Path) -> None:
    write(tmp_path / "explained.yaml", CASES)
    ran = process("explain", "logs", "--cases", "explained.yaml", "--format", "json", folder=tmp_path)
    assert (ran.code, ran.err) == (0, "") and ran.json["derivation"]["case"] == "logs"


def test_another_layout_of_the_operands(conformance: Run, tmp_path: Path) -> None:
    cases = write(tmp_path / "explained.yaml", CASES)
    ran = conformance("explain", "normal", "-b", "numpy", "--cases", cases, "--layout", "logits=padded+upstream=sliced")
    assert ran.code == 0
    assert "  logits in memory: padded, rows that are dense" in ran.out and "  upstream in memory: sliced" in ran.out
    ran = conformance("explain", "normal", "--cases", cases, "--layout", "paded")
    assert ran.code == 2 and "unknown layout 'paded'" in ran.err
    ran = conformance("explain", "normal", "--cases", cases, "--layout", "weight=sliced")
    assert ran.code == 2 and "the case has no array of weight" in ran.err
