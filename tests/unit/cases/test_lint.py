"""The linter finds what loading lets pass, and names what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.cases.lint import lint, schema_line
from conformance.cases.schema import SCHEMA_NAME, schema_text
from conformance.cases.stated import same_number
from conformance.model.errors import CaseError
from conformance.model.problem import Problem
from tests.support.case_files import EXAMPLE, write

LINE = "# yaml-language-server: $schema=schema.json\n"


def oracle(problem: Problem, key: str) -> str | list[Any] | None:
    """Makes up a truth for each key."""
    truth: dict[str, str | list[Any]] = {"mean": "0.76794954890362488", "none": ["0.5"], "sum": "inf"}
    return truth.get(key)


def findings(folder: Path, addition: str = "", text: str = LINE + EXAMPLE) -> list[CaseError]:
    write(folder, schema_text(), SCHEMA_NAME)
    write(folder, text + addition)
    return lint([folder], oracle)


@pytest.mark.parametrize(
    "expected", ["{mean: 0.76794954890362488, none: [0.5], sum: .inf}", "{mean: 7.6794954890362488e-1, sum: +.Inf}"]
)
def test_nothing_to_correct(tmp_path: Path, expected: str) -> None:
    assert (
        findings(tmp_path, f"    expected: {expected}\n    references: [https://a.b/c, pytorch#11752, a/b-c#1]\n") == []
    )


@pytest.mark.parametrize(
    ("expected", "key", "hint"),
    [
        ("{mean: 0.76794954890362487}", "mean", "write 0.76794954890362488"),
        ("{mean: 0.7679}", "mean", "write 0.76794954890362488"),
        ("{mean: .nan}", "mean", "write 0.76794954890362488"),
        ("{sum: -.inf}", "sum", "write inf"),
        ("{none: [0.25]}", "none[0]", "write 0.5"),
        ("{none: [[0.5]]}", "none[0]", "write it anew"),
        ("{none: 0.5}", "none", "write it anew"),
        ("{gradient: [[1, 2, 3]]}", "gradient", "remove this key"),
    ],
)
def test_a_value_that_is_not_the_oracles(tmp_path: Path, expected: str, key: str, hint: str) -> None:
    (found,) = findings(tmp_path, f"    expected: {expected}\n")
    assert (found.place.line, found.place.key) == (9, f"cases[0].expected.{key}")
    assert hint in found.hint


def test_a_written_out_case_of_the_suite_states_its_values(tmp_path: Path) -> None:
    write(tmp_path, schema_text(), SCHEMA_NAME)
    file = write(tmp_path, LINE + EXAMPLE)
    assert lint([tmp_path], oracle) == []
    (found,) = lint([tmp_path], oracle, own=tmp_path)
    assert found.problem == "`expected` lacks none, sum, mean"
    assert found.hint == f"let `conformance fill {file}` write the values"
    write(tmp_path, f"{LINE}{EXAMPLE}    expected: {{mean: 0.76794954890362488}}\n")
    (found,) = lint([tmp_path], oracle, own=tmp_path)
    assert (found.problem, found.place.key) == ("`expected` lacks none, sum", "cases[0].expected")
    assert "remove `expected`" in found.hint
    write(tmp_path, LINE + EXAMPLE.replace("[[0.2, 0.7, 0.1]]", "{distribution: normal, shape: [1, 3]}"))
    assert lint([tmp_path], oracle, own=tmp_path) == []


def test_references_that_nobody_can_follow(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "    references: [pytorch#1, see the forum]\n")
    assert "cases.yaml:9: cases[0].references[1]: 'see the forum'" in str(found)


def test_a_first_line_that_does_not_name_the_schema(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, text=EXAMPLE)
    assert found.hint == "write # yaml-language-server: $schema=schema.json"
    assert schema_line(tmp_path / "a" / "b.yaml", tmp_path / SCHEMA_NAME).endswith("$schema=../schema.json")


def test_a_schema_older_than_the_model(tmp_path: Path) -> None:
    findings(tmp_path)
    file = write(tmp_path, schema_text().replace("ramp", "rump"), SCHEMA_NAME)
    (found,) = lint([tmp_path], oracle)
    assert "older than the model" in found.problem
    assert found.hint == f"write it anew: conformance lint --schema case-file > {file}"


def test_the_schema_of_another_project_is_let_be(tmp_path: Path) -> None:
    write(tmp_path, "{}", SCHEMA_NAME)
    assert lint([write(tmp_path, EXAMPLE, "cases/it.yaml")], oracle) == []


def test_flags_that_no_case_carries(tmp_path: Path) -> None:
    notes = "flags:\n  used: {bug_class: b, effect: e}\n  idle: {bug_class: b, effect: e, references: [nowhere]}\n"
    write(tmp_path, notes, "notes.yaml")
    found = findings(tmp_path, "    flags: [used]\n")
    assert [(item.place.line, item.problem) for item in found] == [
        (3, "no case carries the flag 'idle'"),
        (3, "'nowhere' is not a reference that can be followed"),
    ]
    assert lint([tmp_path / "cases.yaml"], oracle) == []


def test_what_loading_refuses_and_shapes_are_findings_too(tmp_path: Path) -> None:
    second = EXAMPLE.split("cases:\n")[1].replace("are-logits\n", "two\n").replace("[1]", "[1, 2]")
    found = findings(tmp_path, second.replace("probabilities-", "") + "  - {id: three}\n")
    assert [(item.place.line, item.problem.split(" of ")[0]) for item in found] == [
        (13, "class indices"),
        (14, "key 'why' is missing"),
        (14, "key 'op' is missing"),
    ]


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no such file"):
        lint([tmp_path / "none.yaml"], oracle)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("1.50", "1.5", True), ("4.57e-434", "457e-436", True), ("4.57e-434", "0", False), (".nan", "NaN", True)],
)
def test_numbers_compare_digit_for_digit(one: str, other: str, *, same: bool) -> None:
    assert same_number(one, other) is same
