"""Executors: the same outcomes whatever the number of workers and the order of answers, and nothing left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance.cases.load import Entry, load_suite
from conformance.model.backend import BackendRecord
from conformance.model.errors import HarnessError
from conformance.model.outcome import Outcome
from conformance.model.records import decode_record
from conformance.run.chunk import unit_keys
from conformance.run.conduct import Conductor
from conformance.run.executors import Executor, LocalExecutor
from conformance.run.plan import Plan
from conformance.run.runner import TaskRunner
from conformance.run.tasks import Done, Task, Terms, Unavailable
from conformance.worker.find import find_backends
from conformance.worker.limits import Limits
from tests.support.cli import DIES_AT_SEVEN
from tests.support.inline import InlineExecutor

pytestmark = pytest.mark.slow

TERMS = Terms(limits=Limits(start=60, call=2))
KILLS = """
import os, signal, time
from conformance.backends.numpy import Numpy


class Kills(Numpy):
    def softmax(self, logits, *, axis):
        with open(f"/proc/{os.getppid()}/stat") as guard:
            os.kill(int(guard.read().rpartition(")")[2].split()[1]), signal.SIGKILL)
        time.sleep(600)
"""
#: Before it does so: not if it was done before.
KILLED = """\
        killed = os.path.join(os.path.dirname(__file__), "killed")
        if os.path.exists(killed):
            return super().softmax(logits, axis=axis)
        open(killed, "w").close()
"""


VERSIONS = """
import os
from conformance.backends.numpy import Numpy


class Versions(Numpy):
    def versions(self):
        return {"numpy": "2", "mine": f"of {os.getpid()}"}
"""


def children_of(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def command_of(pid: int) -> bytes:
    return Path("/proc", str(pid), "cmdline").read_bytes()


def group_of_workers() -> int:
    last = time.monotonic() + 60
    while True:  # a process that has just been started may not have its command yet
        found = [pid for pid in children_of(os.getpid()) if b"executors.workers" in command_of(pid)]
        if found or time.monotonic() > last:
            (group,) = found
            return group
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield
    assert not list(folder.glob("conformance-*"))
    assert not [pid for pid in children_of(os.getpid()) if b"conformance." in command_of(pid)]


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sequence[Entry]:
    """Cases of four small portions."""
    monkeypatch.setattr("conformance.run.plan.MOST", 0.05)
    case = "- {{id: case-{n}, why: w, op: softmax, logits: [[{n}, 1.5]], dtypes: [float32, float16]}}\n"
    file = tmp_path / "cases.yaml"
    file.write_text("theme: numbered\ncases:\n" + "".join(case.format(n=n) for n in range(32)))
    found = load_suite([file]).entries
    assert len(Plan(found).portions) == 4
    return found


class ShufflingExecutor:
    """Does tasks in any order, each by a runner of its own, and answers in another one."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def run(self, tasks: Sequence[Task]) -> Iterator[Done | Unavailable]:
        waiting = list(tasks)
        self._random.shuffle(waiting)
        results = []
        for task in waiting:
            runner = TaskRunner(TERMS)
            results.append(runner.run(task))
            runner.close()
        self._random.shuffle(results)
        yield from results


def conduct(specs: Sequence[str], entries: Sequence[Entry], executor: Executor, **options: Any) -> Any:
    lines: list[bytes] = []
    records: list[BackendRecord] = []

    def put(block: bytes, verdicts: Counter[str]) -> None:
        assert block.count(b'"record":"outcome"') == verdicts.total()
        lines.append(block)

    conductor = Conductor(Plan(entries), find_backends(tuple(specs)), executor, put, records.append, **options)
    conductor.run()
    every = [decode_record(line) for line in b"".join(lines).splitlines()]
    outcomes = [each for each in every if isinstance(each, Outcome)]
    found = sorted(msgspec.json.encode(msgspec.structs.replace(each, seconds=0.0)) for each in outcomes)
    return found, records, conductor


def test_outcomes_are_equal_whatever_the_workers_and_the_order(tmp_path: Path, entries: Sequence[Entry]) -> None:
    (tmp_path / "wrong.py").write_text(DIES_AT_SEVEN)
    specs = ("numpy", str(tmp_path / "wrong.py"))
    executors = [InlineExecutor(TERMS), LocalExecutor(2, TERMS), ShufflingExecutor(1)]
    found = [conduct(specs, entries, each) for each in executors]
    first, records, conductor = found[0]
    assert all(outcomes == first for outcomes, _, _ in found)
    assert {each.name for each in records} == {"numpy", "wrong"} and not conductor.failed
    assert conductor.counts["wrong"]["crash"] and conductor.counts["wrong"]["fail"]
    assert all(each.counts == conductor.counts for _, _, each in found)


@pytest.mark.parametrize("executor", [InlineExecutor(TERMS), LocalExecutor(2, TERMS)])
def test_a_backend_that_does_not_start_fails_once(tmp_path: Path, entries: Sequence[Entry], executor: Any) -> None:
    (tmp_path / "broken.py").write_text("import no_such_framework\n")
    found, records, conductor = conduct(("numpy", str(tmp_path / "broken.py")), entries, executor)
    assert set(conductor.failed) == {"broken"} and "no_such_framework" in conductor.failed["broken"]
    assert [each.name for each in records if each.error] == ["broken"]
    assert conductor.counts["numpy"].keys() == {"pass"} and all(b'"backend":"numpy"' in each for each in found)


def test_processes_of_a_backend_that_differ_are_noticed(tmp_path: Path, entries: Sequence[Entry]) -> None:
    (tmp_path / "versions.py").write_text(VERSIONS)
    two = entries[: len(Plan(entries).portions[0].entries) + 1]
    _, records, conductor = conduct(("numpy", str(tmp_path / "versions.py")), two, ShufflingExecutor(1))
    assert conductor.mixed.keys() == {"versions"} and not conductor.failed
    (first,) = (each.versions["mine"] for each in records if each.name == "versions")
    assert conductor.mixed["versions"].endswith(f", not {first}")


def test_an_iterator_that_is_closed_ends_all_work(tmp_path: Path, entries: Sequence[Entry]) -> None:
    (backend,) = find_backends(("numpy",))
    results = LocalExecutor(2, TERMS).run([Task(backend, each) for each in Plan(entries).portions])
    assert isinstance(next(results), Done)
    results.close()  # type: ignore[attr-defined]


def test_a_backend_that_kills_the_process_that_judges_is_given_up_alone(
    tmp_path: Path, entries: Sequence[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.run.executors.losses.LOSSES", 1)
    (tmp_path / "kills.py").write_text(KILLS)
    found, records, conductor = conduct((str(tmp_path / "kills.py"), "numpy"), entries, LocalExecutor(2, TERMS))
    assert conductor.failed.keys() == {"kills"} and "ended between the cases" in conductor.failed["kills"]
    assert "SIGKILL" in conductor.failed["kills"]
    (lost,) = [each for each in records if each.error]
    assert lost.name == "kills" and lost.planned == len(entries)
    assert conductor.counts["numpy"].keys() == {"pass"}
    assert [each for each in found if b'"backend":"numpy"' in each] == conduct(
        ("numpy",), entries, InlineExecutor(TERMS)
    )[0]


def test_a_task_at_which_the_process_that_judges_is_lost_is_done_again(
    tmp_path: Path, entries: Sequence[Entry]
) -> None:
    (tmp_path / "kills.py").write_text(KILLS.replace("        with", KILLED + "        with", 1))
    found, _, conductor = conduct((str(tmp_path / "kills.py"), "numpy"), entries, LocalExecutor(2, TERMS))
    assert (tmp_path / "killed").exists() and not conductor.failed
    assert found == conduct((str(tmp_path / "kills.py"), "numpy"), entries, InlineExecutor(TERMS))[0]


def test_the_end_of_all_that_judge_is_an_error_of_the_harness(tmp_path: Path, entries: Sequence[Entry]) -> None:
    (backend,) = find_backends(("numpy",))
    tasks = [Task(backend, each) for each in Plan(entries).portions]
    results = LocalExecutor(2, TERMS).run(tasks)
    next(results)
    group = group_of_workers()
    os.kill(group, signal.SIGKILL)
    with pytest.raises(HarnessError, match="have ended: SIGKILL"):
        list(results)


def test_what_is_on_record_is_not_done_again(tmp_path: Path, entries: Sequence[Entry]) -> None:
    plan = Plan(entries)
    most = len(plan.portions[0].entries)
    done = unit_keys(plan.portions[0], "numpy") | {("numpy", entries[most].case.id, "float32", "contiguous")}
    found, _, conductor = conduct(("numpy",), entries, InlineExecutor(TERMS), done=done)
    whole, _, _ = conduct(("numpy",), entries, InlineExecutor(TERMS))
    missing = {msgspec.json.decode(each)["case"] for each in set(whole) - set(found)}
    assert missing == {each.case.id for each in entries[: most + 1]}
    assert conductor.counts["numpy"].total() == len(found)


def test_ctrl_c_is_not_for_the_processes_that_work(entries: Sequence[Entry]) -> None:
    executor = LocalExecutor(2, TERMS)
    executor.prepare()
    group = group_of_workers()
    assert os.getsid(group) == group != os.getsid(0)
    executor.close()


def test_processes_end_with_the_one_that_conducts(tmp_path: Path) -> None:
    script = tmp_path / "conduct.py"
    script.write_text(
        "import os, signal\n"
        "from conformance.run.executors import LocalExecutor\n"
        "from conformance.run.tasks import Terms\n"
        "executor = LocalExecutor(2, Terms())\n"
        "executor.prepare()\n"
        "print(executor._processes[0]._group.pid, executor._processes[0].folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL
    pid, folder = ran.stdout.split()
    for _ in range(1000):
        if not Path("/proc", pid).exists():
            break
        time.sleep(0.02)
    assert not Path("/proc", pid).exists()
    shutil.rmtree(folder)
