"""Which versions of a backend show a defect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.model.backend import BackendId, BackendRecord
from conformance.model.outcome import DefectRef
from conformance.reports.merge import merge
from conformance.reports.versions import VersionHistory, VersionShare, version_histories
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


def test_one_version_has_no_history(tmp_path: Path) -> None:
    assert _histories(tmp_path, ("1.0", {"far": KNOWN})) == []
