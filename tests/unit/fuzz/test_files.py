"""What a search leaves behind: case files that lint takes but for their reason, and a corpus that is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.cases.expand import expand
from conformance.cases.lint import PLACEHOLDER, lint
from conformance.cases.load import Entry, load_suite
from conformance.corpus.dice import Dice
from conformance.corpus.random_cases import random_cases, recipe_of
from conformance.corpus.space import FACTORS, FORMS
from conformance.fuzz.causes import Cause
from conformance.fuzz.failures import Kind
from conformance.fuzz.files import CORPUS, case_text, file_name, read_corpus
from conformance.model.backend import BackendRecord
from conformance.model.case import Case
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.oracle.text import expected_text
from tests.support.case_files import write

RECORD = BackendRecord(name="mine", versions={"numpy": "2.0"})


def text_of(case: Case) -> str:
    outcome = Outcome(
        case=case.id, backend="mine", dtype=case.dtypes[0], layout="contiguous", op=case.op, reduction="none",
        check="value", verdict="fail", observed=1.0, expected=2.0, ratio=9.0, class_="F", declared="B",
        reason="beyond-bound",
    )  # fmt: skip
    kind = Kind(case.op, "value", "fail", "beyond-bound", "", "")
    return case_text(Cause(kind, case, outcome, frozenset(), "fuzz.0", 3), RECORD, 7)


def test_a_case_file_holds_the_very_case(tmp_path: Path) -> None:
    for entry in random_cases(120, 11):
        file = write(tmp_path, text_of(entry.case))
        (read,) = load_suite([file]).entries
        assert repr(msgspec.structs.replace(read.case, why=entry.case.why)) == repr(entry.case), entry.case.id


def test_lint_asks_for_the_reason_and_for_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path, text_of(random_cases(1, 11)[0].case))
    (error,) = lint([file], expected_text)
    assert (
        error.problem == f"'{PLACEHOLDER}' is not a reason"
        and error.place is not None
        and error.place.key == "cases[0].why"
    )


def test_a_case_file_says_what_was_seen_and_on_what(tmp_path: Path) -> None:
    text = text_of(random_cases(1, 11)[0].case)
    assert "  # fail of value on mine (numpy 2.0)" in text and "fuzz --seed 7: fuzz.0, after 3 cases" in text
    assert "9 times the bound" in text


def test_what_a_stranger_says_stays_a_comment() -> None:
    case = random_cases(1, 11)[0].case
    outcome = Outcome(
        case=case.id, backend="mine", dtype="float32", layout="contiguous", op=case.op, check="value", verdict="error",
        reason="failed", error={"type": "E", "text": "line\n  - id: mine\n\x1b[31m"},
    )  # fmt: skip
    outcome = msgspec.convert(msgspec.to_builtins(outcome), Outcome)
    kind = Kind(case.op, "value", "error", "failed", "E", "")
    text = case_text(Cause(kind, case, outcome, frozenset(), "fuzz.0", 3), RECORD, 7)
    assert "\x1b" not in text and text.count("- id:") == 2 and text.count("\n  - id:") == 1
    assert file_name(Cause(kind, case, outcome, frozenset(), "", 0)) == f"{case.op}-value-{case.id}.yaml"


def test_a_corpus_is_read_back(tmp_path: Path) -> None:
    recipe = recipe_of(1, 5)
    (tmp_path / CORPUS).write_bytes(msgspec.json.encode(recipe) + b"\n")
    write(tmp_path, text_of(random_cases(1, 11)[0].case))
    start = read_corpus(tmp_path)
    assert [*start.recipes] == [recipe] and len(start.entries) == 1
    assert [*read_corpus(tmp_path / "none").recipes] == []


def test_recipes_of_another_version_are_left_out(tmp_path: Path) -> None:
    recipe = recipe_of(1, 5)
    changes: list[dict[str, Any]] = [{"levels": recipe.levels | {"op": "gone"}}, {"levels": {"op": "softmax"}}]
    lines = [msgspec.json.encode(msgspec.structs.replace(recipe, **each)) for each in changes]
    (tmp_path / CORPUS).write_bytes(b"\n".join(lines))
    found = read_corpus(tmp_path)
    assert ([*found.recipes], found.outdated) == ([], 2)


def test_levels_that_do_not_go_together_are_settled(tmp_path: Path) -> None:
    """Whoever wrote them: each recipe that is read makes a case that expands."""
    written = []
    for number in range(300):
        recipe, dice = recipe_of(2, number), Dice(7, "levels", number)
        levels = dict(recipe.levels)
        for factor in [dice.one_of([*FACTORS]) for _ in range(4)]:
            levels[factor] = dice.one_of([*FACTORS[factor]])
        rank = FORMS[levels["form"]].rank
        extents = tuple(dice.one_of((0, 1, 2, 7)) for _ in range(rank))
        written.append(msgspec.json.encode(msgspec.structs.replace(recipe, levels=levels, extents=extents)))
    (tmp_path / CORPUS).write_bytes(b"\n".join(written) + b"\n")
    found = read_corpus(tmp_path).recipes
    assert len(found) == len(written)
    for recipe in found:
        expand(Entry(recipe.case("one-of-many"), "random", tmp_path, 0))


@pytest.mark.parametrize("extents", [(), (-1,), (1,) * 9, (10**9, 10**9, 2)])
def test_recipes_of_shapes_that_are_never_drawn_are_left_out(extents: tuple[int, ...], tmp_path: Path) -> None:
    recipe = next(each for each in (recipe_of(1, index) for index in range(99)) if len(each.extents) == 2)
    (tmp_path / CORPUS).write_bytes(msgspec.json.encode(msgspec.structs.replace(recipe, extents=extents)))
    found = read_corpus(tmp_path)
    assert ([*found.recipes], found.outdated) == ([], 1)


@pytest.mark.parametrize("line", [b'{"levels": 3}\n', b'{"levels": {"\xff": ""}}\n', b"\xff\n", b"[" * 100_000 + b"\n"])
def test_a_line_that_holds_no_recipe_is_named(line: bytes, tmp_path: Path) -> None:
    (tmp_path / CORPUS).write_bytes(line)
    with pytest.raises(UsageError, match=r"corpus\.jsonl:1: not a recipe") as raised:
        read_corpus(tmp_path)
    assert "remove the line" in (raised.value.hint or "")
