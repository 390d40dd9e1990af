"""YAML 1.2 numbers, text kept under ``expected``, and refusals that say where and what to write."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cases.text import flow_text
from conformance.cases.yaml12 import MOST_BYTES, lines, parse, read
from conformance.model.errors import CaseError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e4", 1e4),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E-3", -1.5e-3),
        ("0123", 123),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("-.inf", -math.inf),
        ("+.INF", math.inf),
        ("true", True),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1e", "1e"),
        ("'1'", "1"),
        ('"0x1.8p+1"', "0x1.8p+1"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    result = parse(f"key: {text}", "f")["key"]
    assert result == value
    assert type(result) is type(value)


def test_nan_is_a_float() -> None:
    assert math.isnan(parse("[.nan]", "f")[0])


def test_nan_may_have_a_sign() -> None:
    signs = [math.copysign(1, each) for each in parse("[.nan, -.nan, -.NaN]", "f") if math.isnan(each)]
    assert signs == [1, -1, -1]
    assert flow_text(parse("[.nan, -.nan]", "f")) == "[.nan, -.nan]"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_its_decimal_text(value: float) -> None:
    result = parse(f"[{value!r}]", "f")[0]
    assert float(result).hex() == value.hex()


def test_expected_keeps_its_source_text() -> None:
    expected = "{none: [[4.57e-434, .inf]], mean: 0.76794954890362488, sum: '1.0'}"
    text = f"expected: {expected}\nafter: 1.0\nin: [{{expected: 1e4}}]"
    data = parse(text, "f")
    assert data["expected"] == {"none": [["4.57e-434", ".inf"]], "mean": "0.76794954890362488", "sum": "1.0"}
    assert data["after"] == 1.0
    assert data["in"] == [{"expected": "1e4"}]
    assert parse("expected:", "f") == {"expected": None}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\nb: 2\na: 3", 3, "duplicate key 'a'"),
        ("a: &x 1", 1, "anchor"),
        ("a: &x [1]\nb: *x", 1, "anchor"),
        ("a: 1\nb: *x", 2, "alias"),
        ("a: !!int 1", 1, "tag"),
        ("a: !x [1]", 1, "tag"),
        ("a: ! b", 1, "tag"),
        ("<<: {a: 1}", 1, "merge key"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("[1]: 2", 1, "a key that is a list"),
        ("a: b: c", 1, "syntax"),
        ("a: [1, 2\nb: 3", 2, "syntax"),
        ("a: 'open", 1, "syntax"),
        ("a:\n\tb: 1", 2, "syntax"),
        ("a: 1e999", 1, "beyond the range"),
        ("a: 1e-999", 1, "below the range"),
        ("a: " + "9" * 5000, 1, "5000 characters"),
        ("[" * 65 + "]" * 65, 1, "nested deeper"),
        ("[" * 5000, 1, "nested deeper"),
    ],
)
def test_refusals_name_the_line_and_the_hint(text: str, line: int, problem: str) -> None:
    with pytest.raises(CaseError, match=problem) as raised:
        parse(text, "some.yaml")
    place = raised.value.place
    assert place is not None
    assert (place.file, place.line) == ("some.yaml", line)
    assert raised.value.hint


def test_the_key_of_a_refusal_is_a_path() -> None:
    with pytest.raises(CaseError, match=r"some\.yaml:2: cases\[1\]\.logits\[0\]: anchor"):
        parse("cases: [{a: 1},\n {logits: [&x 1]}]", "some.yaml")


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [(b"a: 1\nb: \xff\n", 2, "UTF-8"), (b"a: 1\n\nb: \x00\n", 3, r"U\+0000"), (b"a: \x1b[31m", 1, r"U\+001B")],
)
def test_bytes_that_are_not_text(tmp_path: Path, data: bytes, line: int, problem: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(data)
    with pytest.raises(CaseError, match=problem) as raised:
        read(file)
    assert raised.value.place is not None
    assert raised.value.place.line == line


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    with file.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)
    with pytest.raises(CaseError, match="larger than 32 MiB"):
        read(file)


def test_a_byte_order_mark_is_not_content(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read(file) == {"a": 1, "b": 2}


def test_lines_of_all_nodes() -> None:
    found = lines("a: 1\nb:\n  - x: [1,\n      2]\n  - 5\n", "f")
    assert [found.at(path) for path in (("a",), ("b", 0, "x"), ("b", 0, "x", 1), ("b", 1))] == [1, 3, 4, 5]
    assert found.at(("b", 0, "y", 2)) == 3 and found.at(("b", "c")) == 2 and found.at(("c",)) == 1
    assert found.below(("b",)) == [3, 5]


def test_the_python_parser_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = "a: [1e4, 'x', yes]\nb: {expected: {mean: 1.0}}\nc: |\n  text\n"
    wanted = parse(text, "f")
    monkeypatch.setattr("conformance.cases.yaml12._LOADER", yaml.Loader)
    assert parse(text, "f") == wanted
    with pytest.raises(CaseError, match="f:1: a: anchor"):
        parse("a: &x 1", "f")


def test_the_values_of_a_file_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.cases.yaml12.MOST_NODES", 11)
    assert parse("a: [1, 2]", "f") == {"a": [1, 2]}
    with pytest.raises(CaseError, match=r"f:1: a\[6\]: more than 11 keys and values in one file"):
        parse("a: [1, 2, 3, 4, 5, 6]", "f")
