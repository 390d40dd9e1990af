"""Runs as relations: what stands, what is refused, and what is imported for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import conformance
from conformance.model.backend import BackendId, BackendRecord
from conformance.model.errors import UsageError
from conformance.model.outcome import DefectRef, ErrorFact, Outcome
from conformance.reports.load import COLUMNS
from conformance.reports.relations import Relations
from conformance.results.store import read_run
from tests.support.outcomes import outcome, run, without_blocks

ROOT = Path(__file__).parents[3]
FULL = outcome(
    "c", verdict="fail", ulp="inf", ratio="nan", bound=1e-300, observed=[-0.0, "nan", 0.1], expected="-inf", position=3,
    worst_input={"logits": ["0x1p+0"]}, defect=DefectRef("d", "i"), excused_by=("p", "q"),
    error=ErrorFact("E", "a\nb", "f.py:1"), reason="recorded", detail="\u202e", declared="B", quantity="jvp",
)  # fmt: skip


def relations(*folders: Path, every: bool = False) -> Relations:
    return Relations([read_run(folder) for folder in folders], every=every)


def test_an_outcome_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = [FULL, outcome("d", class_=None, ulp=None)]
    assert [each for _, each in relations(run(tmp_path, written)).outcomes()] == written


def test_a_name_with_the_characters_of_a_pattern_and_a_cut_off_run_are_read(tmp_path: Path) -> None:
    folder = run(tmp_path / "a[b]*", [outcome("c"), outcome("d")], complete=False)
    with (folder / "outcomes.jsonl").open("ab") as file:
        file.write(b'{"record":"outcome","case":"cut')
    assert [each.case for _, each in relations(folder).outcomes()] == ["c", "d"]


def test_a_users_file_called_like_a_framework_has_the_profile_of_its_record(tmp_path: Path) -> None:
    records = [
        BackendRecord(name="jax", id=BackendId(name="jax", version="1.0")),
        BackendRecord(name="mine", id=BackendId(name="mine", version="1.0"), profile="jax"),
    ]
    found = relations(run(tmp_path, [outcome("c", "jax"), outcome("c", "mine")], backends=records)).columns
    profiles = {each.id.name: each.profile for each in found}
    assert profiles["jax"].backend == "undeclared" and not profiles["jax"].known
    assert profiles["mine"].backend == "jax"


def test_a_backend_is_named_as_it_was_given(tmp_path: Path) -> None:
    records = [
        BackendRecord(name="mine:compile", spec="kernels/mine.py:compile", error="it was given up", through=1),
        BackendRecord(name="numpy"),
    ]
    found = relations(run(tmp_path, [outcome("c", "mine:compile"), outcome("c", "numpy")], backends=records)).columns
    assert [each.spec for each in found] == ["kernels/mine.py:compile", "numpy"]


@pytest.mark.parametrize(
    "broken",
    [
        b'"case":7',
        b'"other":"c"',
        b'"case":"c',
        b'"case":"\xff"',
        b'"case":"c","verdict":"odd"',
        b'"case":"c","op":"odd"',
        b'"case":"c","case":"d"',
        b'"case":"c","detail":"","detail":""',
    ],
    ids=["number", "none", "json", "utf-8", "verdict", "operation", "twice", "twice-detail"],
)
def test_a_damaged_line_is_named(tmp_path: Path, broken: bytes) -> None:
    file = run(tmp_path / "r", [outcome("c"), outcome("d")]) / "outcomes.jsonl"
    file.write_bytes(without_blocks(file).replace(b'"case":"d"', broken))
    with pytest.raises(UsageError, match=r"outcomes\.jsonl:4: this line is damaged"):
        relations(tmp_path / "r")


def test_the_newest_run_stands_unit_by_unit_unless_every_run_is_wanted(tmp_path: Path) -> None:
    old = run(tmp_path / "a", [outcome("c", verdict="fail"), outcome("d")], started="2026-01-01")
    new = run(tmp_path / "b", [outcome("c"), outcome("c", dtype="float16")], started="2026-01-02")
    stands = relations(new, old)
    assert stands.superseded == 1
    assert [(each.case, each.dtype, each.verdict) for _, each in stands.outcomes()] == [
        ("d", "float32", "pass"), ("c", "float32", "pass"), ("c", "float16", "pass"),
    ]  # fmt: skip
    assert relations(new, old, every=True).query("select run, count(*) from outcomes group by all order by all") == [
        (0, 2), (1, 2),
    ]  # fmt: skip


def test_a_unit_that_stands_twice_in_a_file_counts_once_everywhere(tmp_path: Path) -> None:
    folder = run(tmp_path, [outcome("c"), outcome("d"), outcome("c", verdict="fail")])
    (folder / "outcomes.jsonl").write_bytes(without_blocks(folder / "outcomes.jsonl"))
    found = relations(folder)
    assert (
        [each.verdict for _, each in found.outcomes()]
        == ["pass", "pass"]
        == [e.verdict for e in found.runs[0].outcomes]
    )
    assert found.runs[0].counts == {"pass": 2} and len(conformance.load(folder)) == 2


def test_a_run_is_a_data_frame_with_documented_columns(tmp_path: Path) -> None:
    frame = conformance.load(run(tmp_path / "some-run", [FULL, outcome("d", ulp=0.5)]))
    assert [*frame.columns] == [*COLUMNS] and len(frame) == 2
    first = frame.iloc[0]
    names = ("run", "column", "backend", "version", "machine", "case", "defect", "issue", "error_where", "position")
    assert [first[name] for name in names] == [
        "some-run",
        "one 1.0",
        "one",
        "1.0",
        "Test CPU",
        "c",
        "d",
        "i",
        "f.py:1",
        3,
    ]
    assert json.loads(first["observed"]) == [-0.0, "nan", 0.1] and json.loads(first["excused_by"]) == ["p", "q"]
    assert frame["ulp"].tolist() == [float("inf"), 0.5] and frame["verdict"].dtype == "category"


@pytest.mark.parametrize("made", [[outcome("d", ulp=None, class_=None)], [FULL], [FULL, outcome("d", ulp=None)], []])
def test_a_column_has_one_dtype_and_one_missing_value(tmp_path: Path, made: list[Outcome]) -> None:
    frame = conformance.load(run(tmp_path / "r", made))
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").partition("| column | dtype | holds |")[2]
    documented = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == documented
    for name, dtype in documented.items():
        if dtype != "float64":
            assert all(isinstance(text, str) for text in frame[name]), name
    assert len(frame[frame["defect"] != ""]) == sum(each.defect is not None for each in made)
    assert len(frame[frame["excused_by"] != ""]) == sum(bool(each.excused_by) for each in made)


def test_a_query_gives_its_own_frame_and_a_wrong_one_a_hint(tmp_path: Path) -> None:
    folder = run(tmp_path / "r", [outcome("c"), outcome("d", verdict="fail")])
    frame = conformance.load(folder, sql="select verdict, count(*) as checks from outcomes group by all order by all;")
    assert frame["verdict"].tolist() == ["fail", "pass"] and frame["checks"].tolist() == [1, 1]
    with pytest.raises(UsageError, match="hint"):
        conformance.load(folder, sql="select nothing from outcomes")
    with pytest.raises(UsageError, match="holds no run"):
        conformance.load(tmp_path / "absent")


@pytest.mark.parametrize(
    ("arguments", "free"),
    [
        (["--help"], ("pandas", "duckdb", "pyarrow")),
        (["list", "verdicts"], ("pandas", "duckdb", "pyarrow")),
        (["report", "r", "--output", "site"], ("pandas", "pyarrow")),
        (["diff", "r", "r"], ("pandas", "pyarrow")),
    ],
)
def test_only_what_a_command_needs_is_imported(tmp_path: Path, arguments: list[str], free: tuple[str, ...]) -> None:
    run(tmp_path / "r", [outcome("c")])
    code = (
        "import sys; from conformance.cli import main; main(sys.argv[1:]); "
        f"print([name for name in {free!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_folder_whose_name_is_not_utf_8_is_read(tmp_path: Path) -> None:
    frame = conformance.load(run(tmp_path / "odd_\udcff", [outcome("c")]))
    assert frame["run"].tolist() == ["odd_\\udcff"]
