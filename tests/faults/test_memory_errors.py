"""Of a backend with a known memory error on valid calls no other call pays, and each run has the same outcomes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conformance.model.verdicts import NONCONFORMING
from tests.faults.test_labels import facts, of, require_sound_cases_pass, run

pytestmark = pytest.mark.slow

KNOWN = """policies: {}
tested: [numpy]
known:
- id: one-class-corrupts-memory
  severity: memory-error
  title: One class ends the process
  why: a test
  issue: not reported
  date: 2026-01-31
  cases: [one-class-0, one-class-1]
"""
#: What is said of a death that comes in each fresh process, and of one that comes and goes.
ALWAYS = KNOWN + "  checks: [value, shift, vectorised-map]\n  message: process ended\n  verdicts: [crash]\n"
NOW_AND_THEN = KNOWN + "  checks: [value]\n  intermittent: true\n"
ONE_JOB = ("--jobs", "1")


def cases(sound: int = 6) -> list[dict[str, Any]]:
    """Two cases of one class, each between sound ones."""
    shared = {"why": "a case of its own", "op": "softmax", "axis": 1, "dtypes": ["float32"], "layouts": ["contiguous"]}
    found = [shared | {"id": f"sound-{place}", "logits": [[0.5 * place, 1.5]]} for place in range(sound)]
    for place in range(2):
        found.insert(3 * place + 1, shared | {"id": f"one-class-{place}", "logits": [[1.5 + place]]})
    return found


def asked(folder: Path, kind: str, register: str, *options: str) -> tuple[int, Any]:
    return run(folder, kind, cases(), "", *(options or ONE_JOB), declared=register)


def test_what_no_register_names_is_a_finding(tmp_path: Path) -> None:
    pattern = NOW_AND_THEN.replace("[one-class-0, one-class-1]", "['one-class-*']")
    assert pattern != NOW_AND_THEN
    code, outcomes = asked(tmp_path, "DiesLater", "")
    assert code == 1 and any(each["verdict"] in NONCONFORMING for each in outcomes)
    code, _ = asked(tmp_path, "DiesLater", pattern)
    assert code == 2  # it would not say what comes and goes
    code, outcomes = asked(tmp_path, "DiesLater", NOW_AND_THEN)
    require_sound_cases_pass(outcomes)
    assert code == 0


def test_a_death_that_a_register_names_is_known_and_no_other_call_pays(tmp_path: Path) -> None:
    code, outcomes = asked(tmp_path, "DiesOfOneClass", ALWAYS)
    require_sound_cases_pass(outcomes)
    assert code == 0
    for case in ("one-class-0", "one-class-1"):
        assert of(case, outcomes) == {"value": "known"}, case
        assert {each["defect"]["id"] for each in outcomes if each["case"] == case} == {"one-class-corrupts-memory"}


def test_the_register_excuses_nothing_but_what_it_describes(tmp_path: Path) -> None:
    code, outcomes = asked(tmp_path, "DiesOfOneClass", ALWAYS.replace("process ended", "no such words"))
    require_sound_cases_pass(outcomes)
    assert of("one-class-0", outcomes) == {"value": "crash"} and code == 1


def test_what_comes_and_goes_has_one_outcome_for_each_call_whatever_comes(tmp_path: Path) -> None:
    first, *others = [asked(tmp_path, "CorruptsMemory", NOW_AND_THEN) for _ in range(3)]
    code, outcomes = first
    require_sound_cases_pass(outcomes)
    assert code == 0 and all(facts(each) == facts(outcomes) for _, each in others)
    for case in ("one-class-0", "one-class-1"):
        (only,) = [each for each in outcomes if each["case"] == case]
        assert (only["check"], only["verdict"], only["reason"]) == ("value", "known", "intermittent")


def test_that_nothing_shows_is_not_out_of_date(tmp_path: Path) -> None:
    code, outcomes = asked(tmp_path, "DiesInManyCases", NOW_AND_THEN.replace("one-class", "sound"))
    assert Counter(each["check"] for each in outcomes)["register"] == 0
    assert code == 1 and {each["case"] for each in outcomes if each["verdict"] == "known"} == {"sound-0", "sound-1"}


@pytest.mark.nightly
@pytest.mark.parametrize(("kind", "register"), [("CorruptsMemory", NOW_AND_THEN), ("DiesOfOneClass", ALWAYS)])
def test_ten_runs_have_the_same_outcomes_however_they_are_carried_out(kind: str, register: str, tmp_path: Path) -> None:
    ways = [ONE_JOB, ("--jobs", "2"), ("--executor", "dask", "--jobs", "2")]
    first, *others = [facts(asked(tmp_path, kind, register, *ways[place % 3])[1]) for place in range(10)]
    assert all(each == first for each in others)
    parts = [facts(asked(tmp_path, kind, register, "--shard", f"{number}/2")[1]) for number in (1, 2)]
    assert parts[0] + parts[1] == first
