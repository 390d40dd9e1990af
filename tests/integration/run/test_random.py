"""``conformance run --random``: fresh cases beside the fixed ones, replayed by their seed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.results.store import FILE, read_run
from conformance.run import resume
from tests.support.cli import Run, write

OPTIONS = ("run", "-b", "numpy", "--cases", "small.yaml", "-q", "--jobs", "1")


def keys(folder: str) -> set[tuple[str, ...]]:
    found = read_run(Path(folder)).outcomes
    return {(each.case, each.dtype, each.layout, each.reduction, each.check, each.verdict) for each in found}


def test_random_cases_are_judged_beside_the_others(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "small.yaml")
    assert conformance(*OPTIONS, "--random", 12, "--seed", 7, "--output", "one").code == 0
    cases = {each[0] for each in keys("one")}
    assert cases == {"plain", "rows", *(f"random.7.{index}" for index in range(12))}
    selected = read_run(Path("one")).header.selected
    assert (selected.random, selected.seed) == (12, 7)
    assert conformance(*OPTIONS, "--random", 12, "--seed", 7, "--output", "two").code == 0
    assert keys("one") == keys("two")


def test_a_seed_is_drawn_printed_and_kept(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "small.yaml")
    ran = conformance(*OPTIONS, "--random", 3, "--output", "drawn")
    said = re.search(r"--seed (\d+)", ran.err)
    assert said is not None and read_run(Path("drawn")).header.selected.seed == int(said[1])
    assert f"random.{said[1]}.2" in {each[0] for each in keys("drawn")}


def test_an_interrupted_run_is_completed_with_the_same_cases(
    conformance: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "small.yaml")
    assert conformance(*OPTIONS, "--random", 40, "--seed", 7, "--output", "whole").code == 0
    (tmp_path / "cut").mkdir()
    lines = (tmp_path / "whole" / FILE).read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b'"record":"outcome"' in line)
    block = max(number for number, line in enumerate(lines[:last]) if b'"record":"block"' in line)
    (tmp_path / "cut" / FILE).write_bytes(b"".join(lines[: block + 1]))
    assert len(keys("cut")) < len(keys("whole"))
    monkeypatch.setattr(resume, "_MOST_UNASKED", 39)
    again = ("run", "--resume", "cut", "--cases", "small.yaml", "-q", "--jobs", "1")
    refused = conformance(*again)
    assert refused.code == 2 and "conformance run --resume cut --cases small.yaml --random 40" in refused.err
    assert conformance(*again, "--random", 41).code == 2
    assert conformance(*again, "--random", 40).code == 0
    assert keys("cut") == keys("whole")


def test_shards_of_one_seed_are_the_whole(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "small.yaml")
    assert conformance(*OPTIONS, "--random", 10, "--seed", 7, "--output", "whole").code == 0
    for shard in (1, 2):
        options = ("--random", 10, "--seed", 7, "--shard", f"{shard}/2", "--output", f"shard-{shard}")
        assert conformance(*OPTIONS, *options).code == 0
    assert keys("shard-1") | keys("shard-2") == keys("whole") and not keys("shard-1") & keys("shard-2")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seed", "7"), "--seed without --random"),
        (("--random", "3", "--shard", "1/2"), "every shard needs the same"),
        (("--random", "-3"), "--random"),
    ],
)
def test_what_cannot_be_drawn(conformance: Run, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    write(tmp_path / "small.yaml")
    ran = conformance(*OPTIONS, *options)
    assert ran.code == 2 and words in ran.err and not (tmp_path / "results").exists()


def test_a_random_case_is_explained_and_reproduced_from_its_id(conformance: Run) -> None:
    ran = conformance("explain", "random.7.3", "-b", "numpy", "--format", "json")
    assert ran.code == 0 and ran.json["derivation"]
    script = conformance("repro", "random.7.3", "-b", "numpy")
    assert script.code == 0 and "random.7.3" in script.out
