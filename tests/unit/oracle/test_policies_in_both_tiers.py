"""Every value of each policy that changes what is right, in both tiers of the oracle, on the cases that observe it."""

from __future__ import annotations

from functools import cache

import pytest

from conformance.cases.expand import expand
from conformance.cases.load import Entry, load_suite
from conformance.cases.resolve import resolve
from conformance.model.policies import NORMATIVE, POLICIES, choice_in
from conformance.oracle.block import Block
from conformance.oracle.truth import Truth
from conformance.places import CASES
from tests.unit.oracle.test_oracle import encloses, results

#: Larger cases say nothing more, and the exact tier takes its time for them.
FEW = 400


@cache
def _entries() -> tuple[Entry, ...]:
    return tuple(entry for entry in load_suite([CASES]).entries if entry.case.policy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}-{value}")
        for name, policy in POLICIES.items()
        if policy.affects == "answer"
        for value in policy.values
    ],
)
def test_the_first_tier_encloses_the_second_under_every_policy(name: str, value: str) -> None:
    problems = [
        problem
        for entry in _entries()
        if name in entry.case.policies
        for problem in expand(entry, dtypes=["float32", "float64"]).problems
        if problem.logits.size <= FEW and choice_in(name, problem, NORMATIVE)
    ]
    assert problems, f"no small case asks for {name}"
    for problem in problems:
        choice = choice_in(name, problem, NORMATIVE)
        assert choice is not None
        policies = choice.with_value(NORMATIVE, value)
        resolution = resolve(problem, policies, stated_error=False)
        if resolution.must_raise or resolution.undefined:
            continue
        block = Block((resolution.problem,))
        tiers = [results(Truth(block, policies, tier), resolution.problem) for tier in ("fast", "exact")]
        for (what, reduction, fast), (_, _, exact) in zip(*tiers, strict=True):
            assert encloses(fast, exact), (problem.case.id, what, reduction, fast, exact)
