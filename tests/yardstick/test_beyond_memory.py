"""The cases of more elements than memory holds pass what is right, and alone find out what counts in too few bits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conformance.cases.load import Entry, load_suite
from conformance.model.outcome import Outcome
from conformance.places import CASES
from conformance.run.judged import judged
from conformance.run.plan import RunBudget
from tests.yardstick.beyond_memory import WRONG, Sampled

BEYOND = load_suite([CASES / "shapes" / "beyond-memory.yaml"]).entries
ANY = RunBudget(1 << 60, 1e9)


def outcomes(kind: type[Sampled], entries: Sequence[Entry], budget: RunBudget = ANY) -> list[Outcome]:
    return [each for unit in judged(kind(), entries, identities=False, budget=budget) for each in unit]


def test_what_is_right_passes_them_all() -> None:
    found = outcomes(Sampled, BEYOND)
    assert {each.verdict for each in found} == {"pass"}
    assert {each.case for each in found} == {each.case.id for each in BEYOND}


@pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.__name__.strip("_"))
def test_what_counts_in_too_few_bits_is_found_out(kind: type[Sampled]) -> None:
    (entry,) = (each for each in BEYOND if each.case.id == WRONG[kind])
    assert {"value", "gradient"} & {each.check for each in outcomes(kind, [entry]) if each.verdict == "fail"}


def test_without_the_budget_they_are_left_out_and_say_what_they_need() -> None:
    found = outcomes(Sampled, BEYOND, RunBudget())
    assert {(each.verdict, each.reason) for each in found} == {("not run", "left-out")}
    assert all(each.detail.startswith("needs ") and each.detail.endswith("(--max-memory)") for each in found)
    beyond = outcomes(Sampled, BEYOND, RunBudget(1 << 60, 1e9, 1 << 30))
    assert all(each.detail.endswith("beyond the 1.0 of a backend's process (--memory-limit)") for each in beyond)
