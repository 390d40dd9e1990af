"""The register of known defects: narrow, strict where the whole suite is run, and the same in any order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.model.backend import BackendId
from conformance.model.errors import UsageError
from conformance.model.outcome import DefectRef, ErrorFact, Outcome
from conformance.model.wording import message
from conformance.profiles.profile import Defect, Profile
from conformance.profiles.register import Evidence, apply_register, entries_due, entries_for, errors_of_parts
from conformance.profiles.subject import Subject

ENTRY = Defect(
    id="late-shift",
    cases=["named", "some-*"],
    checks=["value"],
    reached=["C"],
    why="w",
    issue="owner/project#1",
    date="2026-01-01",
)
OTHER = msgspec.structs.replace(
    ENTRY, id="other", cases=["some-1", "lone"], checks=["value", "policy"], dtypes=["float16"]
)
ENTRIES = (ENTRY, OTHER)
REFERENCE = DefectRef("late-shift", "owner/project#1")


def outcome(case: str, verdict: str, letter: str | None = None, **fields: Any) -> Outcome:
    base = {"backend": "b", "dtype": "float32", "layout": "contiguous", "op": "softmax", "check": "value"}
    return Outcome(**{**base, "case": case, "verdict": verdict, "class_": letter, **fields})


def verdict(found: Outcome, *entries: Defect) -> str:
    (made,) = apply_register(entries or (ENTRY,), [found])
    return made.verdict


def stale_entries(entries: Sequence[Defect], outcomes: Sequence[Outcome]) -> list[Outcome]:
    evidence = Evidence(entries)
    for each in outcomes:
        evidence.add(each)
    return evidence.stale()


def stale(outcomes: Sequence[Outcome], *entries: Defect) -> list[Outcome]:
    return stale_entries(entries or (ENTRY,), apply_register(entries or (ENTRY,), outcomes))


def test_what_comes_and_goes_has_one_outcome_of_each_call_and_is_never_stale() -> None:
    whole = Defect(
        id="i", cases=["named"], checks=["value"], dtypes=["float32"], intermittent=True, why="w", issue="x", date="d"
    )
    part = msgspec.structs.replace(whole, checks=["composed"])
    came = [outcome("named", "pass", "B"), outcome("named", "pass", check="composed"), outcome("named", "fail", "F",
            check="gradient")]  # fmt: skip
    for unit in (came, [outcome("named", "crash")]):
        (only,) = apply_register([whole], unit)
        assert (only.check, only.verdict, only.reason, only.class_) == ("value", "known", "intermittent", None)
    assert [each.verdict for each in apply_register([part], came)] == ["pass", "known", "fail"]
    others = [outcome("named", "unsupported"), outcome("named", "pass", dtype="float64"), outcome("lone", "pass")]
    for each in others:
        assert apply_register([whole, part], [each]) == [each]
    assert not stale(others, whole)


def test_a_fail_as_described_is_known_and_another_stays_a_fail() -> None:
    (made,) = apply_register([ENTRY], [outcome("named", "fail", "C")])
    assert made.verdict == "known" and made.defect == REFERENCE
    assert verdict(outcome("named", "fail", "F")) == "fail"
    assert verdict(outcome("named", "pass", "C")) == "pass"
    assert verdict(outcome("named", "fail", "C", check="gradient")) == "fail"


def test_a_fail_of_another_case_names_the_entry_that_it_resembles() -> None:
    (made,) = apply_register([ENTRY], [outcome("my-own", "fail", "C", reason="recorded", detail="0 instead of 1")])
    assert (made.verdict, made.defect, made.resembles) == ("fail", None, REFERENCE)
    assert message(made) == "0 instead of 1; like the registered defect late-shift (owner/project#1)"
    (unlike,) = apply_register([ENTRY], [outcome("my-own", "fail", "F")])
    assert unlike.resembles is None
    (right,) = apply_register([ENTRY], [outcome("my-own", "pass", "C")])
    assert right.resembles is None


def test_the_narrower_dtype_in_which_a_result_is_right_describes_it() -> None:
    entry = msgspec.structs.replace(ENTRY, reached=[], right_in="float32")
    assert verdict(outcome("named", "fail", "F", dtype="float64", right_in="float32"), entry) == "known"
    assert verdict(outcome("named", "fail", "F", dtype="float64"), entry) == "fail"
    assert verdict(outcome("named", "fail", "F", right_in="float16"), entry) == "fail"


def test_words_are_those_of_the_exception_alone() -> None:
    entry = msgspec.structs.replace(ENTRY, checks=["error", "value"], reached=[], message="smoothing")
    raised = outcome("named", "fail", reason="raised", error=ErrorFact("ValueError", "bad smoothing"))
    assert verdict(raised, entry) == "known"
    assert verdict(outcome("named", "fail", reason="raised", error=ErrorFact("ValueError", "bad")), entry) == "fail"
    silent = outcome("named", "fail", check="error", reason="no-error", detail="smoothing above 1")
    assert verdict(silent, entry) == "fail"


@pytest.mark.parametrize("why", ["smoothing above 1", "the label's share is negative"])
def test_a_result_in_place_of_an_error_is_known_by_its_case(why: str) -> None:
    entry = msgspec.structs.replace(ENTRY, checks=["error"], reached=[], cases=["named"])
    silent = outcome("named", "fail", check="error", reason="no-error", detail=why)
    assert verdict(silent, entry) == "known"
    (other,) = apply_register([entry], [msgspec.structs.replace(silent, case="my-own")])
    assert (other.verdict, other.resembles) == ("fail", None)


def test_a_missing_error_resembles_an_entry_that_says_what_makes_the_input_invalid() -> None:
    entry = msgspec.structs.replace(ENTRY, checks=["error"], reached=[], cases=["named"], invalid=["smoothing-above"])
    silent = outcome("named", "fail", check="error", reason="no-error", invalid="smoothing-above")
    own = msgspec.structs.replace(silent, case="my-own")
    below = msgspec.structs.replace(own, invalid="smoothing-below")
    assert verdict(silent, entry) == "known"
    assert [each.resembles for each in apply_register([entry], [own, below])] == [REFERENCE, None]


def test_a_spoilt_call_says_nothing_of_a_policy_wherever_it_stands() -> None:
    spoilt = outcome("named", "fail", "C", reduction="sum")
    policy = outcome("named", "fail", check="policy", policy="p", reduction="sum")
    elsewhere = outcome("named", "fail", check="policy", policy="p", reduction="mean")
    for unit in ([spoilt, policy, elsewhere], [policy, elsewhere, spoilt]):
        made = apply_register([ENTRY], unit)
        assert {(each.check, each.reduction): each.verdict for each in made} == {
            ("value", "sum"): "known", ("policy", "sum"): "known", ("policy", "mean"): "fail",
        }  # fmt: skip


def test_a_named_case_must_show_and_one_of_a_pattern_suffices() -> None:
    made = [outcome("named", "pass", "C"), outcome("some-1", "pass", "C"), outcome("some-2", "fail", "C")]
    assert [each.case for each in stale(made)] == ["named"]


def test_a_pattern_of_which_no_case_shows_is_stale() -> None:
    (gone,) = stale([outcome("some-1", "pass", "A", ulp=0.5, observed=1.0)])
    assert (gone.verdict, gone.case, gone.check, gone.defect) == ("stale", "some-1", "register", REFERENCE)
    assert (gone.class_, gone.ulp, gone.observed) == (None, None, None)


@pytest.mark.parametrize("silent", ["unsupported", "not run", "error"])
def test_what_was_not_judged_says_nothing(silent: str) -> None:
    assert stale([outcome("named", silent)]) == []


def test_an_entry_that_depends_on_the_machine_is_never_stale() -> None:
    entry = msgspec.structs.replace(ENTRY, machine="seen on one processor, not on another")
    assert stale([outcome("named", "pass")], entry) == []
    assert verdict(outcome("named", "fail", "C"), entry) == "known"


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"versions": ">=2"}, True),
        ({"versions": "<2"}, False),
        ({"modes": ["eager"]}, True),
        ({"modes": ["cuda"]}, False),
        ({"without": ["cuda"]}, True),
        ({"without": ["cuda", "cpu"]}, False),
        ({"modes": ["eager"], "without": ["cpu"]}, False),
        ({"ops": ["softmax"]}, False),  # its own softmax is not the framework's
        ({"ops": ["softmax", "log_softmax"]}, True),
    ],
)
def test_entries_hold_for_versions_modes_and_operations_of_the_framework(changes: dict[str, Any], holds: bool) -> None:
    entry = msgspec.structs.replace(ENTRY, **changes)
    identity = BackendId(name="b", version="2.1", device="cpu", execution="eager")
    profile = Profile(backend="b", known=[entry])
    subject = Subject("b", identity, profile, overridden=frozenset({"softmax"}))
    assert bool(entries_for(subject)) == holds


@pytest.mark.parametrize(
    ("changes", "overridden", "holds"),
    [
        ({}, {"log_softmax"}, True),  # nll_loss is the framework's
        ({}, {"nll_loss"}, False),
        ({}, {"nll_loss", "log_softmax"}, False),
        ({"ops": ["nll_loss"]}, {"log_softmax"}, False),  # nothing is said of the composition
        ({"ops": ["nll_loss_of_log_softmax"]}, {"log_softmax"}, False),  # nor of which part it is
        ({"message": "", "observed": ["0.0"]}, {"log_softmax"}, False),  # whose number it is, nobody knows
    ],
)
def test_what_a_part_of_the_framework_raises_is_known_of_a_composition(
    changes: dict[str, Any], overridden: set[str], holds: bool
) -> None:
    about = {"ops": ["nll_loss", "nll_loss_of_log_softmax"], "message": "contiguous", "reached": [], "at_most": None}
    entry = msgspec.structs.replace(ENTRY, **about | changes)
    profile = Profile(backend="b", known=[entry])
    subject = Subject("b", profile=profile, overridden=frozenset(overridden | {"nll_loss_of_log_softmax"}))
    assert [each.ops for each in errors_of_parts(subject)] == [["nll_loss_of_log_softmax"]] * holds


@pytest.mark.parametrize(
    ("modes", "holds"),
    [(["eager"], True), (["logsumexp"], True), (["jit"], False), (["default"], False), (["default", "tf32"], True)],
)
def test_entries_hold_for_any_option_of_the_backend(modes: list[str], holds: bool) -> None:
    identity = BackendId(
        name="b", version="2.1", device="cpu", execution="eager", composition="logsumexp", precision="tf32"
    )
    entry = msgspec.structs.replace(ENTRY, modes=modes)
    assert bool(entries_for(Subject("b", identity, Profile(backend="b", known=[entry])))) == holds


def test_without_a_composition_a_backend_is_the_default() -> None:
    identity = BackendId(name="b", version="2.1", device="cpu", execution="eager")
    entry = msgspec.structs.replace(ENTRY, modes=["default"])
    assert entries_for(Subject("b", identity, Profile(backend="b", known=[entry]))) == (entry,)


def test_wrong_versions_are_named() -> None:
    entry = msgspec.structs.replace(ENTRY, versions="two")
    with pytest.raises(UsageError, match="late-shift"):
        entries_for(Subject("b", profile=Profile(backend="b", known=[entry])))


OUTCOMES = st.builds(
    outcome,
    st.sampled_from(["named", "some-1", "some-2", "lone", "my-own"]),
    st.sampled_from(["pass", "fail", "unsupported", "crash"]),
    st.sampled_from(["A", "C", "F"]),
    dtype=st.sampled_from(["float32", "float16"]),
    reduction=st.sampled_from(["sum", "mean"]),
    check=st.sampled_from(["value", "policy"]),
)


@given(st.lists(OUTCOMES, max_size=20), st.randoms())
def test_the_order_of_units_makes_no_difference(outcomes: list[Outcome], chance: Any) -> None:
    units = [list(unit) for _, unit in groupby(sorted(outcomes, key=lambda o: o.unit), key=lambda o: o.unit)]
    shuffled = chance.sample(units, len(units))
    one, two = ([each for unit in order for each in apply_register(ENTRIES, unit)] for order in (units, shuffled))
    assert sorted(map(msgspec.json.encode, one)) == sorted(map(msgspec.json.encode, two))
    assert stale_entries(ENTRIES, one) == stale_entries(ENTRIES, two)
    chance.shuffle(one)
    assert stale_entries(ENTRIES, one) == stale_entries(ENTRIES, two)


@pytest.mark.parametrize(("device", "due"), [("cpu", ["late-shift", "here"]), ("cuda", ["there"])])
def test_on_another_device_only_what_was_seen_there_is_due(device: str, due: list[str]) -> None:
    named = [msgspec.structs.replace(ENTRY, id=name, modes=[on]) for name, on in (("here", "cpu"), ("there", "cuda"))]
    made = BackendId(name="b", framework="b", version="1.0", device=device, execution="eager")
    subject = Subject("b", made, Profile(backend="b", known=[ENTRY, *named]))
    assert [each.id for each in entries_due(subject)] == due
