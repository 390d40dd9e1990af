"""Lines of results: numbers in every spelling, and what is said of lines that hold none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.model.errors import UsageError
from conformance.vectors.results import read_results

IDS = {"a/float32/mean": ("value", "gradient"), "b/float32/none": ("value",)}


def read(folder: Path, *lines: str):
    (folder / "r.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return read_results(folder / "r.jsonl", IDS)


def test_numbers_in_every_spelling(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '{"id": "a/float32/mean", "value": "0x1.8p+0", "gradient": [[1, "-0.0"], ["nan", "-inf"]]}',
        "",
        '{"id": "b/float32/none", "value": ["Infinity", "1e-3", "1e400", "0x1p+9999"]}',
    )
    value, stated = found["a/float32/mean"].found["value"]
    assert value.shape == () and value == 1.5 and not stated
    gradient, stated = found["a/float32/mean"].found["gradient"]
    assert stated and np.array_equal(gradient, [[1, -0.0], [np.nan, -np.inf]], equal_nan=True)
    assert np.signbit(gradient[0, 1])
    assert found["b/float32/none"].found["value"][0].tolist() == [np.inf, 1e-3, np.inf, np.inf]


def test_what_languages_print(tmp_path: Path) -> None:
    """Of which kind a NaN is, as C may say; an integer of more digits than any float has."""
    digits = "1" + "0" * 400
    line = f'{{"id": "b/float32/none", "value": ["-nan(ind)", "NAN(0x7fc00000)", {digits}, -{digits}, "-0x.8p0"]}}'
    numbers, _ = read(tmp_path, line)["b/float32/none"].found["value"]
    assert np.array_equal(numbers, [np.nan, np.nan, np.inf, -np.inf, -0.5], equal_nan=True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_named(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": "a/float32/mean", "value": 1}\n', encoding=encoding)
    with pytest.raises(UsageError, match="r.jsonl:1") as caught:
        read_results(tmp_path / "r.jsonl", IDS)
    assert "UTF-8, without a byte order mark" in str(caught.value)


def test_calls_that_gave_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, '{"id": "a/float32/mean", "error": "no"}', '{"id": "b/float32/none", "unsupported": ""}')
    assert found["a/float32/mean"].error == "no" and found["b/float32/none"].unsupported == ""


ID = '"id": "a/float32/mean"'
WRONG = {
    f'{{{ID}, "value": NaN}}': ("r.jsonl:2", 'strings: "NaN"'),
    f'{{{ID}, "value": [1, 1e400]}}': ("r.jsonl:2: value[1]: number out of range", "hint"),
    f"{{{ID}}}": ("r.jsonl:2: neither", "write results"),
    f'{{{ID}, "value": 1, "gradient": 1, "error": "no"}}': ("r.jsonl:2: an error beside all results", "hint"),
    f'{{{ID}, "unsupported": "", "error": "no"}}': ("r.jsonl:2: an error beside", "hint"),
    f'{{{ID}, "value": [1, "one"]}}': ("r.jsonl:2: value[1]: not a number: 'one'", "hexadecimal"),
    f'{{{ID}, "value": ["1_0"]}}': ("value[0]: not a number", "hint"),
    f'{{{ID}, "value": ["0x"]}}': ("value[0]: not a number", "hint"),
    f'{{{ID}, "value": [""]}}': ("value[0]: not a number", "hint"),
    f'{{{ID}, "value": [true]}}': ("value[0]: not a number: True", "hint"),
    f'{{{ID}, "value": [[1, 2], [3]]}}': ("value[1]: a list of 1 where the first is a list of 2", "hint"),
    f'{{{ID}, "value": [[1, 2], 3]}}': ("value[1]: not a list", "hint"),
    f'{{{ID}, "value": {"[" * 9}1{"]" * 9}}}': ("value: more than 8 levels", "hint"),
    f'{{{ID}, "value": {"[" * 100_000}}}': ("r.jsonl:2", "hint"),
    f'{{{ID}, "vallue": 1}}': ("r.jsonl:2: ", "vallue"),
    f'{{{ID}, "hvp": 1}}': ("r.jsonl:2: hvp: not asked for", "value and gradient"),
    '{"id": "a/float32/men", "value": 1}': ("r.jsonl:2: id: no vector", "did you mean 'a/float32/mean'"),
    '{"id": "b/float32/none", "value": 1}': ("r.jsonl:2: id: 'b/float32/none' stands on line 1", "one line"),
    "[": ("r.jsonl:2", "hint"),
    '{"value": 1}': ("r.jsonl:2", "id"),
}


@pytest.mark.parametrize("line", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_with_its_place(line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, '{"id": "b/float32/none", "value": 1}', line)
    for words in WRONG[line]:
        assert words in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a file"):
        read_results(tmp_path, IDS)
    with pytest.raises(UsageError, match="not a file"):
        read_results(tmp_path / "nowhere", IDS)
