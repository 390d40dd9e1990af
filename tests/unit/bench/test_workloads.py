"""Workload files: what they hold, how they are listed to be wrong, and that no case loader takes them for cases."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.bench.inputs import IGNORED_LABEL, load, make, save
from conformance.bench.outputs import sampled_positions
from conformance.bench.workload import Workload
from conformance.bench.workloads import WORKLOADS, lint_workloads, load_workloads, select_workloads
from conformance.cases.load import case_files, load_suite
from conformance.cases.yaml12 import read
from conformance.model.errors import CaseError, CaseErrors
from conformance.places import CASES


def test_the_suites_own_workloads_are_sound() -> None:
    assert lint_workloads([WORKLOADS]) == []
    workloads = load_workloads([WORKLOADS])
    shapes = {each.shape for each in workloads}
    assert {(4096, 1000), (512, 32000), (256, 128256), (8, 21, 128, 128), (1, 10), (32, 1000)} <= shapes
    assert {each.dtype for each in workloads} >= {"float32", "float16", "bfloat16"}
    assert {contract for each in workloads for contract in each.contracts} == {
        "forward",
        "forward+grad",
        "forward-saving",
    }
    assert {each.over for each in workloads} == {None, "classes", "positions"}
    curve = [each for each in workloads if each.over == "classes"]
    assert len({each.elements for each in curve}) == 1 and len({each.classes for each in curve}) == len(curve)
    assert 3 <= len(select_workloads(workloads, None, quick=True)) < len(workloads) / 2


def test_the_schema_accepts_the_files() -> None:
    schema = json.loads((WORKLOADS / "schema.json").read_text(encoding="utf-8"))
    for file in WORKLOADS.glob("*.yaml"):
        jsonschema.validate(read(file), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"workloads": [{"id": "a", "why": "b", "shape": [0]}]}, schema)


def test_no_workload_is_taken_for_a_case() -> None:
    assert not any("benchmarks" in file.parts for file in case_files([CASES]))
    for path in (WORKLOADS, WORKLOADS / "models.yaml"):
        with pytest.raises(CaseError, match="holds workloads, not cases"):
            load_suite([path])


def test_floors() -> None:
    plain = Workload(id="a", why="b", shape=(4, 10), dtype="bfloat16")
    soft = Workload(id="a", why="b", shape=(4, 10), targets="probabilities")
    assert [plain.floor_bytes(each) for each in ("forward", "forward+grad", "forward-saving")] == [80, 160, 80]
    assert [soft.floor_bytes(each) for each in ("forward", "forward+grad")] == [320, 480]


FAULTS = [
    ("[{id: a, why: b, shape: [2, 0]}]", 2, "workloads[0].shape[1]", "expected an integer >= 1"),
    ("[{id: a, why: b, shape: [2, 3], axis: 2}]", 2, "workloads[0].axis", "write one from -2 to 1"),
    ("[{id: a, why: b, shape: [2, 3], contract: [forward]}]", 2, "workloads[0].contract", "did you mean 'contracts'?"),
    (
        "[{id: a, why: b, shape: [2, 3], contracts: [forwards]}]",
        2,
        "workloads[0].contracts[0]",
        "did you mean 'forward'?",
    ),
    ("[{id: a, why: b, shape: [2, 3], contracts: []}]", 2, "workloads[0].contracts", "name at least one"),
    (
        "[{id: a, why: b, shape: [2, 3], dtype: fp32}]",
        2,
        "workloads[0].dtype",
        "one of bfloat16, float16, float32, float64",
    ),
    (
        "[{id: a, why: b, shape: [2, 3], ignored: 0.5, targets: probabilities}]",
        2,
        "workloads[0].ignored",
        "remove the key",
    ),
    ("[{id: a, why: b, shape: [2, 3]}, {id: a, why: b, shape: [2, 3]}]", 2, "workloads[1].id", "the other is"),
    ("[{id: a, why: b}]", 2, "workloads[0]", "write `shape: ...`"),
    ("[{id: a, why: b, shape: [2, 3], series: x}]", 2, "workloads[0].series", "known keys"),
    ("[]\nseries: [{id: a, why: b, over: classes, extents: [2, 3]}]", 3, "series[0]", "write `elements: …`"),
    ("[]\nseries: [{id: a, why: b, over: classes, elements: 8, extents: [2, 3]}]", 3, "series[0].extents", "divide"),
    ("[]\nseries: [{id: a, why: b, over: positions, classes: 8, extents: [2, 2]}]", 3, "series[0].extents", "once"),
    (
        "[{id: a-4x8, why: b, shape: [4, 8]}]\nseries: [{id: a, why: b, over: positions, classes: 8, extents: [2, 4]}]",
        3,
        "series[0].id",
        "the other is",
    ),
    (
        "[]\nseries: [{id: a, why: b, over: positions, classes: 2147483647, extents: [2, 2147483647]}]",
        3,
        "series[0].extents",
        "smaller extents",
    ),
    ("[]", None, "", "write at least one"),
    ("[{id: a, why: b, shape: [2147483647, 2147483647]}]", 2, "workloads[0].shape", "smaller extents"),
]


@pytest.mark.parametrize(("text", "line", "key", "hint"), FAULTS)
def test_a_complaint_has_its_place(tmp_path: Path, text: str, line: int | None, key: str, hint: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"why: mine\nworkloads: {text}\n", encoding="utf-8")
    with pytest.raises(CaseErrors) as caught:
        load_workloads([file])
    place = caught.value.place
    assert place is not None and place.file == file and (place.key or "") == key
    assert line is None or place.line == line
    assert hint in str(caught.value)
    assert len(lint_workloads([file])) == len(caught.value.errors)


@pytest.mark.parametrize(
    "text", ["", "- 1", "workloads: 3", "workloads: [3]", "workloads: [{", "series: {a: 1}", "\x00"]
)
def test_any_text_is_an_error_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CaseErrors, match=r"mine\.yaml"):
        load_workloads([file])


def test_the_arrays(tmp_path: Path) -> None:
    workload = Workload(
        id="a", why="b", shape=(3, 7, 50), dtype="bfloat16", weight=True, ignored=0.5, label_smoothing=0.1
    )
    made = make(workload)
    assert (
        made.logits.shape == (3, 7, 50) and made.logits.dtype.name == "bfloat16" and made.ignore_index == IGNORED_LABEL
    )
    assert made.targets.shape == (3, 50) and 0.3 < (made.targets == IGNORED_LABEL).mean() < 0.7
    assert made.targets.max() < 7 and made.weight is not None and made.weight.shape == (7,)
    save(made, tmp_path)
    found = load(workload, tmp_path)
    for name in ("logits", "targets", "upstream", "weight"):
        assert getattr(found, name).tobytes() == getattr(made, name).tobytes()
        assert getattr(found, name).dtype == getattr(made, name).dtype


def test_probabilities_lie_along_the_class_axis() -> None:
    made = make(Workload(id="a", why="b", shape=(3, 7, 5), targets="probabilities"))
    assert made.targets.shape == (3, 7, 5) and np.allclose(made.targets.sum(axis=1), 1.0)


def test_large_logits_repeat_no_row() -> None:
    logits = make(Workload(id="a", why="b", shape=(1100, 1000))).logits
    assert len({row.tobytes() for row in logits}) == len(logits)


@given(shape=st.tuples(st.integers(1, 600), st.integers(1, 3000)), seed=st.integers(0, 9))
def test_sampled_positions_are_some_and_the_same_again(shape: tuple[int, int], seed: int) -> None:
    workload = Workload(id="a", why="b", shape=shape)
    found = sampled_positions(workload, seed)
    assert found == sampled_positions(workload, seed) == sorted(set(found))
    assert min(8, shape[0]) <= len(found) <= 256 and found[0] >= 0 and found[-1] < shape[0]
