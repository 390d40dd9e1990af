from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases.load import load_suite
from conformance.cases.yaml12 import parse
from conformance.corpus.arrays import AXES, FILES, SIZES, SPECIALS, THREADS, TRANSFORMS, TRIPLES, TYPES, CoveringArray
from conformance.corpus.covering import combinations_of, covering_array
from conformance.places import CASES


@pytest.mark.parametrize("name", [name for name in FILES if name != "specials"])
def test_a_generated_file_is_what_the_generator_writes(name):
    assert (CASES / FILES[name].path).read_text(encoding="utf-8") == FILES[name].text()


def test_the_file_of_special_values_is_what_the_generator_writes_but_for_the_expected_values():
    held = parse((CASES / FILES["specials"].path).read_text(encoding="utf-8"), "special values")
    for case in held["cases"]:
        case.pop("expected", None)
    assert held == parse(FILES["specials"].text(), "special values")


@pytest.mark.parametrize(
    "array",
    [TRIPLES, SIZES, TRANSFORMS, TYPES, AXES, THREADS, SPECIALS],
    ids=["triples", "sizes", "transforms", "types", "axes", "threads", "specials"],
)
def test_every_allowed_combination_of_features_stands_in_a_row(array: CoveringArray):
    rows = array.rows()
    assert all(array.allowed(row) for row in rows)
    held = {each for row in rows for each in combinations_of(row, array.strength)}
    missing = []
    for names in combinations(array.factors, array.strength):
        for levels in product(*(array.factors[name] for name in names)):
            chosen = tuple(zip(names, levels, strict=True))
            if array.allowed(dict(chosen)) and chosen not in held:
                missing.append(chosen)
    # What two features allow, a third may forbid: nll_loss with smoothing, say, in whatever shape.
    assert missing == []


def test_every_feature_stands_in_the_file_of_triples_with_every_reduction():
    rows = {TRIPLES.case_of(row, 0)["id"]: row for row in TRIPLES.rows()}
    held = {
        (feature, reduction)
        for entry in load_suite((CASES / FILES["triples"].path,)).entries
        for feature in combinations_of(rows[entry.case.id], 1)
        for reduction in entry.case.reductions
    }
    features = {feature for feature, _ in held}
    assert {(feature, reduction) for feature in features for reduction in ("none", "mean", "sum")} == held


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
