"""Every verb, however its output or its process ends: a code that says so, words, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from conformance.places import ROOT
from tests.support import benchmarks
from tests.support.cli import verbs, write
from tests.support.ends import ENDS, SIGNALS
from tests.support.outcomes import outcome, run

#: Words after each verb with which it works, and the code that it then ends with.
WORKING: dict[tuple[str, ...], tuple[int, str]] = {
    ("run",): (0, "-b numpy --cases small.yaml --output out/run --replace --no-identities"),
    ("bench",): (0, "-b numpy --workloads w.yaml --replicates 1 --budget 0.002 --output out/bench --no-report"),
    ("explain",): (0, "plain --cases small.yaml -b numpy"),
    ("report",): (0, "old new --cases small.yaml --output out/report"),
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


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[tuple[str, ...], str], Ended]:
    """How each verb ended, by its words and the way to end."""
    folder = tmp_path_factory.mktemp("ends")
    write(folder / "small.yaml")
    write(folder / "w.yaml", "workloads:\n  - {id: two, why: small, shape: [2, 3], contracts: [forward]}\n")
    run(folder / "old", [outcome("plain"), outcome("rows")])
    run(folder / "new", [outcome("plain", verdict="fail"), outcome("rows")], started="2026-01-02")
    benchmarks.write(folder / "times", workloads={"w": (4, 8)}, rounds=2)
    called = [sys.executable, "-m", "conformance", "history", "add", "old", "--db", "history.duckdb"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(called, cwd=folder, env=environment, check=True, capture_output=True)
    asked = [(verb, end) for verb in WORKING for end in ENDS]
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.ends"], cwd=folder, env=environment, capture_output=True, text=True,
        input=json.dumps([(end, [*verb, *WORKING[verb][1].split()]) for verb, end in asked]), timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {pair: Ended(*found) for pair, found in zip(asked, json.loads(done.stdout), strict=True)}


def test_every_verb_is_called() -> None:
    assert {*verbs()} == {*WORKING}


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("verb", WORKING, ids=" ".join)
def test_every_verb_ends_in_words(verb: tuple[str, ...], end: str, ended: dict[object, Ended]) -> None:
    code, err, left_behind = ended[verb, end]
    assert "Traceback" not in err and "internal error" not in err and "Exception ignored" not in err, err
    assert not left_behind
    usual = WORKING[verb][0]
    if end in SIGNALS:  # which may come too late, or while an error is being said
        assert code in (usual, 130, -signal.SIGINT), err  # a shell sees 130 in both
        assert code == usual or "interrupted" in err or "error" in err
    elif end == "closed" or verb in SILENT:
        assert code == usual, err
    else:
        assert code == {"full": 3, "gone": 141}[end], err
        assert ("cannot be written" in err) == (end == "full")
