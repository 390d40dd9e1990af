"""The data frame of some runs: no fact of an outcome is lost on the way to it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import conformance
from conformance.model.errors import UsageError
from conformance.model.outcome import DefectRef, ErrorFact, Outcome
from conformance.reports.load import COLUMNS
from tests.support.outcomes import outcome, run


def test_every_fact_of_an_outcome_is_in_a_column(tmp_path: Path) -> None:
    whole = outcome(
        "c",
        check="policy",
        policy="label-out-of-range",
        aspect="above",
        verdict="fail",
        declared="B",
        observed=["nan"],
        expected="raise",
        worst_input={"class": 3},
        bound=0.125,
        position=7,
        quantity="jvp",
        defect=DefectRef("known-one", "owner/project#1"),
        resembles=DefectRef("another", "owner/project#2"),
        excused_by=("plus-infinity",),
        invalid="label",
        error=ErrorFact("SomeError", "a text", "mine.py:5"),
        reason="policy-differs",
        detail="in detail",
        seconds=2.5,
        worker="worker-1",
        spoils="later calls",
        right_in="float32",
    )
    fields = msgspec.structs.fields(Outcome)
    assert [each.name for each in fields if getattr(whole, each.name) == each.default] == []
    (row,) = conformance.load(run(tmp_path, [whole])).to_dict("records")
    assert {each.encode_name for each in fields} <= {*COLUMNS} == {*row}
    shown = {str(value) for value in row.values()}
    for fact in (getattr(whole, each.name) for each in fields):
        for part in msgspec.structs.astuple(fact) if isinstance(fact, msgspec.Struct) else [fact]:
            text = msgspec.json.encode(part).decode() if isinstance(part, list | tuple | dict) else str(part)
            assert text in shown or f"{part}.0" in shown, part


def test_a_list_of_no_runs_is_an_error() -> None:
    with pytest.raises(UsageError, match="no run is named"):
        conformance.load()
