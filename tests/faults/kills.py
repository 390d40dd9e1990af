"""Runs that are ended by a signal at a random time, and resumed: the results must be those of an unbroken run."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.backends.adapters.numpy import Numpy
from conformance.places import ROOT
from tests.faults.trial import MARK, left_behind

__all__ = ["Killed", "killed_runs"]

PATIENCE = 600  # seconds for one run
AT_ONCE = 5  # signals to one run at most


class Second(Numpy):
    """Another backend, so that a run has two."""


@dataclass
class Killed:
    """What came of the runs: how many were ended by which signal and how they took it, and what differs."""

    signals: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    resumed: int = 0
    problems: list[str] = field(default_factory=list)


def killed_runs(folder: Path, kills: int, terms: int, *, cases: int, seed: int) -> Killed:
    """End runs over ``cases`` generated cases ``kills`` times by SIGKILL and ``terms`` times by SIGTERM."""
    dice, killed = random.Random(seed), Killed()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cases.yaml").write_text(json.dumps({"theme": "killed", "cases": _cases(cases)}), encoding="utf-8")
    begin = time.perf_counter()
    if (code := _Run(folder, "whole").wait()) != 0:
        killed.problems.append(f"the unbroken run ends with {code}")
    lasts = time.perf_counter() - begin
    whole = _results(folder / "whole")
    waiting = [signal.SIGKILL] * kills + [signal.SIGTERM] * terms
    dice.shuffle(waiting)
    while waiting:
        name = f"broken-{killed.resumed}"
        for _ in range(dice.randint(1, AT_ONCE)):
            if not waiting or not _end(_Run(folder, name), dice.uniform(0, lasts), waiting[-1], killed, folder):
                break
            waiting.pop()
        if not _results(folder / name)[1] and (code := _Run(folder, name).wait()) != 0:
            killed.problems.append(f"{name}: the last run ends with {code}")
        killed.resumed += 1
        killed.problems += (f"{name}: {each}" for each in _differences(_results(folder / name), whole))
    return killed


def _end(run: _Run, seconds: float, by: signal.Signals, killed: Killed, folder: Path) -> bool:
    """Send the signal to the run after so many seconds; False where it had ended by then."""
    before = set((folder / "tmp").iterdir())  # of a killed run: they go a moment later
    try:
        run.process.wait(seconds)
    except subprocess.TimeoutExpired:
        run.process.send_signal(by)
    else:
        return False
    code = run.wait()
    killed.signals[by.name] += 1
    killed.codes[code] += 1
    killed.problems += (f"{by.name} leaves the process {each}" for each in left_behind(run.token))
    if by is signal.SIGTERM and code not in (0, 130, -by):  # the last one while Python starts
        killed.problems.append(f"SIGTERM ends the run with {code}")
    left = _left(folder / "tmp", before, wait=by is signal.SIGTERM)
    if by is signal.SIGTERM and left:
        killed.problems.append(f"SIGTERM leaves {', '.join(left)}")
    for name in left:  # SIGKILL leaves them: nobody can do anything about that
        subprocess.run(["rm", "-rf", str(folder / "tmp" / name)], check=False)
    return True


def _left(folder: Path, before: set[Path], *, wait: bool) -> list[str]:
    """What the run has left for temporary files; where it did not get to it, its guard removes it a moment later."""
    last = time.monotonic() + (10 if wait else 0)
    while (left := [each.name for each in folder.iterdir() if each not in before]) and time.monotonic() < last:
        time.sleep(0.05)
    return left


class _Run:
    """A run in the folder ``name``, or its resumption where something is there."""

    def __init__(self, folder: Path, name: str) -> None:
        self.token = secrets.token_hex(8)
        (folder / "tmp").mkdir(exist_ok=True)
        environment = os.environ | {MARK: self.token, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT)}
        words = ["-b", "numpy", "-b", "tests.faults.kills:Second"]
        begun = (folder / name / "outcomes.jsonl").is_file() and (folder / name / "outcomes.jsonl").stat().st_size
        words += ["--cases", "cases.yaml", "--resume" if begun else "--output", name]
        command = [sys.executable, "-m", "conformance", "run", *words, "--jobs", "2", "--quiet"]
        with (folder / f"{name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self) -> int:
        return self.process.wait(PATIENCE)


def _cases(count: int) -> list[dict[str, Any]]:
    dice = random.Random(7)
    made = []
    for number in range(count):
        logits = [[round(dice.uniform(-5, 5), 3) for _ in range(4)] for _ in range(3)]
        case = {"id": f"case-{number}", "why": "one of many", "axis": 1, "logits": logits, "dtypes": ["float32"]}
        targets = {"op": "cross_entropy", "targets": [dice.randrange(4) for _ in range(3)]}
        made.append(case | (targets if number % 2 else {"op": "softmax"}))
    return made


def _results(folder: Path) -> tuple[Counter[str], dict[str, int]]:
    """The outcomes, without what a clock says, and the counts of the footer; no counts without one."""
    outcomes: Counter[str] = Counter()
    counts: dict[str, int] = {}
    file = folder / "outcomes.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines(keepends=True) if file.is_file() else ():
        if not line.endswith("\n"):
            continue  # cut off
        record = json.loads(line)
        record.pop("seconds", None)
        if record["record"] == "outcome":
            outcomes[json.dumps(record, sort_keys=True)] += 1
        elif record["record"] == "footer":
            counts = record["counts"]
    return outcomes, counts


def _differences(broken: tuple[Counter[str], dict[str, int]], whole: tuple[Counter[str], dict[str, int]]) -> list[str]:
    missing, more = whole[0] - broken[0], broken[0] - whole[0]
    found = [f"{missing.total()} outcomes are missing"] if missing else []
    found += [f"{more.total()} outcomes are too many"] if more else []
    return found + ([f"counts {broken[1]} for {whole[1]}"] if broken[1] != whole[1] else [])
