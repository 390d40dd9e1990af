"""Backends that die: each death is on record, whether it comes back or not, and no run is then green."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conformance.cases.load import load_suite
from conformance.cli import main
from conformance.results.store import read_run
from conformance.run.findings import judge_chunk
from conformance.run.plan import Plan
from conformance.run.recheck import Recheck
from conformance.run.runner import TaskRunner
from conformance.run.tasks import Done, Task, Terms
from conformance.worker.find import find_backends
from tests.support.cli import process

pytestmark = pytest.mark.slow

CASES = "theme: numbered\ncases:\n" + "".join(
    f"- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32], reductions: [none]}}\n"
    for n in range(8)
)
#: What each does at the call of case 5 of its first process; `FIRST` says whether it is that.
BACKEND = """
import ctypes, os, sys, threading, time
from pathlib import Path
from conformance.backends.contract import Unsupported
from conformance.backends.numpy import Numpy

MARK = Path(__file__).with_suffix(".started")
FIRST = not MARK.exists()
MARK.touch()
{at_import}


class Dies(Numpy):
    def softmax(self, logits, *, axis):
        if FIRST and logits.flat[0] == 5:
            {at_call}
        return super().softmax(logits, axis=axis)
"""
SEGFAULT = "ctypes.string_at(1)"


def backend(folder: Path, at_call: str, at_import: str = "") -> Path:
    file = folder / "dies.py"
    file.write_text(BACKEND.format(at_call=at_call, at_import=at_import))
    return file


def run(folder: Path, *backends: Path | str, options: tuple[str, ...] = ()) -> tuple[int, list[dict[str, Any]], str]:
    (folder / "cases.yaml").write_text(CASES)
    named = [word for each in backends for word in ("-b", str(each))]
    shown = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        code = main(["run", *named, "--cases", "cases.yaml", "--output", "run", *options])
    lines = (folder / "run" / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    return code, [line for line in map(json.loads, lines) if line["record"] == "outcome"], shown.getvalue()


def verdicts(outcomes: list[dict[str, Any]]) -> Counter[str]:
    return Counter(each["verdict"] for each in outcomes)


@pytest.mark.parametrize(
    ("at_call", "end"),
    [
        (SEGFAULT, "SIGSEGV"),
        ("os._exit(3)", "exit code 3"),
        ("time.sleep(600)", "no answer within 3 s"),
        ("threading.Timer(0.05, ctypes.string_at, [1]).start()", "SIGSEGV"),
    ],
    ids=["segfault", "exit", "hang", "later"],
)
def test_a_death_that_does_not_come_back_is_a_verdict(tmp_path: Path, at_call: str, end: str) -> None:
    code, outcomes, shown = run(tmp_path, backend(tmp_path, at_call), options=("--timeout", "3", "--jobs", "1"))
    (noted,) = [each for each in outcomes if each["check"] == "process"]
    assert code == 1 and noted["verdict"] == "unreproduced" and end in str(noted["error"])
    others = [each for each in outcomes if each is not noted]
    assert verdicts(others).keys() == {"pass"} and {each["case"] for each in others} == {f"case-{n}" for n in range(8)}
    assert "unreproduced" in shown


def test_a_backend_that_dies_and_does_not_start_again_is_not_green(tmp_path: Path) -> None:
    dying = backend(tmp_path, SEGFAULT, at_import="if not FIRST: sys.exit('no second start')")
    code, outcomes, _ = run(tmp_path, dying, options=("--jobs", "1"))
    found = verdicts(outcomes)
    assert code == 1 and found["crash"] == 1 and found["not run"] and "SIGSEGV" in json.dumps(outcomes)
    lost = [each for each in outcomes if each["verdict"] == "not run"]
    assert all("did not start again" in each["error"]["text"] for each in lost)
    assert [each["case"] for each in outcomes if each["verdict"] == "crash"] == ["case-5"]


def test_smoke_does_not_count_what_was_not_reached(tmp_path: Path) -> None:
    dying = backend(tmp_path, "pass", at_import="if not FIRST: sys.exit('no second start')")
    dying.write_text(dying.read_text().replace("logits.flat[0] == 5", "os._exit(3)"))
    ran = process("smoke", "-b", dying, "--format", "json", folder=tmp_path)
    rows = json.loads(ran.out)
    assert ran.code == 1 and sum(each["sound"] for each in rows) == 0
    assert Counter(each["state"] for each in rows) == {"crash": 1, "not run": 5}


def test_nothing_but_unsupported_is_not_green(tmp_path: Path) -> None:
    lacking = backend(tmp_path, "pass")
    lacking.write_text(lacking.read_text().replace("if FIRST and logits.flat[0] == 5:", "if True:").replace(
        "            pass\n", "            raise Unsupported('nothing')\n"
    ))  # fmt: skip
    code, outcomes, shown = run(tmp_path, lacking)
    assert code == 3 and verdicts(outcomes).keys() == {"unsupported"} and "nothing was checked" in shown


def test_a_backend_that_does_not_start_is_not_green_beside_another(tmp_path: Path) -> None:
    code, outcomes, _ = run(tmp_path, backend(tmp_path, "pass", at_import="import no_such_framework"), "numpy")
    assert code == 3 and verdicts(outcomes).keys() == {"pass"}


def test_a_test_of_the_plugin_is_not_skipped_where_its_backend_died(tmp_path: Path) -> None:
    dying = backend(tmp_path, SEGFAULT, at_import="if not FIRST: sys.exit('no second start')")
    (tmp_path / "cases.yaml").write_text(CASES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", "."]
    command += ["--conformance-backend", str(dying), "cases.yaml"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1 and "skipped" not in ran.stdout and "error" in ran.stdout


def test_a_death_at_the_end_of_a_task_is_not_seen_in_the_next(tmp_path: Path) -> None:
    case = "- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32], reductions: [none]}}\n"
    dying = backend(tmp_path, SEGFAULT, at_import="FIRST = True")
    dying.write_text(dying.read_text().replace("logits.flat[0] == 5", "logits.flat[0] in (15, 31)"))
    (tmp_path / "many.yaml").write_text("theme: n\ncases:\n" + "".join(case.format(n=n) for n in range(48)))
    ran = process("run", "-b", dying, "--cases", "many.yaml", "--output", "run", "--jobs", "1", folder=tmp_path)
    lines = map(json.loads, (tmp_path / "run" / "outcomes.jsonl").read_text(encoding="utf-8").splitlines())
    bad = [line for line in lines if line["record"] == "outcome" and line["verdict"] != "pass"]
    assert ran.code == 1 and {each["verdict"] for each in bad} == {"crash"}
    assert {each["case"] for each in bad} == {"case-15", "case-31"}


def test_every_death_is_counted_also_where_what_went_wrong_is_asked_again(tmp_path: Path) -> None:
    died = "os.write(os.open(MARK.with_suffix('.deaths'), os.O_WRONLY | os.O_CREAT | os.O_APPEND), b'd')"
    dying = backend(tmp_path, f"os._exit({died})", at_import="FIRST = True")
    code, _, _ = run(tmp_path, dying, options=("--jobs", "1"))
    deaths = (tmp_path / "dies.deaths").read_text()
    assert code == 1 and read_run(tmp_path / "run").deaths == {"dies": len(deaths)}


@pytest.mark.parametrize(
    ("during", "what"),
    [("rules.judge_chunk", judge_chunk), ("settling.Recheck.settle", Recheck.settle)],
    ids=["judged", "settled"],
)
def test_a_death_while_the_answers_are_judged_is_of_their_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, during: str, what: Any
) -> None:
    def kill_first(*arguments: Any) -> Any:
        pid = int((tmp_path / "dies.started").read_text())
        if not killed:  # what is given anew is judged again
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{killed[0]}").exists():  # until its guard has seen it
            time.sleep(0.01)
        return what(*arguments)

    killed: list[int] = []
    mine = str(backend(tmp_path, "pass", at_import="MARK.write_text(str(os.getpid()))"))
    (tmp_path / "cases.yaml").write_text(CASES)
    (portion,) = Plan(load_suite((tmp_path / "cases.yaml",)).entries).portions
    (found,) = find_backends((mine,))
    with contextlib.closing(TaskRunner(Terms())) as runner:
        with monkeypatch.context() as patched:
            patched.setattr(f"conformance.run.{during}", kill_first)
            done = runner.run(Task(found, portion))
        again = runner.run(Task(found, portion))
    assert isinstance(done, Done) and isinstance(again, Done)
    lines = [json.loads(line) for line in done.lines.splitlines()]
    (noted,) = [line for line in lines if line.get("verdict", "pass") != "pass"]
    assert noted["case"] == "case-0"  # the calls are repeated backwards, so that this is the last one
    assert (noted["check"], noted["verdict"]) == ("process", "unreproduced")
    assert "SIGKILL" in noted["error"]["type"] and lines[0]["deaths"] == 1
    assert again.verdicts.keys() == {"pass"} and json.loads(again.lines.splitlines()[0])["deaths"] == 0


def test_a_backend_that_ends_the_process_that_judges_it_is_given_up_alone(tmp_path: Path) -> None:
    above = "int(Path(f'/proc/{os.getppid()}/stat').read_text().rpartition(')')[2].split()[1])"
    killer = backend(tmp_path, f"os.kill({above}, 9); time.sleep(60)", at_import="FIRST = True")
    code, outcomes, shown = run(tmp_path, killer, "numpy", options=("--jobs", "1"))
    assert code == 3 and verdicts(outcomes) == {"pass": len(outcomes)}
    assert {each["backend"] for each in outcomes} == {"numpy"} and "dies did not run: the process that judges" in shown


def test_a_backend_that_is_given_up_has_run_so_far(tmp_path: Path) -> None:
    above = "int(Path(f'/proc/{os.getppid()}/stat').read_text().rpartition(')')[2].split()[1])"
    killer = backend(tmp_path, f"os.kill({above}, 9); time.sleep(60)", at_import="FIRST = True")
    killer.write_text(killer.read_text().replace("== 5", "== 20"))
    case = "- {{id: {name}, why: w, op: softmax, logits: {logits}, dtypes: [float32], reductions: [none]}}\n"
    large = case.format(name="large", logits="{distribution: normal, shape: [300, 2000], seed: 1}")  # a task of its own
    (tmp_path / "many.yaml").write_text(CASES + large + case.format(name="last", logits="[[20, 1.5]]"))
    ran = process("run", "-b", killer, "--cases", "many.yaml", "--output", "run", "--jobs", "1", folder=tmp_path)
    given_up = re.search(r"dies (was given up after [1-9] of 10 cases): the process that judges", ran.out)
    assert ran.code == 3 and given_up is not None
    assert given_up[1] in (tmp_path / "run" / "summary.md").read_text(encoding="utf-8")


def test_what_was_not_reached_has_a_reason(tmp_path: Path) -> None:
    dying = backend(tmp_path, SEGFAULT, at_import="if not FIRST: sys.exit('no second start')")
    _, outcomes, shown = run(tmp_path, dying, options=("--jobs", "1"))
    lost = verdicts(outcomes)["not run"]
    assert f"{lost} checks were not reached: the backend did not start again" in " ".join(shown.split())
    assert "were not reached" in (tmp_path / "run" / "summary.md").read_text(encoding="utf-8")
