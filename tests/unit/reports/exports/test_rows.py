"""CSV and Parquet, read back."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.exports import HOSTILE, hostile, of_every_verdict, outcome, report, write_run


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_line_for_each_check(tmp_path: Path) -> None:
    write_run(tmp_path / "run", [*of_every_verdict(), *hostile()])
    assert report(tmp_path / "run", tmp_path, "--csv", tmp_path / "all.csv") == 0
    rows = rows_of(tmp_path / "all.csv")
    assert len(rows) == 11 + len(HOSTILE) == len((tmp_path / "all.csv").read_text(encoding="utf-8").split("\n")) - 2
    assert [each["verdict"] for each in rows[:3]] == ["pass", "deviation", "known"]
    assert {each["run"] for each in rows} == {"run"} and rows[0]["seconds"] == "0.25"


def test_no_cell_is_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    numbers = outcome(ulp=-1.5, ratio="-inf", observed=-0.0, expected="-inf")
    write_run(tmp_path / "run", [numbers, *hostile()])
    report(tmp_path / "run", tmp_path, "--csv", tmp_path / "all.csv")
    first, *rest = rows_of(tmp_path / "all.csv")
    assert (first["ulp"], first["ratio"], first["observed"], first["expected"]) == ("-1.5", "-inf", "-0.0", "-inf")
    cells = [cell for row in rest for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert not [cell for cell in cells if not cell.isprintable()]


def test_parquet_holds_exactly_what_the_run_holds(tmp_path: Path) -> None:
    made = [outcome(ulp="nan", ratio="inf", observed=[1.0, "inf"], expected=0.1), *hostile()]
    write_run(tmp_path / "run", made)
    assert report(tmp_path / "run", tmp_path, "--parquet", tmp_path / "all.parquet") == 0
    rows = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert [row["message"] for row in rows[1:]] == [*HOSTILE] == [row["case"] for row in rows[1:]]
    assert math.isnan(rows[0]["ulp"]) and rows[0]["ratio"] == math.inf
    assert json.loads(rows[0]["observed"]) == [1.0, "inf"] and float(rows[0]["expected"]) == 0.1


def test_parquet_is_written_in_groups_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.reports.exports.rows.GROUP", 20)
    count = 41
    write_run(tmp_path / "run", (outcome(case=f"case-{n}") for n in range(count)))
    report(tmp_path / "run", tmp_path, "--parquet", tmp_path / "all.parquet")
    file = pq.ParquetFile(tmp_path / "all.parquet")
    assert file.metadata.num_rows == count and file.metadata.num_row_groups == 3


def test_numbers_that_are_none(tmp_path: Path) -> None:
    write_run(tmp_path / "run", [outcome(ulp=None, ratio=None)])
    report(tmp_path / "run", tmp_path, "--parquet", tmp_path / "all.parquet", "--csv", tmp_path / "all.csv")
    (row,) = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert row["ulp"] is None and row["ratio"] is None and rows_of(tmp_path / "all.csv")[0]["ulp"] == ""
