"""Selections: the language of ``-k``, and dtypes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases.load import Entry
from conformance.cases.select import matcher, parse_dtypes, select
from conformance.model.case import Case, OperationName
from conformance.model.errors import UsageError


def named(name: str, *, flags: tuple[str, ...] = (), op: OperationName = "softmax") -> Entry:
    case = Case(id=name, why="w", op=op, logits=[1.0], flags=flags, dtypes=("float32",))
    return Entry(case, "theme-x", Path("f"), 0)


SAMPLE = named("large-logits", flags=("double-softmax",), op="log_softmax")


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ("large", True),
        ("LARGE", True),
        ("theme-x", True),
        ("log_softmax", True),
        ("double", True),
        ("small", False),
        ("not small", True),
        ("not not large", True),
        ("small or large", True),
        ("small and large", False),
        ("small and large or large", True),
        ("large or large and small", True),
        ("(large or large) and small", False),
        ("not (small and large)", True),
        ("not small and not tiny", True),
        ("logitstheme", False),
    ],
)
def test_expressions(expression: str, *, matches: bool) -> None:
    assert matcher(expression)(SAMPLE) is matches


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "empty"),
        ("a b", r"missing before 'b' \(column 3\)"),
        ("a and", "word is missing at the end"),
        ("or a", "word is missing before 'or'"),
        ("(a", r"'\)' is missing at the end"),
        ("a)", r"unmatched '\)'"),
        ("()", "word is missing"),
        ("(" * 5000, "64 levels"),
    ],
)
def test_expressions_that_cannot_be_read(expression: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as raised:
        matcher(expression)
    assert raised.value.hint


_TREES = st.recursive(
    st.sampled_from(["large", "small", "softmax", "zzz"]),
    lambda inner: st.one_of(st.tuples(st.just("not"), inner), st.tuples(inner, st.sampled_from(["and", "or"]), inner)),
    max_leaves=12,
)


def _text(tree: object) -> str:
    return tree if isinstance(tree, str) else "(" + " ".join(map(_text, tree)) + ")"  # type: ignore[call-overload]


@given(_TREES)
def test_an_expression_means_what_python_would_make_of_it(tree: object) -> None:
    text = _text(tree)
    truth = {"large": True, "small": False, "softmax": True, "zzz": False}
    assert matcher(text)(SAMPLE) is eval(text, {"__builtins__": {}}, truth)


@given(st.text(max_size=30))
def test_no_expression_fails_otherwise(text: str) -> None:
    try:
        matcher(text)(SAMPLE)
    except UsageError as error:
        assert error.hint


@pytest.mark.parametrize(
    "expression", ["not " * 50_000 + "a", "not " * 1000 + "a", "(" * 3000 + "a" + ")" * 3000, " or ".join("a" * 9000)]
)
def test_an_expression_of_no_sane_size_is_refused_in_few_words(expression: str) -> None:
    with pytest.raises(UsageError, match="more than") as raised:
        matcher(expression)
    assert raised.value.hint and len(str(raised.value)) < 1000


def test_dtypes_from_text() -> None:
    assert parse_dtypes(["float16,float64", "float64"]) == ("float64", "float16")
    with pytest.raises(UsageError, match="unknown dtype 'fp32'") as raised:
        parse_dtypes(["fp32"])
    assert "'float32'" in str(raised.value.hint)


def test_selection_keeps_the_order_and_the_dtypes() -> None:
    entries = [named("b-one"), named("a-one"), named("two")]
    assert [found.case.id for found in select(entries, expression="one", dtypes=["float32"])] == ["b-one", "a-one"]
    assert select(entries, dtypes=["float16"]) == []
