"""The register of known defects: narrow, and strict where the whole suite is run."""

from __future__ import annotations

import msgspec

from conformance.judge.finding import Subject
from conformance.model.records import Outcome
from conformance.profiles.profile import Defect, Profile
from conformance.profiles.register import Register

ENTRY = Defect(
    id="late-shift",
    cases=["named", "some-*"],
    checks=["value"],
    reached=["C"],
    why="w",
    issue="not reported",
    date="2026-01-01",
)


def register(*, whole: bool, machine: str = "") -> Register:
    entry = msgspec.structs.replace(ENTRY, machine=machine)
    return Register(Subject("b", profile=Profile(backend="b", known=[entry])), whole)


def outcome(case: str, verdict: str, letter: str | None = None) -> Outcome:
    return Outcome(
        case=case, backend="b", dtype="float32", layout="contiguous", op="softmax", check="value", verdict=verdict,
        class_=letter,
    )  # fmt: skip


def test_a_fail_as_described_is_known_and_another_stays_a_fail() -> None:
    found = register(whole=True)
    assert found.apply(outcome("named", "fail", "C")).verdict == "known"
    assert found.apply(outcome("named", "fail", "F")).verdict == "fail"
    assert found.apply(outcome("other", "fail", "C")).verdict == "fail"


def test_a_named_case_must_show_and_one_of_a_pattern_suffices() -> None:
    found = register(whole=True)
    for case, verdict in (("named", "pass"), ("some-1", "pass"), ("some-2", "fail")):
        found.apply(outcome(case, verdict, "C"))
    assert [each.case for each in found.stale()] == ["named"]


def test_a_pattern_of_which_no_case_shows_is_out_of_date() -> None:
    found = register(whole=True)
    found.apply(outcome("some-1", "pass"))
    assert [(each.verdict, each.case) for each in found.stale()] == [("stale", "some-1")]


def test_a_narrowed_run_calls_nothing_out_of_date() -> None:
    found = register(whole=False)
    found.apply(outcome("some-1", "pass"))
    assert msgspec.to_builtins(found.stale()) == []


def test_an_entry_that_depends_on_the_machine_is_not_out_of_date_where_it_does_not_show() -> None:
    found = register(whole=True, machine="seen on one processor, not on another")
    assert found.apply(outcome("named", "pass")).verdict == "pass"
    assert found.stale() == []
    assert found.apply(outcome("named", "fail", "C")).verdict == "known"
