from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from conformance.cases.load import load_suite
from conformance.cases.yaml12 import parse
from conformance.corpus import sizes, specials
from conformance.corpus.__main__ import (
    SEED,
    STRENGTH,
    combined_text,
    sized_text,
    special_text,
    transformed_text,
    with_tiers,
)
from conformance.corpus.covering import combinations_of, covering_array
from conformance.corpus.features import FACTORS, allowed, case_of

FILE = Path(__file__).resolve().parents[3] / "cases" / "combinations" / "triples.yaml"
SPECIALS = FILE.with_name("special-values.yaml")


def test_the_file_of_triples_is_what_the_generator_writes():
    held = FILE.read_text(encoding="utf-8")
    assert held == with_tiers(combined_text(), held)


def test_every_allowed_triple_of_features_stands_in_the_file():
    rows = covering_array(FACTORS, STRENGTH, SEED, allowed)
    held = {each for row in rows for each in combinations_of(row, STRENGTH)}
    missing = []
    for names in combinations(FACTORS, STRENGTH):
        for levels in product(*(FACTORS[name] for name in names)):
            chosen = tuple(zip(names, levels, strict=True))
            if allowed(dict(chosen)) and chosen not in held:
                missing.append(chosen)
    # What two features allow, a third may forbid: nll_loss with smoothing, say, in whatever shape.
    assert missing == []
    ids = {entry.case.id for entry in load_suite((FILE,)).entries}
    assert ids == {case_of(row, 0)["id"] for row in rows}


def test_every_feature_stands_in_the_file_with_every_reduction():
    rows = {case_of(row, 0)["id"]: row for row in covering_array(FACTORS, STRENGTH, SEED, allowed)}
    held = {
        (feature, reduction)
        for entry in load_suite((FILE,)).entries
        for feature in combinations_of(rows[entry.case.id], 1)
        for reduction in entry.case.reductions
    }
    features = {feature for feature, _ in held}
    assert {(feature, reduction) for feature in features for reduction in ("none", "mean", "sum")} == held


def test_the_file_of_sizes_is_what_the_generator_writes_and_holds_every_pair():
    assert FILE.with_name("sizes.yaml").read_text(encoding="utf-8") == sized_text()
    rows = covering_array(sizes.FACTORS, 2, SEED, sizes.allowed)
    assert all(sizes.allowed(row) for row in rows)
    held = {pair for row in rows for pair in combinations_of(row, 2)}
    missing = []
    for names in combinations(sizes.FACTORS, 2):
        for levels in product(*(sizes.FACTORS[name] for name in names)):
            chosen = dict(zip(names, levels, strict=True))
            if sizes.allowed(chosen) and tuple(chosen.items()) not in held:
                missing.append(chosen)
    assert missing == []


@given(
    st.dictionaries(
        st.sampled_from("abcde"),
        st.lists(st.sampled_from("0123"), min_size=1, max_size=4, unique=True),
        min_size=2,
        max_size=5,
    ),
    st.integers(0, 9),
)
def test_a_covering_array_holds_every_pair_and_is_the_same_for_the_same_seed(factors, seed):
    def anything(row):
        return True

    rows = covering_array(factors, 2, seed, anything)
    held = {each for row in rows for each in combinations_of(row, 2)}
    wanted = {
        ((first, one), (second, other))
        for first, second in combinations(factors, 2)
        for one, other in product(factors[first], factors[second])
    }
    assert held == wanted
    assert rows == covering_array(factors, 2, seed, anything)


def test_what_is_not_allowed_is_never_made_and_takes_nothing_else_with_it():
    factors = {"a": ("0", "1"), "b": ("0", "1"), "c": ("0", "1")}

    def no_two_ones(row):
        return list(row.values()).count("1") < 2

    rows = covering_array(factors, 2, 1, no_two_ones)
    assert all(no_two_ones(row) for row in rows)
    assert {each for row in rows for each in combinations_of(row, 2)} >= {
        (("a", "1"), ("b", "0")),
        (("b", "0"), ("c", "1")),
    }


def test_the_file_of_transforms_is_what_the_generator_writes():
    held = FILE.with_name("transforms.yaml").read_text(encoding="utf-8")
    assert held == with_tiers(transformed_text(), held)


def test_the_file_of_special_values_is_what_the_generator_writes_and_holds_every_pair():
    written = parse(special_text(), "special values")
    held = parse(SPECIALS.read_text(encoding="utf-8"), "special values")
    assert [{key: case[key] for key in case if key not in ("expected", "tier")} for case in held["cases"]] == written[
        "cases"
    ]
    rows = covering_array(specials.FACTORS, 2, SEED, specials.allowed)
    pairs = {pair for row in rows for pair in combinations_of(row, 2)}
    names = tuple(specials.FACTORS)
    whole = (dict(zip(names, levels, strict=True)) for levels in product(*specials.FACTORS.values()))
    assert pairs == {pair for row in whole if specials.allowed(row) for pair in combinations_of(row, 2)}
