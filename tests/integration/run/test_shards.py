"""Shards that are run apart and joined are the whole: its outcomes, its counts, and its stale register entries."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import pytest

import conformance
from conformance.cli import main
from conformance.model.errors import UsageError
from conformance.model.records import Shard
from conformance.reports.diff.compare import compare_runs
from conformance.reports.merge import merge
from conformance.results.store import FILE, Run, read_run
from conformance.run import launch as launching
from conformance.run.launch import Finished
from conformance.run.settings import RunSettings
from tests.support.cli import Run as Cli
from tests.support.launched import launch_here
from tests.support.outcomes import without_blocks

CASES = "theme: numbered\ncases:\n" + "".join(
    f"- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32]}}\n" for n in range(40)
)
PROFILE = """
backend: mine
extends: numpy
known:
  - {id: no-longer-wrong, cases: [case-1, case-39], checks: [value], ops: [softmax], why: w, issue: not reported,
     date: "2026-01-01"}
  - {id: one-of-them, cases: ["case-3*"], checks: [gradient], ops: [softmax], why: w, issue: not reported,
     date: "2026-01-01"}
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What all runs have in common: forty cases, and a backend whose register has two stale entries."""
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "numbered.yaml").write_text(CASES)
    monkeypatch.setattr(launching, "CASES", tmp_path / "cases")
    (tmp_path / "mine.py").write_text("from conformance.backends.numpy import Numpy\n\n\nclass Mine(Numpy): pass\n")
    (tmp_path / "mine.profile.yaml").write_text(PROFILE)
    return {"backends": (str(tmp_path / "mine.py"),), "jobs": 1, "quiet": True, "identities": False}


def run(settings: dict[str, object], output: Path, **more: object) -> Finished:
    return launch_here(RunSettings(**settings, output=output, **more))  # type: ignore[arg-type]


def judged(run: Run) -> list[bytes]:
    return sorted(msgspec.json.encode(msgspec.structs.replace(each, seconds=0.0)) for each in run.outcomes)


@pytest.mark.parametrize("measured", [False, True])
def test_joined_shards_are_the_whole(tmp_path: Path, settings: dict[str, object], measured: bool) -> None:
    whole = run(settings, tmp_path / "whole")
    assert whole.counts["stale"] == 3
    costs = (tmp_path / "whole",) if measured else ()
    parts = [run(settings, tmp_path / "parts" / f"{i}", shard=Shard(i, 3), costs=costs) for i in (1, 2, 3)]
    assert all("stale" not in part.counts and part.exit_code == 0 for part in parts)
    merged = merge([tmp_path / "parts"])
    (found,) = merged.runs
    assert judged(found) == judged(read_run(tmp_path / "whole")) and not merged.notes
    assert found.footer is not None and found.footer.counts == whole.counts and not found.truncated
    footers = [read_run(part.folder).footer for part in parts]
    assert found.footer.memory == (max(each.memory or 0 for each in footers if each) or None)
    seconds = found.costs
    assert seconds.keys() == {"mine"} and len(seconds["mine"]) == 40
    difference = compare_runs(tmp_path / "whole", tmp_path / "parts")
    assert not difference.regressed and difference.compared == sum(whole.counts.values())
    assert not (difference.regressions or difference.other or difference.new_cases or difference.gone_cases)
    frame = conformance.load(tmp_path / "parts")
    assert len(frame) == sum(whole.counts.values()) and (frame["verdict"] == "stale").sum() == 3


def test_shards_of_machines_with_more_and_less_memory_are_joined(tmp_path: Path, settings: dict[str, object]) -> None:
    """Which cases a machine leaves out for want of memory does not change what is whose."""
    file = tmp_path / "cases" / "large.yaml"
    file.write_text(
        "theme: large\ncases:\n- {id: a-large, why: w, op: softmax, logits: [[1.0, 1.5]], dtypes: [float32], "
        "budget: {memory: 1073741824}}\n"
    )
    for i, memory in ((1, 1 << 29), (2, 1 << 40)):
        run(settings, tmp_path / "parts" / f"{i}", shard=Shard(i, 2), memory_limit=memory)
    (joined,) = merge([tmp_path / "parts"]).runs
    assert {each.case for each in joined.outcomes} == {"a-large", *(f"case-{n}" for n in range(40))}


def test_shards_of_the_former_schema_are_joined(tmp_path: Path, settings: dict[str, object]) -> None:
    for i in (1, 2):
        file = run(settings, tmp_path / "parts" / f"{i}", shard=Shard(i, 2)).folder / FILE
        text = without_blocks(file).replace(b'"schema":3', b'"schema":2')
        file.write_bytes(text.replace(b'"shard":{"index":%d,"count":2}' % i, b'"shard":"%d/2"' % i))
        assert read_run(file).header.schema == 2 and b'"shard":"%d/2"' % i in file.read_bytes()
    (joined,) = merge([tmp_path / "parts"]).runs
    assert {each.case for each in joined.outcomes} >= {f"case-{n}" for n in range(40)} and joined.counts["stale"]


def test_shards_that_lack_one_claim_nothing(tmp_path: Path, settings: dict[str, object]) -> None:
    for i in (1, 3):
        run(settings, tmp_path / f"part-{i}", shard=Shard(i, 3))
    run(settings, tmp_path / "other", shard=Shard(2, 3), dtypes=("float32",))  # the same cases, and another selection
    merged = merge([tmp_path / "part-1", tmp_path / "part-3", tmp_path / "other"])
    assert len(merged.runs) == 3 and "the shards 2/3 are missing" in merged.notes[0] and "stale" in merged.notes[0]
    assert not any(each.verdict == "stale" for run in merged.runs for each in run.outcomes)


def test_of_a_shard_that_was_run_twice_the_newer_run_counts(tmp_path: Path, settings: dict[str, object]) -> None:
    for i in (1, 2):
        run(settings, tmp_path / f"part-{i}", shard=Shard(i, 2))
    shutil.copytree(tmp_path / "part-1", tmp_path / "again")
    text = without_blocks(tmp_path / "again" / FILE)
    (tmp_path / "again" / FILE).write_bytes(text.replace(b'"started":"20', b'"started":"30', 1))
    (found,) = merge([tmp_path / "part-1", tmp_path / "part-2", tmp_path / "again"]).runs
    assert found.header.started.startswith("30") and len({each.case for each in found.outcomes}) == 40
    assert found.footer is not None and found.footer.counts["stale"] == 3


def test_a_register_that_is_none_is_refused_by_file_and_backend(tmp_path: Path, settings: dict[str, object]) -> None:
    for i in (1, 2):
        run(settings, tmp_path / f"part-{i}", shard=Shard(i, 2))
    file = tmp_path / "part-1" / FILE
    file.write_bytes(without_blocks(file).replace(b'"register":[{', b'"register":[{"id":1},{', 1))
    with pytest.raises(UsageError, match="not an entry of a register") as raised:
        merge([tmp_path / "part-1", tmp_path / "part-2"])
    assert "part-1" in str(raised.value.place) and "register of mine" in str(raised.value.place)


def test_a_shard_is_resumed_as_the_one_that_it_was(tmp_path: Path, settings: dict[str, object]) -> None:
    whole = run(settings, tmp_path / "whole")
    for i in (1, 2):
        run(settings, tmp_path / f"part-{i}", shard=Shard(i, 2), costs=(tmp_path / "whole",))
    file = tmp_path / "part-2" / FILE
    before = judged(read_run(file))
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:12]))
    again = RunSettings(**settings, resume=tmp_path / "part-2", costs=(tmp_path / "whole",))  # type: ignore[arg-type]
    launch_here(again)
    assert judged(read_run(file)) == before
    (found,) = merge([tmp_path / "part-1", tmp_path / "part-2"]).runs
    assert found.footer is not None and found.footer.counts == whole.counts
    file.write_bytes(b"".join(lines[:12]))
    with (tmp_path / "cases" / "numbered.yaml").open("a") as cases:
        cases.write("- {id: another, why: w, op: softmax, logits: [[1.0, 1.5]], dtypes: [float32]}\n")
    with pytest.raises(UsageError, match=r"numbered\.yaml: cases have changed since the run was begun"):
        launch_here(again)
    (tmp_path / "cases" / "numbered.yaml").write_text(CASES)
    costs = tmp_path / "whole" / FILE
    costs.write_bytes(re.sub(rb'"case-0":[0-9.e-]+', b'"case-0":100.0', without_blocks(costs)))
    with pytest.raises(UsageError, match="holds another shard than 2/2"):
        launch_here(again)


def test_costs_that_help_nothing_are_refused(
    tmp_path: Path, settings: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    run(settings, tmp_path / "whole")
    with pytest.raises(UsageError, match="--costs without --shard"):
        run(settings, tmp_path / "part", costs=(tmp_path / "whole",))
    file = tmp_path / "whole" / FILE
    kept = [line for line in without_blocks(file).splitlines(keepends=True) if b'"record":"costs"' not in line]
    file.write_bytes(b"".join(kept))
    with pytest.raises(UsageError, match="has recorded no costs"):
        run(settings, tmp_path / "part", shard=Shard(1, 2), costs=(tmp_path / "whole",))
    assert main(["run", "-b", "numpy", "--shard", "1/2", "--costs", str(tmp_path / "none")]) == 2
    assert "no run in" in capsys.readouterr().err


def test_a_shard_without_cases_is_a_part_of_the_whole(
    tmp_path: Path, settings: dict[str, object], conformance: Cli
) -> None:
    head, *cases = CASES.split("- ")
    (tmp_path / "cases" / "numbered.yaml").write_text("- ".join([head, cases[1], cases[39]]))
    whole = run(settings, tmp_path / "whole")
    for i in (1, 2, 3):
        assert run(settings, tmp_path / "parts" / f"{i}", shard=Shard(i, 3)).exit_code == 0
    empty = read_run(tmp_path / "parts" / "3")
    assert (empty.counts, empty.backends, empty.truncated) == ({}, {}, False)
    (found,) = merge([tmp_path / "parts"]).runs
    assert found.footer is not None and found.footer.counts == whole.counts and whole.counts["stale"] > 0
    words = ("-b", "numpy", "--cases", tmp_path / "cases", "-k", "case-39", "--shard", "2/2", "--output", "empty")
    ran = conformance("run", *words, "-q")
    assert ran.code == 0 and "shard 2/2 holds no case" in ran.err
    for verb in (
        ("report", "empty", "--output", "site", "--junit", "j.xml", "--badge", "b"),
        ("diff", "empty", "empty"),
    ):
        assert conformance(*verb).code == 0
    file = tmp_path / "empty" / FILE
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    assert conformance("run", "--resume", "empty", "--cases", tmp_path / "cases", "-q").code == 0
    assert not read_run(file).truncated


def test_shards_of_other_cases_are_not_joined_and_their_file_is_named(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    cases = tmp_path / "cases" / "numbered.yaml"
    run(settings, tmp_path / "part-1", shard=Shard(1, 2))
    cases.write_text(CASES.replace("[39, 1.5]", "[39, 2.5]"))
    run(settings, tmp_path / "part-2", shard=Shard(2, 2))
    merged = merge([tmp_path / "part-1", tmp_path / "part-2"])
    assert len(merged.runs) == 2 and f"part-2 has other cases in {cases}" in merged.notes[0]


def test_the_only_shard_names_the_file_that_was_written(
    tmp_path: Path, settings: dict[str, object], conformance: Cli
) -> None:
    words = ("run", "-b", "numpy", "--cases", tmp_path / "cases", "-k", "case-7", "--shard", "1/1", "-q")
    assert "results: one/outcomes.jsonl" in conformance(*words, "--output", "one").out
    assert conformance(*words, "--output", "two", "--format", "json").json["outcomes"] == "two/outcomes.jsonl"
