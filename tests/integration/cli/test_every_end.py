"""Every verb, however its output or its process ends: a code that says so, words, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from conformance.places import ROOT
from tests.support import benchmarks
from tests.support.cli import process, verbs, write
from tests.support.ends import ENDS, SIGNALS
from tests.support.outcomes import outcome, run

#: Words after each verb with which it works, and the code that it then ends with.
WORKING: dict[tuple[str, ...], tuple[int, str]] = {
    ("run",): (0, "-b numpy --cases small.yaml --output out/run --replace --no-identities"),
    ("bench",): (0, "-b numpy --workloads w.yaml --replicates 1 --budget 0.002 --output out/bench --no-report"),
    ("fuzz",): (0, "-b numpy --cases 2 --seed 1 --output out/fuzz -q"),
    ("explain",): (0, "plain --cases small.yaml -b numpy"),
    ("report",): (0, "old new --cases small.yaml --output out/report"),
    ("export", "vectors"): (0, "--cases small.yaml --output out/vectors -q"),
    ("import",): (0, "onnx --op softmax --output out/onnx"),
    ("judge",): (3, "r.jsonl --vectors vectors --cases small.yaml --output out/judged --replace"),
    ("diff",): (1, "old new"),
    ("repro",): (0, "plain --cases small.yaml -b numpy"),
    ("dossier",): (0, "new --cases small.yaml --output out/dossier"),
    ("history", "add"): (0, "old times --db out/history.duckdb"),
    ("history", "show"): (0, "--db history.duckdb"),
    ("list",): (0, "--cases small.yaml"),
    ("lint",): (0, "small.yaml"),
    ("fill",): (0, "--check small.yaml"),
    ("smoke",): (0, "-b numpy"),
    ("worker",): (2, "--scheduler tcp://127.0.0.1:1 -b nunpy"),
}
#: What these print goes to standard error alone.
SILENT = {("lint",), ("worker",)}


class Ended(NamedTuple):
    code: int
    err: str
    left_behind: bool
    memory: int


def test_every_verb_is_called() -> None:
    assert {*verbs()} == {*WORKING}


#: Alike for all verbs, which are handled in one place: each time a verb meets one of one group, at night all of all.
TURNS = (("full",), ("gone", "closed"), SIGNALS)


@pytest.mark.slow
@pytest.mark.first
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_every_verb_ends_in_words(tmp_path: Path, whole: bool) -> None:
    assert sorted(end for ends in TURNS for end in ends) == sorted(ENDS)
    write(tmp_path / "small.yaml")
    write(tmp_path / "w.yaml", "workloads:\n  - {id: two, why: small, shape: [2, 3], contracts: [forward]}\n")
    run(tmp_path / "old", [outcome("plain"), outcome("rows")])
    run(tmp_path / "new", [outcome("plain", verdict="fail"), outcome("rows")], started="2026-01-02")
    benchmarks.write(tmp_path / "times", workloads={"w": (4, 8)}, rounds=2)
    assert process("history", "add", "old", "--db", "history.duckdb", folder=tmp_path).code == 0
    write(tmp_path / "r.jsonl", '{"id": "rows/float32/none", "value": [0.5, 0.5, 0.95257413, 0.04742587]}')
    assert process("export", "vectors", "--cases", "small.yaml", "--output", "vectors", folder=tmp_path).code == 0
    asked = [
        (verb, end)
        for place, verb in enumerate(WORKING)
        for turn, ends in enumerate(TURNS)
        for number, end in enumerate(ends)
        if whole or (place % len(TURNS), place // len(TURNS) % len(ends)) == (turn, number)
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.ends"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        input=json.dumps([(end, [*verb, *WORKING[verb][1].split()]) for verb, end in asked]),
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [Ended(*each) for each in json.loads(done.stdout)]
    wrong = [
        f"{' '.join(verb)}, {end}: {problem}: {ended}"
        for (verb, end), ended in zip(asked, found, strict=True)
        if (problem := problem_of(verb, end, ended))
    ]
    assert not wrong, "\n".join(wrong)


def problem_of(verb: tuple[str, ...], end: str, ended: Ended) -> str:
    """What is not as it should be, or nothing."""
    code, err, left_behind, _ = ended
    if left_behind:
        return "a process is left behind"
    if any(words in err for words in ("Traceback", "internal error", "Exception ignored")):
        return "no words of ours"
    usual = WORKING[verb][0]
    if end in SIGNALS:
        fits = code == 130 and err.strip() == "interrupted"
    elif end == "closed" or verb in SILENT:
        fits = code == usual
    else:
        fits = code == {"full": 3, "gone": 141}[end] and ("cannot be written" in err) == (end == "full")
    return "" if fits else "another code, or other words"
