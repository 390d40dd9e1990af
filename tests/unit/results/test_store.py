from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from conformance.model.errors import HarnessError, UsageError
from conformance.model.records import (
    BackendRecord,
    DefectRef,
    ErrorFact,
    Footer,
    Header,
    Outcome,
    decode_record,
    encode_record,
    number,
)
from conformance.results.scan import LONGEST_LINE
from conformance.results.store import FILE, Writer, discard, read_run
from tests.support.outcomes import without_blocks

HEADER = Header(suite="0.1.0", commit="abc", started="2025-01-01T00:00:00Z", environment={"python": "3.11"})
FOOTER = Footer(seconds=1.5, complete=True)


def outcome(case: str = "a", check: str = "value", **changes: Any) -> Outcome:
    fields = {
        "case": case,
        "backend": "fake",
        "dtype": "float32",
        "layout": "contiguous",
        "op": "softmax",
        "check": check,
    }
    return Outcome(**{**fields, "verdict": "pass", **changes})


def unit(case: str) -> list[Outcome]:
    return [outcome(case, "value"), outcome(case, "gradient")]


def interrupted(folder: Path, *cases: str) -> Path:
    with Writer(folder, HEADER) as writer:
        writer.describe(BackendRecord(name="fake", versions={"numpy": "2"}))
        for case in cases:
            writer.write(unit(case))
    return folder / FILE


def test_outcomes_read_back_as_they_were_written() -> None:
    written = outcome(
        class_="B", ulp=math.inf, ratio=np.float64(0.1), observed=[math.nan, -math.inf, 1e-320],
        expected=np.array([0.1]), worst_input=["0x1.8p+1"], reason="recorded", detail="ü\n", seconds=0.25,
    )  # fmt: skip
    line = encode_record(written)
    fields = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert fields["record"] == "outcome" and fields["class"] == "B" and "class_" not in fields
    assert (fields["ulp"], fields["ratio"], fields["observed"]) == ("inf", 0.1, ["nan", "-inf", 1e-320])
    assert b'"expected":[0.1]' in line and line.count(b"\n") == 1
    assert decode_record(line) == written
    assert number("-inf") == -math.inf and math.isnan(number("nan")) and number(0.1) == 0.1


@pytest.mark.parametrize("value", [5e-324, 0.1, 1 / 3, 1.7976931348623157e308, -0.0, 123456789.12345679])
def test_floats_survive_to_the_last_bit(value: float) -> None:
    read = decode_record(encode_record(outcome(ulp=value)))
    assert isinstance(read, Outcome) and isinstance(read.ulp, float) and read.ulp.hex() == value.hex()


def test_a_run_is_written_and_read(tmp_path: Path) -> None:
    with Writer(tmp_path / "results" / "one", HEADER) as writer:
        writer.describe(BackendRecord(name="fake"))
        writer.write(unit("a"))
        writer.write(unit("b"))
        writer.describe(BackendRecord(name="late", error="not installed"))
        writer.finish(FOOTER)
    run = read_run(tmp_path / "results" / "one")
    counted = msgspec.structs.replace(FOOTER, counts={"pass": 4})
    header = msgspec.structs.replace(HEADER, blocks=True)
    assert (run.header, run.footer, run.truncated, run.counts) == (header, counted, False, {"pass": 4})
    assert list(run.backends) == ["fake", "late"]
    assert [each.case for each in run.outcomes] == ["a", "a", "b", "b"]
    assert list(run.outcomes) == list(run.outcomes)
    assert sorted(path.name for path in run.path.parent.iterdir()) == [FILE]
    assert read_run(run.path).header == header


def test_each_block_is_on_the_disk_at_once(tmp_path: Path) -> None:
    with Writer(tmp_path, HEADER) as writer:
        writer.write(unit("a"))
        run = read_run(tmp_path)
        assert run.truncated and run.footer is None and len(list(run.outcomes)) == 2


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    interrupted(tmp_path, "a")
    with pytest.raises(UsageError, match="already holds a run"):
        Writer(tmp_path, HEADER)
    with Writer(tmp_path, HEADER, resuming=True):
        with pytest.raises(UsageError, match="another run is writing"):
            Writer(tmp_path, HEADER, resuming=True)


def test_a_truncated_line_is_tolerated(tmp_path: Path) -> None:
    path = interrupted(tmp_path, "a", "b")
    path.write_bytes(without_blocks(path)[:-20])
    run = read_run(tmp_path)
    assert run.truncated and len(list(run.outcomes)) == 3


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


def test_no_run_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run in"):
        read_run(tmp_path / "nowhere")
    (tmp_path / FILE).touch()
    with pytest.raises(UsageError, match="no header"):
        read_run(tmp_path)
    (tmp_path / FILE).write_bytes(encode_record(Header(schema=99, suite="9", started="")))
    with pytest.raises(UsageError, match="schema 99"):
        read_run(tmp_path)


@pytest.mark.parametrize("lost", [0, 1, 100, 300])
def test_resuming_gives_what_an_uninterrupted_run_gives(tmp_path: Path, lost: int) -> None:
    path = interrupted(tmp_path, "a", "b", "c")
    whole = without_blocks(path)
    path.write_bytes(whole[: len(whole) - lost])
    with Writer(tmp_path, Header(suite="other", started="later"), resuming=True) as writer:
        assert writer.header == HEADER
        assert {key[1] for key in writer.done} == ({"a", "b"} if lost < 200 else {"a"})
        for case in "abc":
            if ("fake", case, "float32", "contiguous") not in writer.done:
                writer.write(unit(case))
        writer.finish(FOOTER)
    assert without_blocks(path) == whole + encode_record(msgspec.structs.replace(FOOTER, counts={"pass": 6}))
    assert not read_run(tmp_path).truncated


def test_resuming_after_an_orderly_interruption_redoes_nothing(tmp_path: Path) -> None:
    with Writer(tmp_path, HEADER) as writer:
        writer.write(unit("a"))
        writer.finish(Footer(counts={}, seconds=0.0, complete=False))
    assert not read_run(tmp_path).truncated
    with Writer(tmp_path, HEADER, resuming=True) as writer:
        assert writer.done == {("fake", "a", "float32", "contiguous")}
    assert read_run(tmp_path).truncated


def test_resuming_from_almost_nothing_starts_over(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(encode_record(HEADER)[:10])
    with Writer(tmp_path, HEADER, resuming=True) as writer:
        assert writer.done == frozenset()
    assert read_run(tmp_path).header == msgspec.structs.replace(HEADER, blocks=True)


def test_a_complete_run_is_not_resumed(tmp_path: Path) -> None:
    with Writer(tmp_path, HEADER) as writer:
        writer.finish(FOOTER)
    with pytest.raises(UsageError, match="is complete"):
        Writer(tmp_path, HEADER, resuming=True)


def test_a_disk_that_refuses_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file is not a folder\n  hint: "):
        Writer(tmp_path / "file" / "run", HEADER)

    def full(descriptor: int, block: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = Writer(tmp_path / "run", HEADER)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(HarnessError, match="No space left on device"):
            writer.write(unit("a"))
    writer.close()
    with pytest.raises(HarnessError, match="closed"):
        writer.write(unit("a"))


def test_a_run_of_the_former_schema_is_read_and_not_resumed(tmp_path: Path) -> None:
    lines = [
        {"record": "header", "schema": 1, "suite": "0", "started": "2026-01-01"},
        {"record": "backend", "name": "jax", "framework": "jax", "versions": {"jax": "1"}, "mode": "jit"},
        {"record": "outcome", "case": "a", "backend": "jax", "version": "1", "dtype": "float32", "layout": "contiguous",
         "op": "softmax", "check": "value", "verdict": "known", "message": "wrong value [known: late, not reported]"},
    ]  # fmt: skip
    (tmp_path / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = read_run(tmp_path)
    (found,) = run.outcomes
    assert found.defect == DefectRef("late", "not reported")
    assert run.identity("jax").framework == "jax" and run.identity("jax").execution == "jit"
    with pytest.raises(UsageError, match="writes schema 2"):
        Writer(tmp_path, HEADER, resuming=True)


def test_a_word_that_is_not_a_verdict_is_damage(tmp_path: Path) -> None:
    path = interrupted(tmp_path, "a")
    path.write_bytes(without_blocks(path).replace(b'"verdict":"pass"', b'"verdict":"great"'))
    with pytest.raises(UsageError, match="great"):
        list(read_run(tmp_path).outcomes)


# -- files that a run did not end as they should ---------------------------------------------------------------------


def finished(folder: Path, *cases: str) -> Path:
    with Writer(folder, HEADER) as writer:
        writer.describe(BackendRecord(name="fake", versions={"numpy": "2"}))
        for case in cases:
            writer.write(unit(case))
        writer.finish(FOOTER)
    return folder / FILE


def test_no_bit_of_a_file_changes_unnoticed(tmp_path: Path) -> None:
    path = finished(tmp_path, "a", "b")
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
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


# -- the folder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [FILE, ".lock"])
@pytest.mark.parametrize("resuming", [True, False])
def test_nothing_is_written_where_a_link_leads(tmp_path: Path, name: str, resuming: bool) -> None:
    (tmp_path / "other").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "other")
    with pytest.raises((UsageError, HarnessError)):
        Writer(tmp_path / "run", HEADER, resuming=resuming)
    assert (tmp_path / "other").read_text() == "mine"
    discard(tmp_path / "run") if name == FILE else (tmp_path / "run" / name).unlink()
    Writer(tmp_path / "run", HEADER).close()
    assert (tmp_path / "other").read_text() == "mine"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(UsageError, match="not a file"):
        Writer(tmp_path, HEADER)


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_file_has_a_way_on(tmp_path: Path, what: str) -> None:
    lock = tmp_path / ".lock"
    {"link": lambda: lock.symlink_to("x"), "pipe": lambda: os.mkfifo(lock), "folder": lock.mkdir}[what]()
    with pytest.raises(UsageError, match=r"\.lock (is not a file|cannot be opened: .*)\n  hint: .*remove it"):
        Writer(tmp_path, HEADER)
    assert os.path.lexists(lock)


def test_a_lock_that_is_removed_while_another_waits_is_not_held_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run opens the lock file of one that ends and removes it, and has then locked what nobody else can find."""
    first = Writer(tmp_path, HEADER)
    lock = fcntl.flock

    def late(file: int, operation: int) -> None:
        monkeypatch.undo()
        first.close()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with Writer(tmp_path, HEADER, resuming=True), pytest.raises(UsageError, match="another run is writing"):
        Writer(tmp_path, HEADER, resuming=True)
    assert not (tmp_path / ".lock").exists()


def test_a_folder_that_is_removed_meanwhile_is_said_so(tmp_path: Path) -> None:
    with Writer(tmp_path / "run", HEADER) as writer:
        shutil.rmtree(tmp_path / "run")
        with pytest.raises(HarnessError, match="removed or replaced while the run was writing it\n  hint: "):
            writer.write(unit("a"))


def test_each_state_of_a_folder_has_a_way_on(tmp_path: Path) -> None:
    finished(tmp_path / "done", "a")
    with pytest.raises(UsageError, match="conformance report"):
        Writer(tmp_path / "done", HEADER, resuming=True)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / FILE).write_bytes(encode_record(HEADER)[:10])
    with pytest.raises(UsageError, match="run again with --replace"):
        read_run(tmp_path / "begun")


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        ("header", {"selection": {"backends": 3}}),
        ("header", {"selection": {"quick": "yes"}}),
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
