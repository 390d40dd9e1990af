"""Vectors there and back: what is written is what the judge holds results against, in another language too."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.cases.expand import expand
from conformance.cases.load import load_suite
from conformance.oracle.text import expected_text
from conformance.results.store import read_run
from conformance.vectors.tensors import Store
from tests.support.cli import Run, write

CASES = """\
theme: small
cases:
  - id: both
    why: labels of two rows, weighted
    op: cross_entropy
    logits: [[1.2, 2.4, 3.6], [0.5, -.inf, 1.0]]
    targets: [1, 0]
    weight: [1.0, 0.5, 2.0]
    transforms: [forward-mode, second-order, vectorised-map, second-backward]
    layouts: [transposed]
    dtypes: [float64, float32, bfloat16]
  - id: last
    why: probabilities along the last of three axes
    op: softmax
    logits: [[[0.5, 0.25], [2.0, -1.0]]]
    axis: -1
    dtypes: [float32]
  - id: outside
    why: a label that is not a class
    op: nll_loss
    log_probabilities: [[-0.5, -1.0]]
    targets: [2]
    expect: {error: a label is out of range}
    policy: label-out-of-range
    reductions: [none, mean]
    dtypes: [float32]
"""
#: Beyond the bound of every default class.
OFF = 1.0
#: What the vectors ask for.
KEYS = {"value", "gradient", "jvp", "hvp"}


@pytest.fixture
def vectors(conformance: Run, tmp_path: Path) -> list[dict[str, Any]]:
    """The vectors of ``CASES``, all numbers in the JSON."""
    write(tmp_path / "small.yaml", CASES)
    ran = conformance("export", "vectors", "--cases", "small.yaml", "--tensors", "json", "--output", "v")
    assert ran.code == 0 and "small: " in ran.err and "index.json" in ran.out
    found = json.loads((tmp_path / "v/small.json").read_text(encoding="utf-8"))
    assert found["tensors"] is None
    return found["vectors"]


def answered(vectors: list[dict[str, Any]], wrong: bool = False) -> None:
    """Write the exact results, as a kernel would; ``wrong``: a number of what is asked for first is off by ``OFF``."""
    lines = []
    for vector in vectors:
        line: dict[str, Any] = {"id": vector["id"]}
        if vector["answer"] == "error":
            line["error"] = "refused"
        for name, expected in vector["expected"].items():
            numbers = list(expected["exact"]["data"])
            if wrong and name == vector["asks"][0]:
                numbers[0] = float(numbers[0]) + OFF
            line[name] = numbers
        lines.append(json.dumps(line))
    Path("r.jsonl").write_text("\n".join(lines), encoding="utf-8")


def judged(conformance: Run, *words: object) -> tuple[int, dict[tuple[str, str, str], str], str]:
    """The exit code, the verdicts by case, dtype/reduction and check, and standard error."""
    ran = conformance(
        "judge", "r.jsonl", "--vectors", "v", "--cases", "small.yaml", "--output", "out", "--replace", *words
    )
    run = read_run("out")
    return ran.code, {(o.case, f"{o.dtype}/{o.reduction}", o.check): o.verdict for o in run.outcomes}, ran.err


def test_the_exact_results_pass(vectors: list[dict[str, Any]], conformance: Run) -> None:
    assert len({each["id"] for each in vectors}) == len(vectors) == 3 * 3 * 3 + 1 + 2
    assert {name for each in vectors for name in each["expected"]} == KEYS
    answered(vectors)
    code, verdicts, err = judged(conformance, "--name", "mine")
    assert code == 0 and "no result" not in err
    assert {*verdicts.values()} == {"pass"}
    checks = Counter(check for _, _, check in verdicts)
    assert checks["forward-mode"] == checks["second-order"] == 9 and checks["error"] == 2
    assert not {"unmodified", "repeatable"} & {*checks}  # which nobody has seen
    run = read_run("out")
    assert run.backends["mine"].id.version == "" and run.counts == {"pass": len(verdicts)}


def test_results_that_are_missing_without_a_word_have_not_passed(
    vectors: list[dict[str, Any]], conformance: Run
) -> None:
    """A file that was cut behind a line, or holds no gradients, is right as far as it goes."""
    answered(vectors)
    lines = [json.loads(line) for line in Path("r.jsonl").read_text(encoding="utf-8").splitlines()]
    without = [{name: each for name, each in line.items() if name != "gradient"} for line in lines]
    excused = [line | {"unsupported": "no gradients"} if "value" in line else line for line in without]
    for given, expected in ((lines[:-1], 3), (without, 3), (excused, 0)):
        Path("r.jsonl").write_text("\n".join(map(json.dumps, given)), encoding="utf-8")
        code, verdicts, _ = judged(conformance)
        assert code == expected and "fail" not in verdicts.values()


def test_each_wrong_result_is_found_by_its_bound(vectors: list[dict[str, Any]], conformance: Run) -> None:
    """What is asked for first is wrong in every vector: these checks fail, and no gradient that is right."""
    answered(vectors, wrong=True)
    code, verdicts, _ = judged(conformance)
    checks = {None: "value", "forward-mode": "forward-mode", "second-order": "second-order"}
    for vector in vectors:
        if vector["answer"] == "error":
            continue
        first = vector["expected"][vector["asks"][0]]
        assert float(first["bounds"]["D" if vector["dtype"] == "bfloat16" else "B"]["data"][0]) < OFF
        name = (vector["case"], f"{vector['dtype']}/{vector['reduction']}")
        assert verdicts[*name, checks[vector["transform"]]] == "fail", vector["id"]
        assert vector["transform"] or verdicts.get((*name, "gradient"), "pass") == "pass"
    assert code == 1


def test_bounds_and_truth_are_those_of_a_run(vectors: list[dict[str, Any]], conformance: Run) -> None:
    """The worst element of NumPy's results, as ``run`` records it."""
    assert (
        conformance("run", "-b", "numpy", "--cases", "small.yaml", "--no-identities", "-q", "--output", "n").code == 0
    )
    by_id = {each["id"]: each for each in vectors}
    held = 0
    for each in read_run("n").outcomes:
        if each.check not in ("value", "gradient") or not each.ulp:
            continue
        expected = by_id[f"{each.case}/{each.dtype}/{each.reduction}"]["expected"][each.check]
        pairs = list(zip(expected["exact"]["data"], expected["bounds"][each.declared]["data"], strict=True))
        assert any(
            np.isclose(float(exact), float(each.expected), rtol=1e-12, atol=0) and float(bound) == float(each.bound)
            for exact, bound in pairs
        )
        held += 1
    assert held > 10


def test_policies_stand_beside_the_answer(vectors: list[dict[str, Any]], conformance: Run) -> None:
    (vector,) = [each for each in vectors if each["id"] == "outside/float32/none"]
    answers = {each["value"]: each for each in vector["policies"]}
    assert vector["answer"] == "error" and vector["policies"][0]["policy"] == "label-out-of-range/above"
    assert answers["nan"]["expected"]["value"]["exact"]["data"] == ["NaN"]
    assert answers["clamps"]["expected"]["value"]["exact"]["data"] == [1.0]
    assert answers["raise"]["answer"] == "error"
    answered(vectors)
    lines = [json.loads(line) for line in Path("r.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["id"].startswith("outside"):
            del line["error"]
            line["value"] = ["NaN"]
    Path("r.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert judged(conformance)[1]["outside", "float32/none", "error"] == "fail"
    write(
        Path("mine.profile.yaml"),
        "backend: mine\npolicies:\n  label-out-of-range: {value: nan, documentation: undocumented}\n",
    )
    code, verdicts, _ = judged(conformance, "--name", "mine", "--profile", "mine.profile.yaml")
    assert code == 0 and verdicts["outside", "float32/none", "error"] == "deviation"


DECLARED = """\
theme: small
cases:
  - id: reduced
    why: the shape of the value is that of the declared reduction
    op: cross_entropy
    logits: [[[1.2, 2.4, 3.6], [0.5, 2.0, 1.0]], [[0.5, 1.0, 1.0], [2.0, 0.0, -1.0]]]
    targets: [[1, 0], [2, 1]]
    axis: -1
    policy: default-reduction
    reductions: [default]
    dtypes: [float32]
  - id: wider
    why: the loss has the dtype of the probabilities
    op: cross_entropy
    logits: [[0.5, -1, 2], [1, 0, -1]]
    targets: [[0.2, 0.3, 0.5], [0.1, 0.7, 0.2]]
    target_dtype: float32
    policy: mixed-dtype-result
    reductions: [none]
    dtypes: [float16]
"""


def test_results_have_the_shape_and_dtype_that_the_profile_declares(conformance: Run, tmp_path: Path) -> None:
    """Though they are stated as one list of numbers: those that the vectors hold for the declared policies."""
    write(tmp_path / "small.yaml", DECLARED)
    policies = {"default-reduction": "none", "mixed-dtype-result": "promoted"}
    lines = [f"  {name}: {{value: {value}, documentation: undocumented}}\n" for name, value in policies.items()]
    write(tmp_path / "mine.profile.yaml", f"backend: mine\npolicies:\n{''.join(lines)}")
    assert conformance("export", "vectors", "--cases", "small.yaml", "--tensors", "json", "--output", "v").code == 0
    answers = []
    for vector in json.loads(Path("v/small.json").read_bytes())["vectors"]:
        declared = [each for each in vector["policies"] if policies[each["policy"].partition("/")[0]] == each["value"]]
        found = declared[0].get("expected") or vector["expected"]
        answers.append({"id": vector["id"]} | {name: each["exact"]["data"] for name, each in found.items()})
    Path("r.jsonl").write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    code, verdicts, _ = judged(conformance, "--profile", "mine.profile.yaml")
    assert code == 0 and {"deviation", "pass"} == {*verdicts.values()}
    code, verdicts, _ = judged(conformance)
    assert code == 1 and verdicts["reduced", "float32/default", "value"] == "fail"


def test_shapes_refusals_and_gaps(vectors: list[dict[str, Any]], conformance: Run) -> None:
    lines = [
        {"id": "last/float32/none", "value": [[0.5, 0.5]]},
        {"id": "both/float32/mean", "unsupported": "no weights"},
        {"id": "both/float32/sum", "error": "no weights"},
        {"id": "both/float64/none", "value": [1.0]},
        {"id": "both/float64/sum", "value": 1.0, "unsupported": "no gradients"},
        {"id": "both/float64/mean", "value": 1.0, "error": "no gradients"},
        {"id": "outside/float32/mean", "value": 1},
    ]
    Path("r.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    code, verdicts, err = judged(conformance)
    assert code == 1 and "23 of 30 vectors have no result" in err
    assert verdicts["last", "float32/none", "value"] == "fail"
    assert verdicts["both", "float32/mean", "value"] == "unsupported"
    assert verdicts["both", "float32/sum", "value"] == "fail"
    assert verdicts["both", "float64/none", "value"] == "fail"
    assert verdicts["both", "float64/none", "gradient"] == "not run"
    assert verdicts["both", "float64/sum", "gradient"] == "unsupported"
    assert verdicts["both", "float64/mean", "gradient"] == "fail"
    assert verdicts["outside", "float32/mean", "error"] == "fail"
    assert verdicts["both", "bfloat16/mean", "value"] == "not run"


def test_vectors_of_other_cases_are_refused(vectors: list[dict[str, Any]], conformance: Run, tmp_path: Path) -> None:
    answered(vectors)
    write(tmp_path / "small.yaml", CASES.replace("2.4", "2.5"))
    ran = conformance("judge", "r.jsonl", "--vectors", "v", "--cases", "small.yaml", "--output", "out")
    assert ran.code == 2 and "other cases" in ran.err and "hint: " in ran.err and not Path("out").exists()
    for text in ("{", "[]", '{"format": 2, "suite": "", "tensors": "raw", "themes": {}, "cases": {}, "digests": []}'):
        Path("v/index.json").write_text(text, encoding="utf-8")
        ran = conformance("judge", "r.jsonl", "--vectors", "v", "--cases", "small.yaml", "--output", "out")
        assert ran.code == 2 and "index.json" in ran.err and "hint: " in ran.err


def test_a_selection_is_known_again_and_policies_may_move_the_axis(conformance: Run, tmp_path: Path) -> None:
    """The quick selection has an order of its own, and cases that leave the class axis to the framework."""
    assert conformance("export", "vectors", "--quick", "--output", "v", "-k", "dim-semantics or shapes", "-q").code == 0
    index = json.loads(Path("v/index.json").read_text(encoding="utf-8"))
    assert sum(index["themes"].values()) > 10
    Path("r.jsonl").write_text("", encoding="utf-8")
    ran = conformance("judge", "r.jsonl", "--vectors", "v", "--output", "out")
    assert ran.code == 3 and "vectors have no result" in ran.err


def test_what_is_selected_and_what_is_left_out(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "small.yaml", CASES)
    some = ("export", "vectors", "--cases", "small.yaml")
    ran = conformance(*some, "--op", "softmax", "--output", "a")
    assert ran.code == 0 and json.loads(Path("a/index.json").read_text(encoding="utf-8"))["cases"] == {
        "last": ["float32"]
    }
    ran = conformance(*some, "--dtype", "float64", "--max-numbers", 3, "--output", "b")
    left = json.loads(Path("b/index.json").read_text(encoding="utf-8"))["left_out"]
    assert ran.code == 0 and left == [{"case": "both", "dtype": "float64", "reason": "holds more than 3 numbers"}]
    assert {*json.loads(Path("b/index.json").read_text(encoding="utf-8"))["cases"]} == set()
    ran = conformance("export", "vectors", "--cases", write(tmp_path / "i.yaml", CASES.replace("small", "index")),
                      "--output", "d")  # fmt: skip
    assert ran.code == 2 and "a theme called index" in ran.err
    ran = conformance(*some, "-k", "nothing", "--output", "c")
    assert ran.code == 2 and "no case is selected" in ran.err


def test_nothing_is_left_of_an_earlier_export(conformance: Run, tmp_path: Path) -> None:
    """Nor is there an index before all is written; what else is in the folder stays, and other folders do, too."""
    write(tmp_path / "small.yaml", CASES)
    write(tmp_path / "other.yaml", CASES.replace("small", "other"))
    write(tmp_path / "mine.json", "{}")
    to_v = ("export", "vectors", "--output", "v", "-q", "--cases")
    assert conformance(*to_v, "small.yaml", "--tensors", "raw").code == 0
    write(tmp_path / "v/notes.txt", "mine")
    index = json.loads(Path("v/index.json").read_bytes())
    index["themes"] |= {"../mine.json": 1, "\0.json": 1}
    Path("v/index.json").write_text(json.dumps(index), encoding="utf-8")
    assert conformance(*to_v, "other.yaml").code == 0
    assert {each.name for each in Path("v").iterdir()} == {"index.json", "notes.txt", "other.json"}
    assert Path("mine.json").exists()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Store, "put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        assert conformance(*to_v, "small.yaml").code == 130
    assert {each.name for each in Path("v").iterdir()} == {"notes.txt"}
    answered([])
    ran = conformance("judge", "r.jsonl", "--vectors", "v", "--output", "out")
    assert ran.code == 2 and "there is no index of vectors" in ran.err and "export vectors" in ran.err
    write(tmp_path / "v/index.json", "[]")
    ran = conformance(*to_v, "small.yaml")
    assert ran.code == 2 and "not an index of vectors" in ran.err and Path("v/index.json").read_text() == "[]"


def test_the_truth_has_all_digits_in_each_dtype(vectors: list[dict[str, Any]]) -> None:
    """The exact values of rounded inputs, to the last bit of a float64."""
    entries = {entry.case.id: entry for entry in load_suite((Path("small.yaml"),)).entries}
    held = 0
    for vector in vectors:
        if vector["answer"] == "error" or vector["transform"]:
            continue
        problem = next(p for p in expand(entries[vector["case"]]).problems if p.dtype == vector["dtype"])
        text = expected_text(problem, vector["reduction"] if problem.takes_targets else "value")
        exact = np.ravel(np.array(text, dtype=object)).astype(np.float64)
        assert exact.tolist() == list(map(float, vector["expected"]["value"]["exact"]["data"])), vector["id"]
        assert vector["expected"]["value"]["radius"] < 1e-17
        held += 1
    assert held == 10
