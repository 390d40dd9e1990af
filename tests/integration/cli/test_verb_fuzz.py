"""``conformance fuzz``: what it prints and writes, how it ends, and what a later search begins with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.cases.lint import PLACEHOLDER
from conformance.fuzz.search import Search
from conformance.places import ROOT
from conformance.schemas.registry import schema
from tests.support.cli import TAKES_CTRL_C, Run, write

pytestmark = pytest.mark.slow

#: Half of the losses that are due in float32.
HALF = """
import os
import numpy as np
from conformance.backends.adapters.numpy import Numpy


class Half(Numpy):
    def cross_entropy(self, logits, targets, **options):
        found = super().cross_entropy(logits, targets, **options)
        return found / 2 if found.dtype == np.float32 else found
"""
DIES = HALF.replace(
    "        found = ", '        if options.get("label_smoothing"):\n            os._exit(3)\n        found = ', 1
)
SMOOTHED = """
theme: smoothed
cases:
  - id: smoothed
    why: a process ends at it
    op: cross_entropy
    logits: [[1.0, 2.0]]
    targets: [0]
    label_smoothing: 0.5
    dtypes: [float32]
"""
#: Not as small as it could be, so that the search makes another case of it.
MINE = """
theme: mine
cases:
  - id: mine
    why: half of it is missing
    op: cross_entropy
    logits: [[1.0, 2.0, 3.0]]
    targets: [1]
    dtypes: [float32]
"""
BROKEN = """
from conformance.backends.adapters.numpy import Numpy


class Broken(Numpy):
    def __init__(self, **options):
        raise RuntimeError("no such device")
"""


def test_a_right_backend(conformance: Run, tmp_path: Path) -> None:
    ran = conformance("fuzz", "-b", "numpy", "--seed", 1, "--cases", 36)
    assert ran.code == 0 and [*tmp_path.iterdir()] == []
    assert "numpy: 36 cases" in ran.out and "seed 1" in ran.out and ran.out.endswith("nothing found\n")
    assert "largest error that passed: 0." in ran.out and "seed 1" in ran.err


def test_a_failure_is_shown_and_written(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "half.py", HALF)
    ran = conformance("fuzz", "-b", "half.py", "--seed", 1, "--cases", 40, "--output", "found", "-q")
    assert ran.code == 1 and ran.err == ""
    files = sorted(Path("found").iterdir())
    assert files and all(str(each) in ran.out for each in files)
    assert "cross_entropy value: fail in" in ran.out
    again = conformance("run", "-b", "half.py", "--cases", "found", "--output", "again", "-q")
    assert again.code == 1
    linted = conformance("lint", "found")
    assert linted.code != 0 and linted.out.count("is not a reason") == len(files) == linted.out.count("hint:")


def test_one_json_document(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "half.py", HALF)
    ran = conformance("fuzz", "-b", "half.py", "--seed", 1, "--cases", 40, "--output", "found", "--format", "json")
    jsonschema.validate(ran.json, schema("fuzz"))
    assert (ran.code, ran.json["seed"], ran.json["interrupted"]) == (1, 1, False)
    cause = ran.json["causes"][0]
    assert (cause["op"], cause["check"], cause["verdict"]) == ("cross_entropy", "value", "fail")
    assert Path(cause["file"]).is_file() and cause["outcome"]["case"] == cause["case"]


def test_what_was_found_before_an_error_of_the_suite_is_not_lost(
    conformance: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = Search._judge

    def fails_later(self: Search, *batch: Any) -> None:
        judge(self, *batch)
        if self.causes.all:
            raise ValueError("the second batch cannot be made")

    monkeypatch.setattr(Search, "_judge", fails_later)
    write(tmp_path / "half.py", HALF)
    ran = conformance("fuzz", "-b", "half.py", "--seed", 1, "--output", "found", "--corpus", "corpus", "-q")
    assert ran.code == 3 and "internal error" in ran.err and "interrupted" in ran.out
    assert [*Path("found").iterdir()] and Path("corpus/corpus.jsonl").stat().st_size


def test_a_corpus_is_begun_with(conformance: Run, tmp_path: Path) -> None:
    write(tmp_path / "half.py", HALF)
    write(tmp_path / "corpus" / "mine.yaml", MINE)
    options = ("fuzz", "-b", "half.py", "--corpus", "corpus", "--format", "json", "-q")
    first = conformance(*options, "--seed", 1, "--cases", 40)
    assert first.code == 1 and first.json["causes"]
    files = sorted(Path("corpus").iterdir())
    assert {each.suffix for each in files} == {".yaml", ".jsonl"}
    cases = [each for each in files if each.suffix == ".yaml"]
    for each in cases:
        each.write_text(each.read_text(encoding="utf-8").replace(PLACEHOLDER, "a reason of my own"), encoding="utf-8")
    before = [each.read_bytes() for each in cases]
    second = conformance(*options, "--seed", 2, "--cases", 1)
    assert second.code == 1 and second.json["causes"][0]["after"] == 0
    assert sorted(Path("corpus").iterdir()) == files  # what is still there is not there twice
    assert [each.read_bytes() for each in cases] == before and conformance("lint", "corpus").code == 0
    sound = conformance("fuzz", "-b", "numpy", "--corpus", "corpus", "--seed", 3, "--cases", 1, "-q")
    assert sound.code == 0


def test_a_process_that_ends_is_a_finding(conformance: Run, tmp_path: Path) -> None:
    """A case of the corpus that is small already: each step of shrinking it ends a process."""
    write(tmp_path / "dies.py", DIES)
    write(tmp_path / "corpus" / "smoothed.yaml", SMOOTHED)
    options = ("--corpus", "corpus", "--seed", 1, "--cases", 1)
    ran = conformance("fuzz", "-b", "dies.py", *options, "--format", "json", "--output", "out", "-q")
    assert ran.code == 1
    deaths = [each for each in ran.json["causes"] if each["verdict"] == "crash"]
    assert deaths and all("label smoothing" in each["traits"] for each in deaths)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Missing option '-b'"),
        (("-b", "nothing-like-it"), 2, "nothing-like-it"),
        (("-b", "broken.py"), 3, "no such device"),
        (("-b", "numpy", "--seconds", "0"), 2, "--seconds"),
        (("-b", "numpy", "--seed", "-1"), 2, "--seed"),
        (("-b", "numpy", "--output", "broken.py"), 2, "broken.py is not a folder"),
        (("-b", "numpy", "--corpus", "bad"), 2, "corpus.jsonl:1: not a recipe"),
    ],
)
def test_what_cannot_be_searched(
    conformance: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    write(tmp_path / "broken.py", BROKEN)
    write(tmp_path / "bad" / "corpus.jsonl", "{}\n")
    ran = conformance("fuzz", *arguments)
    assert ran.code == code and ran.out == "" and words in ran.err and "Traceback" not in ran.err


def test_recipes_of_another_version_are_left_out_aloud(conformance: Run, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus" / "corpus.jsonl"
    options = ("fuzz", "-b", "numpy", "--seed", 5, "--corpus", "corpus", "-q")
    assert "left out" not in conformance(*options, "--cases", 12).err
    kept = corpus.read_text(encoding="utf-8")
    assert kept.count('"dtype":"') > 0
    write(corpus, kept.replace('"dtype":"', '"dtype":"former-', 1))
    ran = conformance(*options, "--cases", 1)
    assert ran.code == 0 and "1 recipe of corpus left out" in ran.err


def test_a_seed_is_drawn_and_said(conformance: Run) -> None:
    seeds = [conformance("fuzz", "-b", "numpy", "--cases", 1, "--format", "json", "-q").json["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]


def test_an_interrupted_search_ends_with_what_there_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKES_CTRL_C, "fuzz", "-b", "numpy", "--seconds", "600", "--format", "json"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as searching:  # fmt: skip
        assert searching.stderr is not None
        assert "seed" in searching.stderr.readline()
        searching.send_signal(signal.SIGINT)
        out, err = searching.communicate(timeout=120)
    assert searching.returncode == 130 and "Traceback" not in err
    assert json.loads(out)["interrupted"] is True
