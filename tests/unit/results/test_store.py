from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from conformance.model.backend import BackendRecord
from conformance.model.errors import HarnessError, UsageError
from conformance.model.outcome import DefectRef, Outcome, number
from conformance.model.records import SCHEMA, Footer, Header, decode_record, encode_record
from conformance.results.store import FILE, Writer, read_run
from tests.support.outcomes import without_blocks
from tests.support.run_files import FOOTER, HEADER, interrupted, outcome, unit


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


def test_a_run_of_a_former_schema_is_read_and_not_resumed(tmp_path: Path) -> None:
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
    assert run.backends["jax"].id.framework == "jax" and run.backends["jax"].id.execution == "jit"
    with pytest.raises(UsageError, match=f"writes schema {SCHEMA}"):
        Writer(tmp_path, HEADER, resuming=True)
