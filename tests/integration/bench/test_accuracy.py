"""The judge of timed results: sampled rows are held to the bounds of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.backends.adapters.numpy import Numpy
from conformance.backends.contract import Call
from conformance.bench.accuracy import WorkloadTruth, declared_class
from conformance.bench.inputs import make
from conformance.bench.outputs import keep, sampled_positions
from conformance.bench.workload import Workload

WORKLOADS = [
    Workload(id="mean", why="b", shape=(600, 12)),
    Workload(id="weighted", why="b", shape=(600, 12), weight=True, ignored=0.3),
    Workload(id="soft", why="b", shape=(30, 12, 20), targets="probabilities", label_smoothing=0.1),
    Workload(id="none", why="b", shape=(30, 12, 20), reduction="none"),
    Workload(id="sum", why="b", shape=(600, 12), reduction="sum", dtype="bfloat16"),
]


def results(workload: Workload) -> list[np.ndarray]:
    made = make(workload)
    options = (
        ("axis", workload.axis),
        ("ignore_index", made.ignore_index),
        ("label_smoothing", workload.label_smoothing),
        ("reduction", workload.reduction),
    )
    backend = Numpy()
    return list(backend.differentiate(Call("cross_entropy", made.operands(), options), made.logits, made.upstream))


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda each: each.id)
def test_a_sound_result_passes_and_a_wrong_one_fails(tmp_path: Path, workload: Workload) -> None:
    value, gradient = results(workload)
    assert len(sampled_positions(workload, 7)) < workload.positions
    truth = WorkloadTruth(workload, make(workload), 7)
    declared = declared_class("numpy", workload)
    keep(tmp_path / "right", workload, [value, gradient], 7)
    record = truth.judge(tmp_path / "right", declared)
    assert record.verdict == "pass" and 0 < record.ratio <= 1
    limits = record.limits
    assert limits[declared] == 1.0 and [*limits] == [*"ABCDE"[: len(limits)]] and min(limits.values()) == limits["A"]
    assert record.ratio <= limits[record.class_] * (1 + 1e-9)
    off = gradient.dtype.type(1.1)
    keep(tmp_path / "wrong", workload, [value, (gradient * off).astype(gradient.dtype)], 7)
    record = truth.judge(tmp_path / "wrong", declared)
    assert (record.verdict, record.class_, record.quantity) == ("fail", "F", "gradient")
    assert record.positions == len(sampled_positions(workload, 7))
    keep(tmp_path / "value", workload, [(value * off).astype(value.dtype)], 7)
    assert truth.judge(tmp_path / "value", declared).quantity == "value"


def test_shape_and_dtype_are_part_of_a_result(tmp_path: Path) -> None:
    workload = WORKLOADS[0]
    value, gradient = results(workload)
    truth = WorkloadTruth(workload, make(workload), 7)
    for index, arrays in enumerate(([value.astype(np.float64), gradient], [value, gradient.T], [value[np.newaxis]])):
        keep(tmp_path / str(index), workload, arrays, 7)
        record = truth.judge(tmp_path / str(index), "B")
        assert record.verdict == "fail" and "of shape" in record.message


def test_what_is_not_an_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="NoneType"):
        keep(tmp_path, WORKLOADS[0], [None], 7)  # type: ignore[list-item]


def test_the_denominator_of_a_sample_is_that_of_the_whole(tmp_path: Path) -> None:
    workload = replace_shape(WORKLOADS[1])
    value, gradient = results(workload)
    rows = sampled_positions(workload, 7)
    keep(tmp_path, workload, [value, gradient * np.float32(len(rows) / workload.positions)], 7)
    assert WorkloadTruth(workload, make(workload), 7).judge(tmp_path, "B").verdict == "fail"


def replace_shape(workload: Workload) -> Workload:
    import msgspec

    return msgspec.structs.replace(workload, shape=(900, 12))
