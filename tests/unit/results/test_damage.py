"""Files of results that no run has written so: what is wrong is noticed, and named."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.model.backend import BackendRecord
from conformance.model.errors import UsageError
from conformance.model.outcome import ErrorFact, Outcome
from conformance.model.records import decode_record, encode_record
from conformance.results.scan import LONGEST_LINE
from conformance.results.store import FILE, Writer, read_run
from tests.support.outcomes import without_blocks
from tests.support.run_files import FOOTER, HEADER, finished, interrupted, outcome, unit


def test_no_bit_of_a_file_changes_unnoticed(tmp_path: Path) -> None:
    path = finished(tmp_path, "a", "b")
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, 3):  # all but the end of the last line: with or without it, the run is whole
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with contextlib.suppress(UsageError):
            assert read_run(tmp_path).truncated, place  # the last line has no end any more


def test_a_checksum_names_the_lines_that_were_changed(tmp_path: Path) -> None:
    path = finished(tmp_path, "a", "b")
    path.write_bytes(path.read_bytes().replace(b'"case":"b"', b'"case":"c"', 1))
    for read in (lambda: read_run(tmp_path), lambda: Writer(tmp_path, HEADER, resuming=True)):
        with pytest.raises(UsageError, match=r":8: lines 8 to 10 are not as they were written") as refused:
            read()
        assert "delete lines 8 to 10" in str(refused.value) and "--resume" in str(refused.value)


def test_lines_that_are_missing_are_noticed_and_done_again(tmp_path: Path) -> None:
    path = finished(tmp_path, "a", "b")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:7] + lines[10:]))
    with pytest.raises(UsageError, match="the file holds 2 outcomes, and its footer counts 4"):
        read_run(tmp_path)
    path.write_bytes(b"".join(lines[:7]))  # as the hint says: without the footer, too
    with Writer(tmp_path, HEADER, resuming=True) as writer:
        writer.write(unit("b"))
        writer.finish(FOOTER)
    assert read_run(tmp_path).counts == {"pass": 4}


@pytest.mark.parametrize("cut_off", [False, True])
def test_blocks_that_are_missing_are_noticed(tmp_path: Path, cut_off: bool) -> None:
    path = interrupted(tmp_path, "a", "b") if cut_off else finished(tmp_path, "a", "b")
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if b'"record":"block"' not in line]
    path.write_bytes(b"".join(lines[:3] + lines[5:]))
    for read in (lambda: read_run(tmp_path), lambda: Writer(tmp_path, HEADER, resuming=True)):
        with pytest.raises(UsageError, match="have no checksum, and were written with one") as refused:
            read()
        assert refused.value.hint


@pytest.mark.parametrize("left", [0, 1, 40])
def test_a_whole_run_that_lacks_its_last_checksum_is_whole(tmp_path: Path, left: int) -> None:
    path = finished(tmp_path, "a", "b")
    *lines, block = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines) + block[:left])
    assert not read_run(tmp_path).truncated
    with pytest.raises(UsageError, match="is complete"):
        Writer(tmp_path, HEADER, resuming=True)


def test_the_last_blocks_of_a_whole_run_are_not_left_out(tmp_path: Path) -> None:
    path = finished(tmp_path, "a", "b")
    lines = path.read_bytes().splitlines(keepends=True)
    assert b'"record":"block"' in lines[9] and b'"record":"footer"' in lines[10]
    for kept in (lines[:9] + lines[10:], lines[:8] + lines[10:], lines[:9] + lines[10:11]):
        path.write_bytes(b"".join(kept))
        with pytest.raises(UsageError, match=rf"the lines before line {kept.index(lines[10]) + 1} have no checksum"):
            read_run(tmp_path)


@pytest.mark.parametrize("lost", range(0, 700, 7))
def test_counts_are_those_of_the_file_wherever_a_run_was_cut_off(tmp_path: Path, lost: int) -> None:
    path = interrupted(tmp_path, "a", "b", "c")
    path.write_bytes(path.read_bytes()[:-lost] if lost else path.read_bytes())
    with Writer(tmp_path, HEADER, resuming=True) as writer:
        for case in "abc":
            if ("fake", case, "float32", "contiguous") not in writer.done:
                writer.write(unit(case))
        writer.finish(FOOTER)
    run = read_run(tmp_path)
    assert run.footer is not None and run.footer.counts == run.counts == {"pass": 6} and not run.truncated
    assert [each.case for each in run.outcomes] == [*"aabbcc"]


def test_a_unit_that_stands_there_twice_counts_once(tmp_path: Path) -> None:
    path = interrupted(tmp_path, "a", "b")
    path.write_bytes(without_blocks(path) + b"".join(map(encode_record, [*unit("a"), *unit("c")])))
    run = read_run(tmp_path)
    assert run.counts == {"pass": 6} and [each.case for each in run.outcomes] == [*"aabbcc"]


@pytest.mark.parametrize(
    "text", ["lone \ud800 surrogate", "nul \0", "line \u2028 separators \r\n", "\udcff\udcfe", "x" * 300_000]
)
def test_no_text_ends_a_run_or_its_reader(tmp_path: Path, text: str) -> None:
    hostile = outcome(verdict="fail", reason="raised", error=ErrorFact(text, text, text), detail=text, observed=[text])
    record = BackendRecord(name="fake", versions={text: text}, settings={"x": text}, error=text)
    with Writer(tmp_path, msgspec.structs.replace(HEADER, environment={text: text})) as writer:
        writer.describe(record)
        writer.write([hostile])
    with Writer(tmp_path, HEADER, resuming=True) as writer:
        writer.write([msgspec.structs.replace(hostile, case="b")])
        writer.finish(FOOTER)
    (found, _) = read_run(tmp_path).outcomes
    assert found.error is not None and found.error.text == text.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("value", [1 + 2j, np.complex64(1), b"bytes", {"a": math.inf}, object, [[np.float32(1)]], {1}])
def test_no_value_ends_a_run(tmp_path: Path, value: object) -> None:
    assert isinstance(decode_record(encode_record(outcome(observed=value))), Outcome)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"ulp":0.5', b'"ulp":"x"'),
        (b'"ulp":0.5', b'"ulp":NaN'),
        (b'"ulp":0.5', b'"ulp":Infinity'),
        (b'"ulp":0.5', b'"ulp":1e999'),
        (b'"ulp":0.5', b'"ulp":' + b"9" * 400),
        (b'"position":1', b'"position":-1'),
        (b'"position":1', b'"position":' + b"9" * 400),
        (b'"observed":["x"]', b'"observed":-1'),
        (b'"observed":["x"]', b'"observed":[1]'),
        (b'"observed":["x"]', b'"observed":' + b"[" * 400 + b"]" * 400),
        (b'"observed":["x"]', b'"observed":' + b"[" * 100_000 + b"]" * 100_000),
        (b'"case":"a"', b'"case":3'),
        (b'"seconds":1.0', b'"seconds":-1'),
        (b'"seconds":1.0', b'"worst_input":' + b"[" * 400 + b"]" * 400),
        (b'"seconds":1.0', b'"worst_input":{"x":' + b"9" * 400 + b"}"),
    ],
)
def test_what_no_run_writes_is_damage(tmp_path: Path, old: bytes, new: bytes) -> None:
    facts = {"check": "policy", "policy": "p", "ulp": 0.5, "position": 1, "observed": ["x"], "seconds": 1.0}
    with Writer(tmp_path, HEADER) as writer:
        writer.write([outcome(**facts)])
    path = tmp_path / FILE
    whole = without_blocks(path)
    assert old in whole
    path.write_bytes(whole.replace(old, new))
    with pytest.raises(UsageError, match=r"outcomes\.jsonl:2: this line is damaged") as refused:
        read_run(tmp_path)
    assert refused.value.hint


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(encode_record(HEADER) + b" " * (LONGEST_LINE + (1 << 20)))
    with pytest.raises(UsageError, match="longer than 16 MiB"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        ("header", {"selection": {"backends": 3}}),
        ("header", {"selection": {"quick": "yes"}}),
        ("header", {"selection": {"random": 10**12}}),
        ("header", {"selection": {"random": -1}}),
        ("header", {"selection": {"seed": -1}}),
        ("header", {"selection": {"shard": {"index": 1, "count": 10**12}}}),
        ("header", {"environment": {"deep": json.loads("[" * 40 + "]" * 40)}}),
        ("header", {"started": 3}),
        ("header", {"schema": 10**400}),
        ("header", {"selection": {"other": [10**400]}}),
        ("backend", {"register": [{"id": 10**400}]}),
        ("backend", {"sources": {"softmax": {"file": "f.py", "line": 10**400, "text": ""}}}),
        ("backend", {"versions": {"numpy": 2}}),
        ("backend", {"policies": {"p": {"value": json.loads("[" * 40 + "]" * 40)}}}),
        ("backend", {"sources": {"softmax": {"file": "f.py", "line": "x", "text": ""}}}),
        ("footer", {"counts": {"pass": -1}}),
        ("footer", {"counts": {"pass": 10**400}}),
        ("footer", {"counts": {"great": 1}}),
        ("footer", {"seconds": -1.0}),
        ("footer", {"complete": 1}),
    ],
)
def test_a_line_about_the_run_is_checked_too(tmp_path: Path, record: str, changes: dict[str, Any]) -> None:
    path = finished(tmp_path, "a")
    lines = [json.loads(line) for line in without_blocks(path).splitlines()]
    place = next(place for place, line in enumerate(lines) if line["record"] == record)
    lines[place] |= changes
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UsageError, match=rf"outcomes\.jsonl:{place + 1}: this line is damaged"):
        read_run(tmp_path)


def test_a_word_that_is_not_a_verdict_is_damage(tmp_path: Path) -> None:
    path = interrupted(tmp_path, "a")
    path.write_bytes(without_blocks(path).replace(b'"verdict":"pass"', b'"verdict":"great"'))
    with pytest.raises(UsageError, match="great"):
        list(read_run(tmp_path).outcomes)


@pytest.mark.parametrize(
    "damage", [b"{nonsense}\n", b'{"record":"outcome"}\n', b"\xff\xfe\n", b'{"record":"other"}\n', b"\n"]
)
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    path = interrupted(tmp_path, "a", "b")
    lines = without_blocks(path).splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], damage, *lines[3:]]))
    with pytest.raises(UsageError, match=r"outcomes\.jsonl:4: this line is damaged"):
        list(read_run(tmp_path).outcomes)
    with pytest.raises(UsageError, match=r"outcomes\.jsonl:4"):
        Writer(tmp_path, HEADER, resuming=True)
