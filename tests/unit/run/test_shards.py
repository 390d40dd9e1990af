"""Shards: parts that share nothing, lose nothing, cost the same, and are the same wherever they are worked out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases.load import Entry
from conformance.model.case import Case, Generator
from conformance.model.errors import UsageError
from conformance.model.outcome import Outcome
from conformance.model.records import Shard
from conformance.run.costs import costs_of, expected_cost, shared_out
from conformance.run.shards import parse_shard, partition


def entry(name: str, **facts: object) -> Entry:
    fields = {"id": name, "why": "w", "op": "softmax", "logits": [1.0, 2.0], "dtypes": ("float32",), **facts}
    return Entry(Case(**fields), "theme", Path("cases.yaml"), 0)  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 12))
def test_shards_share_nothing_lose_nothing_and_keep_the_order(costs: list[float], count: int) -> None:
    entries = [entry(f"case-{number}") for number in range(len(costs))]
    found = partition(entries, costs, count)
    assert sorted(each.case.id for part in found.parts for each in part) == sorted(each.case.id for each in entries)
    assert all([*part] == sorted(part, key=entries.index) for part in found.parts)
    assert max(found.seconds) <= sum(costs) / count + max(costs, default=0.0) + 1e-6


@given(st.permutations(range(30)), st.integers(1, 5))
def test_shards_are_the_same_in_whatever_order_cases_are_found(order: list[int], count: int) -> None:
    entries, costs = [entry(f"case-{number}") for number in range(30)], [1.0 + number % 7 for number in range(30)]
    shuffled = partition([entries[place] for place in order], [costs[place] for place in order], count)
    usual = partition(entries, costs, count)
    assert [{*part} for part in shuffled.parts] == [{*part} for part in usual.parts]


def test_cases_without_a_cost_are_dealt_out_too() -> None:
    found = partition([entry(f"case-{number}") for number in range(9)], [0.0] * 9, 3)
    assert [len(part) for part in found.parts] == [3, 3, 3]


def test_a_partition_knows_itself_by_its_digest() -> None:
    entries = [entry(f"case-{number}") for number in range(9)]
    one, other = (partition(entries, [1.0 * (number % skew) for number in range(9)], 3) for skew in (2, 5))
    assert one.digest != other.digest and one.digest == partition(entries, [1.0 * (n % 2) for n in range(9)], 3).digest


def test_a_partition_of_edited_cases_is_another_one() -> None:
    as_it_was, edited = (partition([entry("a", logits=[1.0, last]), entry("b")], [1.0, 1.0], 2) for last in (2.0, 3.0))
    assert as_it_was.digest != edited.digest


def test_a_shard_from_text() -> None:
    assert parse_shard("2/3") == Shard(2, 3) and str(Shard(2, 3)) == "2/3"
    for wrong in ("0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/3\n/"):
        with pytest.raises(UsageError, match="not a part of a whole"):
            parse_shard(wrong)


def test_what_was_not_measured_costs_as_much_as_its_shape_says_beside_what_was() -> None:
    wide = Generator(distribution="normal", shape=(1000, 1000))
    small, large, other = (entry(name, logits=logits).case for name, logits in (("a", [1.0]), ("b", wide), ("c", wide)))
    assert expected_cost(large) > 50 * expected_cost(small)
    none, slow, mean = (
        costs_of([small, large, other], {"one": {"a": 4.0, "b": 2.0}, "two": {"a": 1.0, "b": 2.0}}, names)
        for names in ((), ["one"], ["neither"])
    )
    assert none[:2] == mean[:2] == [5.0, 4.0] and slow[:2] == [4.0, 2.0] and slow[2] > 2.0
    assert costs_of([small, large], {}) == [expected_cost(small), expected_cost(large)]


def test_the_time_of_a_task_is_shared_out_among_the_cases_that_were_asked() -> None:
    cases = [entry(name).case for name in ("a", "b", "c")]
    outcomes = [
        Outcome(case=name, backend="one", dtype="float32", layout="contiguous", op="softmax", check="value",
                verdict=verdict, reason=reason, seconds=seconds)
        for name, verdict, reason, seconds in
        (("a", "pass", "", 1.0), ("a", "pass", "", 2.0), ("b", "pass", "", 0.5), ("c", "not run", "left-out", 0.0))
    ]  # fmt: skip
    assert shared_out(9.0, 2.0, cases, outcomes) == {"a": 4.0, "b": 1.5, "c": 0.0}
    assert shared_out(1.0, 0.0, cases, outcomes) == {"a": 3.0, "b": 0.5, "c": 0.0}  # clocks may differ
    outcomes[2] = msgspec.structs.replace(outcomes[2], verdict="timeout")
    assert shared_out(9.0, 2.0, cases, outcomes) == {"a": 4.0, "b": 5.0, "c": 0.0}
