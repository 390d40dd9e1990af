"""A case to tensors: dtypes and ranges, kinds of targets, axes, upstream gradients, and shapes that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.cases.expand import expand, reference_problem
from conformance.model.errors import CaseError
from conformance.model.problem import Problem
from tests.support.case_files import entry


def only(folder: Path, body: str, *, op: str = "cross_entropy", dtype: str = "float64") -> Problem:
    (problem,) = expand(entry(folder, body, op=op), dtypes=[dtype]).problems
    return problem


def test_broadcast_needs_positions_that_are_the_same(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="differ along axis 0") as raised:
        expand(entry(tmp_path, "logits: [[1, 2], [1, 3]]\ntargets: [0, 1]\nlayouts: [contiguous, broadcast]"))
    assert raised.value.place is not None and raised.value.place.key == "cases[0].layouts[1]"
    for logits in ("[[1, .nan], [1, .nan]]", "[[1, 2]]", "{distribution: constant, shape: [2, 2]}"):
        body = f"logits: {logits}\ntargets: {{distribution: labels}}\nlayouts: [broadcast]"
        assert len(expand(entry(tmp_path, body)).problems) == 4


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ("weight=sliced", "the case has no array of weight"),
        ("logits=channels-last", r"channels-last makes no difference to logits of shape \(2, 3\)"),
        ("upstream=padded", r"padded makes no difference to upstream of shape \(\)"),
        ("targets=overlapping", "overlapping makes no difference to targets"),
        ("overlapping", "overlapping, with logits whose rows are not those of one sliding window"),
        ("logits=expanded", "expanded, with logits that differ along every axis"),
        ("targets=within-logits", "neither the logits nor one of their rows"),
        ("targets=beside-logits", "beside logits of another shape or dtype"),
    ],
)
def test_a_layout_that_an_operand_cannot_have(tmp_path: Path, layout: str, problem: str) -> None:
    body = f"logits: [[1, 2, 3], [4, 6, 5]]\ntargets: [0, 1]\nreductions: [mean]\nlayouts: [contiguous, {layout}]"
    with pytest.raises(CaseError, match=problem) as raised:
        expand(entry(tmp_path, body))
    assert raised.value.place is not None and raised.value.place.key == "cases[0].layouts[1]" and raised.value.hint


def test_a_layout_of_all_operands_need_only_suit_the_logits(tmp_path: Path) -> None:
    body = "logits: [[1, 2, 3], [2, 3, 4]]\ntargets: [0, 1]\nlayouts: [overlapping, time-major, padded]"
    assert len(expand(entry(tmp_path, body), dtypes=["float32"]).problems) == 3


def test_a_problem_for_each_dtype_and_layout(tmp_path: Path) -> None:
    found = expand(entry(tmp_path, "logits: [[0.2, 0.7]]\ntargets: [1]\nlayouts: [contiguous, sliced]"))
    assert [problem.key[1:] for problem in found.problems] == [
        (dtype, layout)
        for dtype in ("float64", "float32", "bfloat16", "float16")
        for layout in ("contiguous", "sliced")
    ]
    assert [str(problem.logits.dtype) for problem in found.problems[::2]] == [
        "float64",
        "float32",
        "bfloat16",
        "float16",
    ]
    assert float(found.problems[2].logits[0, 0]) == float(np.float32(0.2))
    assert all(problem.upstream["none"].dtype == problem.logits.dtype for problem in found.problems)
    assert found.problems[0].reductions == ("none", "sum", "mean")


def test_a_dtype_beyond_whose_range_a_number_lies_is_skipped(tmp_path: Path) -> None:
    found = expand(entry(tmp_path, "logits: [[1e8, -.inf]]\ntargets: [1]"))
    assert found.skipped == [("float16", "1e8 is beyond float16's range")]
    found = expand(entry(tmp_path, "logits: [[1, 2]]\ntargets: [1]\nweight: [-1e39, 1]"))
    assert [dtype for dtype, _ in found.skipped] == ["float32", "bfloat16", "float16"]


def test_dtypes_not_asked_for_are_left_out(tmp_path: Path) -> None:
    found = entry(tmp_path, "logits: [[1, 2]]\ntargets: [1]\ndtypes: [float16, float32]")
    assert expand(found, dtypes=["float64"]).problems == []
    reference = reference_problem(found)
    assert reference is not None
    assert reference.dtype == "float32"


def test_a_mask_of_classes_is_boolean_and_has_the_logits_shape(tmp_path: Path) -> None:
    problem = only(tmp_path, "logits: [[1, 2]]\ntargets: [0]\nwhere: [[1, 0]]")
    assert problem.where is not None and problem.where.tolist() == [[True, False]]
    for mask, words in (("[1, 0]", "mask of shape"), ("[[2, 0]]", "other numbers than 0 and 1")):
        with pytest.raises(CaseError, match=words):
            only(tmp_path, f"logits: [[1, 2]]\ntargets: [0]\nwhere: {mask}")


@pytest.mark.parametrize("logits", ["[[1, 2]]", "[[1, .nan]]", "[[1, .inf]]", "[[1, -.inf]]"])
def test_what_takes_part_has_a_number(tmp_path: Path, logits: str) -> None:
    mask = "[[0, 0]]" if logits == "[[1, 2]]" else "[[0, 1]]"
    with pytest.raises(CaseError, match="no finite maximum among the classes that take part"):
        only(tmp_path, f"logits: {logits}\nwhere: {mask}", op="softmax")


@pytest.mark.parametrize(("logits", "dtype"), [("1.5", "int64"), ("-1", "uint8"), (".nan", "int32"), ("2", "bool")])
def test_integer_logits_are_integers_in_range(tmp_path: Path, logits: str, dtype: str) -> None:
    body = f"logits: [[0, {logits}]]\nlogits_dtype: {dtype}\nexpect: {{error: integers}}"
    with pytest.raises(CaseError, match=f"does not fit {dtype}"):
        only(tmp_path, body, op="softmax")


@pytest.mark.parametrize(
    ("targets", "kind", "dtype", "value"),
    [
        ("[1]", "indices", "int64", [1]),
        ("[[0, 1]]", "probabilities", "float64", [[0.0, 1.0]]),
        ("[[0.25, 0.75]]", "probabilities", "float64", [[0.25, 0.75]]),
        ("[1]\ntarget_dtype: uint8", "indices", "uint8", [1]),
        ("[[0.1, 1]]\ntarget_dtype: float32", "probabilities", "float32", [[float(np.float32(0.1)), 1.0]]),
        ("{distribution: labels, seed: 1}", "indices", "int64", None),
        ("{distribution: simplex}", "probabilities", "float64", None),
        ("{distribution: one-hot}", "probabilities", "float64", None),
    ],
)
def test_what_targets_are(tmp_path: Path, targets: str, kind: str, dtype: str, value: object) -> None:
    problem = only(tmp_path, f"logits: [[1, 2]]\ntargets: {targets}")
    assert problem.target_kind == kind
    assert problem.targets.dtype == dtype
    assert problem.targets.shape == ((1,) if kind == "indices" else (1, 2))
    assert value is None or problem.targets.tolist() == value


def test_targets_said_to_be_indices_or_python(tmp_path: Path) -> None:
    problem = only(tmp_path, "logits: [1, 2]\ntargets: 1")
    assert (problem.targets.shape, problem.targets.dtype, problem.axis, problem.class_axis) == ((), np.int64, 0, 0)
    problem = only(tmp_path, "logits: [[1, 2]]\ntargets: [1]\ntargets_as: python\nexpect: {error: no tensor}")
    assert problem.targets == [1]
    assert problem.target_kind == "python"
    assert problem.must_raise


def test_generators_take_their_shape_from_the_logits(tmp_path: Path) -> None:
    body = """
logits: {distribution: normal, shape: [2, 3, 4], seed: 1}
axis: -2
targets: {distribution: labels, seed: 2}
weight: {distribution: uniform, scale: 0.5, offset: 1}
upstream: {distribution: uniform, seed: 5}
"""
    problem = only(tmp_path, body)
    assert problem.targets.shape == (2, 4)
    assert problem.targets.max() < 3
    assert problem.weight is not None
    assert problem.weight.shape == (3,)
    assert (problem.axis, problem.class_axis) == (-2, 1)
    assert {name: values.shape for name, values in problem.upstream.items()} == {"none": (2, 4), "sum": (), "mean": ()}


@pytest.mark.parametrize(
    ("axis", "call", "truth"), [("", 1, 1), ("axis: default", None, None), ("axis: 0", 0, 0), ("axis: -1", -1, 2)]
)
def test_axes(tmp_path: Path, axis: str, call: int | None, truth: int | None) -> None:
    problem = only(tmp_path, f"logits: {{distribution: uniform, shape: [2, 3, 4]}}\n{axis}", op="softmax")
    assert (problem.axis, problem.class_axis) == (call, truth)
    assert problem.reductions == ("none",)
    assert problem.upstream["none"].shape == (2, 3, 4)
    assert problem.target_kind is None


def test_rank_0_logits_and_class_extent_0_expand(tmp_path: Path) -> None:
    problem = only(tmp_path, "logits: 1.5", op="log_softmax")
    assert (problem.logits.shape, problem.axis, problem.class_axis) == ((), 0, None)
    assert only(tmp_path, "logits: {distribution: uniform, shape: [2, 0]}\ntargets: [0, 0]").logits.shape == (2, 0)
    assert only(tmp_path, "logits: {distribution: uniform, shape: [0, 3]}\ntargets: []").targets.shape == (0,)


def test_a_stated_upstream_serves_the_reductions_it_fits(tmp_path: Path) -> None:
    problem = only(tmp_path, "logits: [[1, 2], [3, 4]]\ntargets: [0, 1]\nupstream: [3, -5]")
    assert problem.upstream["none"].tolist() == [3, -5]
    assert abs(float(problem.upstream["sum"])) < 2
    problem = only(tmp_path, "logits: [[1, 2], [3, 4]]\ntargets: [0, 1]\nupstream: -3")
    assert [problem.upstream["sum"].tolist(), problem.upstream["mean"].tolist()] == [-3, -3]


@pytest.mark.parametrize(
    ("body", "line", "key", "problem"),
    [
        ("logits: [[1, 2]]\ntargets: [0, 1]", 7, "targets", "class indices of shape \\(2,\\)"),
        ("logits: [[1, 2]]\ntargets: [[0.5, 0.5, 0]]", 7, "targets", "class probabilities of shape \\(1, 3\\)"),
        ("logits: [[1, 2]]\ntargets: [0]\nweight: [1]", 8, "weight", "weight of shape"),
        ("logits: [[1, 2]]\ntargets: [0]\nweight: 1", 8, "weight", "weight of shape"),
        ("logits: [[1, 2]]\ntargets: [0]\naxis: 2", 8, "axis", "axis 2 of logits of rank 2"),
        ("logits: [[1, 2]]\ntargets: [0]\nupstream: [1, 2, 3]", 8, "upstream", "no reduction"),
        ("logits: [[1, 2]]\ntargets: [1]\ntarget_dtype: float32", 7, "targets", "class indices of dtype float32"),
    ],
)
def test_shapes_that_do_not_fit(tmp_path: Path, body: str, line: int, key: str, problem: str) -> None:
    with pytest.raises(CaseError, match=problem) as raised:
        expand(entry(tmp_path, body))
    assert raised.value.place is not None
    assert (raised.value.place.line, raised.value.place.key) == (line, f"cases[0].{key}")
    assert raised.value.hint
    # The same is not a mistake where refusing it is the point.
    found = expand(entry(tmp_path, f"{body}\nexpect: {{error: on purpose}}"))
    assert len(found.problems) == 4


def test_a_wrong_upstream_reaches_the_backend_when_an_error_is_expected(tmp_path: Path) -> None:
    problem = only(tmp_path, "logits: [[1, 2]]\ntargets: [0]\nupstream: [1, 2, 3]\nexpect: {error: shape}")
    assert {values.shape for values in problem.upstream.values()} == {(3,)}


@pytest.mark.parametrize(
    "targets",
    [
        "[-100]\ntarget_dtype: uint8",
        "[2]\ntarget_dtype: bool",
        "[0.5]\ntarget_dtype: int32",
        "{distribution: labels, classes: 300, shape: [1], planted: [[0, 256]]}\ntarget_dtype: uint8",
        "{distribution: simplex}\ntarget_dtype: int32",
        "[9223372036854775808, 0]",
        "[9223372036854775808, -1]",
        "{distribution: labels, classes: 3, shape: [1], planted: [[0, -1e308]]}",
        "{distribution: labels, classes: 3, shape: [1], planted: [[0, 9223372036854775808]]}",
    ],
)
def test_a_target_that_its_dtype_cannot_hold(tmp_path: Path, targets: str) -> None:
    with pytest.raises(CaseError, match="does not fit (uint8|bool|int32|int64)"):
        expand(entry(tmp_path, f"logits: [[1, 2]]\ntargets: {targets}\nexpect: {{error: x}}"))


def test_a_class_probability_beyond_its_dtype(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"65520\.0 is beyond float16's range"):
        expand(entry(tmp_path, "logits: [[1, 2]]\ntargets: [[65520.0, .inf]]\ntarget_dtype: float16"))


def test_log_probabilities_are_the_input_of_nll_loss(tmp_path: Path) -> None:
    problem = only(tmp_path, "log_probabilities: [[-0.5, -1]]\ntargets: [1]", op="nll_loss", dtype="bfloat16")
    assert problem.logits.shape == (1, 2)
    assert problem.takes_targets
