"""What differs between the modes of a framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conformance.model.backend import BackendId, BackendRecord
from conformance.model.outcome import DefectRef, ErrorFact, Outcome
from conformance.reports.merge import merge
from conformance.reports.modes import KINDS, Comparison, comparisons
from tests.support.outcomes import outcome, run


def _mode(name: str, execution: str, version: str = "1.0") -> BackendRecord:
    made = BackendId(name=name, framework="one", version=version, device="cpu", execution=execution)
    return BackendRecord(name=name, spec=name, id=made, versions={"one": version})


def _compared(folder: Path, plain: list[Outcome], compiled: list[Outcome], **options: Any) -> list[Comparison]:
    records = [_mode("one", "eager"), _mode("one:compile", "compile", **options)]
    return comparisons(merge([run(folder, [*plain, *compiled], backends=records)]).relations)


def _pair(case: str, first: dict[str, Any], second: dict[str, Any]) -> tuple[list[Outcome], list[Outcome]]:
    return [outcome(case, "one", **first)], [outcome(case, "one:compile", **second)]


def test_each_kind_of_difference_is_counted_and_all_but_accuracy_are_listed(tmp_path: Path) -> None:
    wrong = {"verdict": "known", "defect": DefectRef("shift", "not reported")}
    pairs = {
        "alike": ({}, {"ratio": 0.02, "observed": 0.51}),
        "wrong in one": ({}, {"verdict": "fail", "reason": "beyond-bound", "observed": 3.0}),
        "other answer": ({"verdict": "fail"}, wrong),
        "other policy": ({}, {"verdict": "deviation", "excused_by": ("plus-infinity",)}),
        "not in one mode": ({}, {"verdict": "unsupported", "error": ErrorFact("", "no such mode")}),
        "other accuracy": ({}, {"class_": "B"}),
        "wrong in both": (wrong, wrong),
        "not run in one": ({}, {"verdict": "not run", "reason": "left-out"}),
    }
    made = [_pair(case, *sides) for case, sides in pairs.items()]
    plain, compiled = ([each[side][0] for each in made] for side in (0, 1))
    (found,) = _compared(tmp_path / "run", plain, compiled)
    assert (found.first.label, found.second.label) == ("one 1.0", "one:compile 1.0")
    assert found.shared == len(pairs) - 1 and found.counts == dict.fromkeys(KINDS, 1) and not found.consistent
    listed = {each.kind: each for each in found.differences}
    assert list(listed) == [kind for kind in KINDS if kind != "other accuracy"]
    assert all(each.named == (kind,) and each.checks == 1 for kind, each in listed.items())
    assert (listed["wrong in one"].first.verdict, listed["wrong in one"].second.verdict) == ("pass", "fail")


def test_what_differs_alike_is_one_group(tmp_path: Path) -> None:
    sides: tuple[dict[str, Any], ...] = ({}, {"verdict": "fail", "reason": "beyond-bound"})
    plain = [outcome(f"c{n}", "one", **sides[0]) for n in range(9)]
    compiled = [outcome(f"c{n}", "one:compile", **sides[1]) for n in range(9)]
    (found,) = _compared(tmp_path / "run", plain, compiled)
    (group,) = found.differences
    assert (group.checks, group.cases, len(group.named)) == (9, 9, 6) and group.dtypes == ("float32",)


def test_other_versions_are_not_modes(tmp_path: Path) -> None:
    assert _compared(tmp_path / "run", *_pair("c", {}, {"verdict": "fail"}), version="2.0") == []


def test_a_users_kernel_is_not_a_mode_of_the_framework_it_extends(tmp_path: Path) -> None:
    """But one of its own in another mode, by whatever class of the file it is."""
    names = {"one": "eager", "ours:A": "eager", "ours:A:compile": "compile", "ours:B:compile": "compile"}
    records = [_mode(name, execution) for name, execution in names.items()]
    made = run(tmp_path / "run", [outcome("c", name) for name in names], backends=records)
    pairs = [(each.first.backend, each.second.backend) for each in comparisons(merge([made]).relations)]
    assert pairs == [("ours:A", "ours:A:compile")]
