"""Which versions of a backend show a defect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.model.backend import BackendId, BackendRecord
from conformance.model.errors import UsageError
from conformance.model.outcome import DefectRef, ErrorFact
from conformance.reports.merge import merge
from conformance.reports.nightly.frameworks import Framework
from conformance.reports.versions import VersionHistory, VersionShare, version_histories
from conformance.reports.versions_text import (
    RecordedDefect,
    RecordedHistory,
    histories_data,
    read_histories,
    recorded,
    versions_text,
)
from tests.support.outcomes import outcome, run

KNOWN: dict[str, Any] = {"verdict": "known", "defect": DefectRef("shift", "not reported")}
FAIL: dict[str, Any] = {"verdict": "fail", "reason": "beyond-bound"}


def _run(folder: Path, version: str, outcomes: dict[str, dict[str, Any]]) -> Path:
    made = BackendId(name="one", framework="one", version=version, device="cpu", execution="eager")
    record = BackendRecord(name="one", spec="one", id=made, versions={"one": version})
    return run(folder / version, [outcome(case, **each) for case, each in outcomes.items()], backends=[record])


def _histories(folder: Path, *versions: tuple[str, dict[str, dict[str, Any]]]) -> list[VersionHistory]:
    return version_histories(merge([_run(folder, *each) for each in versions]).relations)


def test_the_first_the_last_and_the_repairing_version_of_a_defect(tmp_path: Path) -> None:
    (found,) = _histories(
        tmp_path,
        ("0.10", {"far": KNOWN, "near": {}, "other": {"verdict": "unsupported"}}),
        ("0.9", {"far": KNOWN, "near": {}}),
        ("0.8", {"far": {}, "near": {}}),
        ("0.11", {"far": {}, "near": {}, "other": FAIL}),
    )
    assert [column.id.version for column in found.columns] == ["0.8", "0.9", "0.10", "0.11"]
    shift, other = found.defects
    assert (shift.name, shift.registered, shift.case) == ("shift", True, "far")
    assert (shift.first, shift.last, shift.repaired_in, shift.since_the_first) == ("0.9", "0.10", "0.11", False)
    assert shift.by_version["0.8"] == VersionShare(1, 0) and shift.by_version["0.10"] == VersionShare(1, 1)
    assert not other.registered and other.by_version == {"0.11": VersionShare(1, 1)}
    assert (other.repaired_in, other.since_the_first) == ("", True)


def test_an_entry_that_names_versions_does_not_hide_the_defect_in_others(tmp_path: Path) -> None:
    (found,) = _histories(tmp_path, ("1.0", {"far": FAIL}), ("2.0", {"far": KNOWN}))
    (shift,) = found.defects
    assert shift.showing == ("1.0", "2.0") and shift.registered


def test_a_check_that_is_wrong_by_another_entry_is_none_of_this_one(tmp_path: Path) -> None:
    """A repaired defect is not shown by a version in which a second one makes the same check wrong."""
    other = KNOWN | {"defect": DefectRef("other", "not reported")}
    (found,) = _histories(tmp_path, ("1.0", {"far": KNOWN}), ("2.0", {"far": other}), ("3.0", {"far": {}}))
    asked = {each.name: [*each.by_version] for each in found.defects}
    assert asked == {"shift": ["1.0", "3.0"], "other": ["2.0", "3.0"]}
    assert {each.name: (each.last, each.repaired_in) for each in found.defects} == {
        "shift": ("1.0", "3.0"), "other": ("2.0", "3.0"),
    }  # fmt: skip


def test_a_call_that_raises_without_an_entry_may_be_one_that_the_version_does_not_offer(tmp_path: Path) -> None:
    raised = {"reason": "raised", "error": ErrorFact("ValueError", "a rank of 6")}
    old = {"far": FAIL | raised, "deep": KNOWN | raised, "near": FAIL}
    (found,) = _histories(tmp_path, ("1.0", old), ("2.0", {"far": {}, "deep": {}, "near": {}}))
    assert [(each.case, each.registered, each.repaired_in) for each in found.defects] == [
        ("deep", True, "2.0"), ("near", False, "2.0"),
    ]  # fmt: skip


def test_an_error_that_every_call_of_a_version_raises_does_not_stand_for_one_that_is_due(tmp_path: Path) -> None:
    error = {"check": "error", "error": ErrorFact("TypeError", "unexpected keyword 'axis'")}
    due = {"check": "error", "error": ErrorFact("ValueError", "a label beyond the classes")}
    refused = {"check": "error", "error": ErrorFact("Failure", "no such operator")}
    lacking = FAIL | {"reason": "raised", "error": refused["error"]}
    other = {"verdict": "known", "defect": DefectRef("other", "not reported"), "check": "error"}
    taken: dict[str, Any] = {"bad": KNOWN | {"check": "error"}, "odd": FAIL | {"check": "error"}, "worse": other}
    taken["near"] = {}
    old = {"bad": error, "odd": due, "worse": refused, "near": lacking}
    (found,) = _histories(tmp_path, ("1.0", old), ("2.0", taken), ("3.0", taken | {"bad": due}))
    assert {each.case: [*each.by_version] for each in found.defects} == {
        "bad": ["2.0", "3.0"], "odd": ["1.0", "2.0", "3.0"], "worse": ["2.0", "3.0"],
    }  # fmt: skip


def test_the_recorded_data_give_the_page(tmp_path: Path) -> None:
    """A defect whose checks one version alone made is left out; one of no register is named with a case."""
    found = _histories(
        tmp_path / "runs",
        ("0.9", {"far": KNOWN, "near": FAIL, "new": {"verdict": "unsupported"}}),
        ("0.10", {"far": {}, "near": FAIL, "new": FAIL | {"check": "gradient"}}),
    )
    (tmp_path / "data.yaml").write_text(histories_data(recorded(found)), encoding="utf-8")
    (one,) = read_histories(tmp_path / "data.yaml")
    assert (one.backend, one.versions) == ("one", ["0.9", "0.10"])
    assert [each.history.repaired_in for each in one.defects] == ["0.10", ""]
    listed = {
        "shown": Framework([one.backend], released=[[f"shown=={one.versions[0]}"], ["shown==99.1"]]),
        "unseen": Framework(["unseen"], released=[["unseen==7.1"]]),
    }
    text = versions_text([one], listed)
    assert "not run: shown (99.1), unseen (7.1)." in " ".join(text.split()) and "at most 3 of the cases" in text
    assert "| one | 2: 0.9 to 0.10 | 2 | 1 |  |" in text
    assert "| `shift` | 0.9 or before | 0.9 | 0.10 | 1 of 1 | right |" in text
    assert r"| cross\_entropy, value (`near`) | 0.9 or before | 0.10 |  | 1 of 1 | 1 of 1 |" in text


def test_backends_that_are_kept_stay_as_they_are_recorded(tmp_path: Path) -> None:
    former = [
        RecordedHistory(
            name, ["1", "2"], [RecordedDefect("shift", "far", {"1": (1, 1), "2": (1, 1)}, registered=False)]
        )
        for name in ("one", "other")
    ]
    found = _histories(tmp_path / "runs", ("0.9", {"far": KNOWN}), ("0.10", {"far": {}}))
    (tmp_path / "data.yaml").write_text(histories_data(recorded(found), former), encoding="utf-8")
    assert read_histories(tmp_path / "data.yaml") == [*recorded(found), former[1]]


def test_data_of_another_form_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("- backend: one", encoding="utf-8")
    with pytest.raises(UsageError, match="not a list of histories") as error:
        read_histories(tmp_path / "data.yaml")
    assert "versions-data" in error.value.hint and "data.yaml" in str(error.value.place)


def test_one_version_has_no_history(tmp_path: Path) -> None:
    assert _histories(tmp_path, ("1.0", {"far": KNOWN})) == []
