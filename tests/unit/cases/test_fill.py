"""Filling adds the oracle's values and leaves every other byte alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.cases.fill import fill, insert_expected
from conformance.cases.lint import lint
from conformance.cases.load import load_suite
from conformance.model.errors import CaseError
from conformance.model.problem import Problem
from tests.support.case_files import EXAMPLE, write


def nested(shape: tuple[int, ...], text: str) -> str | list[Any]:
    return [nested(shape[1:], text) for _ in range(shape[0])] if shape else text


def oracle(problem: Problem, key: str) -> str | list[Any] | None:
    """A made-up truth of the right shape."""
    texts = {"none": "0.25", "sum": "-inf", "mean": "4.57e-434", "value": "nan"}
    return nested(problem.upstream["none" if key == "value" else key].shape, texts[key])  # type: ignore[index]


BEFORE = """\
# a comment
theme: t
cases:
  - id: block   # who
    why: w
    op: cross_entropy
    logits:
      - [1, 2]  # row
      - - 3
        - 4   # last
  # between

    targets: [0, 1]   # behind

  - {id: flow, why: w, op: softmax, logits: [1,
      2], }  # trailing
  - op: nll_loss
    id: text
    targets: [0]
    logits: [[-1, -2]]
    reductions: [mean, default]
    why: >
      folded

  - {id: has, why: w, op: softmax, logits: [1], expected: {value: [1]}}
  - {id: wrong, why: w, op: softmax, logits: [1], axis: 5, expect: {error: axis}}
  - {id: large, why: w, op: softmax, logits: {distribution: uniform, shape: [65]}}
  - {id: left, why: w, op: softmax, logits: [[1]], axis: default}
  - op: softmax
    logits: {distribution: uniform, shape: [10, 3]}
    id: wide
    why: |-
      w
"""
AFTER = (
    BEFORE.replace("# behind\n", "# behind\n    expected: {none: [0.25, 0.25], sum: -.inf, mean: 4.57e-434}\n")
    .replace("2], }", "2], expected: {value: [.nan, .nan]}, }")
    .replace("folded\n\n", "folded\n\n    expected: {mean: 4.57e-434}\n")
    .replace("      w\n", f"      w\n    expected:\n      value: [{', '.join(['[.nan, .nan, .nan]'] * 10)}]\n")
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_values_are_added_and_nothing_else_changes(tmp_path: Path, newline: str, mark: bytes) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(mark + BEFORE.replace("\n", newline).encode())
    (filled,) = fill([file], oracle)
    assert filled.ids == ("block", "flow", "text", "wide")
    assert file.read_bytes() == mark + AFTER.replace("\n", newline).encode()
    assert list(tmp_path.iterdir()) == [file]
    assert fill([file], oracle) == []


@pytest.mark.parametrize("end", ["targets: [1]", "targets: [1] # no newline", "targets:\n      - 1"])
def test_a_file_without_a_last_newline(tmp_path: Path, end: str) -> None:
    file = write(tmp_path, EXAMPLE.replace("targets: [1]\n", end))
    fill([file], oracle)
    assert file.read_text(encoding="utf-8").endswith("\n    expected: {none: [0.25], sum: -.inf, mean: 4.57e-434}")
    assert load_suite([file]).entries[0].case.expected is not None


def test_what_was_filled_passes_the_linter(tmp_path: Path) -> None:
    file = write(tmp_path, EXAMPLE)
    fill([tmp_path], oracle)
    assert lint([file], oracle) == []


def test_an_empty_key_is_left_to_people(tmp_path: Path) -> None:
    text = EXAMPLE + "    expected:\n"
    file = write(tmp_path, text)
    with pytest.raises(CaseError, match="without an empty `expected`"):
        fill([file], oracle)
    assert file.read_text(encoding="utf-8") == text


def test_wrong_files_are_not_touched(tmp_path: Path) -> None:
    write(tmp_path, EXAMPLE, "a.yaml")
    write(tmp_path, "theme: 1", "b.yaml")
    with pytest.raises(CaseError):
        fill([tmp_path], oracle)
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == EXAMPLE


def test_a_file_that_changes_while_it_is_read_is_left_alone(tmp_path: Path) -> None:
    file = write(tmp_path, EXAMPLE)
    other = EXAMPLE.replace("probabilities-are-logits", "another-case")

    def oracle_that_edits(problem: Problem, key: str) -> str | list[Any] | None:
        file.write_text(other, encoding="utf-8")
        return oracle(problem, key)

    with pytest.raises(CaseError, match="changed while it was read"):
        fill([file], oracle_that_edits)
    assert file.read_text(encoding="utf-8") == other


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file = write(tmp_path, EXAMPLE, "folder/real.yaml")
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    fill([link], oracle)
    assert link.is_symlink() and "expected:" in file.read_text(encoding="utf-8")
    assert [*file.parent.iterdir()] == [file]


def test_text_that_is_not_a_file() -> None:
    assert insert_expected(EXAMPLE, {0: {"mean": "1"}}) == EXAMPLE + "    expected: {mean: 1}\n"
