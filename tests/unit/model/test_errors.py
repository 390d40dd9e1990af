"""What is wrong in a file, and where in it."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import pytest

from conformance.model.errors import BackendUnavailable, line_of_json, problem_and_key


class Inside(msgspec.Struct, forbid_unknown_fields=True):
    """What a file may hold."""

    number: int = 0


class Whole(msgspec.Struct):
    """The same, deeper."""

    items: list[Inside] = []
    counts: dict[str, int] = {}
    by_number: dict[int, int] = {}


@pytest.mark.parametrize(
    ("data", "problem", "key"),
    [
        ({"items": [{"number": "x"}]}, "expected `int`, got `str`", "items[0].number"),
        ({"counts": {"a": "x"}}, "expected `int`, got `str`", "counts[...]"),
        ({"by_number": {"x": 1}}, "expected `int`, got `str`", "by_number"),
        ({"items": [{"a - at `$.b`": 1}]}, "object contains unknown field `a - at `$.b``", "items[0]"),
        (3, "expected `object`, got `int`", None),
    ],
)
def test_a_message_is_split_into_problem_and_key(data: Any, problem: str, key: str | None) -> None:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.json.decode(msgspec.json.encode(data), type=Whole)
    assert problem_and_key(found.value) == (problem, key)


def test_an_acronym_stays_as_it_is() -> None:
    with pytest.raises(msgspec.DecodeError) as found:
        msgspec.json.decode(b"{,", type=Whole)
    assert problem_and_key(found.value)[0].startswith("JSON is malformed")


def test_the_name_of_a_backend_stands_apart() -> None:
    error = BackendUnavailable("cannot be started", hint="buy one", spec="torch:cuda")
    arrived = pickle.loads(pickle.dumps(error))
    for each in (error, arrived):
        assert str(each) == "torch:cuda: cannot be started\n  hint: buy one"
        assert each.reason == "cannot be started\n  hint: buy one"


@pytest.mark.parametrize(
    ("text", "line", "is_cut_off"),
    [
        (b'{"a":\n1,\n!}', 3, False),
        (b'{"a":\n[1,\n', 3, True),
        (b'{"a":\n"b', 2, True),
        (b"\n", 2, True),
        (b"1 1", 1, False),
    ],
)
def test_the_line_at_which_a_text_is_not_json(text: bytes, line: int, is_cut_off: bool) -> None:
    with pytest.raises(msgspec.DecodeError) as found:
        msgspec.json.decode(text)
    assert line_of_json(found.value, text) == (line, is_cut_off)
