"""Large inputs written as what generates them: the very bits of the case, or no recipe."""

from __future__ import annotations

import hashlib
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from conformance.cases.expand import expand
from conformance.cases.load import load_suite
from conformance.model.problem import Array, Problem
from conformance.repro.recipes import HELPERS, recipe_text

CASE = """\
theme: large
cases:
  - id: large
    why: too large to be written out
    op: {op}
    {logits}: {given}
    {more}
    dtypes: [float64, float16, bfloat16]
"""


def problems(folder: Path, given: str, more: str = "", op: str = "softmax") -> list[Problem]:
    (folder / "notes.yaml").write_text("flags: {}\n")
    text = CASE.format(op=op, logits="logits", given=given, more=more)
    (folder / "case.yaml").write_text(text)
    (entry,) = load_suite([folder]).entries
    return expand(entry).problems


def evaluated(text: str | None) -> Array:
    assert text is not None
    names = {"np": np, "ml_dtypes": ml_dtypes, "hashlib": hashlib}
    for helper in HELPERS.values():
        exec(helper, names)
    made: Array = eval(text, names)
    return made


def assert_made(array: Array, problem: Problem) -> None:
    made = evaluated(recipe_text(array, problem))
    assert (made.shape, made.dtype, made.tobytes()) == (array.shape, array.dtype, array.tobytes())


@pytest.mark.parametrize("kind", ["uniform", "normal", "ramp"])
@pytest.mark.parametrize("scaled", ["", ", scale: 3, offset: -0.25"])
def test_generated_logits_and_upstream_gradients_are_written_out(tmp_path: Path, kind: str, scaled: str) -> None:
    given = f"{{distribution: {kind}, shape: [5, 41]{scaled}" + (", seed: 7}" if kind != "ramp" else "}")
    for problem in problems(tmp_path, given):
        assert_made(problem.logits, problem)
        assert_made(problem.upstream["none"], problem)


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ("planted: [[7, .nan], [11, -.inf], [204, 100]]", ""),
        ("apart: 100", ""),
        ("apart: 100, planted: [[0, .inf]]", "axis: 1"),
        ("planted: [[7, .nan]]", "axis: 0"),
        ("masked: [0, 1]", ""),
        ("masked: [1, 2], apart: 3, planted: [[7, .nan]]", "axis: 1"),
    ],
)
def test_moved_positions_and_planted_elements_are_written_out(tmp_path: Path, given: str, more: str) -> None:
    generator = f"{{distribution: normal, shape: [5, 41, 2], scale: 3, seed: 7, {given}}}"
    for problem in problems(tmp_path, generator, more):
        assert_made(problem.logits, problem)


def test_a_single_number_is_written_out(tmp_path: Path) -> None:
    for problem in problems(tmp_path, "{distribution: constant, shape: [], offset: 2}"):
        assert problem.logits.shape == ()
        assert_made(problem.logits, problem)


def test_labels_beyond_one_block_and_probabilities_along_the_classes(tmp_path: Path) -> None:
    logits = "{distribution: constant, shape: [66000, 3]}"
    (problem, *_) = problems(tmp_path, logits, "targets: {distribution: labels, seed: 3}", "cross_entropy")
    assert_made(problem.targets, problem)
    logits = "{distribution: constant, shape: [4, 9, 5]}"
    (problem, *_) = problems(tmp_path, logits, "targets: {distribution: simplex, seed: 3}", "cross_entropy")
    assert_made(problem.targets, problem)


@pytest.mark.parametrize("scaled", ["", ", scale: 0.75, offset: 0.125"])
def test_one_hot_rows_are_written_out(tmp_path: Path, scaled: str) -> None:
    targets = f"targets: {{distribution: one-hot, seed: 3{scaled}}}\n    axis: 1"
    logits = "{distribution: constant, shape: [4, 9, 5]}"
    (problem, *_) = problems(tmp_path, logits, targets, "cross_entropy")
    assert_made(problem.targets, problem)


def test_few_labels_among_generated_ones_are_planted(tmp_path: Path) -> None:
    logits = "{distribution: constant, shape: [300, 3]}"
    targets = "targets: {distribution: labels, shape: [300], seed: 3, planted: [[5, -100], [299, -100]]}"
    (problem, *_) = problems(tmp_path, logits, targets, "cross_entropy")
    assert_made(problem.targets, problem)


def test_what_no_generator_of_the_case_gives_has_no_recipe(tmp_path: Path) -> None:
    (problem, *_) = problems(tmp_path, "{distribution: normal, shape: [5, 41], seed: 7}")
    assert recipe_text(np.nextafter(problem.logits, np.inf), problem) is None
    assert recipe_text(problem.logits[::-1], problem) is None
