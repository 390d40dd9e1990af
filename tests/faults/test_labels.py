"""A backend that bad labels harm, or that dies often, has the same outcomes in each run, and no other call pays."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.trial import conformance

pytestmark = pytest.mark.slow

LOGITS = [[0.5, -1.0, 0.25], [1.5, 0.0, -0.5]]
UNDEFINED = "label-out-of-range: {value: undefined, documentation: undocumented}"
KEYS = ("case", "dtype", "op", "reduction", "check", "verdict", "class", "policy", "aspect")
BAD = {"above": 3, "far-above": 4000, "negative": -1, "below": -7}
SOUND = ("value", "gradient", "unmodified", "repeatable")


def bad_labels() -> list[dict[str, Any]]:
    """Cases with a bad label, and one with good labels before and behind each."""
    found = []
    for place, (name, label) in enumerate(BAD.items()):
        shared = {"why": "a case of its own", "op": "cross_entropy", "logits": LOGITS, "dtypes": ["float32"]}
        shared |= {"layouts": ["contiguous"], "reductions": ["none"], "axis": 1}
        error = {"expect": {"error": "a label is out of range"}, "policy": "label-out-of-range"}
        found += [
            shared | {"id": f"sound-{place}", "targets": [place % 3, 1]},
            shared | {"id": name, "targets": [0, label]} | error,
        ]
    return found


def many(count: int) -> list[dict[str, Any]]:
    """Cases of which all but every fifth has a positive first logit."""
    shared = {"why": "a case of its own", "op": "softmax", "axis": 1, "dtypes": ["float64"], "layouts": ["contiguous"]}
    firsts = [-1.0 - place if place % 5 == 4 else 1.0 + place for place in range(count)]
    return [
        shared | {"id": f"{'sound' if first < 0 else 'deadly'}-{place}", "logits": [[first, 0.5]]}
        for place, first in enumerate(firsts)
    ]


def run(
    folder: Path, kind: str, cases: list[dict[str, Any]], policies: str = "", *options: str, declared: str = ""
) -> tuple[int, Any]:
    """The exit code and the outcomes of a run with a backend of that kind, of which all that is ``declared``."""
    folder.mkdir(exist_ok=True)
    text = f"from tests.faults.labels import {kind}\n\n\nclass Mine({kind}):\n    pass\n"
    (folder / "mine.py").write_text(text, encoding="utf-8")
    if declared := declared or (f"policies:\n  {policies}\n" if policies else ""):
        profile = f"backend: mine\nextends: numpy\n{declared}"
        (folder / "mine.profile.yaml").write_text(profile, encoding="utf-8")
    (folder / "cases.yaml").write_text(json.dumps({"theme": "labels", "cases": cases}), encoding="utf-8")
    words = ["run", "-b", "mine.py", "--cases", "cases.yaml", "--output", "out", "--replace", "--no-identities"]
    code, printed, left = conformance([*words, *options], folder)
    assert not left, printed
    records = map(json.loads, (folder / "out" / "outcomes.jsonl").read_text(encoding="utf-8").splitlines())
    return code, [each for each in records if each["record"] == "outcome"]


def facts(outcomes: Any) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(each.get(key) for key in KEYS) for each in outcomes)


def of(case: str, outcomes: Any) -> dict[str, str]:
    return {each["check"]: each["verdict"] for each in outcomes if each["case"] == case}


def require_sound_cases_pass(outcomes: Any) -> None:
    for each in outcomes:
        assert each["verdict"] == "pass" or not each["case"].startswith("sound"), each


def test_a_bad_label_that_spoils_later_calls_is_named_and_no_other_call_pays(tmp_path: Path) -> None:
    code, outcomes = run(tmp_path, "WritesOutOfBounds", bad_labels(), "", "--jobs", "1")
    require_sound_cases_pass(outcomes)
    for case in BAD:
        found = of(case, outcomes)
        assert found.pop("policy") in ("fail", "not run")  # no value of it describes what another call has spoilt
        assert found == {"error": "fail", "process": "fail"}, case
        (damage,) = [each for each in outcomes if each["case"] == case and each["check"] == "process"]
        assert (damage["reason"], damage["spoils"]) == ("left-damage", "later calls")
    assert code == 1


def test_what_is_declared_undefined_is_the_same_deviation_whatever_comes(tmp_path: Path) -> None:
    for kind, spoils in (("WritesOutOfBounds", True), ("DiesAtRandom", False)):
        code, outcomes = run(tmp_path / kind, kind, bad_labels(), UNDEFINED)
        require_sound_cases_pass(outcomes)
        for case in BAD:
            assert of(case, outcomes) == {"error": "deviation", "policy": "deviation"}, case
            (error,) = [each for each in outcomes if each["case"] == case and each["check"] == "error"]
            assert error["reason"] == "left-open" and ("spoils" in error) is spoils
            assert "error" not in error or error["error"]["type"] == "SIGSEGV"
        assert code == 0


def test_targets_that_are_too_few_end_their_own_process_alone(tmp_path: Path) -> None:
    shared = {"why": "a case of its own", "op": "cross_entropy", "logits": LOGITS, "dtypes": ["float32"]}
    shared |= {"layouts": ["contiguous"], "reductions": ["none"], "axis": 1}
    few = shared | {"id": "too-few", "targets": [1], "expect": {"error": "one target for two positions"}}
    cases = [shared | {"id": "sound-0", "targets": [0, 1]}, few, shared | {"id": "sound-1", "targets": [2, 1]}]
    code, outcomes = run(tmp_path, "ReadsBehindTargets", cases, "", "--jobs", "1")
    require_sound_cases_pass(outcomes)
    assert of("too-few", outcomes) == {"error": "crash"}
    assert code == 1


def test_a_backend_that_dies_in_more_cases_than_it_may_in_a_row_is_asked_all(tmp_path: Path) -> None:
    code, outcomes = run(tmp_path, "DiesInManyCases", many(10), "", "--restarts", "2")
    require_sound_cases_pass(outcomes)
    assert Counter(each["verdict"] for each in outcomes if each["case"].startswith("deadly")) == {"crash": 8}
    assert code == 1


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "policies"),
    [
        ("WritesOutOfBounds", ""),
        ("WritesOutOfBounds", UNDEFINED),
        ("DiesAtRandom", ""),
        ("DiesAtRandom", UNDEFINED),
        ("DiesInManyCases", ""),
    ],
)
def test_ten_runs_have_the_same_outcomes(kind: str, policies: str, tmp_path: Path) -> None:
    cases = many(62) if kind == "DiesInManyCases" else bad_labels()
    first, *others = [facts(run(tmp_path, kind, cases, policies)[1]) for _ in range(10)]
    assert all(each == first for each in others)
    assert not any("not run" in each and "sound" in each[0] for each in first)
